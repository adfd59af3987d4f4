"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import bad_request

Selector = Callable[[dict[str, Any]], bool]

_SET_BASED = re.compile(r"^(?P<key>\S+)\s+(?P<operator>in|notin)\s*\((?P<values>[^)]*)\)$")
_EQUALITY = re.compile(r"^(?P<key>[^\s=!]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!]*)$")
_PRESENCE = re.compile(r"^(?P<absent>!?)\s*(?P<key>[^\s=!(),]+)$")
# A comma inside "in (a,b)" belongs to the requirement.
_COMMAS = re.compile(r",(?![^()]*\))")


def label_selector(text: str) -> Selector:
    """Parses `a=b,c!=d,e in (f,g),h,!i`; an unreadable selector is a 400."""
    requirements = [_requirement(part.strip()) for part in _COMMAS.split(text) if part.strip()]

    def matches(obj: dict[str, Any]) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement(labels) for requirement in requirements)

    return matches


def _requirement(text: str) -> Callable[[dict[str, str]], bool]:
    if match := _SET_BASED.match(text):
        key = match["key"]
        values = {value.strip() for value in match["values"].split(",")}
        if match["operator"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if match := _EQUALITY.match(text):
        key, value = match["key"], match["value"]
        if match["operator"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if match := _PRESENCE.match(text):
        key, absent = match["key"], bool(match["absent"])
        return lambda labels: (key in labels) != absent
    raise bad_request(f'unable to parse requirement: found "{text}", expected: in, notin, =, ==, !=')


_FIELDS = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "involvedObject.uid": ("involvedObject", "uid"),
    "involvedObject.kind": ("involvedObject", "kind"),
    "involvedObject.name": ("involvedObject", "name"),
    "type": ("type",),
    "reason": ("reason",),
    "status.phase": ("status", "phase"),
    "spec.nodeName": ("spec", "nodeName"),
}


def field_selector(text: str) -> Selector:
    """Parses `metadata.name=x,type!=Normal`; an unknown field is a 400."""
    terms: list[tuple[tuple[str, ...], str, bool]] = []
    for part in filter(None, text.split(",")):
        match = _EQUALITY.match(part)
        if match is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        path = _FIELDS.get(match["key"])
        if path is None:
            raise bad_request(f"field label not supported: {match['key']}")
        terms.append((path, match["value"], match["operator"] != "!="))

    def matches(obj: dict[str, Any]) -> bool:
        return all((_at(obj, path) == value) is wanted for path, value, wanted in terms)

    return matches


def _at(obj: dict[str, Any], path: tuple[str, ...]) -> str:
    value: Any = obj
    for key in path:
        value = (value or {}).get(key)
    return value or ""
