"""Values of requests: ids and maps of texts, one by one or all of a message."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, ParamSpec, TypeVar
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.ids import parse_uuid

P = ParamSpec("P")
T = TypeVar("T")

NO_ID = UUID(int=0)


def path_id(text: str, field: str, message: str) -> UUID:
    """An id in the path. Raises InvalidRequest with the contract's text for this route."""
    value = parse_uuid(text)
    if value is None:
        raise InvalidRequest([Violation(field, "must be a UUID")], message)
    return value


def require(message: Message, *fields: str) -> None:
    """Raise InvalidRequest that names all missing fields: empty texts, and ids that are all zero (contract 0.5)."""
    values = {name: getattr(message, name) for name in fields}
    missing = [
        name for name, text in values.items() if not text or (name.endswith("_id") and parse_uuid(text) == NO_ID)
    ]
    if missing:
        raise InvalidRequest([Violation(name, "is required") for name in missing])


def body_id(text: str, field: str) -> UUID:
    """An id in a body."""
    value = parse_uuid(text)
    if value is None:
        raise InvalidRequest([Violation(field, "must be a UUID")])
    return value


def distinct_ids(texts: Iterable[str], field: str) -> tuple[UUID, ...]:
    """Ids in the order given, repeated ones once (quirk Q16)."""
    ids = []
    for text in texts:
        value = parse_uuid(text)
        if value is None:
            raise InvalidRequest([Violation(field, "must hold UUIDs")])
        ids.append(value)
    return tuple(dict.fromkeys(ids))


def texts_of(labels: Struct) -> dict[str, str]:
    """A Struct that stands for a map of texts; null is the empty text. Raises InvalidRequest for all other values."""
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
    """Reads the fields of a message and remembers what is wrong with them, so that all of it is told at once."""

    def __init__(self, message: Any, *, required: Collection[str] = (), but: Collection[str] = ()) -> None:
        self._errors: list[InvalidRequest] = []
        self.read(require, None, message, *required)
        self._values = {
            field.name: self._value(message, field)
            for field in message.DESCRIPTOR.fields
            if field.name not in but and (not field.has_presence or message.HasField(field.name))
        }

    def read(self, read: Callable[P, T], otherwise: T, *args: P.args, **kwargs: P.kwargs) -> T:
        """What `read` makes of its arguments; `otherwise` stands in for what it refuses."""
        try:
            return read(*args, **kwargs)
        except InvalidRequest as error:
            self._errors.append(error)
            return otherwise

    def make(self, kind: Callable[..., T], **given: Any) -> T:
        """The domain's object of the message's fields and of what is given.

        Raises InvalidRequest with all that is wrong, by the rules of `kind` too.
        """
        made = self.read(kind, None, **self._values | given)
        if self._errors or made is None:
            raise InvalidRequest.of_all(self._errors)
        return made

    def _value(self, message: Any, field: FieldDescriptor) -> Any:
        value = getattr(message, field.name)
        if field.message_type is Struct.DESCRIPTOR:
            return self.read(texts_of, {}, value)
        if field.message_type and field.is_repeated:
            return dict(value)
        if field.name.endswith("_id") and field.name != "external_id":
            # An empty text of a required field was complained about already.
            return self.read(body_id, NO_ID, value, field.name) if value or field.has_presence else NO_ID
        return value
