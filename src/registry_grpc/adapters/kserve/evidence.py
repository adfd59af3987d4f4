"""Reads raw Kubernetes objects into `domain.evidence`: the state of one deployment's objects, the input of the decision
table. `observation` fetches those objects; `facts` reads properties of the whole cluster for preflight checks.

Missing and null fields count as empty, and so do numbers and times that are none: whoever may write an object could
otherwise stop all passes on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from registry_grpc.adapters.kserve.drift import drift
from registry_grpc.adapters.kserve.identity import REGISTRY_ID, REVISION, deployment_id_of
from registry_grpc.adapters.kserve.owners import last_other
from registry_grpc.adapters.kserve.shapes import INFERENCE_SERVICE, shaped
from registry_grpc.domain.deployment import Applied
from registry_grpc.domain.deployment_options import DeploymentMode
from registry_grpc.domain.evidence import Condition, LiveObject, ModelFailure, WarningEvent

Raw = Mapping[str, Any]
T = TypeVar("T")

_MODES = {"Knative": DeploymentMode.KNATIVE, "Serverless": DeploymentMode.KNATIVE}
STOP = "serving.kserve.io/stop"
_DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
_FATAL_EVENTS = {"InternalError", "ServerlessModeRejected"}
_LONGEST_STAMP = 18
_TOO_LARGE = 2**63
NOISE = "object has been modified"
"""KServe's controller lost a race against itself, which also happens to healthy services."""


def live_object(raw: Raw, applied: Applied | None = None, *, registry_id: str = "") -> LiveObject:
    """Reads an InferenceService. Drift is the difference from `applied`; the object of an installation other than
    `registry_id` is foreign."""
    written, raw = raw, shaped(raw, INFERENCE_SERVICE)
    metadata, status, found = raw["metadata"], raw.get("status") or {}, conditions(raw)
    labels = metadata.get("labels") or {}
    owner = labels.get(REGISTRY_ID, "")
    return LiveObject(
        uid=metadata["uid"],
        k8s_generation=metadata.get("generation", 0),
        resource_version=metadata["resourceVersion"],
        deployment_id=deployment_id_of(labels),
        registry_id=owner,
        is_foreign=bool(owner and registry_id) and owner != registry_id,
        revision=revision_of(predictor_of(raw)),
        deleting_since=time_of(metadata.get("deletionTimestamp")),
        finalizers=tuple(metadata.get("finalizers") or ()),
        is_stopped=is_stopped(raw),
        has_conditions=bool(found),
        ready=found.get("Ready"),
        predictor_ready=found.get("PredictorReady"),
        ingress_ready=found.get("IngressReady"),
        transition_status=(status.get("modelStatus") or {}).get("transitionStatus") or "",
        failure=_failure((status.get("modelStatus") or {}).get("lastFailureInfo") or {}),
        status_written_at=_status_written_at(metadata),
        url=status.get("url") or "",
        drift=drift(applied, dict(written)) if applied else (),
        changed_by=last_other(metadata),
    )


def is_stopped(raw: Raw) -> bool:
    """Whether somebody has stopped an InferenceService, until its pods are allowed again."""
    return (raw["metadata"].get("annotations") or {}).get(STOP) == "true" or is_true(raw, "Stopped")


def deployment_mode(raw: Raw) -> DeploymentMode:
    """The mode in which KServe runs the object, from its status, or else from its annotation."""
    annotations = raw["metadata"].get("annotations") or {}
    mode = (raw.get("status") or {}).get("deploymentMode") or annotations.get(_DEPLOYMENT_MODE)
    return _MODES.get(mode or "", DeploymentMode.STANDARD)


def revision_of(annotated: Raw) -> int:
    """The revision of ours in the annotations of a predictor or a pod template; 0 without one."""
    stamp = str((annotated.get("annotations") or {}).get(REVISION, ""))
    return int(stamp) if stamp.isdecimal() and len(stamp) <= _LONGEST_STAMP else 0


def predictor_of(raw: Raw) -> Raw:
    """The predictor of an InferenceService; empty if it has none."""
    return (raw.get("spec") or {}).get("predictor") or {}


def min_replicas(raw: Raw) -> int:
    """The minimum number of replicas of an InferenceService; 1 if it has none."""
    return number_of(predictor_of(raw).get("minReplicas"), 1)


def is_true(raw: Raw, kind: str) -> bool:
    """Whether an object has a condition of this type, and it is True."""
    condition = conditions(raw).get(kind)
    return condition is not None and condition.is_true


def conditions(raw: Raw) -> dict[str, Condition]:
    """The conditions of any object, by type."""
    return {
        item["type"]: Condition(
            status=item.get("status") or "Unknown",
            reason=item.get("reason") or "",
            message=item.get("message") or "",
            since=time_of(item.get("lastTransitionTime")),
        )
        for item in (raw.get("status") or {}).get("conditions") or ()
    }


def number_of(value: Any, otherwise: T) -> int | T:
    """The whole number that a field has, if it has one of at most 64 bits."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and abs(value) < _TOO_LARGE else otherwise


def time_of(text: Any) -> datetime | None:
    """The time that a field has, if it has one with a time zone that any program can compare."""
    try:
        time = datetime.fromisoformat(text)
        return time.astimezone(UTC) if time.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None


def _failure(info: Raw) -> ModelFailure | None:
    if not info:
        return None
    return ModelFailure(
        reason=info.get("reason") or "",
        message=info.get("message") or "",
        exit_code=number_of(info.get("exitCode"), None),
    )


def _status_written_at(metadata: Raw) -> datetime | None:
    times = [
        time
        for entry in metadata.get("managedFields") or ()
        if entry.get("subresource") == "status" and (time := time_of(entry.get("time")))
    ]
    return max(times, default=None)


def warning(events: Iterable[Raw]) -> WarningEvent | None:
    """The newest Warning event of a fatal error that KServe does not report in any status."""
    found = [
        _warning_event(event)
        for event in events
        if event.get("type") == "Warning"
        and event.get("reason") in _FATAL_EVENTS
        and NOISE not in (event.get("message") or "")
    ]
    return max((event for event in found if event is not None), key=lambda event: event.last_seen, default=None)


def last_seen(event: Raw) -> datetime | None:
    """When an event happened the last time, in both formats of events."""
    series = event.get("series") or {}
    return time_of(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime"))


def _warning_event(event: Raw) -> WarningEvent | None:
    """Reads both formats of events: older ones have first and last times, newer ones an event time and a series."""
    began = time_of(event.get("firstTimestamp") or event.get("eventTime"))
    last = last_seen(event)
    if began is None or last is None:
        return None
    return WarningEvent(message=event.get("message") or "", first_seen=began, last_seen=last)


def newest_first(objects: Iterable[Raw]) -> Sequence[Raw]:
    """Sorted by creation time, and by name among objects of the same second."""
    return sorted(
        objects, key=lambda item: (item["metadata"]["creationTimestamp"], item["metadata"]["name"]), reverse=True
    )
