"""The JSON body of a REST request, read strictly into a protobuf message (contract 0.5).

The readers are built from the message's descriptor when the server starts, so a new field of a proto needs no code
here. Unknown keys are ignored, keys match in any letter case, null means absent, and nothing is converted: `"5"` is not
a number and `5.0` is not an integer.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any

import orjson
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    ScaleMetric,
    ServingProtocol,
    TaintEffect,
    TolerationOperator,
)
from registry_grpc.domain.errors import InvalidRequest, Violation

MOST_VALUES = 50_000
"""How many values a body may hold, counted by its brackets and commas. Converting so many, once read, takes the
event loop less than 50 ms at a time."""
LARGE_BYTES = 32 * 1024
"""Reading a body above this size may take the event loop longer than other requests should wait."""

_ONLY_GRPC = {
    "RegisteredModelPatch.owner_email", "RegisteredModelPatch.parent_model_id", "ModelVersionPatch.model_catalog_name",
    "ModelVersionPatch.prebuilt_container_id", "ModelArtifactPatch.prebuilt_container_id",
}  # fmt: skip
"""Fields that no PATCH of the contract changes: a client sends back what it has read."""
_MOST_ESCAPES = 500_000  # with more, commas in strings cannot be distinguished cheaply: the body is refused
_LENIENT_BYTES = 1024 * 1024
_BLANKS = b" \t\r\n"
BITS = {FieldDescriptor.TYPE_INT32: 32, FieldDescriptor.TYPE_INT64: 64}

_FIRST_ONLY_FOR_GRPC = 30

WORDS: Mapping[str, type[StrEnum]] = {
    kind.__name__: kind for kind in (DeploymentMode, ScaleMetric, ServingProtocol, TolerationOperator, TaintEffect)
}
"""The words of enums, by the enum's name. REST has the words, gRPC the enums."""

Put = Callable[[Any, Any, str], None]
"""Puts a value that is not null into a message. The string is the path for errors. Raises InvalidRequest."""


def json_object(data: bytes) -> dict[str, Any]:
    """The object in the body; `null` is an empty one. Raises InvalidRequest, for an empty body with the text `EOF`."""
    if len(data) > LARGE_BYTES and _has_too_many_values(data):
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


def _has_too_many_values(data: bytes) -> bool:
    if _punctuation(data) <= MOST_VALUES:
        return False
    if data.count(b"\\") > _MOST_ESCAPES:
        many = f"more than {MOST_VALUES} commas and brackets"
        raise InvalidRequest((), f"request body with {many} must not hold more than {_MOST_ESCAPES} backslashes")
    # The commas may be in strings: count again without those.
    unescaped = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    return unescaped.count(b'"') // 2 > MOST_VALUES or _punctuation(b"".join(unescaped.split(b'"')[::2])) > MOST_VALUES


