"""How objects and lists look in a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

_LONGEST_TEXT: Final = 200


def card(title: str, values: Mapping[str, Any]) -> str:
    """One object: its fields that are not empty, below one another."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th><td style='text-align:left'>{_cell(value)}</td></tr>"
        for name, value in values.items()
        if value not in (None, "", [], {}, 0)
    )
    return f"<table><caption style='text-align:left'><b>{html.escape(title)}</b></caption>{rows}</table>"


def table(columns: Iterable[str], rows: Iterable[Iterable[Any]], note: str = "") -> str:
    """Many objects, one in each row."""
    head = "".join(f"<th style='text-align:left'>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    foot = f"<p>{html.escape(note)}</p>" if note else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{foot}"


def _cell(value: Any) -> str:
    text = _text(value)
    return html.escape(text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…")


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case dict():
            return ", ".join(f"{key}={_text(each)}" for key, each in value.items())
        case list():
            return ", ".join(map(_text, value))
    return str(value)
