"""Reads the fields of request messages: ids, maps of strings, and whole messages by `Reader`."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value

from modelregistry.v1.property_pb2 import PropertyMap, PropertyValue
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping.common import seconds_in, word_in
from registry_grpc.adapters.grpc.mapping.properties import properties_of, property_of
from registry_grpc.adapters.rest.body import WORDS, seconds_name
from registry_grpc.domain.errors import InvalidRequest, NotFound, Violation
from registry_grpc.domain.ids import parse_uuid
from registry_grpc.domain.patch import cleared
from registry_grpc.domain.properties import Property

P = ParamSpec("P")
T = TypeVar("T")

NO_ID = UUID(int=0)


def path_id(text: str, field: str = "id", message: str | None = "invalid id") -> UUID:
    """Reads an id of the path. Raises InvalidRequest with `message`, the contract's text for the route."""
    value = parse_uuid(text)
    if value is None:
        raise InvalidRequest([Violation(field, "must be a UUID")], message)
    return value


def require(message: Message, *fields: str) -> None:
    """Raise InvalidRequest that names all missing fields. Empty strings and all-zero ids are missing (contract 0.5)."""
    values = {name: getattr(message, name) for name in fields}
    missing = [
        name for name, text in values.items() if not text or (name.endswith("_id") and parse_uuid(text) == NO_ID)
    ]
    if missing:
        raise InvalidRequest([Violation(name, "is required") for name in missing])


@contextmanager
def allowing_missing(request: Any) -> Iterator[None]:
    """The block may raise NotFound if the request allows it. What is to be deleted is missing then."""
    try:
        yield
    except NotFound:
        if not request.allow_missing:
            raise


@contextmanager
def within(field: str) -> Iterator[None]:
    """The block reads this field of the request. Its refusals name paths: `options` becomes `update.options`."""
    try:
        yield
    except InvalidRequest as error:
        if not error.violations:  # Its text is all that it says.
            raise
        raise InvalidRequest(replace(each, field=f"{field}.{each.field}") for each in error.violations) from error


def body_id(text: str, field: str) -> UUID:
    """Reads an id of the body. Raises InvalidRequest that names the field."""
    return path_id(text, field, None)


def filter_id(text: str, field: str, call: Call) -> UUID | None:
    """REST ignores a filter by an invalid id (quirk Q36); gRPC refuses it."""
    return body_id(text, field) if text and not call.is_rest else parse_uuid(text)


def version_ids_of(message: Any, reader: Reader) -> tuple[UUID, ...]:
    """First the single id, then those of the list, without repetitions (contract 2.5, quirk Q16)."""
    first = [message.model_version_id] if message.HasField("model_version_id") else []
    ids = reader.read(_ids, [], first, "model_version_id")
    return tuple(dict.fromkeys(ids + reader.read(_ids, [], message.model_version_ids, "model_version_ids")))


def ids_of(request: Any) -> Sequence[UUID]:
    """The ids of a batch. Raises InvalidRequest."""
    require(request, "ids")
    return _ids(request.ids, "ids")


def _ids(texts: Collection[str], field: str) -> list[UUID]:
    ids = [id_ for text in texts if (id_ := parse_uuid(text))]
    if len(ids) < len(texts):
        raise InvalidRequest([Violation(field, "must hold UUIDs")])
    return ids


def texts_of(labels: Struct) -> dict[str, str]:
    """Reads a Struct as a map of strings; null becomes the empty string. Raises InvalidRequest for other values."""
    texts, wrong = {}, []
    for key, value in labels.fields.items():
        if value.WhichOneof("kind") in {"string_value", "null_value"}:
            texts[key] = value.string_value
        else:
            wrong.append(key)
    if wrong:
        raise InvalidRequest(Violation(f"labels.{key}", "must be a string") for key in sorted(wrong))
    return texts


def json_of(struct: Struct, path: str) -> dict[str, Any]:
    """Raises InvalidRequest for numbers that JSON does not have."""
    return {key: _json_value(value, f"{path}.{key}") for key, value in struct.fields.items()}


def _json_value(value: Value, path: str) -> Any:
    match value.WhichOneof("kind"):
        case "struct_value":
            return json_of(value.struct_value, path)
        case "list_value":
            return [_json_value(each, path) for each in value.list_value.values]
        case "number_value" if not math.isfinite(value.number_value):
            raise InvalidRequest([Violation(path, "must be a finite number")])
        case "null_value" | None:
            return None
        case kind:
            return getattr(value, kind)


