"""What callers give as INPUT_ONLY is in no entry, event, log line, error or plain column.

The fields are those of the descriptors, so that a new one is tried as well, and a new RPC with one fails here until it
has a way to be called.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from structlog.testing import capture_logs
from tests.scenarios.callers import Guarded, guarded
from tests.scenarios.test_refused_calls import methods
from tests.scenarios.world import PATIENCE

from registry_grpc.devtools.embedded_postgres import binary
from registry_grpc.domain.access import Role

FILES = {"uri": "s3://b/m", "model_framework": "sklearn", "model_framework_version": "1"}
_numbers = count(100_000)

Ids = dict[str, str]
WAYS: dict[str, Callable[[Ids], dict[str, Any]]] = {
    "CreateModelVersion": lambda ids: {
        "registered_model_id": ids["model"], "model_version": {"name": "v1", **FILES}
    },
    "UpdateModelVersion": lambda ids: {"id": ids["version"]},
    "AttachModelArtifact": lambda ids: {"id": ids["empty"], "files": FILES},
    "CreateModelArtifact": lambda ids: {
        "model_artifact": {"registered_model_id": ids["model"], "name": "v2", **FILES}
    },
    "UpdateModelArtifact": lambda ids: {"id": ids["version"]},
    "CreateWebhook": lambda _: {"webhook": {"url": "https://h.example/hook"}},
    "UpdateWebhook": lambda ids: {"id": ids["webhook"]},
}  # fmt: skip
"""The rest of a request that is accepted."""


def places(kind: Descriptor, seen: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the fields that are INPUT_ONLY."""
    for field in kind.fields:
        if field_behavior_pb2.INPUT_ONLY in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]:
            yield (*seen, field.name)
        elif field.message_type is not None and len(seen) < 5:
            yield from places(field.message_type, (*seen, field.name))


SECRET = {method.name: method for method in methods() if list(places(method.input_type))}


def marked(method: MethodDescriptor, rest: dict[str, Any]) -> tuple[Any, list[str]]:
    """The request with a marker in each of the fields, and the markers."""
    request = ParseDict(rest, GetMessageClass(method.input_type)())
    markers = []
    for *parents, name in places(method.input_type):
        message = request
        for parent in parents:
            message = getattr(message, parent)
        text = base64.b64encode(f"s3cr3t-{uuid4().hex}".encode()).decode().rstrip("=")
        text = text[: len(text) // 4 * 4]
        setattr(message, name, f"whsec_{text}" if name == "secret" else text)
        markers.append(text)
    return request, markers


@pytest_asyncio.fixture(loop_scope="session")
async def registry(fresh_database_url: str) -> AsyncIterator[Guarded]:
    keys = "k1:" + base64.b64encode(b"0123456789abcdef" * 2).decode()
    async with guarded(fresh_database_url, encryption_keys=keys) as registry:
        yield registry


async def send(
    registry: Guarded, method: MethodDescriptor, request: Any, token: str | None = None, id: str = ""
) -> Any:
    """The answer, or the error."""
    answer = GetMessageClass(method.output_type)
    start: Any = registry.server.channel.unary_unary(
        f"/{method.containing_service.full_name}/{method.name}", response_deserializer=answer.FromString
    )
    said = [*registry.metadata(token), ("x-request-id", id)]
    try:
        return await start(request.SerializeToString(), metadata=said, timeout=PATIENCE)
    except grpc.aio.AioRpcError as error:
        return error


async def made(registry: Guarded) -> Ids:
    """What the requests need."""
    model = await registry.create("iris")
    create = SECRET["CreateModelVersion"]

    async def version(**fields: str) -> str:
        rest = {"registered_model_id": model, "model_version": fields}
        answer = await send(registry, create, ParseDict(rest, GetMessageClass(create.input_type)()))
        return str(answer.model_version.id)

    hook = SECRET["CreateWebhook"]
    rest = {"webhook": {"url": "https://h.example/hook"}}
    webhook = await send(registry, hook, ParseDict(rest, GetMessageClass(hook.input_type)()))
    return {
        "model": model,
        "version": await version(name="whole", **FILES),
        "empty": await version(name="empty"),
        "webhook": webhook.webhook.id,
    }


async def dump_of(url: str) -> str:
    """All rows of all tables."""
    arguments = [str(binary("pg_dump")), "--data-only", url]
    return await asyncio.to_thread(subprocess.check_output, arguments, text=True)


def told(text: str, marker: str) -> bool:
    return marker in text or marker.encode().hex() in text


async def test_no_secret_is_told(
    registry: Guarded, fresh_database_url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert set(WAYS) == set(SECRET)
    ids, viewer = await made(registry), await registry.member("viewer", Role.VIEWER)
    markers: list[str] = []
    errors: list[str] = []
    written: dict[str, str] = {}
    with capture_logs() as logs:
        for name, method in SECRET.items():
            request, its = marked(method, WAYS[name](ids))
            assert its
            errors += [repr(await send(registry, method, request, token)) for token in (viewer, its[0])]
            wrong = type(request)()
            wrong.CopyFrom(request)
            for *parents, field in places(method.input_type):
                message = wrong
                for parent in parents:
                    message = getattr(message, parent)
                setattr(message, field, getattr(message, field) * 100)
            errors.append(repr(await send(registry, method, wrong)))
            request.request_id = str(next(_numbers))
            written[name] = str(uuid4())
            answer = await send(registry, method, request, id=written[name])
            assert not isinstance(answer, Exception), (name, answer)
            markers += its
            errors.append(str(answer))
        entries = await registry.entries(everywhere=True)
    for name, request_id in written.items():
        entry = next(entry for entry in entries if entry.request_id == request_id)
        if name.startswith(("Update", "Attach")):
            secret = {place[-1] for place in places(SECRET[name].input_type)}
            assert secret <= set(entry.changed_fields), name
            assert not secret & set(f"{entry.before}{entry.after}".split('"')), name
    assert sum(entry.type == "call.refused" for entry in entries) >= 2 * len(SECRET)
    assert any("PERMISSION_DENIED" in error for error in errors)
    assert any("UNAUTHENTICATED" in error for error in errors)
    assert sum("INVALID_ARGUMENT" in error for error in errors) == len(SECRET)
    dump = await dump_of(fresh_database_url)
    assert ids["webhook"] in dump
    assert len(logs) > 4 * len(SECRET)
    out, err = capfd.readouterr()
    seen = {
        "entries": str(entries), "database": dump, "logs": str(logs), "errors": str(errors), "output": out + err,
        "other logs": caplog.text,
    }  # fmt: skip
    assert [(where, marker) for where, text in seen.items() for marker in markers if told(text, marker)] == []
