"""Builds the examples by the commands of docs/clients.md, in a clean copy outside of the checkout."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BUF: Final = str(Path(sys.executable).with_name("buf"))
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"

_MADE_IN_THE_CHECKOUT: Final = frozenset(
    {"gen", "node_modules", "dist", "target", "modelregistry", "buf", ".venv", "__pycache__"}
)
_SECONDS: Final = 900


@dataclass(frozen=True)
class Example:
    """A folder of examples/, the tool that it needs, and the commands that build and run it in a checkout."""

    name: str
    needs: str
    build: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]
    templates: tuple[str, ...] = ()

    def built(self) -> Path:
        """The root of a copy of the checkout in which this example is built. Skips the test if the tool is missing."""
        place = CACHE / f"example-{self.name}-{self._fingerprint()}"
        if place.exists():
            return place
        if shutil.which(self.needs) is None:
            pytest.skip(f"examples/{self.name} needs {self.needs} on the PATH")
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            copy = Path(folder) / "checkout"
            for source in self._sources():
                target = copy / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            for command in self.build:
                _run(command, copy)
            if not place.exists():  # no other process was faster
                copy.rename(place)
        return place

    def _sources(self) -> list[Path]:
        folders = [ROOT / "proto", ROOT / "third_party" / "proto", ROOT / "examples" / self.name]
        found = [path.relative_to(ROOT) for folder in folders for path in folder.rglob("*") if path.is_file()]
        own = [path for path in found if path.parts[0] != "examples" or _MADE_IN_THE_CHECKOUT.isdisjoint(path.parts)]
        return [ROOT / path for path in sorted([Path("buf.yaml"), *own, *map(Path, self.templates)])]

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.build).encode())
        for source in self._sources():
            digest.update(f"{source.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        return digest.hexdigest()[:16]


def _run(command: tuple[str, ...], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}", pytrace=False)


GO: Final = Example(
    name="go",
    templates=("buf.gen.go.yaml",),
    needs="go",
    build=(
        (BUF, "generate", "--template", "buf.gen.go.yaml"),
        ("go", "build", "-C", "examples/go", "-o", "client", "."),
    ),
    run=("examples/go/client",),
)
TYPESCRIPT: Final = Example(
    name="typescript",
    templates=("buf.gen.ts.yaml",),
    needs="npm",
    build=(
        ("npm", "ci", "--prefix", "examples/typescript"),
        (BUF, "generate", "--template", "buf.gen.ts.yaml"),
        ("npm", "run", "build", "--prefix", "examples/typescript"),
        ("npm", "prune", "--omit=dev", "--prefix", "examples/typescript"),  # the compiler takes most of the space
    ),
    run=("node", "examples/typescript/dist/main.js"),
)
JAVA: Final = Example(
    name="java",
    needs="mvn",
    build=(("mvn", "--batch-mode", "-f", "examples/java", "package"),),
    run=("java", "-jar", "examples/java/target/registry-client.jar"),
)
# The crates are compiled once for all versions of the example.
_CRATES: Final = ("--target-dir", str(CACHE / "cargo"))
RUST: Final = Example(
    name="rust",
    needs="cargo",
    build=(
        (
            "cargo",
            "install",
            "--locked",
            "--debug",
            "--path",
            "examples/rust",
            "--root",
            "examples/rust/target",
            *_CRATES,
        ),
    ),
    run=("examples/rust/target/bin/registry-client",),
)
_PYTHON: Final = "examples/python/.venv/bin/python"
_PROTOC: Final = (
    "-m grpc_tools.protoc -I proto -I third_party/proto"
    " --python_out=examples/python --pyi_out=examples/python --grpc_python_out=examples/python"
)
PYTHON: Final = Example(
    name="python",
    needs=sys.executable,
    build=(
        (sys.executable, "-m", "venv", "examples/python/.venv"),
        (_PYTHON, "-m", "pip", "install", "--quiet", "--requirement", "examples/python/requirements.txt"),
        ("sh", "-c", f"{_PYTHON} {_PROTOC} proto/modelregistry/v1/*.proto third_party/proto/buf/validate/*.proto"),
    ),
    run=(_PYTHON, "examples/python/client.py"),
)
EXAMPLES: Final = (GO, TYPESCRIPT, JAVA, RUST, PYTHON)