def patch_of(kind: type[T], message: Any, request: Any, **given: Any) -> T:
    """A patch with the fields of the message that the request's mask names, or else with those that are present. Raises
    InvalidRequest."""
    mask: FieldMask = request.update_mask
    if not mask.paths:
        return Reader(message, but=given).make(kind, **given)
    fields = message.DESCRIPTOR.fields_by_name
    if unknown := [path for path in mask.paths if path not in fields]:
        raise InvalidRequest(unknown_path(path) for path in unknown)
    absent = {name: cleared(kind, name) for name in mask.paths if not message.HasField(name)}
    given = {name: value for name, value in given.items() if name in mask.paths}
    return Reader(message, but=set(fields) - set(mask.paths) | set(given)).make(kind, **absent | given)


def unknown_path(path: str) -> Violation:
    return Violation("update_mask", f"names `{path}`, which is not a field that can be updated")


class Reader:
    """Reads the fields of a message and collects their errors, so that one refusal names all of them. `at`: where the
    message is in the request."""

    def __init__(
        self, message: Any, *, required: Collection[str] = (), but: Collection[str] = (), at: str = ""
    ) -> None:
        self._errors: list[InvalidRequest] = []
        self._at = at
        self.read(require, None, message, *required)
        plain, others = _fields(message.DESCRIPTOR)
        self._values = {
            name: getattr(message, name)
            for name, has_presence in plain
            if name not in but and (not has_presence or message.HasField(name))
        } | {
            (seconds_name(field.name) if _is_duration(field) else field.name): self._value(message, field)
            for field in others
            if field.name not in but and _is_given(message, field)
        }

    def read(self, read: Callable[P, T], otherwise: T, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `read`, or `otherwise` when it raises InvalidRequest, which is collected."""
        try:
            return read(*args, **kwargs)
        except InvalidRequest as error:
            self._errors.append(error)
            return otherwise

    @property
    def has_errors(self) -> bool:
        return bool(self._errors)

    def make(self, kind: Callable[..., T], /, **given: Any) -> T:
        """A domain object made of the message's fields and of `given`, which wins.

        Raises InvalidRequest with all errors collected so far and those that `kind` itself finds.
        """
        made = self.read(kind, None, **self._values | given)
        if self._errors or made is None:
            raise InvalidRequest.of_all(self._errors)
        return made

    def _value(self, message: Any, field: FieldDescriptor) -> Any:
        value = getattr(message, field.name)
        if field.enum_type:
            return self.read(word_in, None, message, field.name, WORDS[field.enum_type.name], self._at)
        if _is_duration(field):
            return self.read(seconds_in, None, message, field.name, self._at)
        if field.name == "metadata":
            return self.read(json_of, {}, value, field.name)
        if field.message_type is Struct.DESCRIPTOR:
            return self.read(texts_of, {}, value)
        if field.message_type is PropertyMap.DESCRIPTOR:
            return self.read(properties_of, {}, value.values, f"{field.name}.values")
        if field.name == "properties":
            return self.read(properties_of, {}, value)
        if field.message_type is PropertyValue.DESCRIPTOR:
            # A wrong value is not a missing one, so one that breaks no rule takes its place.
            return self.read(_property, {"bool": True}, value, field.name)
        if field.is_repeated:
            return dict(value) if field.message_type else tuple(value)
        if field.message_type:
            return value
        # An id. `require` has already reported an empty one of a required field.
        return self.read(body_id, NO_ID, value, field.name) if value or field.has_presence else NO_ID


def _property(value: PropertyValue, field: str) -> Property:
    try:
        return property_of(value)
    except ValueError as error:
        raise InvalidRequest([Violation(field, str(error))]) from error


@cache
def _fields(kind: Descriptor) -> tuple[list[tuple[str, bool]], list[FieldDescriptor]]:
    """The fields whose values are taken as they are, with whether they have presence, and the other ones. Asking each
    field for its kind takes longer than reading it."""
    plain, others = [], []
    for field in kind.fields:
        is_id = field.name.endswith("_id") and field.name != "external_id"
        if is_id or field.is_repeated or field.enum_type or field.message_type:
            others.append(field)
        else:
            plain.append((field.name, field.has_presence))
    return plain, others


def _is_duration(field: FieldDescriptor) -> bool:
    return field.message_type is Duration.DESCRIPTOR


def _is_given(message: Any, field: FieldDescriptor) -> bool:
    if field.enum_type:
        return bool(getattr(message, field.name))
    return not field.has_presence or bool(message.HasField(field.name))
