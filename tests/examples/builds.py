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

_MADE_IN_THE_CHECKOUT: Final = frozenset({"gen", "node_modules", "dist", "target"})
_SECONDS: Final = 600


@dataclass(frozen=True)
class Example:
    """A folder of examples/, the tool that it needs, and the commands that build it in the root of a checkout."""

    name: str
    template: str
    needs: str
    commands: tuple[tuple[str, ...], ...]

    def build(self) -> Path:
        """The root of a copy of the checkout in which this example is built. Skips the test if the tool is missing."""
        place = _cache() / f"example-{self.name}-{self._fingerprint()}"
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
            for command in self.commands:
                _run(command, copy)
            if not place.exists():  # no other process was faster
                copy.rename(place)
        return place

    def _sources(self) -> list[Path]:
        folders = [ROOT / "proto", ROOT / "third_party" / "proto", ROOT / "examples" / self.name]
        found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        own = [path for path in found if _MADE_IN_THE_CHECKOUT.isdisjoint(path.relative_to(ROOT).parts)]
        return sorted([ROOT / "buf.yaml", ROOT / self.template, *own])

    def _fingerprint(self) -> str:
        digest = hashlib.sha256(repr(self.commands).encode())
        for source in self._sources():
            digest.update(f"{source.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(source.read_bytes()).digest())
        return digest.hexdigest()[:16]


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"


def _run(command: tuple[str, ...], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}", pytrace=False)


GO = Example(
    name="go",
    template="buf.gen.go.yaml",
    needs="go",
    commands=(
        (BUF, "generate", "--template", "buf.gen.go.yaml"),
        ("go", "build", "-C", "examples/go", "-o", "client", "."),
    ),
)
TYPESCRIPT = Example(
    name="typescript",
    template="buf.gen.ts.yaml",
    needs="npm",
    commands=(
        ("npm", "ci", "--prefix", "examples/typescript"),
        (BUF, "generate", "--template", "buf.gen.ts.yaml"),
        ("npm", "run", "build", "--prefix", "examples/typescript"),
        ("npm", "prune", "--omit=dev", "--prefix", "examples/typescript"),  # the compiler takes most of the space
    ),
)
_COMPILERS = "examples/java/target/compilers"
JAVA = Example(
    name="java",
    template="buf.gen.java.yaml",
    needs="mvn",
    commands=(
        ("mvn", "--batch-mode", "-f", "examples/java", "dependency:copy@compilers"),
        ("chmod", "+x", f"{_COMPILERS}/protoc.exe", f"{_COMPILERS}/protoc-gen-grpc-java.exe"),
        (BUF, "generate", "--template", "buf.gen.java.yaml"),
        ("mvn", "--batch-mode", "-f", "examples/java", "compile"),
    ),
)
