"""The objects of the registry without their methods: typed fields over messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from google.protobuf.message import Message
from modelregistry.v1 import model_version_pb2, registered_model_pb2

from registry_client import display
from registry_client.values import Property, plain, property_of

_T = TypeVar("_T")
_M = TypeVar("_M", bound=Message)


class Field(Generic[_T]):
    """An attribute of a record: the field of its message with the same name."""

    def __init__(self, convert: Callable[[Any], _T]) -> None:
        self._convert = convert
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
        message: Any = record.message
        is_absent = message.DESCRIPTOR.fields_by_name[self.name].has_presence and not message.HasField(self.name)
        return self._convert(None if is_absent else getattr(message, self.name))


class Record(Generic[_M]):
    """An object as the registry answered it last."""

    shown: ClassVar[tuple[str, ...]] = ()
    """The fields of `repr`, and of lists of these objects."""

    def __init__(self, message: _M) -> None:
        self.message = message
        """What the registry answered."""

    @classmethod
    def field_names(cls) -> list[str]:
        return [name for kind in reversed(cls.__mro__) for name, each in vars(kind).items() if isinstance(each, Field)]

    def to_dict(self) -> dict[str, Any]:
        """All fields as Python values."""
        return {name: getattr(self, name) for name in self.field_names()}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and bool(self.message == other.message)

    __hash__ = None  # type: ignore[assignment] # an object changes when it is updated

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={_short(getattr(self, name))}" for name in self.shown)
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self) -> str:
        return display.card(type(self).__name__, self.to_dict())


def _short(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else repr(value)


def _text() -> Field[str]:
    return Field(str)


def _optional_text() -> Field[str | None]:
    return Field(lambda value: value)


def _integer() -> Field[int]:
    return Field(int)


def _flag() -> Field[bool]:
    return Field(bool)


def _time() -> Field[datetime | None]:
    return Field(lambda value: None if value is None else value.ToDatetime(UTC))


def _texts() -> Field[list[str]]:
    return Field(list)


def _labels() -> Field[dict[str, str]]:
    return Field(dict)


def _properties() -> Field[dict[str, Property]]:
    return Field(lambda values: {key: property_of(value) for key, value in sorted(values.items())})


def _tags(message: Any) -> dict[str, list[str]]:
    return {} if message is None else {each.name: list(value) for each, value in message.ListFields()}


class VersionRecord(Record[model_version_pb2.ModelVersion]):
    """The fields of a version of a model."""

    shown = ("name", "number", "status", "model_framework", "uri", "aliases", "created_at")

    id = _text()
    name = _text()
    number = _integer()
    registered_model_id = _text()
    description = _text()
    is_default = _flag()
    aliases = _texts()
    state = _text()
    status = _text()
    artifact_type = _text()
    model_framework = _text()
    model_framework_version = _text()
    container_image = _text()
    uri = _text()
    digest = _text()
    size_bytes = _integer()
    labels = _labels()
    properties = _properties()
    external_id = _text()
    readme = _text()
    metadata: Field[dict[str, Any]] = Field(lambda value: {} if value is None else plain(value))
    model_catalog_name = _text()
    prebuilt_container_id = _optional_text()
    created_by_email = _text()
    updated_by_email = _text()
    created_at = _time()
    updated_at = _time()
    etag = _text()


def _version(message: Any) -> VersionRecord | None:
    return None if message is None else VersionRecord(message)


class ModelRecord(Record[registered_model_pb2.RegisteredModel]):
    """The fields of a registered model."""

    shown = ("name", "state", "version_count", "labels", "created_at")

    id = _text()
    name = _text()
    description = _text()
    state = _text()
    model_type = _text()
    version_count = _integer()
    latest_version: Field[VersionRecord | None] = Field(_version)
    default_version: Field[VersionRecord | None] = Field(_version)
    labels = _labels()
    tags: Field[dict[str, list[str]]] = Field(_tags)
    properties = _properties()
    external_id = _text()
    owner_email = _text()
    parent_model_id = _optional_text()
    slug = _text()
    model_size = _integer()
    deployment_status = _text()
    project_id = _text()
    created_at = _time()
    updated_at = _time()
    etag = _text()
