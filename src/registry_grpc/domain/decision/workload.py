"""Rows about failures of the target revision's workload. `rollout.pods` are the pods of its newest ReplicaSet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from registry_grpc.domain.decision.refusals import why_refused
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.verdict import RESYNC, Verdict, failed, stands, why_not_ready
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.evidence import Condition, ContainerEvidence, PodEvidence
from registry_grpc.domain.reason import DeploymentReason as Why

_REPLICA_FAILURE_COUNTS_AFTER = timedelta(seconds=30)
_START_FAILURE_COUNTS_AFTER = timedelta(seconds=60)
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_CONFIG_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def _pods(s: Situation) -> tuple[PodEvidence, ...]:
    return s.rollout.pods if s.is_fresh and s.rollout else ()


def _containers(s: Situation) -> Iterator[ContainerEvidence]:
    return (container for pod in _pods(s) for container in pod.containers)


def _serves_on(s: Situation) -> bool:
    return s.has_served_target and s.is_serving


def _in_trouble(s: Situation, reason: Why, message: str) -> Verdict:
    """FAILED, or DEGRADED if the revision has served and still does with fewer replicas. What ends that is watched, but
    not whether a lost Secret could be written again."""
    if _serves_on(s):
        lacks_secret = reason in {Why.SECRET_MISSING, Why.CONTAINER_CONFIG}
        return stands(s, Phase.DEGRADED, reason, message, again_in=None if lacks_secret else RESYNC)
    return failed(s, reason, message)


# no pods made ---------------------------------------------------------------------------------------------------------


def _replica_failure(s: Situation) -> Condition | None:
    failure = s.rollout.replica_failure if s.is_fresh and s.rollout else None
    return failure if failure is not None and failure.is_true else None


def is_replica_failure(s: Situation) -> bool:
    return s.lasting(_replica_failure(s)) > _REPLICA_FAILURE_COUNTS_AFTER


def replica_failure(s: Situation) -> Verdict:
    return _in_trouble(s, *_trouble_making_pods(s))


def _trouble_making_pods(s: Situation) -> tuple[Why, str]:
    failure = _replica_failure(s)
    return (why_refused(failure.message, otherwise=Why.FAILED_CREATE), failure.message) if failure else (Why.NONE, "")


# download failed ------------------------------------------------------------------------------------------------------


def _failed_initializer(s: Situation) -> ContainerEvidence | None:
    return next((c for c in _containers(s) if c.is_init and c.restarts and c.last_exit not in {"", "Completed"}), None)


def is_download_failure(s: Situation) -> bool:
    """KServe also reports BlockedByFailedLoad for a crashed server. Once one has started, that is `server crashes`."""
    if _failed_initializer(s) is not None:
        return True
    blocked = s.seen.transition_status == "BlockedByFailedLoad" and s.status_is_newer
    was_fetched = any(c.waiting != "PodInitializing" for c in _containers(s) if not c.is_init)
    return blocked and not was_fetched and not s.is_rolled_out


def download_failure(s: Situation) -> Verdict:
    container = _failed_initializer(s)
    if container is not None:
        return _in_trouble(s, Why.MODEL_DOWNLOAD, container.message)
    return _in_trouble(s, Why.MODEL_DOWNLOAD, s.seen.failure.message if s.seen.failure else "")


# server crashes -------------------------------------------------------------------------------------------------------


def _crashed_server(s: Situation) -> ContainerEvidence | None:
    servers = (c for c in _containers(s) if not c.is_init and not c.is_ready)
    return next(
        (
            c
            for c in servers
            if c.waiting == "CrashLoopBackOff" or c.last_exit == "OOMKilled" or (c.last_exit == "Error" and c.restarts)
        ),
        None,
    )


def is_crash(s: Situation) -> bool:
    return _crashed_server(s) is not None


def crash(s: Situation) -> Verdict:
    container = _crashed_server(s)
    assert container is not None  # noqa: S101 - the row asks for it
    exit_code = f"exit code {container.exit_code}" if container.exit_code is not None else "no exit code"
    text = f"{container.name}: {exit_code}" + (f": {container.message}" if container.message else "")
    return _in_trouble(s, Why.OUT_OF_MEMORY if container.last_exit == "OOMKilled" else Why.MODEL_LOAD, text)


# container cannot start -----------------------------------------------------------------------------------------------


def _unstartable(s: Situation) -> tuple[PodEvidence, ContainerEvidence] | None:
    found = ((pod, c) for pod in _pods(s) for c in pod.containers if c.waiting in _IMAGE_REASONS | _CONFIG_REASONS)
    return next(found, None)


def is_start_failure(s: Situation) -> bool:
    found = _unstartable(s)
    if found is None or s.evidence is None:
        return False
    return s.evidence.at - found[0].created_at > _START_FAILURE_COUNTS_AFTER


def start_failure(s: Situation) -> Verdict:
    return _in_trouble(s, *_trouble_starting(s))


def _trouble_starting(s: Situation) -> tuple[Why, str]:
    if (found := _unstartable(s)) is None:
        return Why.NONE, ""
    _, container = found
    reason = Why.IMAGE_PULL if container.waiting in _IMAGE_REASONS else Why.CONTAINER_CONFIG
    return reason, f"{container.name}: {container.waiting}: {container.message}"


# unschedulable, over the deadline -------------------------------------------------------------------------------------


def _why_unschedulable(s: Situation) -> str:
    return next((pod.unschedulable for pod in _pods(s) if pod.unschedulable), "")


def is_unschedulable(s: Situation) -> bool:
    return bool(_why_unschedulable(s))


def unschedulable(s: Situation) -> Verdict:
    if s.is_overdue or _serves_on(s):
        return _in_trouble(s, Why.UNSCHEDULABLE, _why_unschedulable(s))
    phase = Phase.UPDATING if s.serves_earlier else Phase.PENDING
    return stands(s, phase, Why.UNSCHEDULABLE, _why_unschedulable(s))


def is_over_deadline(s: Situation) -> bool:
    """Whether KServe's deadline or ours has passed. A revision that has served cannot miss it; it becomes DEGRADED."""
    progressing = s.rollout.progressing if s.rollout else None
    exceeded = progressing is not None and progressing.is_false and progressing.reason == "ProgressDeadlineExceeded"
    is_up = s.is_rolled_out and (s.is_ready or s.lacks_only_a_route)
    return not is_up and not s.has_served_target and (exceeded or s.is_overdue)


def over_deadline(s: Situation) -> Verdict:
    _, sign = first_signs(s)
    return failed(s, Why.DEADLINE, sign or why_not_ready(s) or "it did not start in time")


def first_signs(s: Situation) -> tuple[Why, str]:
    """Reason and message of a problem with creating or starting pods that is too recent to count as a failure, but that
    users should see. Both are empty if there is none."""
    reason, message = _trouble_making_pods(s)
    return (reason, message) if reason else _trouble_starting(s)
