"""The UI that the gateway serves is the one that its sources make."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SERVED: Final = ROOT / "gateway" / "web" / "ui"
_MOST_BYTES: Final = 200_000
_MADE: Final = shutil.ignore_patterns("node_modules", "gen", "dist")


@pytest.mark.timeout(600)
def test_the_served_files_are_built_from_the_sources_and_pass_their_checks(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    for folder in ("ui", "proto", "third_party/proto"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=_MADE)
    shutil.copyfile(ROOT / "buf.yaml", tmp_path / "buf.yaml")
    built = tmp_path / "built"
    _npm(tmp_path / "ui", "ci", "--no-audit", "--no-fund")
    _npm(tmp_path / "ui", "run", "build", UI_OUT_DIR=str(built))
    _npm(tmp_path / "ui", "run", "check")
    assert sorted(file.name for file in built.iterdir()) == sorted(file.name for file in SERVED.iterdir())
    for file in SERVED.iterdir():
        same = (built / file.name).read_bytes() == file.read_bytes()
        assert same, f"{file.relative_to(ROOT)} is not what ui/ builds now: run `make ui`, and commit it"


def _npm(folder: Path, *arguments: str, **environment: str) -> None:
    buf = str(Path(sys.executable).with_name("buf"))
    done = subprocess.run(
        ["npm", *arguments],
        cwd=folder,
        env=os.environ | {"BUF": buf} | environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, f"npm {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}"


def test_the_pages_are_small() -> None:
    sizes = {file.name: len(gzip.compress(file.read_bytes(), mtime=0)) for file in SERVED.iterdir()}
    assert sum(sizes.values()) < _MOST_BYTES, sizes
