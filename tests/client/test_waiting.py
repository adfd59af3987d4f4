"""Watches that go on after a break, and deployments that are waited for."""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from tests.client.fake_registry import PROJECT, FakeRegistry, Refused

from modelregistry.v1 import deployment_pb2 as pb
from modelregistry.v1 import event_pb2, model_version_pb2, serving_environment_pb2
from modelregistry.v1.deployment_reason_pb2 import DeploymentReason
from modelregistry.v1.event_pb2_grpc import EventServiceStub
from registry_client import AsyncClient, Client, Deployment
from registry_client.aio import watching
from registry_client.errors import AlreadyExists, DeploymentFailed, Error, OutOfRange, Unavailable, WaitTimeout
from registry_client.resources import VersionRecord

BROKEN = Refused(grpc.StatusCode.UNAVAILABLE)
CHANGED = Refused(grpc.StatusCode.OUT_OF_RANGE, "EVENT_LOG_CHANGED")
ID = "22222222-2222-2222-2222-222222222222"


def state(phase: str, revision: int = 2, **fields: Any) -> pb.GetDeploymentResponse:
    deployment = pb.Deployment(id=ID, name="iris", phase=_phase(phase), target_revision=revision, **fields)
    return pb.GetDeploymentResponse(deployment=deployment)


def change(phase: str, revision: int = 2, **fields: Any) -> pb.WatchDeploymentResponse:
    token = f"{phase}-{revision}"
    event = pb.DeploymentEvent(phase=_phase(phase), target_revision=revision, resume_token=token, **fields)
    return pb.WatchDeploymentResponse(event=event)


def _phase(word: str) -> Any:
    return pb.DeploymentPhase.Value(f"DEPLOYMENT_PHASE_{word}")


@pytest.fixture
def deployment(registry: FakeRegistry, client: Client) -> Deployment:
    registry.answer("GetDeployment", state("PENDING"))
    return client.deployments.get(ID)


@pytest.fixture
def until_the_end() -> Iterator[Callable[[], object]]:
    """A stream that stays open until the test has ended."""
    ended = threading.Event()
    yield ended.wait
    ended.set()


def test_it_is_waited_for_until_what_is_wanted_serves(
    registry: FakeRegistry, deployment: Deployment, until_the_end: Any
) -> None:
    stream = [change("DEPLOYED", 1), change("FAILED", 1), change("DEPLOYING"), change("DEPLOYED"), until_the_end]
    registry.answer("WatchDeployment", stream)
    registry.answer("GetDeployment", state("DEPLOYED", url="http://iris"))
    told: list[str] = []
    assert deployment.wait(progress=lambda event: told.append(event.phase)) is deployment
    assert (deployment.phase, deployment.url) == ("DEPLOYED", "http://iris")
    assert told == ["DEPLOYING", "DEPLOYED"], "events of earlier revisions do not count"


def test_a_failure_is_explained(registry: FakeRegistry, deployment: Deployment) -> None:
    reason = DeploymentReason.Value("DEPLOYMENT_REASON_MODEL_LOAD")
    registry.answer("WatchDeployment", [change("FAILED", reason=reason)])
    registry.answer("GetDeployment", state("FAILED", reason=reason, message="exit code 1", next_step="Read the log."))
    explanation = pb.ExplainDeploymentResponse(cause="container: no such file", next_step="Upload the file.")
    registry.answer("ExplainDeployment", explanation, Refused(grpc.StatusCode.INTERNAL, "CLUSTER_READ_FAILED"))
    with pytest.raises(DeploymentFailed) as raised:
        deployment.wait()
    assert str(raised.value) == (
        "The deployment iris is FAILED: MODEL_LOAD: container: no such file\nWhat to do: Upload the file."
    )
    assert (raised.value.reason, raised.value.next_step) == ("MODEL_LOAD", "Upload the file.")
    with pytest.raises(DeploymentFailed, match=r"MODEL_LOAD: exit code 1\nWhat to do: Read the log\."):
        deployment.wait()  # the cluster does not answer now


def test_a_failure_that_has_passed_is_none(registry: FakeRegistry, deployment: Deployment, until_the_end: Any) -> None:
    registry.answer("WatchDeployment", [change("FAILED"), change("DEPLOYED"), until_the_end])
    registry.answer("GetDeployment", state("DEPLOYING"), state("DEPLOYED"))
    assert deployment.wait().phase == "DEPLOYED"


