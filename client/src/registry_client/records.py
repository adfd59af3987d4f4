"""What all objects of the registry have in common."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from google.protobuf.message import Message

from registry_client import display
from registry_client.fields import Field

_M = TypeVar("_M", bound=Message)


class Record(Generic[_M]):
    """An object as the registry answered it last."""

    shown: ClassVar[tuple[str, ...]] = ()
    """The fields of `repr`, and of lists of these objects."""

    def __init__(self, proto: _M) -> None:
        self.proto = proto
        """What the registry answered."""

    @classmethod
    @cache
    def field_names(cls) -> tuple[str, ...]:
        kinds = reversed(cls.__mro__)
        return tuple(name for kind in kinds for name, each in vars(kind).items() if isinstance(each, Field))

    def to_dict(self) -> dict[str, Any]:
        """All fields as Python values."""
        return {name: getattr(self, name) for name in self.field_names()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and bool(self.proto == other.proto)

    __hash__ = None  # type: ignore[assignment] # an object changes when it is updated

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_short(getattr(self, name))}" for name in self.shown)
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self) -> str:
        return display.card(type(self).__name__, self.to_dict())


def _short(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else repr(value)
