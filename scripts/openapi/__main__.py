"""Writes gateway/web/openapi.json: `python -m scripts.openapi`. With `--check`, fails if the committed file differs."""

from __future__ import annotations

import argparse
import sys

from scripts.openapi.document import DOCUMENT, text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether the committed document is up to date")
    if not parser.parse_args().check:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(text(), encoding="utf-8")
    elif not DOCUMENT.exists() or DOCUMENT.read_text(encoding="utf-8") != text():
        sys.exit(f"{DOCUMENT} is not up to date, run `make generate`")


if __name__ == "__main__":
    main()
