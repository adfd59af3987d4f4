"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import bad_request

Selector = Callable[[dict[str, Any]], bool]

_SET_BASED = re.compile(r"(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUALITY = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!]*)")
_PRESENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s=!(),]+)")
# A comma inside "in (a,b)" belongs to the requirement.
_COMMAS = re.compile(r",(?![^()]*\))")


def label_selector(text: str) -> Selector:
    """Parses `a=b,c!=d,e in (f,g),h,!i`; an unreadable selector is a 400."""
    requirements = [_requirement(part.strip()) for part in _COMMAS.split(text) if part.strip()]
    return lambda obj: all(meets(obj["metadata"].get("labels") or {}) for meets in requirements)


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET_BASED.fullmatch(text):
        key, values = match["key"], {value.strip() for value in match["values"].split(",")}
        wanted = match["operator"] == "in"
        return lambda labels: (labels.get(key) in values) is wanted
    if match := _EQUALITY.fullmatch(text):
        key, value, wanted = match["key"], match["value"], match["operator"] != "!="
        return lambda labels: (labels.get(key) == value) is wanted
    if match := _PRESENCE.fullmatch(text):
        key, wanted = match["key"], not match["absent"]
        return lambda labels: (key in labels) is wanted
    raise bad_request(f'unable to parse requirement: found "{text}", expected: in, notin, =, ==, !=')


def field_selector(text: str) -> Selector:
    """Parses `metadata.name=x,type!=Normal`, for every field that holds a text; an unreadable selector is a 400."""
    terms: list[tuple[list[str], str, bool]] = []
    for part in filter(None, text.split(",")):
        match = _EQUALITY.fullmatch(part)
        if match is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        terms.append((match["key"].split("."), match["value"], match["operator"] != "!="))
    return lambda obj: all((_at(obj, path) == value) is wanted for path, value, wanted in terms)


def _at(obj: dict[str, Any], path: list[str]) -> str:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value or ""
