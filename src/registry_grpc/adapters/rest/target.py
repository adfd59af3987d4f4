"""The target of a REST request, path and query, read from its raw text as the Go service read it."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

UNREADABLE = "\ufffd"
"""Stands for a path segment that cannot be an id, so that whoever reads the id refuses it in the contract's words."""

_WRONG_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_INTEGER = re.compile("[+-]?[0-9]+")
_LEAST, _GREATEST = -(2**63), 2**63 - 1


def split_target(target: str) -> tuple[list[str], str]:
    """The raw segments of the path, and the raw query. Slashes at the end of the path do not count."""
    path, _, query = target.partition("?")
    return path.rstrip("/").split("/")[1:], query


def segment(raw: str) -> str:
    """A decoded path segment, or UNREADABLE if it is empty, wrongly escaped or not UTF-8."""
    if "%" not in raw:
        return raw or UNREADABLE
    if _WRONG_ESCAPE.search(raw):
        return UNREADABLE
    return unquote_to_bytes(raw).decode(errors="replace")


def parameters(query: str) -> dict[bytes, bytes]:
    """The decoded query. The first of repeated parameters counts; wrongly escaped ones are dropped."""
    found: dict[bytes, bytes] = {}
    for pair in query.split("&"):
        if ";" in pair or _WRONG_ESCAPE.search(pair):
            continue
        name, _, value = pair.replace("+", " ").partition("=")
        found.setdefault(unquote_to_bytes(name), unquote_to_bytes(value))
    return found


def integer(text: str) -> int:
    """What Go's strconv.ParseInt returns when its error is ignored: 0 for other text, the nearest 64-bit number for one
    out of range (contract 0.9)."""
    if not _INTEGER.fullmatch(text):
        return 0
    if len(text) > 20:  # as long as the digits and a sign of any 64-bit number, or zeros before them
        sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
        text = sign + (digits.lstrip("0") or "0")
        if len(text) > 20:
            return _LEAST if sign == "-" else _GREATEST
    return min(max(int(text), _LEAST), _GREATEST)