def _punctuation(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


# Stands for fractions and numbers beyond 64 bits: no field takes them, and int() may refuse to read long ones.
_NO_INTEGER = 0.5
_GO = json.JSONDecoder(
    parse_int=lambda text: int(text) if len(text) <= 20 else _NO_INTEGER,
    parse_float=lambda _text: _NO_INTEGER,
    parse_constant=_no_constant,
)


def _as_go_reads(data: bytes) -> Any:
    """Reads what orjson refuses and Go accepts: bytes after the value are ignored, a lone surrogate becomes U+FFFD, and
    numbers may be too large for a double."""
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


def is_of_contract(field: FieldDescriptor) -> bool:
    """Whether REST clients can set the field. Those with numbers from 30 on came after the contract, so that REST
    ignores them like all unknown keys."""
    name = ".".join(field.full_name.split(".")[-2:])
    return field.number < _FIRST_ONLY_FOR_GRPC and name not in _ONLY_GRPC


class BodyReader:
    """Reads JSON objects into messages of one type."""

    def __init__(self, kind: Descriptor) -> None:
        self._fields = {key_of(field): (key_of(field), _put(field)) for field in kind.fields if is_of_contract(field)}

    def read(self, data: bytes, message: Any) -> None:
        """Fill the message. Raises InvalidRequest that names all fields of a wrong type."""
        self.fill(message, json_object(data), "")

    def fill(self, message: Any, values: dict[str, Any], path: str) -> None:
        errors = []
        for key, value in values.items():
            found = self._fields.get(key) or self._fields.get(key.lower())
            if found is not None and value is not None:
                name, put = found
                try:
                    put(message, value, f"{path}{name}")
                except InvalidRequest as error:
                    errors.append(error)
        if errors:
            raise InvalidRequest.of_all(errors)


def key_of(field: FieldDescriptor) -> str:
    """The key of the field in JSON."""
    return seconds_name(field.name) if field.message_type is Duration.DESCRIPTOR else field.name


def seconds_name(duration: str) -> str:
    """The name of a duration on REST and in the domain, where it is a number of seconds."""
    return f"{duration.removesuffix('_period')}_seconds"


def _put(field: FieldDescriptor) -> Put:
    """A function that fills the field. Raises TypeError for a kind of field that no request has had so far."""
    name = field.name
    if field.message_type:
        return _put_message(field, field.message_type)
    if field.type == FieldDescriptor.TYPE_STRING and field.is_repeated:
        return lambda message, value, path: getattr(message, name).__setitem__(slice(None), _list(value, path))
    if field.type == FieldDescriptor.TYPE_STRING:
        return lambda message, value, path: setattr(message, name, _text(value, path))
    if field.enum_type:
        words, numbers = WORDS[field.enum_type.name], numbers_of(field.enum_type)
        return lambda message, value, path: setattr(message, name, numbers[_word(value, path, words)])
    if field.type == FieldDescriptor.TYPE_BOOL:
        return lambda message, value, path: setattr(message, name, _bool(value, path))
    if field.type in BITS:
        limit = 2 ** (BITS[field.type] - 1)
        return lambda message, value, path: setattr(message, name, _integer(value, path, limit))
    raise TypeError(f"no reader for {field.full_name}")


def _put_message(field: FieldDescriptor, kind: Descriptor) -> Put:
    name = field.name
    if kind is Struct.DESCRIPTOR:  # stands for a map of strings that may be absent
        return lambda message, value, path: _update(getattr(message, name), _texts(value, path))
    if kind is Duration.DESCRIPTOR:
        return lambda message, value, path: getattr(message, name).FromSeconds(_integer(value, path, 2**63))
    if kind.GetOptions().map_entry:
        return lambda message, value, path: getattr(message, name).update(_texts(value, path))
    fill = BodyReader(kind).fill
    if field.is_repeated:
        return lambda message, value, path: _fill_all(fill, getattr(message, name), value, path)
    return lambda message, value, path: _fill(fill, getattr(message, name), _object(value, path), f"{path}.")


def _update(struct: Struct, texts: dict[str, str]) -> None:
    struct.SetInParent()
    struct.update(texts)


def _fill(fill: Callable[[Any, dict[str, Any], str], None], message: Any, values: dict[str, Any], path: str) -> None:
    message.SetInParent()
    fill(message, values, path)


def _fill_all(fill: Callable[[Any, dict[str, Any], str], None], messages: Any, values: Any, path: str) -> None:
    if not isinstance(values, list):
        raise _wrong(path, "must be a list of objects")
    del messages[:]
    for place, value in enumerate(values):
        fill(messages.add(), _object({} if value is None else value, f"{path}[{place}]"), f"{path}[{place}].")


def _wrong(path: str, rule: str) -> InvalidRequest:
    return InvalidRequest([Violation(path, rule)])


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(path, "must be a string")
    if "\x00" in value:
        raise _wrong(path, "must not hold NUL characters")
    return value


@cache
def numbers_of(enum: EnumDescriptor) -> dict[str, int]:
    """The numbers of an enum by the names of its values without their prefix. The unspecified one has no name."""
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix) if value.number else "": value.number for value in enum.values}


def _word(value: Any, path: str, words: type[StrEnum]) -> str:
    """The name of the word."""
    try:
        return words(value).name if _text(value, path) else ""
    except ValueError as error:
        raise _wrong(path, f"must be one of {', '.join(words)}") from error


def _bool(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(path, "must be true or false")
    return value


def _integer(value: Any, path: str, limit: int) -> int:
    # isinstance would accept true. Numbers beyond 64 bits arrive as floats.
    if type(value) is not int or not -limit <= value < limit:
        raise _wrong(path, f"must be an integer from {-limit} to {limit - 1}")
    return value


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "must be an object")
    return value


def _list(value: Any, path: str) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(path, "must be a list of strings")
    return ["" if item is None else _text(item, path) for item in value]


def _texts(value: Any, path: str) -> dict[str, str]:
    texts = _object(value, path).items()
    return {_text(key, path): "" if text is None else _text(text, f"{path}.{key}") for key, text in texts}
