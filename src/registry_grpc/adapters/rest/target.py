"""Reads path and query from the raw target of a REST request, as the Go service does."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

UNREADABLE = "\ufffd"
"""Stands for a path segment that cannot be decoded. It is no valid id, so the servicer answers the contract's error."""

_WRONG_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_INTEGER = re.compile("[+-]?[0-9]+")
_LEAST, _GREATEST = -(2**63), 2**63 - 1


def split_target(target: str) -> tuple[str, str]:
    """The raw path without slashes at its end, and the raw query."""
    path, _, query = target.partition("?")
    return path.rstrip("/"), query


def segment(raw: str) -> str:
    """The decoded path segment, or UNREADABLE if it is empty or wrongly escaped. Replaces bytes that are not UTF-8."""
    if "%" not in raw:
        return raw or UNREADABLE
    if _WRONG_ESCAPE.search(raw):
        return UNREADABLE
    return unquote_to_bytes(raw).decode(errors="replace")


def parameters(query: str) -> dict[bytes, bytes]:
    """The decoded query. The first of repeated parameters counts; wrongly escaped parameters are ignored."""
    found: dict[bytes, bytes] = {}
    for pair in query.split("&"):
        if ";" in pair or _WRONG_ESCAPE.search(pair):
            continue
        name, _, value = pair.replace("+", " ").partition("=")
        found.setdefault(unquote_to_bytes(name), unquote_to_bytes(value))
    return found


def integer(text: str) -> int:
    """Parses like Go's strconv.ParseInt with its error ignored (contract 0.9): text that is not an integer is 0, and an
    integer out of range becomes the nearest 64-bit integer."""
    if not _INTEGER.fullmatch(text):
        return 0
    if len(text) > 20:  # longer than a sign and the digits of any 64-bit number, unless there are leading zeros
        sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
        text = sign + (digits.lstrip("0") or "0")
        if len(text) > 20:
            return _LEAST if sign == "-" else _GREATEST
    return min(max(int(text), _LEAST), _GREATEST)
