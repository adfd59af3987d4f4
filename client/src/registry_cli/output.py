"""Prints objects of the registry: data to stdout in the chosen format, messages to stderr."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from registry_cli.errors import UsageError
from registry_cli.options import chosen

_MIN_WIDTH = 12
"""Texts are not cut to less on a terminal."""
_STYLES = {
    "green": ("DEPLOYED", "SERVED", "READY", "OK", "ACTIVE", "DELIVERED"),
    "yellow": ("PENDING", "DEPLOYING", "UPDATING", "WAITING", "DELETING", "DRIFTED", "UPLOADING"),
    "red": ("FAILED", "DEGRADED", "ERROR", "DISABLED", "BLOCKING"),
}


@dataclass(frozen=True)
class Column:
    title: str
    value: str | Callable[[Any], object]
    """The path of a field, such as `latest_version.number`, or a function of the object."""
    wide: bool = False
    """Whether only `-o wide` shows it."""


@dataclass(frozen=True)
class Table:
    """How the objects of one kind are shown."""

    columns: tuple[Column, ...]
    name: str | Callable[[Any], object] = "name"
    """What `-o name` prints."""
    facts: tuple[Column, ...] = ()
    """What is shown of one object. Without them, and with `-o wide`: each field that is set."""


def say(text: str) -> None:
    """A message for people."""
    print("\n".join(line(each) for each in text.split("\n")), file=sys.stderr, flush=True)


def show(objects: Iterable[Any], table: Table) -> None:
    """Print a list."""
    if chosen.output in {"json", "yaml"}:
        _print_data([as_json(each) for each in objects])
    elif chosen.output == "name":
        for each in objects:
            print(_shown(each, table.name))
    else:
        shown = [column for column in table.columns if chosen.output == "wide" or not column.wide]
        rows = [[_shown(each, column.value) for column in shown] for each in objects]
        _print_rows([column.title for column in shown], rows)
        if not rows and sys.stderr.isatty():
            say("There are none.")


def show_one(message: Any, table: Table) -> None:
    """Print one object: for people, each of its facts on a line."""
    if chosen.output in {"json", "yaml"}:
        _print_data(as_json(message))
    elif chosen.output == "name":
        print(_shown(message, table.name))
    else:
        columns = table.facts if chosen.output == "table" else ()
        columns = columns or tuple(Column(field.name, field.name) for field, _ in message.ListFields())
        facts = [[column.title.lower(), _fact(message, column.value)] for column in columns]
        _print_rows([], [fact for fact in facts if fact[1]])


def show_line(message: Any, table: Table) -> None:
    """Print an object of a stream at once: a line of text or of JSON."""
    match chosen.output:
        case "json" | "yaml":
            print(document(as_json(message)), flush=True)
        case "name":
            print(_shown(message, table.name), flush=True)
        case _:
            shown = (
                _shown(message, column.value) for column in table.columns if chosen.output == "wide" or not column.wide
            )
            print("  ".join(text for text in shown if text), flush=True)


def document(data: Any) -> str:
    """Data as one of several documents: a line of JSON, or YAML after a mark."""
    return json.dumps(data, ensure_ascii=False) if chosen.output == "json" else f"---\n{_yaml(data)}"


def show_values(values: dict[str, Any]) -> None:
    """Print what is no object of the API. `-o name` prints the first value."""
    if chosen.output in {"json", "yaml"}:
        _print_data(values)
    elif chosen.output == "name":
        print(next(iter(values.values())))
    else:
        _print_rows([], [[name, line(str(value))] for name, value in values.items() if value not in ("", None)])


def show_mappings(rows: list[dict[str, Any]]) -> None:
    """Print a list of what is no object of the API."""
    if chosen.output in {"table", "wide"}:
        titles = [name.upper() for name in rows[0]] if rows else []
        _print_rows(titles, [[line(_plain(value)) for value in row.values()] for row in rows])
    elif chosen.output == "name":
        for row in rows:
            show_values(row)
    else:
        _print_data(rows)


def _print_data(data: Any) -> None:
    print(json.dumps(data, indent=2, ensure_ascii=False) if chosen.output == "json" else _yaml(data))


def confirm(question: str, *, yes: bool) -> None:
    """Ask on a terminal. Without one, `--yes` is needed."""
    if yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(f"{question} Nobody can be asked here.", hint="Confirm it with --yes.")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was done.")


def as_json(message: Any, *, defaults: bool = True) -> Any:
    """The proto3 JSON of a message, with the names of the proto, and all fields so that scripts find them."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=defaults)


def word(message: Any, name: str) -> str:
    """An enumeration as a word: `DEPLOYED`. What only a newer registry knows is in `unknown_<name>`."""
    from registry_client import values

    field = message.DESCRIPTOR.fields_by_name[name]
    if text := getattr(message, f"unknown_{name}", ""):
        return str(text).upper()
    number = getattr(message, name)
    return values.word(field.enum_type, number) if number else ""


