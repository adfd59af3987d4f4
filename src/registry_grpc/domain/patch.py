"""Partial updates: a field that is UNSET keeps its value."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from typing import Any, Final, Literal


class _Unset(Enum):
    UNSET = "unset"


UNSET: Final = _Unset.UNSET
Unset = Literal[_Unset.UNSET]


def cleared(patch: type[Any], name: str) -> Any:
    """The value of a field of the object when it is cleared: the one that it has if it is not given at creation."""
    return patch.CLEARED.get(name, "")


def changes(patch: Any) -> dict[str, Any]:
    """The fields of a patch dataclass that are set, in the order of the class."""
    return {name: value for name, value in values_of(patch).items() if value is not UNSET}


def values_of(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass."""
    return {field.name: getattr(thing, field.name) for field in fields(thing)}
