"""Reads the fields of request messages: ids, maps of strings, and whole messages by `Reader`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from registry_grpc.adapters.grpc.call import Call
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.ids import parse_uuid

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


class Reader:
    """Reads the fields of a message and collects their errors, so that one refusal names all of them."""

    def __init__(self, message: Any, *, required: Collection[str] = (), but: Collection[str] = ()) -> None:
        self._errors: list[InvalidRequest] = []
        self.read(require, None, message, *required)
        self._values = {
            field.name: self._value(message, field)
            for field in message.DESCRIPTOR.fields
            if field.name not in but and (not field.has_presence or message.HasField(field.name))
        }

    def read(self, read: Callable[P, T], otherwise: T, *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `read`, or `otherwise` when it raises InvalidRequest, which is collected."""
        try:
            return read(*args, **kwargs)
        except InvalidRequest as error:
            self._errors.append(error)
            return otherwise

    def make(self, kind: Callable[..., T], **given: Any) -> T:
        """A domain object made of the message's fields and of `given`, which wins.

        Raises InvalidRequest with all errors collected so far and those that `kind` itself finds.
        """
        made = self.read(kind, None, **self._values | given)
        if self._errors or made is None:
            raise InvalidRequest.of_all(self._errors)
        return made

    def _value(self, message: Any, field: FieldDescriptor) -> Any:
        value = getattr(message, field.name)
        if field.message_type is Struct.DESCRIPTOR:
            return self.read(texts_of, {}, value)
        if field.is_repeated:
            return dict(value) if field.message_type else tuple(value)
        if field.name.endswith("_id") and field.name != "external_id":
            # `require` has already reported an empty id of a required field.
            return self.read(body_id, NO_ID, value, field.name) if value or field.has_presence else NO_ID
        return value