def test_somebody_else_undeploys_it(registry: FakeRegistry, deployment: Deployment) -> None:
    registry.answer("WatchDeployment", [change("UNDEPLOYED", 3)])
    registry.answer("GetDeployment", state("UNDEPLOYED", 3))
    with pytest.raises(DeploymentFailed, match="The deployment iris is UNDEPLOYED"):
        deployment.wait()
    assert deployment.wait("UNDEPLOYED").phase == "UNDEPLOYED"


def test_a_canary_is_waited_for_until_it_gets_its_share(
    registry: FakeRegistry, deployment: Deployment, until_the_end: Any
) -> None:
    registry.answer("WatchDeployment", [change("UPDATING"), change("UPDATING"), until_the_end])
    canary = pb.Canary(step=pb.CANARY_STEP_TRY, percent=20, share=20)
    tried = pb.Canary(step=pb.CANARY_STEP_TRY, percent=20, share=20, actual_share=20)
    registry.answer("GetDeployment", state("UPDATING", canary=canary), state("UPDATING", canary=tried))
    assert deployment.wait().canary == {"step": "TRY", "percent": 20, "share": 20, "actual_share": 20}


def test_patience_ends(registry: FakeRegistry, deployment: Deployment, until_the_end: Any) -> None:
    registry.answer("WatchDeployment", [change("DEPLOYING"), until_the_end])
    registry.answer("GetDeployment", state("DEPLOYING", message="0 of 1 replicas", next_step="Wait."))
    with pytest.raises(WaitTimeout) as raised:
        deployment.wait(timeout=0.3)
    assert isinstance(raised.value, TimeoutError)
    assert str(raised.value) == (
        "The deployment iris is DEPLOYING and not DEPLOYED after 0.3 s: 0 of 1 replicas.\nWhat to do: Wait."
    )
    assert raised.value.next_step == "Wait."


def test_a_restored_database_is_noticed(registry: FakeRegistry, deployment: Deployment, until_the_end: Any) -> None:
    registry.answer("WatchDeployment", [change("DEPLOYING"), CHANGED], [change("DEPLOYED"), until_the_end])
    registry.answer("GetDeployment", state("DEPLOYING"), state("DEPLOYED"))
    assert deployment.wait().phase == "DEPLOYED"
    assert [each.resume_token for each in registry.requests("WatchDeployment")] == ["", ""]


def test_a_watch_goes_on_where_it_broke(registry: FakeRegistry, deployment: Deployment, until_the_end: Any) -> None:
    registry.answer(
        "WatchDeployment",
        [change("PENDING"), BROKEN],
        [BROKEN],
        [change("DEPLOYING")],
        [change("DEPLOYED"), until_the_end],
    )  # fmt: skip
    watch = deployment.watch(from_start=True)
    assert [next(watch).phase for _ in range(3)] == ["PENDING", "DEPLOYING", "DEPLOYED"]
    watch.close()
    asked = registry.requests("WatchDeployment")
    assert [each.resume_token for each in asked] == ["", "PENDING-2", "PENDING-2", "DEPLOYING-2"]
    assert [each.HasField("after_sequence") for each in asked] == [True, False, False, False]


async def test_events_are_watched_with_bookmarks(registry: FakeRegistry, until_the_end: Any) -> None:
    bookmark = event_pb2.WatchEventsResponse(resume_token="5")
    event = event_pb2.WatchEventsResponse(event={"type": "alias.set", "name": "champion"}, resume_token="6")
    registry.answer("WatchEvents", [bookmark, BROKEN], [event, until_the_end])
    async with AsyncClient(registry.url, project=PROJECT) as client:
        watch = client.events.watch(["alias"], after="4")
        assert (await anext(watch)).name == "champion"
        await watch.aclose()
    asked = registry.requests("WatchEvents")
    assert [(each.resume_token, list(each.types)) for each in asked] == [("4", ["alias"]), ("5", ["alias"])]


async def test_a_stream_of_a_stub_goes_on_where_it_broke(registry: FakeRegistry, until_the_end: Any) -> None:
    """For what the client has no methods for."""
    events = [event_pb2.WatchEventsResponse(event={"name": name}, resume_token=name) for name in ("iris", "rose")]

    def request_after(place: str) -> event_pb2.WatchEventsRequest:
        return event_pb2.WatchEventsRequest(resume_token=place)

    registry.answer("WatchEvents", [events[0], BROKEN], [events[1], until_the_end])
    async with AsyncClient(registry.url, project=PROJECT) as client:
        stub = client.stub(EventServiceStub)
        watch = client.watch(stub.WatchEvents, request_after, lambda answer: answer.resume_token)
        assert [(await anext(watch)).event.name for _ in events] == ["iris", "rose"]
        await watch.aclose()
    assert [each.resume_token for each in registry.requests("WatchEvents")] == ["", "iris"]


