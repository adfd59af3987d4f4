"""Reads the rollout of an InferenceService from the workload that KServe made for it.

The InferenceService itself stays Ready while an update fails, because the old pods still serve.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from registry_grpc.adapters.kserve.evidence import Raw, conditions, newest_first, number_of, revision_of, time_of
from registry_grpc.domain.canary import Replicas
from registry_grpc.domain.evidence import ContainerEvidence, PodEvidence, Rollout

_TEMPLATE_HASH = "pod-template-hash"


def is_owned_by(raw: Raw, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in raw["metadata"].get("ownerReferences") or ())


def deployment_rollout(deployment: Raw, *, min_replicas: int, pods: Iterable[Raw] = ()) -> Rollout:
    """The rollout of a Deployment. `pods`: the pods of its newest ReplicaSet."""
    status = deployment.get("status") or {}
    found = conditions(deployment)
    updated, total, available = (status.get(name) or 0 for name in ("updatedReplicas", "replicas", "availableReplicas"))
    is_observed = _is_observed(deployment)
    has_minimum = updated == total and available >= max(min_replicas, 1)
    return Rollout(
        revision=revision_of_template(deployment),
        is_observed=is_observed,
        is_complete=is_observed and has_minimum and total == available,
        is_available=available > 0,
        has_minimum=has_minimum,
        available=found.get("Available"),
        replica_failure=found.get("ReplicaFailure"),
        progressing=found.get("Progressing"),
        pods=_pods(pods),
    )


def knative_rollout(service: Raw, *, pods: Iterable[Raw] = ()) -> Rollout:
    """The rollout of a Knative Service. It may be complete without replicas. `pods`: those of its newest revision."""
    status = service.get("status") or {}
    created, ready = (status.get(f"latest{word}RevisionName") or "" for word in ("Created", "Ready"))
    is_observed = _is_observed(service)
    return Rollout(
        revision=revision_of_template(service),
        is_observed=is_observed,
        is_complete=is_observed and bool(created) and created == ready,
        is_available=bool(ready),
        progressing=conditions(service).get("ConfigurationsReady"),
        pods=_pods(pods),
    )


def revision_of_template(workload: Raw) -> int:
    """The revision whose pods the workload makes."""
    return revision_of(_template(workload))


def replicas(deployment: Raw) -> Replicas:
    """The wanted and the available replicas of a Deployment, of whatever template."""
    status = deployment.get("status") or {}
    return Replicas(number_of(deployment["spec"].get("replicas"), 1), number_of(status.get("availableReplicas"), 0))


def _is_observed(workload: Raw) -> bool:
    observed = (workload.get("status") or {}).get("observedGeneration") or 0
    return bool(observed >= workload["metadata"]["generation"])


def _template(workload: Raw) -> Raw:
    return ((workload.get("spec") or {}).get("template") or {}).get("metadata") or {}


def newest_pods(deployment: Raw, pods: Iterable[Raw]) -> list[Raw]:
    """The pods of the newest ReplicaSet: those with the template's stamp and the template hash of the newest pod.

    The stamp alone is not enough, because KServe may change the template without a new revision. ReplicaSets are not
    read, so that the registry's role needs no right to see them.
    """
    revision = revision_of_template(deployment)
    stamped = [pod for pod in newest_first(pods) if revision_of(pod["metadata"]) == revision]
    return [pod for pod in stamped if _template_hash(pod) == _template_hash(stamped[0])]


def _template_hash(pod: Raw) -> str:
    return str((pod["metadata"].get("labels") or {}).get(_TEMPLATE_HASH, ""))


def _pods(pods: Iterable[Raw]) -> tuple[PodEvidence, ...]:
    """The newest pods first, without those that are being deleted."""
    return tuple(_pod(pod) for pod in newest_first(pods) if not pod["metadata"].get("deletionTimestamp"))


def _pod(pod: Raw) -> PodEvidence:
    status = pod.get("status") or {}
    scheduled = conditions(pod).get("PodScheduled")
    is_unschedulable = scheduled is not None and scheduled.is_false and scheduled.reason == "Unschedulable"
    created_at = time_of(pod["metadata"]["creationTimestamp"])
    assert created_at is not None  # noqa: S101 - a stored object has a creation time
    return PodEvidence(
        name=pod["metadata"]["name"],
        created_at=created_at,
        unschedulable=scheduled.message if scheduled and is_unschedulable else "",
        containers=(
            *(_container(item, is_init=True) for item in status.get("initContainerStatuses") or ()),
            *(_container(item, is_init=False) for item in status.get("containerStatuses") or ()),
        ),
    )


def _container(status: dict[str, Any], *, is_init: bool) -> ContainerEvidence:
    state, last_state = status.get("state") or {}, status.get("lastState") or {}
    waiting = state.get("waiting") or {}
    ended = state.get("terminated") or last_state.get("terminated") or {}
    return ContainerEvidence(
        name=status["name"],
        is_init=is_init,
        waiting=waiting.get("reason") or "",
        # For a container in back-off, the last termination has the cause; `waiting` only says that it waits.
        message=(ended.get("message") or waiting.get("message") or "").strip(),
        last_exit=ended.get("reason") or "",
        exit_code=ended.get("exitCode"),
        is_ready=bool(status.get("ready")),
        restarts=status.get("restartCount") or 0,
    )
