"""Builds the examples by the commands of docs/clients.md, in a clean copy outside of the checkout."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BUF: Final = str(Path(sys.executable).with_name("buf"))
CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"

_MADE_IN_THE_CHECKOUT: Final = frozenset(
    {"node_modules", "dist", "target", "modelregistry", "buf", ".venv", "__pycache__"}
)
_SECONDS: Final = 900


@dataclass(frozen=True)
class Example:
    """A folder of examples/, the tool that it needs, and the commands that build and run it in a checkout."""

    name: str
    needs: str
    build: tuple[tuple[str, ...], ...]
    run: tuple[str, ...]
    stubs: tuple[str, ...] = ()
    """Further files and folders of the checkout that it takes to build the package of stubs."""

    def built(self) -> Path:
        """The root of a copy of the checkout in which this example is built. Skips the test if the tool is missing."""
        place = CACHE / f"example-{self.name}-{self._fingerprint()}"
        if place.exists():
            return place
        if shutil.which(self.needs) is None:
            pytest.skip(f"examples/{self.name} needs {self.needs} on the PATH")
        place.parent.mkdir(parents=True, exist_ok=True)
        with _locked(CACHE / f"{self.name}.lock"):
            if not place.exists():
                self._build(place)
        return place

    def _build(self, place: Path) -> None:
        with tempfile.TemporaryDirectory(dir=place.parent) as folder:
            copy = Path(folder) / "checkout"
            for source in self._sources():
                target = copy / source.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
            for command in self.build:
                _run(command, copy)
            copy.rename(place)

    def _sources(self) -> list[Path]:
        places = ["buf.yaml", "proto", "third_party/proto", f"examples/{self.name}", *self.stubs]
        found = (path for place in places for path in [ROOT / place, *(ROOT / place).rglob("*")] if path.is_file())
        return sorted(path for path in found if not self._is_made(path.relative_to(ROOT)))

    def _is_made(self, path: Path) -> bool:
        made = _MADE_IN_THE_CHECKOUT - ({"modelregistry", "buf"} if path.parts[0] != "examples" else set())
        return not made.isdisjoint(path.parts)

    def _fingerprint(self) -> str:
        # Each checkout has a Python of its own, which does not make another example.
        digest = hashlib.sha256(repr(self.build).replace(sys.executable, "python").encode())
        for source in self._sources():
            digest.update(f"{source.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        return digest.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let no other process build the same example meanwhile. They would use one Maven repository."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: tuple[str, ...], folder: Path) -> None:
    environment = os.environ | {
        "MAVEN_OPTS": f"-Dmaven.repo.local={CACHE / 'maven'}"
    }  # not where developers keep theirs
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}", pytrace=False)


_STUBS: Final = ("LICENSE", "pyproject.toml", "scripts/stubs.py")


def _made_from_stubs(language: str) -> tuple[str, ...]:
    return (sys.executable, "scripts/stubs.py", language)


GO: Final = Example(
    name="go",
    needs="go",
    stubs=("stubs/go",),
    build=(("go", "build", "-C", "examples/go", "-o", "client", "."),),
    run=("examples/go/client",),
)
_TYPESCRIPT_STUBS: Final = (*_STUBS, "buf.gen.ts.yaml", "stubs/typescript")
TYPESCRIPT: Final = Example(
    name="typescript",
    needs="npm",
    stubs=_TYPESCRIPT_STUBS,
    build=(
        _made_from_stubs("typescript"),
        ("npm", "ci", "--prefix", "examples/typescript"),
        ("npm", "run", "build", "--prefix", "examples/typescript"),
        ("npm", "prune", "--omit=dev", "--prefix", "examples/typescript"),  # the compiler takes most of the space
    ),
    run=("node", "examples/typescript/dist/main.js"),
)
BROWSER: Final = Example(
    name="browser",
    needs="npm",
    stubs=_TYPESCRIPT_STUBS,
    build=(
        _made_from_stubs("typescript"),
        ("npm", "ci", "--prefix", "examples/browser"),
        ("npm", "run", "build", "--prefix", "examples/browser"),
    ),
    run=(),
)
_INSTALL: Final = (
    "mvn --batch-mode install:install-file -Dfile=$(ls dist/stubs/*[0-9].jar) -DpomFile=$(ls dist/stubs/*.pom)"
)
JAVA: Final = Example(
    name="java",
    needs="mvn",
    stubs=(*_STUBS, "stubs/java"),
    build=(
        _made_from_stubs("java"),
        ("sh", "-c", _INSTALL),
        ("mvn", "--batch-mode", "-f", "examples/java", "package"),
    ),
    # Without the compiler that takes longest, a busy machine starts it well within the deadline of a call.
    run=("java", "-XX:TieredStopAtLevel=1", "-jar", "examples/java/target/registry-client.jar"),
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