def test_a_watch_replaces_a_refused_token(registry: FakeRegistry, until_the_end: Any, tmp_path: Path) -> None:
    """Only the registry knows when a token that is not a JWT expires."""
    event = event_pb2.WatchEventsResponse(event={"name": "iris"}, resume_token="5")
    registry.answer(
        "WatchEvents", [Refused(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")], [event, until_the_end]
    )
    command = f"sh -c 'echo >> {tmp_path}/runs; wc -l < {tmp_path}/runs'"
    with Client(registry.url, token_command=command) as client:
        watch = client.events.watch()
        assert next(watch).name == "iris"
        watch.close()
    assert [each.metadata["authorization"] for each in registry.asked] == ["Bearer 1", "Bearer 2"]


def test_a_watch_that_cannot_go_on_says_so(
    registry: FakeRegistry, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.answer("WatchDeployment", [CHANGED], [change("PENDING"), BROKEN], [BROKEN])
    with pytest.raises(OutOfRange):
        next(deployment.watch())
    monkeypatch.setattr("registry_client._sync.watching._ATTEMPTS", 2)
    watch = deployment.watch()
    next(watch)
    with pytest.raises(Unavailable):
        next(watch)
    assert watching._ATTEMPTS > 2


def test_a_registry_without_a_cluster_says_so(registry: FakeRegistry, client: Client) -> None:
    environment = serving_environment_pb2.FindServingEnvironmentResponse(serving_environment={"id": ID})
    registry.answer("FindServingEnvironment", environment)
    registry.answer("DeployModel", pb.DeployModelResponse(status="PENDING"))
    version = VersionRecord(model_version_pb2.ModelVersion(id=ID, registered_model_id=ID))
    with pytest.raises(Error, match="has no cluster to deploy to"):
        client.deployments.create(version, "prod")


def test_a_repeated_job_updates_once(registry: FakeRegistry, client: Client) -> None:
    """Each of its requests has an id of the job's, and the labels of what is there stay."""
    taken = ErrorInfo(reason="INFERENCE_SERVICE_NAME_TAKEN", domain="modelregistry", metadata={"id": ID})
    registry.answer("DeployModel", Refused(grpc.StatusCode.ALREADY_EXISTS, "", taken))
    registry.answer("GetDeployment", state("DEPLOYED", registered_model_id=ID))
    registry.answer("UpdateDeployment", pb.UpdateDeploymentResponse(deployment={"id": ID}))
    wanted = pb.NewDeployment(registered_model_id=ID, version="champion", name="iris", labels={"team": "flowers"})
    with pytest.raises(AlreadyExists):
        client.deployments.create_from(wanted, request_id="job 7")
    client.deployments.create_from(wanted, or_update=True, request_id="job 7")
    (update,) = registry.requests("UpdateDeployment")
    assert update == pb.UpdateDeploymentRequest(id=ID, version="champion", request_id="job 7/2")
    assert [each.request_id for each in registry.requests("DeployModel")] == ["job 7", "job 7"]


def test_progress_is_one_line_of_a_terminal(
    registry: FakeRegistry, deployment: Deployment, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.answer("WatchDeployment", [change("DEPLOYING", message="0 of\n1 replicas"), change("DEPLOYED")])
    registry.answer("GetDeployment", state("DEPLOYED"))
    deployment.wait()
    assert capsys.readouterr().err == "", "nobody sees it"
    registry.answer("WatchDeployment", [change("DEPLOYING", message="0 of\n1 replicas"), change("DEPLOYED")])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    deployment.wait()
    assert capsys.readouterr().err == "\r\x1b[2Kiris: DEPLOYING: 0 of 1 replicas\r\x1b[2Kiris: DEPLOYED\n"


def test_progress_is_one_output_of_a_notebook(
    registry: FakeRegistry, deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, str]] = []
    handle = types.SimpleNamespace(update=lambda content, **_: shown.append(("update", content["text/plain"])))

    def display(content: dict[str, str], **_: object) -> object:
        shown.append(("display", content["text/plain"]))
        return handle

    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=display))
    registry.answer("WatchDeployment", [change("DEPLOYING"), change("DEPLOYED")])
    registry.answer("GetDeployment", state("DEPLOYED"))
    deployment.wait()
    assert shown == [("display", "iris: DEPLOYING"), ("update", "iris: DEPLOYED")]
    deployment.wait(progress=False)
    assert len(shown) == 2
