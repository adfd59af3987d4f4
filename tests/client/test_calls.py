"""What every call carries, and when it is sent again."""

from __future__ import annotations

import asyncio
import stat
import threading
import time
import uuid
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from tests.client.fake_registry import PROJECT, FakeRegistry, Refused

from modelregistry.v1 import access_pb2, deployment_pb2, webhook_pb2
from modelregistry.v1 import registered_model_pb2 as pb
from modelregistry.v1.access_pb2_grpc import AccessServiceStub
from modelregistry.v1.deployment_pb2_grpc import DeploymentServiceStub
from modelregistry.v1.registered_model_pb2_grpc import RegisteredModelServiceStub
from modelregistry.v1.webhook_pb2_grpc import WebhookServiceStub
from registry_client import AsyncClient, Client
from registry_client.errors import (
    Aborted,
    DeadlineExceeded,
    RegistryError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

CREATED = pb.CreateRegisteredModelResponse(registered_model={"name": "iris"})
FOUND = pb.FindRegisteredModelResponse(registered_model={"name": "iris"})
UNAVAILABLE = Refused(grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")


def test_a_call_says_for_which_project_and_by_whom(registry: FakeRegistry) -> None:
    registry.answer("FindRegisteredModel", FOUND)
    with Client(registry.url, project=PROJECT.upper(), user="ann", token="t") as client:
        client.models.get("iris")
    (asked,) = registry.asked
    sent = {key: asked.metadata.get(key) for key in ("project-id", "x-user", "authorization")}
    assert sent == {"project-id": PROJECT, "x-user": "ann", "authorization": "Bearer t"}
    assert uuid.UUID(asked.metadata["x-request-id"])
    assert asked.metadata["user-agent"].startswith("registry-grpc-client/")


def test_what_is_not_set_is_not_sent(registry: FakeRegistry) -> None:
    registry.answer("FindRegisteredModel", FOUND)
    with Client(registry.url) as client:
        client.models.get("iris")
    assert not {"project-id", "x-user", "authorization"} & set(registry.asked[0].metadata)


def test_a_write_is_repeated_under_the_same_request_id(registry: FakeRegistry, client: Client) -> None:
    registry.answer("CreateRegisteredModel", UNAVAILABLE, UNAVAILABLE, CREATED)
    assert client.models.create("iris").name == "iris"
    ids = [each.request_id for each in registry.requests("CreateRegisteredModel")]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert uuid.UUID(ids[0])
    assert len({each.metadata["x-request-id"] for each in registry.asked}) == 1
    client.models.create("iris")
    assert registry.requests("CreateRegisteredModel")[-1].request_id != ids[0]


def test_a_request_id_of_the_caller_is_kept(registry: FakeRegistry, client: Client) -> None:
    registry.answer("CreateRegisteredModel", CREATED)
    given, without = pb.CreateRegisteredModelRequest(request_id="mine"), pb.CreateRegisteredModelRequest()
    stub = client.stub(RegisteredModelServiceStub)
    stub.CreateRegisteredModel(given)
    stub.CreateRegisteredModel(without)
    assert registry.requests("CreateRegisteredModel")[0].request_id == "mine"
    assert without.request_id == "", "the message belongs to the caller"


def test_what_can_be_repeated_by_its_nature_is(registry: FakeRegistry, client: Client) -> None:
    registry.answer("FindRegisteredModel", UNAVAILABLE, FOUND)
    registry.answer("SyncInferenceService", UNAVAILABLE, deployment_pb2.SyncInferenceServiceResponse())
    client.models.get("iris")
    client.stub(DeploymentServiceStub).SyncInferenceService(deployment_pb2.SyncInferenceServiceRequest())
    assert len(registry.asked) == 4


def test_a_write_without_request_ids_is_not_repeated(registry: FakeRegistry, client: Client) -> None:
    registry.answer("TestWebhook", UNAVAILABLE)
    registry.answer("CreateApiToken", UNAVAILABLE)
    with pytest.raises(Unavailable):
        client.stub(WebhookServiceStub).TestWebhook(webhook_pb2.TestWebhookRequest())
    with pytest.raises(Unavailable):
        client.stub(AccessServiceStub).CreateApiToken(access_pb2.CreateApiTokenRequest())
    assert len(registry.asked) == 2


@pytest.mark.parametrize(
    ("refusal", "kind", "attempts"),
    [
        (Refused(grpc.StatusCode.ABORTED, "CONCURRENT_CHANGE"), None, 2),
        (Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED"), None, 2),
        (Refused(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"), Aborted, 1),
        (Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED"), ResourceExhausted, 1),
        (Refused(grpc.StatusCode.RESOURCE_EXHAUSTED), ResourceExhausted, 1),
        (Refused(grpc.StatusCode.INTERNAL, "INTERNAL"), RegistryError, 1),
    ],
)
def test_what_may_pass_is_repeated(
    registry: FakeRegistry, client: Client, refusal: Refused, kind: type[Exception] | None, attempts: int
) -> None:
    registry.answer("CreateRegisteredModel", refusal, CREATED)
    if kind is None:
        client.models.create("iris")
    else:
        with pytest.raises(kind):
            client.models.create("iris")
    assert len(registry.asked) == attempts


def test_the_registry_says_how_long_to_wait(registry: FakeRegistry, client: Client) -> None:
    retry = RetryInfo()
    retry.retry_delay.FromMilliseconds(300)
    registry.answer("FindRegisteredModel", Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry), FOUND)
    begin = time.monotonic()
    client.models.get("iris")
    assert time.monotonic() - begin >= 0.3


def test_the_timeout_is_for_all_attempts(registry: FakeRegistry) -> None:
    retry = RetryInfo()
    retry.retry_delay.FromSeconds(10)
    registry.answer("FindRegisteredModel", Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED", retry))
    with Client(registry.url, timeout=5) as client, pytest.raises(ResourceExhausted) as raised:
        client.models.get("iris")
    assert raised.value.retry_after == 10
    assert len(registry.asked) == 1


def test_a_call_without_an_answer_ends(registry: FakeRegistry) -> None:
    done = threading.Event()
    registry.answer("WatchDeployment", [done.wait])
    with Client(registry.url) as client:
        request = deployment_pb2.WatchDeploymentRequest()
        with pytest.raises(DeadlineExceeded, match="did not answer in time"):
            list(client.stub(DeploymentServiceStub).WatchDeployment(request, timeout=0.2))
    done.set()


def test_a_registry_that_dies_is_found_again(registry: FakeRegistry, client: Client) -> None:
    """The connection breaks, nobody listens for a while, and then another process does."""
    registry.answer("CreateRegisteredModel", CREATED)
    client.models.create("iris")
    registry.stop()
    later = threading.Timer(0.5, registry.start)
    later.start()
    client.models.create("iris")
    later.join()
    assert len(registry.asked) == 2


async def test_a_registry_that_dies_is_found_again_by_the_asynchronous_client(registry: FakeRegistry) -> None:
    registry.answer("CreateRegisteredModel", CREATED)
    async with AsyncClient(registry.url, project=PROJECT) as client:
        await client.models.create("iris")
        registry.stop()
        later = threading.Timer(0.5, registry.start)
        later.start()
        created = await asyncio.gather(*(client.models.create("iris") for _ in range(3)))
        later.join()
    assert [each.name for each in created] == ["iris"] * 3
    assert len(registry.asked) == 4


def test_a_refused_token_is_replaced_once(registry: FakeRegistry, tmp_path: Path) -> None:
    script = tmp_path / "token"
    script.write_text(f"#!/bin/sh\necho >> {tmp_path}/runs\nwc -l < {tmp_path}/runs\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    refusal = Refused(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    registry.answer("FindRegisteredModel", refusal, FOUND, refusal)
    with Client(registry.url, project=PROJECT, token_command=str(script)) as client:
        client.models.get("iris")
        with pytest.raises(Unauthenticated):
            client.models.get("iris")
    sent = [each.metadata["authorization"] for each in registry.asked]
    assert sent == ["Bearer 1", "Bearer 2", "Bearer 2", "Bearer 3"]


async def test_a_command_does_not_block_the_event_loop(registry: FakeRegistry) -> None:
    registry.answer("FindRegisteredModel", FOUND)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with AsyncClient(registry.url, token_command="sh -c 'sleep 0.2; echo t'") as client:
        turning = asyncio.create_task(turn())
        await client.models.get("iris")
        turning.cancel()
    assert turns > 10


async def test_the_blocking_client_works_in_a_running_loop(registry: FakeRegistry, client: Client) -> None:
    """As in a notebook."""
    registry.answer("FindRegisteredModel", FOUND)
    assert client.models.get("iris").name == "iris"
    assert _watched(registry, client) == "DEPLOYED"


def _watched(registry: FakeRegistry, client: Client) -> str:
    ends = Refused(grpc.StatusCode.OUT_OF_RANGE, "EVENT_LOG_CHANGED")
    event = deployment_pb2.DeploymentEvent(phase=deployment_pb2.DEPLOYMENT_PHASE_DEPLOYED)
    registry.answer("WatchDeployment", [deployment_pb2.WatchDeploymentResponse(event=event), ends])
    registry.answer("GetDeployment", deployment_pb2.GetDeploymentResponse(deployment={"id": "7"}))
    watch = client.deployments.get(str(uuid.uuid4())).watch()
    return next(watch).phase


def test_a_closed_client_opens_itself_again(registry: FakeRegistry) -> None:
    registry.answer("FindRegisteredModel", FOUND)
    client = Client(registry.url)
    client.models.get("iris")
    client.close()
    client.models.get("iris")
    client.close()
    client.close()


def test_an_asynchronous_client_may_be_used_in_one_event_loop_after_the_other(registry: FakeRegistry) -> None:
    registry.answer("FindRegisteredModel", FOUND)
    client = AsyncClient(registry.url)
    for _ in range(2):
        assert asyncio.run(client.models.get("iris")).name == "iris"
    asyncio.run(client.close())


def test_a_webhook_whose_secret_is_made_has_no_request_id(registry: FakeRegistry, client: Client) -> None:
    """The registry would refuse it: it answers such a secret only once."""
    registry.answer("CreateWebhook", UNAVAILABLE)
    stub = client.stub(WebhookServiceStub)
    with pytest.raises(Unavailable):
        stub.CreateWebhook(webhook_pb2.CreateWebhookRequest(webhook={"url": "https://example.com"}))
    assert [each.request_id for each in registry.requests("CreateWebhook")] == [""]
    registry.answer("CreateWebhook", UNAVAILABLE, webhook_pb2.CreateWebhookResponse())
    stub.CreateWebhook(webhook_pb2.CreateWebhookRequest(webhook={"url": "https://example.com", "secret": "whsec_x"}))
    assert len(registry.requests("CreateWebhook")) == 3
