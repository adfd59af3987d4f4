"""Fetches the program of the page /docs from npm: `python scripts/reference_page.py`, which needs npm.

With `--check`, needs nothing and only compares what is committed: the program with its hash, and the page with the
hashes of its files, by which browsers know that they may keep them.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from registry_grpc.shipped import GATEWAY

PACKAGE = "@scalar/api-reference@1.76.0"
SHA256 = "dcb027152bf20bf2f6dcd66e8f9fb073c1a9e274cf0b94b939a7d99ab8947060"
"""Of the program. For another release, take over the new one, and the hashes of its styles from the errors that
tests/e2e/test_reference_page.py finds in the browser's console."""
FOLDER = GATEWAY / "web" / "docs"
PROGRAM = FOLDER / "reference.js"
_PAGE = """\
<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>REST API of the model registry</title>
    <link rel="icon" href="/ui/icon.svg">
    <link rel="stylesheet" href="/docs/reference.css?v={reference.css}">
    <script src="/docs/reference.js?v={reference.js}" defer></script>
    <script src="/docs/init.js?v={init.js}" defer></script>
  </head>
  <body>
    <div id="reference"></div>
    <noscript>This page needs JavaScript. What it shows is in <a href="/openapi.json">/openapi.json</a>.</noscript>
  </body>
</html>
"""


def page() -> str:
    text = _PAGE
    for name in ("reference.css", "reference.js", "init.js"):
        text = text.replace(f"{{{name}}}", _hash_of(FOLDER / name)[:12])
    return text


def fetch() -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
        )
        with tarfile.open(Path(folder, packed.stdout.strip())) as archive:
            program = archive.extractfile("package/dist/browser/standalone.js")
            assert program is not None
            PROGRAM.write_bytes(program.read())


def is_current() -> bool:
    return _hash_of(PROGRAM) == SHA256 and (FOLDER / "index.html").read_text(encoding="utf-8") == page()


def _hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare the committed files with their hashes")
    if not parser.parse_args().check:
        fetch()
        (FOLDER / "index.html").write_text(page(), encoding="utf-8")
    if not is_current():
        sys.exit(f"{FOLDER} is not as it should be: its program is not that of {PACKAGE}, or its page has other hashes")


if __name__ == "__main__":
    main()
