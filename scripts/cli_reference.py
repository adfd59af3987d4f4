"""Write the reference of all commands into docs/cli.md, from what `registry --help` prints.

`--check` only says whether it is up to date.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "client" / "src"))

from registry_cli.main import app  # noqa: E402

DOCUMENT = ROOT / "docs" / "cli.md"
MARK = "<!-- What follows is written by scripts/cli_reference.py. -->\n"


def reference() -> str:
    parts = [
        MARK,
        "## Reference\n",
        _help(),
        "\nGlobal options may stand anywhere in a command. Names of options and commands are stable.\n",
    ]
    for command in _commands():
        text = _help(*command).partition("Global options:")[0].rstrip()
        parts.append(f"\n### registry {' '.join(command)}\n\n{text}\n```\n")
    return "\n".join(parts[:3]) + "".join(parts[3:])


def _help(*command: str) -> str:
    """In a code block, which is left open for a command so that its end can be cut."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        app.meta([*command, "--help"])
    end = "" if command else "\n```\n"
    return f"```text\n{out.getvalue().rstrip()}{end}"


def _commands() -> Iterator[tuple[str, ...]]:
    for name in app:
        if name.startswith("-"):
            continue
        inner = [each for each in app[name] if not each.startswith("-")]
        yield from [(name, each) for each in inner] or [(name,)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether docs/cli.md is up to date")
    text = DOCUMENT.read_text()
    new = text.partition(MARK)[0] + reference()
    if parser.parse_args().check:
        if new != text:
            sys.exit("docs/cli.md is not up to date, run `make generate`")
        return
    DOCUMENT.write_text(new)


if __name__ == "__main__":
    main()
