"""Evidence from raw Kubernetes objects, which have the form of real ones."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from registry_grpc.adapters.kserve import rollouts, watch
from registry_grpc.adapters.kserve.canaries import share_by_route, share_by_status, share_of_latest
from registry_grpc.adapters.kserve.errors import StatusError
from registry_grpc.adapters.kserve.evidence import (
    deployment_mode,
    live_object,
    min_replicas,
    number_of,
    time_of,
    warning,
)
from registry_grpc.adapters.kserve.rollouts import deployment_rollout, knative_rollout, newest_pods
from registry_grpc.domain.deployment import FieldDifference
from registry_grpc.domain.deployment_options import DeploymentMode
from registry_grpc.domain.evidence import (
    ApplyRefused,
    Condition,
    ContainerEvidence,
    ModelFailure,
    PodEvidence,
    WarningEvent,
)
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.redaction import HIDDEN

T0 = "2026-02-11T08:00:00Z"
T1 = "2026-02-11T08:00:01Z"
T2 = "2026-02-11T08:00:02Z"
REVISION = "modelregistry.ai-platform/revision"


def at(second: int) -> datetime:
    return datetime(2026, 2, 11, 8, 0, second, tzinfo=UTC)


def service(status: Any = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "iris", "namespace": "m", "uid": "u", "generation": 3, "resourceVersion": "7", **metadata},
        "spec": {"predictor": {"annotations": {REVISION: "2"}, "model": {}}},
        "status": status,
    }


def test_an_object_without_status() -> None:
    live = live_object(service())
    assert (live.uid, live.k8s_generation, live.resource_version, live.revision) == ("u", 3, "7", 2)
    assert not live.has_conditions
    assert (live.deployment_id, live.registry_id, live.url, live.ready) == ("", "", "", None)


def test_a_failed_update_as_kserve_tells_it() -> None:
    status = {
        "url": "http://iris.example.com",
        "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": T0},
            {"type": "PredictorReady", "status": "False", "reason": "X", "message": "y", "lastTransitionTime": T1},
            {"type": "IngressReady", "status": "Unknown"},
            {"type": "Stopped", "status": "False", "severity": "Info"},
        ],
        "modelStatus": {
            "transitionStatus": "BlockedByFailedLoad",
            "lastFailureInfo": {"reason": "ModelLoadFailed", "message": "no model", "exitCode": 1},
        },
    }
    live = live_object(service(status))
    assert live.url == "http://iris.example.com"
    assert live.ready == Condition(status="True", since=at(0))
    assert live.predictor_ready == Condition(status="False", reason="X", message="y", since=at(1))
    assert live.ingress_ready == Condition(status="Unknown")
    assert live.transition_status == "BlockedByFailedLoad"
    assert live.failure == ModelFailure(reason="ModelLoadFailed", message="no model", exit_code=1)
    assert live.has_conditions
    assert not live.is_stopped


@pytest.mark.parametrize("status", [{}, {"conditions": None, "modelStatus": None, "url": None}])
def test_empty_and_null_fields(status: Any) -> None:
    live = live_object(service(status, labels=None, annotations=None, finalizers=None, managedFields=None))
    assert not live.has_conditions
    assert live.failure is None


def test_deletion() -> None:
    live = live_object(service(deletionTimestamp=T2, finalizers=["foregroundDeletion", "x"]))
    assert live.deleting_since == at(2)
    assert live.finalizers == ("foregroundDeletion", "x")


def test_stopped_by_annotation_or_condition() -> None:
    assert live_object(service(annotations={"serving.kserve.io/stop": "true"})).is_stopped
    assert live_object(service({"conditions": [{"type": "Stopped", "status": "True"}]})).is_stopped
    assert not live_object(service(annotations={"serving.kserve.io/stop": "false"})).is_stopped


def test_whose_it_is() -> None:
    domain = "modelregistry.ai-platform"
    ours = live_object(
        service(
            labels={f"{domain}/deployment-id": "d", f"{domain}/registry-id": "r", f"{domain}/inference-service-id": "i"}
        )
    )
    assert (ours.deployment_id, ours.registry_id) == ("d", "r")
    made_by_the_go_service = live_object(service(labels={f"{domain}/inference-service-id": "i"}))
    assert (made_by_the_go_service.deployment_id, made_by_the_go_service.registry_id) == ("i", "")


def test_the_last_writer() -> None:
    def entry(manager: str, time: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
        return {"manager": manager, "time": time, "fieldsV1": fields, **more}

    live = live_object(
        service(
            managedFields=[
                entry("registry-grpc/x", T2, {"f:spec": {}}),
                entry("kubectl-edit", T1, {"f:spec": {"f:predictor": {}}}),
                entry("helm", T0, {"f:metadata": {"f:labels": {}}}),
                entry("manager", T2, {"f:metadata": {"f:finalizers": {}}}),
                entry("manager", T2, {"f:status": {}}, subresource="status"),
                entry("other", T0, {"f:status": {}}, subresource="status"),
            ]
        )
    )
    assert live.changed_by == "kubectl-edit"
    assert live.status_written_at == at(2)


@pytest.mark.parametrize(
    ("status", "annotation", "mode"),
    [
        ({}, "", DeploymentMode.STANDARD),
        ({}, "RawDeployment", DeploymentMode.STANDARD),
        ({}, "Knative", DeploymentMode.KNATIVE),
        ({}, "Serverless", DeploymentMode.KNATIVE),
        ({"deploymentMode": "Standard"}, "Knative", DeploymentMode.STANDARD),
    ],
)
def test_deployment_mode(status: Any, annotation: str, mode: DeploymentMode) -> None:
    assert deployment_mode(service(status, annotations={"serving.kserve.io/deploymentMode": annotation})) is mode


def test_min_replicas() -> None:
    raw = service()
    assert min_replicas(raw) == 1
    raw["spec"]["predictor"]["minReplicas"] = 0
    assert min_replicas(raw) == 0


# Events


def event(message: str, last: str, **fields: Any) -> dict[str, Any]:
    basis = {"type": "Warning", "reason": "InternalError", "message": message, "firstTimestamp": T0}
    return {**basis, "lastTimestamp": last, **fields}


def test_the_newest_internal_error_without_noise() -> None:
    assert warning(
        [
            event("StorageURI not supported", T1),
            event("older", T0),
            event("Operation cannot be fulfilled: the object has been modified; please apply", T2),
            event("not ours", T2, reason="UpdateFailed"),
            event("fine", T2, type="Normal"),
        ]
    ) == WarningEvent(message="StorageURI not supported", first_seen=at(0), last_seen=at(1))


def test_a_mode_that_kserve_cannot_run_has_its_own_reason() -> None:
    rejected = event("no Knative", T1, reason="ServerlessModeRejected")
    assert warning([rejected]) == WarningEvent(message="no Knative", first_seen=at(0), last_seen=at(1))


def test_events_of_the_new_kind() -> None:
    new = event("x", "", firstTimestamp=None, lastTimestamp=None, eventTime="2026-02-11T08:00:01.000000Z")
    assert warning([new]) == WarningEvent(message="x", first_seen=at(1), last_seen=at(1))
    repeated = {**new, "series": {"count": 2, "lastObservedTime": "2026-02-11T08:00:02.000000Z"}}
    assert warning([repeated]) == WarningEvent(message="x", first_seen=at(1), last_seen=at(2))


def test_no_events() -> None:
    assert warning([]) is None
    assert warning([event("no time", "", firstTimestamp=None)]) is None


# Rollouts


def workload(*, stamp: str = "2", generation: int = 4, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "iris-predictor", "generation": generation},
        "spec": {"template": {"metadata": {"annotations": {REVISION: stamp}}}},
        "status": {"observedGeneration": 4, **status},
    }


def replicas(updated: int, total: int, available: int) -> dict[str, Any]:
    return {"updatedReplicas": updated, "replicas": total, "availableReplicas": available}


@pytest.mark.parametrize(
    ("counts", "least", "complete"),
    [
        (replicas(1, 1, 1), 1, True),
        (replicas(1, 1, 1), 0, True),
        (replicas(1, 1, 1), 2, False),
        (replicas(1, 2, 1), 1, False),
        (replicas(2, 2, 1), 1, False),
        (replicas(0, 0, 0), 1, False),
        ({}, 1, False),
    ],
    ids=["one", "zero wanted", "too few", "an old one serves", "a new one starts", "none", "no status"],
)
def test_when_a_deployment_is_rolled_out(counts: dict[str, Any], least: int, complete: bool) -> None:
    assert deployment_rollout(workload(**counts), min_replicas=least).is_complete is complete


@pytest.mark.parametrize(
    ("counts", "has_minimum"),
    [(replicas(5, 5, 2), True), (replicas(5, 5, 1), False), (replicas(4, 5, 5), False), ({}, False)],
    ids=["an autoscaler adds more", "too few", "an old one is left", "no status"],
)
def test_whether_the_minimum_is_available(counts: dict[str, Any], has_minimum: bool) -> None:
    assert deployment_rollout(workload(**counts), min_replicas=2).has_minimum is has_minimum


@pytest.mark.parametrize(("counts", "available"), [(replicas(1, 2, 1), True), (replicas(1, 1, 0), False), ({}, False)])
def test_whether_a_deployment_serves_at_all(counts: dict[str, Any], available: bool) -> None:
    assert deployment_rollout(workload(**counts), min_replicas=2).is_available is available


def test_since_when_enough_replicas_are_available() -> None:
    raw = {"type": "Available", "status": "True", "lastTransitionTime": "2026-02-11T08:00:01Z"}
    available = deployment_rollout(workload(conditions=[raw]), min_replicas=1).available
    assert available is not None
    assert (available.is_true, available.since) == (True, at(1))


def test_counts_of_a_template_before_count_nothing() -> None:
    rollout = deployment_rollout(workload(generation=5, **replicas(1, 1, 1)), min_replicas=1)
    assert (rollout.is_observed, rollout.is_complete, rollout.revision) == (False, False, 2)


def test_conditions_of_a_deployment() -> None:
    conditions = [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"},
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "lastTransitionTime": T1},
    ]
    rollout = deployment_rollout(workload(conditions=conditions), min_replicas=1)
    assert rollout.replica_failure == Condition(status="True", reason="FailedCreate", message="exceeded quota")
    assert rollout.progressing == Condition(status="False", reason="ProgressDeadlineExceeded", since=at(1))


def test_a_template_without_stamp() -> None:
    raw = workload()
    raw["spec"]["template"]["metadata"] = {}
    assert deployment_rollout(raw, min_replicas=1).revision == 0


@pytest.mark.parametrize(
    ("created", "ready", "complete"),
    [("r-2", "r-2", True), ("r-2", "r-1", False), ("r-1", None, False), ("", "", False)],
)
def test_knative(created: str, ready: str | None, complete: bool) -> None:
    raw = workload(latestCreatedRevisionName=created, latestReadyRevisionName=ready)
    assert knative_rollout(raw).is_complete is complete
    assert knative_rollout(raw).is_available is bool(ready)


def test_knative_tells_failures_of_its_configuration() -> None:
    failed = {"type": "ConfigurationsReady", "status": "False", "reason": "RevisionFailed", "message": "m"}
    rollout = knative_rollout(workload(conditions=[failed]))
    assert rollout.progressing == Condition(status="False", reason="RevisionFailed", message="m")


# Pods


def pod(name: str, created: str, *, stamp: str = "2", template: str = "a", **fields: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "creationTimestamp": created,
        "annotations": {REVISION: stamp},
        "labels": {"pod-template-hash": template},
    }
    return {"metadata": metadata, "status": fields}


def test_pods_of_the_newest_template_only() -> None:
    pods = [
        pod("old-revision", T2, stamp="1"),
        pod("same-revision-other-template", T0, template="b"),
        pod("new-1", T1),
        pod("new-2", T1),
    ]
    assert [item["metadata"]["name"] for item in newest_pods(workload(), pods)] == ["new-2", "new-1"]


def test_no_pods_of_the_newest_template() -> None:
    assert newest_pods(workload(), [pod("old", T2, stamp="1")]) == []


def test_pods_on_their_way_out_are_no_evidence() -> None:
    leaving = pod("leaving", T1)
    leaving["metadata"]["deletionTimestamp"] = T2
    assert deployment_rollout(workload(), min_replicas=1, pods=[leaving]).pods == ()


def test_an_unschedulable_pod() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    (seen,) = deployment_rollout(workload(), min_replicas=1, pods=[pod("p", T1, conditions=[condition])]).pods
    assert (seen.name, seen.created_at, seen.unschedulable, seen.containers) == ("p", at(1), "0/3 nodes", ())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(
            {"state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}},
            ("ImagePullBackOff", "Back-off pulling image", "", None, 0),
            id="image",
        ),
        pytest.param(
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}},
                "lastState": {"terminated": {"reason": "Error", "exitCode": 1, "message": "ImportError\n"}},
                "restartCount": 2,
            },
            ("CrashLoopBackOff", "ImportError", "Error", 1, 2),
            id="crash loop says why it crashed",
        ),
        pytest.param(
            {
                "state": {"running": {"startedAt": T1}},
                "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}},
                "restartCount": 1,
            },
            ("", "", "OOMKilled", 137, 1),
            id="killed and running again",
        ),
        pytest.param(
            {"state": {"terminated": {"reason": "Completed", "exitCode": 0}}}, ("", "", "Completed", 0, 0), id="done"
        ),
        pytest.param({"state": None, "lastState": {}}, ("", "", "", None, 0), id="nothing yet"),
    ],
)
def test_containers(status: dict[str, Any], expected: tuple[Any, ...]) -> None:
    raw = pod("p", T1, initContainerStatuses=[{"name": "i", "state": {}}], containerStatuses=[{"name": "c", **status}])
    (seen,) = deployment_rollout(workload(), min_replicas=1, pods=[raw]).pods
    init, container = seen.containers
    assert (init.name, init.is_init, container.name, container.is_init) == ("i", True, "c", False)
    actual = (container.waiting, container.message, container.last_exit, container.exit_code, container.restarts)
    assert actual == expected


@pytest.mark.parametrize("ready", [True, False])
def test_whether_a_container_is_ready(ready: bool) -> None:
    raw = pod("p", T1, containerStatuses=[{"name": "c", "state": {"running": {}}, "ready": ready}])
    (seen,) = deployment_rollout(workload(), min_replicas=1, pods=[raw]).pods
    assert seen.containers[0].is_ready is ready


@pytest.mark.parametrize(
    ("stamp", "revision"),
    [
        ("7", 7), ("9" * 18, 10**18 - 1), ("9" * 19, 0), ("9" * 5000, 0), ("-1", 0), ("seven", 0), ("²", 0), ("", 0),
        (None, 0), (7, 7),
    ],
)  # fmt: skip
def test_the_revision_is_read_even_if_the_annotation_is_nonsense(stamp: Any, revision: int) -> None:
    """PostgreSQL compares it, so it must fit into 64 bits, and int() raises for very long texts."""
    annotated = {} if stamp is None else {"annotations": {REVISION: stamp}}
    raw = service(resourceVersion="7") | {"spec": {"predictor": annotated}}
    assert live_object(raw).revision == revision
    assert watch._owned(raw).revision == revision
    made = {"metadata": {"generation": 1}, "spec": {"template": {"metadata": annotated}}}
    assert deployment_rollout(made, min_replicas=1).revision == revision


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3), (0, 0), (2.0, 2), (None, 5), ("3", 5), ("9" * 5000, 5), (True, 5), ([], 5), ({}, 5), (2**63, 5),
        (-(2**70), 5), (1e300, 5), (float("inf"), 5), (float("nan"), 5),
    ],
)  # fmt: skip
def test_numbers_of_others_are_read_whatever_they_are(value: Any, number: int) -> None:
    """KServe's minimal CRD lets anything through, and so does a status that another program writes."""
    assert number_of(value, 5) == number
    assert min_replicas({"spec": {"predictor": {"minReplicas": value}}}) == (1 if number == 5 else number)
    assert rollouts.replicas({"spec": {"replicas": value}, "status": {"availableReplicas": value}}).available in {
        number,
        0,
    }
    backends = [{"name": "a", "weight": 1}, {"name": "b", "weight": value}]
    assert share_by_route({"spec": {"rules": [{"backendRefs": backends}]}}, "a") in range(101)
    said: dict[str, Any] = {"canaryStatuses": [{"name": "c", "ready": True, "trafficPercent": value}]}
    assert share_by_status({"status": said}, "c") in {number, 0}
    said = {"latestCreatedRevisionName": "r", "traffic": [{"percent": 1}, {"revisionName": "r", "percent": value}]}
    assert share_of_latest({"status": said}) in {number, 0}


