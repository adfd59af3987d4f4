"""EventService over gRPC: what is changed over the API, or by another program, is listed and streamed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ErrorInfo
from tests.scenarios.watching import Server, ended, serving
from tests.scenarios.world import PATIENCE

from modelregistry.v1 import artifact_pb2 as artifacts_pb
from modelregistry.v1 import artifact_pb2_grpc, event_pb2_grpc, model_version_pb2_grpc, registered_model_pb2_grpc
from modelregistry.v1 import event_pb2 as pb
from modelregistry.v1 import model_version_pb2 as versions_pb
from modelregistry.v1 import registered_model_pb2 as models_pb

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(loop_scope="session")
async def server(fresh_database_url: str) -> AsyncIterator[Server]:
    async with serving(fresh_database_url) as server:
        yield server


class Client:
    """A client of one project."""

    def __init__(self, server: Server) -> None:
        self.channel = server.channel
        self.events: Any = event_pb2_grpc.EventServiceStub(server.channel)  # type: ignore[no-untyped-call]
        self.models: Any = registered_model_pb2_grpc.RegisteredModelServiceStub(server.channel)  # type: ignore[no-untyped-call]
        self.project_id = uuid4()
        self.metadata = [("project-id", str(self.project_id))]

    async def create(self, name: str) -> str:
        new = models_pb.NewRegisteredModel(name=name)
        request = models_pb.CreateRegisteredModelRequest(registered_model=new)
        created = await self.models.CreateRegisteredModel(request, metadata=self.metadata, timeout=PATIENCE)
        return str(created.registered_model.id)

    async def update(self, id: str, **fields: Any) -> None:
        patch = models_pb.RegisteredModelPatch(**fields)
        request = models_pb.UpdateRegisteredModelRequest(id=id, registered_model=patch)
        await self.models.UpdateRegisteredModel(request, metadata=self.metadata, timeout=PATIENCE)

    async def list(self, **fields: Any) -> Any:
        return await self.events.ListEvents(pb.ListEventsRequest(**fields), metadata=self.metadata, timeout=PATIENCE)

    def watch(self, **fields: Any) -> Any:
        return self.events.WatchEvents(pb.WatchEventsRequest(**fields), metadata=self.metadata, timeout=PATIENCE)


async def read(stream: Any) -> pb.WatchEventsResponse:
    async with asyncio.timeout(PATIENCE):
        response: pb.WatchEventsResponse = await anext(aiter(stream))
        return response


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server)


async def test_a_list_has_everything_that_was_changed_before(client: Client) -> None:
    id_ = await client.create("iris")
    await client.update(id_, description="a flower", name="lily")
    updated, created = (await client.list()).events
    assert (created.type, created.name, created.actor) == ("model.created", "iris", "registry")
    assert (updated.type, updated.name, list(updated.changed_fields)) == (
        "model.updated", "lily", ["name", "description"],
    )  # fmt: skip
    assert (updated.resource_id, updated.registered_model_id) == (id_, id_)
    page = await client.list(page_size=1, oldest_first=True)
    assert [event.id for event in page.events] == [created.id]
    rest = await client.list(page_size=1, oldest_first=True, page_token=page.next_page_token)
    assert [event.id for event in rest.events] == [updated.id]
    assert not rest.next_page_token
    assert (await client.list(occurred_from=Timestamp(seconds=2**33))).events == []


async def test_the_life_of_a_version_is_found_by_its_model(client: Client) -> None:
    """With its artifacts, also when they go and come back with it, and with the names of the callers."""
    model, other = await client.create("iris"), await client.create("lily")
    versions: Any = model_version_pb2_grpc.ModelVersionServiceStub(client.channel)  # type: ignore[no-untyped-call]
    artifacts: Any = artifact_pb2_grpc.ArtifactServiceStub(client.channel)  # type: ignore[no-untyped-call]

    async def call(method: Any, request: Any, user: str = "") -> Any:
        return await method(request, metadata=[*client.metadata, ("x-user", user)], timeout=PATIENCE)

    new = versions_pb.NewModelVersion(name="v1")
    create = versions_pb.CreateModelVersionRequest(registered_model_id=model, model_version=new, request_id="r")
    for _ in range(2):
        id_ = (await call(versions.CreateModelVersion, create, "ann")).model_version.id
    files = versions_pb.ModelFiles(uri="s3://b/m", model_framework="sklearn", model_framework_version="1")
    await call(versions.AttachModelArtifact, versions_pb.AttachModelArtifactRequest(id=id_, files=files), "bob")
    for of_version in (id_, None):
        document = artifacts_pb.NewArtifact(
            model_version_id=of_version, kind=artifacts_pb.ARTIFACT_KIND_DOCUMENT, name="d", uri="s3://b/d"
        )
        await call(artifacts.CreateArtifact, artifacts_pb.CreateArtifactRequest(artifact=document), "cy")
    await call(versions.DeleteModelVersion, versions_pb.DeleteModelVersionRequest(id=id_, request_id="d"), "dan")
    await call(versions.UndeleteModelVersion, versions_pb.UndeleteModelVersionRequest(id=id_), "eve")

    found = (await client.list(registered_model_id=model, oldest_first=True)).events
    assert [(event.type, event.actor) for event in found if event.type != "model.created"] == [
        ("version.created", "ann"),
        ("version.updated", "bob"),
        ("artifact.created", "cy"),
        ("artifact.deleted", "dan"),
        ("version.deleted", "dan"),
        ("version.restored", "eve"),
        ("artifact.restored", "eve"),
    ]
    of_version = [event for event in found if event.type.startswith("version")]
    assert {(event.resource_id, event.name, event.details["version_number"]) for event in of_version} == {
        (id_, "v1", "1")
    }
    assert "uri" in of_version[1].changed_fields
    of_artifact = [event for event in found if event.type.startswith("artifact")]
    assert {(event.name, *sorted(event.details.items())) for event in of_artifact} == {
        ("d", ("kind", "DOCUMENT"), ("model_version_id", id_))
    }
    (alone,) = (await client.list(types=["artifact.created"], page_size=1)).events
    assert (alone.registered_model_id, dict(alone.details)) == ("", {"kind": "DOCUMENT"})
    assert [event.type for event in (await client.list(registered_model_id=other)).events] == ["model.created"]


async def test_a_watch_has_the_changes_of_all_programs(client: Client, fresh_database_url: str) -> None:
    stream = client.watch(types=["model"])
    first = await read(stream)
    assert not first.HasField("event")
    await client.create("iris")
    other = await asyncpg.connect(fresh_database_url)
    await other.execute(
        "INSERT INTO registered_model (id, project_id, name) VALUES (gen_random_uuid(), $1, 'lily')", client.project_id
    )
    await other.close()
    seen = [await read(stream), await read(stream)]
    assert [(each.event.name, each.event.actor) for each in seen] == [("iris", "registry"), ("lily", "external")]
    stream.cancel()
    again = client.watch(resume_token=first.resume_token)
    assert [(await read(again)).event.id for _ in seen] == [each.event.id for each in seen]
    resumed = client.watch(resume_token=seen[0].resume_token)
    assert (await read(resumed)).event.id == seen[1].event.id


async def test_a_worker_that_stops_ends_its_watches(server: Server, client: Client) -> None:
    stream = client.watch()
    await read(stream)
    stopping = asyncio.create_task(server.worker.stop())
    status = await ended(stream)
    assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]
    await stopping


async def test_a_watch_ends_when_the_database_was_restored(client: Client, fresh_database_url: str) -> None:
    stream = client.watch()
    token = (await read(stream)).resume_token
    other = await asyncpg.connect(fresh_database_url)
    await other.execute("UPDATE registry_installation SET id = id")  # a restore writes this row again
    await other.close()
    for each in (stream, client.watch(resume_token=token)):
        status = await ended(each)
        info = ErrorInfo()
        status.details[0].Unpack(info)
        assert (status.code, info.reason) == (grpc.StatusCode.OUT_OF_RANGE.value[0], "EVENT_LOG_CHANGED")


async def test_wrong_requests_are_refused_by_field(client: Client) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"types": ["models"]}, "types has the unknown type 'models'"),
        ({"resource_id": "x"}, "resource_id must be a UUID"),
        ({"resume_token": "x"}, "resume_token must have been returned"),
    ]
    for request, text in cases:
        with pytest.raises(grpc.aio.AioRpcError, match=text) as refusal:
            await read(client.watch(**request))
        assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
