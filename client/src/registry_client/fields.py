"""The attributes of records, which read the message of the record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, Never, Self, TypeVar, overload

from registry_client.values import Property, fields_of, plain, property_of, word

if TYPE_CHECKING:
    from registry_client.records import Record

_T = TypeVar("_T")


class Field(Generic[_T]):
    """An attribute of a record: the field of its message with the same name."""

    def __init__(self, convert: Callable[[Any], _T]) -> None:
        self._convert = convert
        self._may_be_absent: bool | None = None  # not known before the first message
        self.name = ""

    def __set_name__(self, owner: type[Record[Any]], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, record: None, owner: type) -> Self: ...

    @overload
    def __get__(self, record: Record[Any], owner: type) -> _T: ...

    def __get__(self, record: Record[Any] | None, owner: type) -> Self | _T:
        if record is None:
            return self
        return self._value(record.proto)

    def __set__(self, record: Record[Any], value: Never) -> None:
        raise AttributeError(
            f"{self.name} cannot be set: it is what the registry answered. update() changes an object."
        )

    def _value(self, message: Any) -> _T:
        if self._may_be_absent is None:
            self._may_be_absent = message.DESCRIPTOR.fields_by_name[self.name].has_presence
        is_absent = self._may_be_absent and not message.HasField(self.name)
        return self._convert(None if is_absent else getattr(message, self.name))


def text() -> Field[str]:
    return Field(str)


def optional_text() -> Field[str | None]:
    return Field(lambda value: value)


def integer() -> Field[int]:
    return Field(int)


def flag() -> Field[bool]:
    return Field(bool)


def time() -> Field[datetime | None]:
    return Field(lambda value: None if value is None else value.ToDatetime(UTC))


def texts() -> Field[list[str]]:
    return Field(list)


def labels() -> Field[dict[str, str]]:
    return Field(dict)


def properties() -> Field[dict[str, Property]]:
    return Field(lambda values: {key: property_of(value) for key, value in sorted(values.items())})


def struct() -> Field[dict[str, Any]]:
    return Field(lambda value: {} if value is None else plain(value))


def details() -> Field[dict[str, Any]]:
    """A message that has no class of its own: the fields of it that are set."""
    return Field(lambda value: {} if value is None else fields_of(value))


class Word(Field[str]):
    """A value of an enum without the prefix of all its values; empty if there is none. A word that only a newer release
    of the registry knows is in another field."""

    def __init__(self, enum: Any) -> None:
        super().__init__(str)
        self._enum = enum.DESCRIPTOR

    def _value(self, message: Any) -> str:
        number = getattr(message, self.name)
        if number == 0:
            return str(getattr(message, f"unknown_{self.name}", ""))
        return word(self._enum, number)