@pytest.mark.parametrize(
    "text", ["", None, "soon", "0000-01-01T00:00:00Z", "2026-02-11", "2026-02-11T08:00:01", 5, "9" * 5000, "\0"]
)
def test_a_time_that_is_none_is_not_read(text: Any) -> None:
    assert time_of(text) is None
    status = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": text}]}
    assert live_object(service(status)).ready == Condition(status="True")


def test_times_at_the_ends_of_the_calendar_can_be_compared() -> None:
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        assert time_of(text) is None
    assert time_of("2026-02-11T10:00:01.123456789+02:00") == at(1).replace(microsecond=123456)


TEXT = "cannot read s3://models: token=hunter22"


@pytest.mark.parametrize(
    "heard",
    [
        Condition(status="False", message=TEXT),
        ModelFailure(reason="ModelLoadFailed", message=TEXT),
        ContainerEvidence(name="c", is_init=False, message=TEXT),
        PodEvidence(name="p", created_at=at(0), unschedulable=TEXT),
        WarningEvent(message=TEXT, first_seen=at(0), last_seen=at(0)),
        FieldDifference("spec.predictor.model.args", "", '["--token=hunter22"]'),
        FieldDifference("spec.predictor.model.args", '["--token=hunter22"]', ""),
        ApplyRefused(Why.ADMISSION, TEXT),
        StatusError(403, TEXT),
    ],
    ids=lambda heard: type(heard).__name__,
)
def test_no_text_of_others_brings_a_secret_into_the_registry(heard: object) -> None:
    """What is stored, shown and logged later is made of these."""
    text = repr(heard) + str(heard)
    assert "hunter22" not in text
    assert HIDDEN in text