def age(timestamp: Any) -> str:
    """How long ago it was: `5m`, `3h`, `12d`."""
    if not timestamp.seconds:
        return ""
    passed = dt.datetime.now(dt.UTC).timestamp() - timestamp.seconds
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60)):
        if abs(passed) >= length:
            return f"{passed / length:.0f}{unit}"
    return f"{passed:.0f}s"


def _shown(message: Any, value: str | Callable[[Any], object]) -> str:
    if callable(value):
        return line(_plain(value(message)))
    *path, name = value.split(".")
    for step in path:
        if not message.HasField(step):
            return ""
        message = getattr(message, step)
    return line(_text(message, message.DESCRIPTOR.fields_by_name[name]))


def _text(message: Any, field: Any) -> str:
    """The value of a field in a table."""
    value = getattr(message, field.name)
    if field.enum_type is not None and not field.is_repeated:
        return word(message, field.name)
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        return value.ToJsonString() if chosen.output == "wide" and value.seconds else age(value)
    if field.has_presence and not message.HasField(field.name):
        return ""
    if _is_map(field):
        return " ".join(f"{key}={item(each)}" for key, each in sorted(value.items()))
    return _plain(value)


def _fact(message: Any, value: str | Callable[[Any], object]) -> str:
    if callable(value):
        return _shown(message, value)
    fields = [field for field, _ in message.ListFields() if field.name == value]
    return _field_text(message, fields[0]) if fields else ""


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def item(value: Any) -> str:
    """A text or a PropertyValue, such as a value of a map."""
    if not hasattr(value, "WhichOneof"):
        return str(value)
    kind = value.WhichOneof("kind")
    content: Any = getattr(value, kind) if kind else ""
    return str(content.ToJsonString()) if kind == "timestamp_value" else _plain(content)


def _plain(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else ""
        case float():
            return f"{value:g}"
        case str() | int():
            return str(value)
    return ", ".join(str(each) for each in value)  # type: ignore[attr-defined]


def _field_text(message: Any, field: Any) -> str:
    """The value of a field on lines of its own."""
    if field.enum_type is not None and not field.is_repeated:
        return word(message, field.name)
    if _is_map(field):
        return "\n".join(line(f"{key}={item(each)}") for key, each in sorted(getattr(message, field.name).items()))
    value = _without_empty(as_json(message, defaults=False)[field.name])
    if value == {}:
        return ""
    if isinstance(value, dict) or (isinstance(value, list) and not isinstance(value[0], str)):
        return _yaml(value)
    return "\n".join(line(each) for each in _plain(value).splitlines())


def _without_empty(value: Any) -> Any:
    """Without the objects that have nothing."""
    if isinstance(value, dict):
        return {key: kept for key, each in value.items() if (kept := _without_empty(each)) != {}}
    return value


def line(text: str) -> str:
    """The text on one line, without characters that control the terminal."""
    return "".join(each if each.isprintable() else " " for each in text)


def _yaml(value: Any) -> str:
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    return text.rstrip()


def _print_rows(titles: list[str], rows: list[list[str]]) -> None:
    """Aligned columns: on a terminal as wide as that, elsewhere as long as they are."""
    if not rows:
        return
    if sys.stdout.isatty():
        _print_on_terminal(titles, rows)
        return
    lines = [titles, *rows] if titles else rows
    widths = [
        max(len(part) for row in lines for part in row[index].splitlines() or [""]) for index in range(len(lines[0]))
    ]
    for row in lines:
        *first, last = row
        start = "  ".join(text.ljust(width) for text, width in zip(first, widths, strict=False))
        indent = "\n" + " " * (len(start) + 2)
        print(f"{start}  {last}".replace("\n", indent).rstrip() if first else last)


def _print_on_terminal(titles: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    styles = {text: style for style, words in _STYLES.items() for text in words}
    console = Console(highlight=False, width=shutil.get_terminal_size().columns)  # also where it is a dumb terminal
    titles, rows = _fitting(titles, rows, console.width) if titles else (titles, rows)
    grid = RichTable(box=None, pad_edge=False, show_header=bool(titles), header_style="bold")
    for index, title in enumerate(titles or ["", ""]):
        is_whole = index == 0 or not titles
        grid.add_column(
            title,
            overflow="fold" if is_whole else "ellipsis",
            no_wrap=not is_whole,
            min_width=_MIN_WIDTH if is_whole else 1,
        )
    for row in rows:
        grid.add_row(*(Text(text, style=styles.get(text, "")) for text in row))
    console.print(grid)


def _fitting(titles: list[str], rows: list[list[str]], width: int) -> tuple[list[str], list[list[str]]]:
    """The first columns, as many as fit when long texts are cut."""
    count, used = 0, -2
    for index, title in enumerate(titles):
        longest = max(len(title), *(len(row[index]) for row in rows))
        used += min(longest, max(len(title), _MIN_WIDTH)) + 2
        if index and used > width:
            break
        count += 1
    return titles[:count], [row[:count] for row in rows]
