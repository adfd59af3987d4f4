"""The lines of an exported file: each is a TransferRecord in the JSON mapping of Protocol Buffers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import orjson
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from google.protobuf.timestamp_pb2 import Timestamp

from modelregistry.v1 import transfer_pb2 as pb
from registry_grpc.adapters.grpc.mapping.artifact import artifact_message
from registry_grpc.adapters.grpc.mapping.common import message_of, time_of, word_in
from registry_grpc.adapters.grpc.mapping.registered_model import tags_of
from registry_grpc.adapters.grpc.request_fields import NO_ID, Reader, body_id, within
from registry_grpc.domain.artifact import Artifact, ArtifactKind
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironment
from registry_grpc.domain.times import NOT_STORED
from registry_grpc.domain.transfer import Header, ModelParent, Record, Trailer, at_line
from registry_grpc.services.transfer import Line

LONGEST_LINE = 16 * 1024 * 1024
_PART = 64 * 1024
_LARGEST_PART = 1024 * 1024
_BESIDES = ("last_version_number", "has_keys", "model_version_name")
_KINDS: Mapping[str, type] = {
    "header": Header,
    "serving_environment": ServingEnvironment,
    "registered_model": RegisteredModel,
    "model_version": ModelVersion,
    "model_alias": ModelAlias,
    "artifact": Artifact,
    "model_parent": ModelParent,
    "trailer": Trailer,
}
# What is computed, and what other lines have.
_LEFT_OUT = {
    "registered_model": ("parent_model_id", "latest_version", "default_version", "project_id", "version_count", "etag"),
    "model_version": ("aliases", "etag"),
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


async def parts_of(records: AsyncGenerator[Record, None]) -> AsyncGenerator[bytes, None]:
    """The file in parts of about 64 KiB, or less at its end."""
    part = bytearray()
    async with aclosing(records):
        async for record in records:
            part += line_of(record)
            if len(part) >= _PART:
                for start in range(0, len(part), _LARGEST_PART):
                    yield bytes(part[start : start + _LARGEST_PART])
                part.clear()
    yield bytes(part)


async def lines_in(parts: AsyncIterator[bytes]) -> AsyncIterator[Line]:
    """The lines of a file that comes in parts. Raises InvalidRequest with the number of a line that is wrong."""
    number, begun, size = 1, list[bytes](), 0
    async for part in parts:
        *ends, rest = part.split(b"\n")
        for end in ends:
            yield _line(number, b"".join([*begun, end]))
            number, begun, size = number + 1, [], 0
            await asyncio.sleep(0)  # other calls get their turn
        begun.append(rest)
        size += len(rest)
        if size > LONGEST_LINE:
            raise at_line(number, InvalidRequest((), f"is longer than {LONGEST_LINE // 2**20} MiB"))
    if size:
        yield _line(number, b"".join(begun))


def line_of(record: Record) -> bytes:
    name, content = _NAMES[type(record.content)], record.content
    message = pb.TransferRecord(**{name: getattr(record, name) for name in _BESIDES})
    part = getattr(message, name)
    part.CopyFrom(artifact_message(content) if isinstance(content, Artifact) else message_of(type(part), content))
    for left_out in _LEFT_OUT.get(name, ("etag",) if hasattr(content, "etag") else ()):
        part.ClearField(left_out)
    return orjson.dumps(MessageToDict(message, preserving_proto_field_name=True)) + b"\n"


def _line(number: int, line: bytes) -> Line:
    try:
        return Line(number, len(line), _record_in(line, is_first=number == 1))
    except InvalidRequest as error:
        raise at_line(number, error) from error


def _record_in(line: bytes, *, is_first: bool) -> Record:
    """Only the header, which tells that the file is of a newer format, may have fields that are not known here: to
    leave one out would lose a part of the project."""
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest((), f"is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise InvalidRequest((), "is not a JSON object")
    try:
        message = ParseDict(values, pb.TransferRecord(), ignore_unknown_fields=is_first)
    except (ParseError, RecursionError) as error:
        raise InvalidRequest((), f"is not a TransferRecord: {str(error).partition(chr(10))[0]}") from error
    if (name := message.WhichOneof("record")) is None:
        raise InvalidRequest((), f"must have one of {', '.join(_KINDS)}")
    besides = {name: getattr(message, name) for name in _BESIDES}
    with within(name):
        return Record(content=_content(getattr(message, name), _KINDS[name]), **besides)


def _content(message: Any, kind: type) -> Any:
    times = [field.name for field in message.DESCRIPTOR.fields if field.message_type is Timestamp.DESCRIPTOR]
    reader = Reader(message, but=("kind", "tags", "latest_version", "default_version", "drift_policy", *times))
    given: dict[str, Any] = {name: reader.read(time_of, None, message, name) or NOT_STORED for name in times}
    if "id" in message.DESCRIPTOR.fields_by_name:
        given["id"] = reader.read(body_id, NO_ID, message.id, "id")
    if kind is ServingEnvironment:
        given |= {"project_id": NO_ID, "drift_policy": message.drift_policy or DriftPolicy.REPORT}
    if kind is RegisteredModel:
        given |= {"tags": tags_of(message.tags), "parent_model_id": None}
    if kind is ModelVersion and not message.HasField("prebuilt_container_id"):
        given["prebuilt_container_id"] = None
    if kind is Artifact:
        given |= {"project_id": NO_ID, "kind": reader.read(word_in, None, message, "kind", ArtifactKind)}
        given |= {name: None for name in ("model_version_id", "value") if not message.HasField(name)}
    return reader.make(kind, **given)
