"""The chain that is read from raw objects: which pod and containers it shows, and which evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.deployments import a_deployment

from registry_grpc.adapters.kserve import kinds, tracing
from registry_grpc.adapters.kserve.api import Listing
from registry_grpc.adapters.kserve.errors import Unreachable, status_error
from registry_grpc.domain.deployment import Applied, Want
from registry_grpc.domain.explanation import Link, LinkState, Sign

T0, T1 = "2026-02-11T08:00:00Z", "2026-02-11T08:00:01Z"
ENDED = {"terminated": {"exitCode": 1, "reason": "Error", "message": "Traceback\nValueError: no\n", "finishedAt": T1}}
BACK_OFF = {"state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": ENDED}
READY = {"ready": True, "state": {"running": {"startedAt": T0}}}
INITIALIZING = {"state": {"waiting": {"reason": "PodInitializing"}}}


def condition(kind: str, status: str, **fields: str) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": T1, **fields}


def pod(name: str, *, ready: str = "False", init: Any = None, server: Any = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "models", "uid": name, "creationTimestamp": T0}
    containers = [{"name": "kserve-container", **(server or READY)}]
    inits = [{"name": "storage-initializer", **init}] if init else []
    status = {"phase": "Running", "conditions": [condition("Ready", ready)], "containerStatuses": containers}
    return {"metadata": metadata, "status": status | {"initContainerStatuses": inits}}


@dataclass
class Objects:
    """An Api that answers these objects, and notes which logs were asked for."""

    pods: list[dict[str, Any]]
    events: list[dict[str, Any]] = field(default_factory=list)
    log: str = "the log"
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def find(self, kind: Any, name: str, *, namespace: str) -> dict[str, Any] | None:
        metadata = {"name": name, "namespace": namespace, "uid": "u", "generation": 1, "creationTimestamp": T0}
        metadata |= {"resourceVersion": "1"}
        if kind is kinds.INFERENCE_SERVICES:
            unready = condition("Ready", "False", reason="Predictor ingress not created")
            return {"metadata": metadata, "status": {"conditions": [unready]}}
        owner = {"ownerReferences": [{"uid": "u"}]}
        return {"metadata": metadata | owner, "spec": {"replicas": 1}, "status": {"availableReplicas": 0}}

    async def list(self, path: str, **query: str) -> Listing:
        uid = query.get("fieldSelector", "").partition("involvedObject.uid=")[2].partition(",")[0]
        events = [event for event in self.events if event["about"] == uid]
        return Listing(self.pods if path.endswith("/pods") else events, "1")

    async def text(self, path: str, **query: str) -> str:
        self.asked.append((path, query))
        return self.log


async def traced(objects: Any) -> list[Link]:
    ours = Applied(uid="u", k8s_generation=1, resource_version="1", content={})
    return list(await tracing.trace(objects, a_deployment(applied=ours)))


def of_kind(links: list[Link], kind: str) -> list[tuple[str, LinkState, str]]:
    return [(link.name, link.state, link.summary) for link in links if link.kind == kind]


async def test_nothing_is_told_of_an_object_that_belongs_to_others() -> None:
    objects: Any = Objects([pod("a", server=BACK_OFF)])
    (link,) = await tracing.trace(objects, a_deployment())
    assert (link.state, link.summary, link.signs) == (LinkState.FAILED, "belongs to something else", ())
    (link,) = await tracing.trace(objects, a_deployment(want=Want.ABSENT))
    assert link.state is LinkState.WAITING, "another deployment may have the name by now"
    assert objects.asked == []


async def test_the_pod_that_is_not_ready_is_shown() -> None:
    links = await traced(Objects([pod("b", ready="True"), pod("a", server=BACK_OFF)]))
    assert [name for name, _, _ in of_kind(links, "Pod")] == ["a"]
    assert of_kind(links, "ReplicaSet") == [("", LinkState.WAITING, "has 1 of 2 pods ready")]


async def test_the_log_of_a_crash_is_that_of_the_container_before() -> None:
    objects = Objects([pod("a", server=BACK_OFF)])
    links = await traced(objects)
    text = "ended with exit code 1 (Error): ValueError: no"
    assert of_kind(links, "Container") == [("kserve-container", LinkState.FAILED, text)]
    ((path, query),) = objects.asked
    assert path == "/api/v1/namespaces/models/pods/a/log"
    assert (query["container"], query["previous"], query["tailLines"]) == ("kserve-container", "true", "20")
    assert [link.signs for link in links if link.kind == "Container"] == [(Sign("log", "the log"),)]


@pytest.mark.parametrize(
    ("server", "state", "summary", "previous"),
    [
        ({"state": ENDED}, LinkState.FAILED, "ended with exit code 1 (Error): ValueError: no", "false"),
        ({"state": {"running": {"startedAt": T0}}}, LinkState.WAITING, "runs, but is not ready", "false"),
        ({"state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}, LinkState.FAILED,
         "cannot start: ImagePullBackOff: no", None),
        ({"state": {"waiting": {"reason": "ContainerCreating"}}}, LinkState.WAITING, "is being created", None),
        (READY, LinkState.OK, "is ready", None),
    ],
)  # fmt: skip
async def test_how_a_container_is(server: Any, state: LinkState, summary: str, previous: str | None) -> None:
    objects = Objects([pod("a", server=server)])
    assert of_kind(await traced(objects), "Container") == [("kserve-container", state, summary)]
    assert [query["previous"] for _, query in objects.asked] == ([previous] if previous else [])


async def test_a_server_that_waits_for_the_download_is_left_out() -> None:
    running = {"state": {"running": {"startedAt": T0}}}
    links = await traced(Objects([pod("a", init=running, server=INITIALIZING)]))
    told = ("storage-initializer", LinkState.WAITING, "runs, but has not finished")
    assert of_kind(links, "Container") == [told]


async def test_a_log_that_was_cut_loses_its_last_line() -> None:
    """It may end with a part of a secret."""
    objects = Objects([pod("a", server=BACK_OFF)], log="first\n" + "x" * 300_000)
    (log,) = [sign for link in await traced(objects) for sign in link.signs if sign.source == "log"]
    assert log.text == "first"


async def test_a_log_on_a_node_that_does_not_answer_is_missing_evidence_only() -> None:
    class OnADeadNode(Objects):
        async def text(self, path: str, **query: str) -> str:
            raise Unreachable("the Kubernetes API did not answer in time")

    links = await traced(OnADeadNode([pod("a", server=BACK_OFF)]))
    [log] = next(link.signs for link in links if link.kind == "Container")
    assert log == Sign("log", "cannot be read: the Kubernetes API did not answer in time")


async def test_events_are_evidence_without_noise_and_in_order() -> None:
    def event(about: str, message: str, last: str) -> dict[str, str]:
        return {"about": about, "reason": "BackOff", "message": message, "lastTimestamp": last}

    events = [event("a", "late", T1), event("a", "early", T0), event("a", "the object has been modified", T1)]
    links = await traced(Objects([pod("a")], [*events, event("u", "of the service", T0)]))
    (of_pod,) = [link.signs for link in links if link.kind == "Pod"]
    assert [(sign.source, sign.text) for sign in of_pod if sign.source.startswith("event")] == [
        ("event BackOff", "early"), ("event BackOff", "late"),
    ]  # fmt: skip
    assert "of the service" in [sign.text for sign in links[0].signs]


async def test_what_may_not_be_read_is_unknown() -> None:
    class Refusing(Objects):
        async def list(self, path: str, **query: str) -> Listing:
            if path.endswith("/pods"):
                raise status_error(403, {"message": "no pods for you"}, "")
            return await super().list(path, **query)

    links = await traced(Refusing([]))
    assert [link.kind for link in links] == ["InferenceService", "Deployment", "Next", "URL"]
    assert links[2].state is LinkState.UNKNOWN
    assert links[2].summary.startswith("cannot be read: no pods for you; grant the registry this right")


@pytest.mark.parametrize(
    ("mode", "workload", "state", "summary"),
    [
        ("Standard", {"availableReplicas": 1}, LinkState.OK, "leads to the pods"),
        ("Standard", {}, LinkState.WAITING, "answers 503, because no pod is ready"),
        ("Knative", {"conditions": [condition("Ready", "True")]}, LinkState.OK,
         "leads to the pods, which Knative starts when requests come"),
        ("Knative", {}, LinkState.WAITING, "answers 503, because no pod is ready"),
        ("Standard", None, LinkState.WAITING, "answers 503, because no pod is ready"),
        ("Standard", status_error(403, {"message": "no"}, ""), LinkState.UNKNOWN,
         "has a route, but whether a pod is ready cannot be read"),
    ],
)  # fmt: skip
async def test_where_a_url_with_a_route_leads(mode: str, workload: Any, state: LinkState, summary: str) -> None:
    class Routed(Objects):
        async def find(self, kind: Any, name: str, *, namespace: str) -> dict[str, Any] | None:
            found = await super().find(kind, name, namespace=namespace) or {}
            if kind is kinds.INFERENCE_SERVICES:
                ready = condition("IngressReady", "True")
                return found | {"status": {"deploymentMode": mode, "url": "http://a", "conditions": [ready]}}
            if isinstance(workload, Exception):
                raise workload
            return workload if workload is None else found | {"status": workload}

    assert of_kind(await traced(Routed([])), "URL") == [("http://a", state, summary)]
