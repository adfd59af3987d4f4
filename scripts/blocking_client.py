"""Generate the blocking client, registry_client._sync, from the asynchronous one, registry_client.aio.

`--check` only says whether it is up to date. `runtime.py` is written by hand in both.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import unasync

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "client" / "src" / "registry_client"
HEADER = "# Made from registry_client/aio by scripts/blocking_client.py. Change it there.\n"
BY_HAND = "runtime.py"
WORDS = {"AsyncClient": "Client", "aio": "_sync", "aclosing": "closing", "aclose": "close"}


def generate(target: Path) -> list[Path]:
    """The files that were written into the folder."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "aio", Path(folder) / "made"
        shutil.copytree(PACKAGE / "aio", source, ignore=shutil.ignore_patterns("__pycache__", BY_HAND))
        rule = unasync.Rule(f"{source}/", f"{made}/", WORDS)
        unasync.unasync_files(sorted(map(str, source.glob("*.py"))), [rule])
        written = []
        for path in sorted(made.glob("*.py")):
            text = path.read_text().replace("The asynchronous client", "The blocking client")
            (target / path.name).write_text(HEADER + text)
            written.append(target / path.name)
        return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the committed files are up to date")
    committed = PACKAGE / "_sync"
    if parser.parse_args().check:
        with tempfile.TemporaryDirectory() as folder:
            made = {path.name: path.read_text() for path in generate(Path(folder))}
        found = {path.name: path.read_text() for path in committed.glob("*.py") if path.name != BY_HAND}
        if made != found:
            sys.exit("the blocking client is not up to date: run `make generate`")
        return
    written = {path.name for path in generate(committed)}
    for path in committed.glob("*.py"):
        if path.name not in written and path.name != BY_HAND:
            path.unlink()


if __name__ == "__main__":
    main()
