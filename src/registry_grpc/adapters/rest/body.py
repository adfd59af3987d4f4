"""The JSON body of a REST request, read strictly into a protobuf message (contract 0.5).

The readers are built from the message's descriptor when the server starts, so a new field of a proto needs nothing
here. Unknown keys are ignored, keys match in any letter case, null is as good as absent, and nothing is converted:
`"5"` is not a number and `5.0` is not an integer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.struct_pb2 import Struct

from registry_grpc.domain.errors import InvalidRequest, Violation

MOST_VALUES = 100_000
"""How many values a body may hold, so that no body blocks the event loop for longer than 50 ms: 8 MiB of `[],` would
take more than a second. Brackets and commas are counted."""

_SMALL_BYTES = 64 * 1024  # cannot hold MOST_VALUES
_LENIENT_BYTES = 1024 * 1024
_BLANKS = b" \t\r\n"

Fill = Callable[[Any, Any, str, list[Violation]], None]
"""Put a value that is not null into a message; the text is its path, for the violations."""


def json_object(data: bytes) -> dict[str, Any]:
    """The body's object; `null` is the empty one. Raises InvalidRequest, for an empty body with the text `EOF`."""
    if len(data) > _SMALL_BYTES and _values(data) > MOST_VALUES:
        raise InvalidRequest((), f"request body must not hold more than {MOST_VALUES} values")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        if not data.strip(_BLANKS):
            raise InvalidRequest((), "EOF") from error
        if len(data) > _LENIENT_BYTES:
            raise InvalidRequest((), f"invalid JSON: {error}") from error
        value = _as_go_reads(data)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest((), "request body must be an object")
    return value


def _values(data: bytes) -> int:
    """An upper bound of how many values there are: what is in strings is counted only where it cannot matter."""
    count = _punctuation(data)
    if count > MOST_VALUES:  # perhaps a long text with many commas
        unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        if unescaped.count(b'"') // 2 <= MOST_VALUES:
            return _punctuation(b"".join(unescaped.split(b'"')[::2]))
    return count


def _punctuation(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _integer(text: str) -> int | float:
    """Beyond 64 bits any number will do that is not an integer, as none of them is taken; int() may refuse them."""
    return int(text) if len(text) <= 20 else _NO_INTEGER


_NO_INTEGER = 0.5
_GO = json.JSONDecoder(parse_int=_integer, parse_float=lambda _text: _NO_INTEGER, parse_constant=_no_constant)


def _as_go_reads(data: bytes) -> Any:
    """What orjson refuses and Go takes: bytes after the value are ignored, a lone surrogate becomes U+FFFD, and numbers
    may be too large for a double."""
    try:
        value, _ = _GO.raw_decode(data.lstrip(_BLANKS).decode())
        text = json.dumps(value, ensure_ascii=False)
        return orjson.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except UnicodeDecodeError as error:
        raise InvalidRequest((), "request body must be UTF-8") from error
    except RecursionError as error:
        raise InvalidRequest((), "invalid JSON: nested too deeply") from error
    except ValueError as error:
        raise InvalidRequest((), f"invalid JSON: {error}") from error


class BodyReader:
    """Reads JSON objects into messages of one type."""

    def __init__(self, kind: Descriptor) -> None:
        self._fields = {field.name: (field.name, _filler(field)) for field in kind.fields}

    def read(self, data: bytes, message: Any) -> None:
        """Fill the message. Raises InvalidRequest that names every field of a wrong type."""
        violations: list[Violation] = []
        self.fill(message, json_object(data), "", violations)
        if violations:
            raise InvalidRequest(violations)

    def fill(self, message: Any, values: dict[str, Any], path: str, violations: list[Violation]) -> None:
        for key, value in values.items():
            found = self._fields.get(key) or self._fields.get(key.lower())
            if found is not None and value is not None:
                name, fill = found
                fill(message, value, f"{path}{name}", violations)


def _filler(field: FieldDescriptor) -> Fill:
    """Raises TypeError for a kind of field that no body has had so far."""
    if field.message_type is Struct.DESCRIPTOR:
        return _fill_struct(field.name)
    if field.message_type and field.message_type.GetOptions().map_entry:
        return _fill_map(field.name)
    if field.message_type and not field.is_repeated:
        return _fill_message(field.name, BodyReader(field.message_type))
    if field.type == FieldDescriptor.TYPE_STRING:
        return _fill_list(field.name) if field.is_repeated else _fill_string(field.name)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _fill_bool(field.name)
    if field.type in _BITS:
        return _fill_integer(field.name, 2 ** (_BITS[field.type] - 1))
    raise TypeError(f"no reader for {field.full_name}")


_BITS = {FieldDescriptor.TYPE_INT32: 32, FieldDescriptor.TYPE_INT64: 64}


def _fill_string(name: str) -> Fill:
    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        if _is_text(value, path, violations):
            setattr(message, name, value)

    return fill


def _is_text(value: Any, path: str, violations: list[Violation]) -> bool:
    if not isinstance(value, str):
        violations.append(Violation(path, "must be a string"))
        return False
    if "\x00" in value:
        violations.append(Violation(path, "must not hold NUL characters"))
        return False
    return True


def _fill_bool(name: str) -> Fill:
    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        if isinstance(value, bool):
            setattr(message, name, value)
        else:
            violations.append(Violation(path, "must be true or false"))

    return fill


def _fill_integer(name: str, limit: int) -> Fill:
    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        # Not isinstance: true is an int to Python. Numbers beyond 64 bits arrive as floats.
        if type(value) is int and -limit <= value < limit:
            setattr(message, name, value)
        else:
            violations.append(Violation(path, f"must be an integer from {-limit} to {limit - 1}"))

    return fill


def _fill_message(name: str, reader: BodyReader) -> Fill:
    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        if isinstance(value, dict):
            inner = getattr(message, name)
            inner.SetInParent()
            reader.fill(inner, value, f"{path}.", violations)
        else:
            violations.append(Violation(path, "must be an object"))

    return fill


def _fill_list(name: str) -> Fill:
    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        if not isinstance(value, list):
            violations.append(Violation(path, "must be a list of strings"))
            return
        texts = ["" if item is None else item for item in value]
        if all(_is_text(text, path, violations) for text in texts):
            getattr(message, name)[:] = texts

    return fill


def _fill_map(name: str) -> Fill:
    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        getattr(message, name).update(_texts(value, path, violations))

    return fill


def _fill_struct(name: str) -> Fill:
    """A Struct stands for a map of texts whose absence counts."""

    def fill(message: Any, value: Any, path: str, violations: list[Violation]) -> None:
        struct = getattr(message, name)
        struct.SetInParent()
        struct.update(_texts(value, path, violations))

    return fill


def _texts(value: Any, path: str, violations: list[Violation]) -> dict[str, str]:
    if not isinstance(value, dict):
        violations.append(Violation(path, "must be an object"))
        return {}
    texts = {key: "" if text is None else text for key, text in value.items()}
    return {
        key: text
        for key, text in texts.items()
        if _is_text(key, path, violations) and _is_text(text, f"{path}.{key}", violations)
    }
