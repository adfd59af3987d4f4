"""`registry export` and `registry import`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from cyclopts import Parameter

from registry_cli import output, progress, tables
from registry_cli.errors import UsageError
from registry_cli.session import method_of

PART = 64 * 1024
File = Annotated[
    str, Parameter(name=["--file", "-f"], allow_leading_hyphen=True, help="The file; `-` is stdout or stdin.")
]


def export(*, file: File = "-") -> None:
    if file == "-" and sys.stdout.isatty():
        raise UsageError("The file would be written to the terminal.", hint="Name one with --file, or redirect stdout.")
    with progress.byte_count("exported", None) as tell:
        if file == "-":
            _write(sys.stdout.buffer, tell)
            return
        partial = Path(f"{file}.partial")
        try:
            with partial.open("wb") as target:
                _write(target, tell)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)


def import_(*, file: File = "-") -> None:
    if file == "-":
        if sys.stdin.isatty():
            raise UsageError("There is no file to import.", hint="Name one with --file, or redirect stdin.")
        done = _send(sys.stdin.buffer, None)
    else:
        try:
            with Path(file).open("rb") as source:
                done = _send(source, Path(file).stat().st_size)
        except OSError as error:
            raise UsageError(f"{file}: {error.strerror}.") from None
    output.show_one(done, tables.IMPORTED)


def _write(target: BinaryIO, tell: Callable[[int], None]) -> None:
    parts, request = method_of("transfer.ExportProject")
    for part in parts(request()):
        target.write(part.ndjson)
        tell(len(part.ndjson))
    target.flush()


def _send(source: BinaryIO, size: int | None) -> Any:
    send, request = method_of("transfer.ImportProject")
    with progress.byte_count("imported", size) as tell:

        def requests() -> Iterator[Any]:
            while part := source.read(PART):
                tell(len(part))
                yield request(ndjson=part)

        return send(requests())
