"""What the evidence means: the decision table of deployment control.

The rows stand in the order in which they are tried; the first one that holds decides. Their numbers are those of the
design. FAILED is never a dead end: every pass decides anew, so any later evidence moves a deployment on.

Times inside the evidence (`evidence.at`, conditions, `applied_at`) are the cluster's; `now`, `phase_since` and
`revised_at` are the database's. They are never compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from registry_grpc.domain.deployment import Deployment, Phase, Want
from registry_grpc.domain.evidence import (
    ApplyRefused,
    Condition,
    ContainerEvidence,
    Evidence,
    LiveObject,
    Refusal,
    Rollout,
)
from registry_grpc.domain.next_steps import next_step_for

AT_ONCE = timedelta(0)
SLOW = timedelta(minutes=5)
"""For what only somebody else can change: permissions, policies, quotas, custom resource definitions."""
RESYNC = timedelta(hours=1)
"""What is steady is watched, and compared with a list of all objects every ten minutes: looking at each is the rest."""
_MOST_BETWEEN_LOOKS = timedelta(seconds=30)

GRACE = timedelta(seconds=10)
"""KServe skips writing a status that says nothing new, so after this time an old status counts for the new spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a pass knows: the row, what was seen (None when the cluster could not be read), what was refused."""

    deployment: Deployment
    now: datetime
    evidence: Evidence | None = None
    refused: ApplyRefused | None = None

    @property
    def live(self) -> LiveObject | None:
        """The object, if it is this deployment's."""
        live = self.evidence.live if self.evidence else None
        return live if live and live.deployment_id == str(self.deployment.id) else None

    @property
    def seen(self) -> LiveObject:
        """The object, in rows after those for a missing one."""
        assert self.live is not None  # noqa: S101 - rows 1 and 7 have dealt with it
        return self.live

    @property
    def rollout(self) -> Rollout | None:
        return self.evidence.rollout if self.evidence else None

    @property
    def is_fresh(self) -> bool:
        """Whether the workload carries the stamp of the target revision, so that its state is about that revision."""
        rollout = self.rollout
        return rollout is not None and rollout.is_observed and rollout.revision_stamp == self.deployment.revision_stamp

    @property
    def is_rolled_out(self) -> bool:
        return self.is_fresh and self.rollout is not None and self.rollout.is_complete

    @property
    def is_ready(self) -> bool:
        return self.live is not None and self.live.ready is not None and self.live.ready.is_true

    @property
    def since_apply(self) -> timedelta:
        """How long ago the cluster took the spec, by the cluster's clock."""
        applied_at = self.deployment.applied_at
        return self.evidence.at - applied_at if self.evidence and applied_at else timedelta(0)

    @property
    def in_phase(self) -> timedelta:
        return self.now - self.deployment.phase_since

    @property
    def status_is_newer(self) -> bool:
        """Whether KServe's status is about what was applied last."""
        written, applied_at = self.seen.status_written_at, self.deployment.applied_at
        return self.since_apply >= GRACE or (
            written is not None and applied_at is not None and written >= applied_at.replace(microsecond=0)
        )

    def lasting(self, condition: Condition | None) -> timedelta:
        """How long a condition has been what it is."""
        if condition is None or condition.since is None or self.evidence is None:
            return timedelta(0)
        return self.evidence.at - condition.since


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Where the deployment stands and when to look again. Of a watched object every change also brings a look."""

    phase: Phase
    reason: str = ""
    message: str = ""
    again_in: timedelta | None
    """None: not before something changes."""

    @property
    def next_step(self) -> str:
        return next_step_for(self.reason)


class Row(NamedTuple):
    """One row of the table."""

    number: int
    holds: Callable[[Situation], bool]
    verdict: Callable[[Situation], Verdict]


def decide(situation: Situation) -> Verdict:
    """The verdict of the first row that holds. The last row always does."""
    return next(row.verdict(situation) for row in TABLE if row.holds(situation))


# What the rows are made of ------------------------------------------------------------------------------------------


def wants(want: Want) -> Callable[[Situation], bool]:
    return lambda s: s.deployment.want is want


def refused(*refusals: Refusal) -> Callable[[Situation], bool]:
    return lambda s: s.refused is not None and s.refused.refusal in refusals


def all_of(*conditions: Callable[[Situation], bool]) -> Callable[[Situation], bool]:
    return lambda s: all(condition(s) for condition in conditions)


def watched(situation: Situation) -> timedelta:
    """Often at first, when most happens, and then ever less often up to 30 s."""
    return min(max(situation.in_phase / 3, timedelta(seconds=1)), _MOST_BETWEEN_LOOKS)


def say(phase: Phase, reason: str = "", message: str = "") -> Callable[[Situation], Verdict]:
    return lambda s: Verdict(phase=phase, reason=reason, message=message, again_in=watched(s))


def _failed(s: Situation, reason: str, message: str, again_in: timedelta | None = None) -> Verdict:
    serving = s.deployment.serving_generation
    if serving is not None and serving != s.deployment.generation and s.is_ready:
        message = f"{message} (revision {serving} is still serving)".strip()
    return Verdict(phase=Phase.FAILED, reason=reason, message=message, again_in=again_in or watched(s))


def _cluster_refused(s: Situation) -> Verdict:
    assert s.refused is not None  # noqa: S101 - the rows ask for it
    return _failed(s, s.refused.reason, s.refused.message, SLOW)


# Rows 1 and 2: the object shall go ----------------------------------------------------------------------------------

_STUCK_AFTER = timedelta(minutes=10)


def _deleting(s: Situation) -> Verdict:
    if s.in_phase > _STUCK_AFTER and s.deployment.phase is Phase.DELETING:
        waiting_for = ", ".join(s.seen.finalizers) or "its dependents"
        message = f"the object still waits for {waiting_for}"
        return Verdict(phase=Phase.DELETING, reason="DELETE_STUCK", message=message, again_in=timedelta(minutes=1))
    return Verdict(phase=Phase.DELETING, again_in=watched(s))


# Rows 3 to 6: the API server did not do it --------------------------------------------------------------------------

_TRIES_BEFORE_TELLING = 3
_MOST_BACKOFF = timedelta(minutes=5)


def _is_being_released(s: Situation) -> bool:
    """The name is still held by an object that is going."""
    live = s.evidence.live if s.evidence else None
    return refused(Refusal.NAME_TAKEN)(s) and live is not None and live.deleting_since is not None


def _conflict(s: Situation) -> Verdict:
    assert s.refused is not None  # noqa: S101 - the row asks for it
    return Verdict(phase=Phase.DRIFTED, reason="FIELD_CONFLICT", message=s.refused.message, again_in=SLOW)


def _try_again(s: Situation) -> Verdict:
    deployment, refusal = s.deployment, s.refused
    assert refusal is not None  # noqa: S101 - the row asks for it
    backoff = min(timedelta(seconds=2**deployment.attempts), _MOST_BACKOFF)
    again_in = max(backoff, timedelta(seconds=refusal.retry_after or 0))
    if deployment.attempts + 1 < _TRIES_BEFORE_TELLING:
        return Verdict(phase=deployment.phase, reason=deployment.reason, message=deployment.message, again_in=again_in)
    # What was not applied yet is pending; what was seen before stays what it was, as far as anybody knows.
    never_applied = deployment.applied_generation < deployment.generation and deployment.want is Want.PRESENT
    phase = Phase.PENDING if never_applied and deployment.serving_generation is None else deployment.phase
    return Verdict(phase=phase, reason="API_UNAVAILABLE", message=refusal.message, again_in=again_in)


# Rows 7 to 10: somebody else was there ------------------------------------------------------------------------------


def _is_gone(s: Situation) -> bool:
    applied = s.deployment.applied
    return applied is not None and (s.live is None or s.live.uid != applied.uid)


def _is_drifted(s: Situation) -> bool:
    return s.live is not None and bool(s.live.drift)


def _spec_changed(s: Situation) -> Verdict:
    fields = ", ".join(difference.path for difference in s.seen.drift)
    by = f" by {s.seen.changed_by}" if s.seen.changed_by else ""
    return Verdict(
        phase=Phase.DRIFTED, reason="SPEC_CHANGED", message=f"changed{by}: {fields}", again_in=_MOST_BETWEEN_LOOKS
    )


# Rows 11 to 15: KServe has not brought the target revision out yet --------------------------------------------------

_SILENT_BEFORE_STATUS = timedelta(seconds=60)
_SILENT_BEFORE_ROLLOUT = timedelta(minutes=2)
_WARNING_COUNTS_AFTER = timedelta(seconds=30)
_SILENT = "KServe's controller has done nothing about it"


def _no_conditions(s: Situation) -> Verdict:
    silent = s.since_apply > _SILENT_BEFORE_STATUS
    return say(Phase.PENDING, "CONTROLLER_SILENT" if silent else "", _SILENT if silent else "")(s)


def _is_invalid_spec(s: Situation) -> bool:
    return s.seen.transition_status == "InvalidSpec" and s.status_is_newer


def _invalid_spec(s: Situation) -> Verdict:
    failure = s.seen.failure
    return _failed(s, _upper_snake(failure.reason if failure else "InvalidSpec"), failure.message if failure else "")


def _is_reconcile_failed(s: Situation) -> bool:
    condition = s.seen.predictor_ready
    return condition is not None and condition.is_false and condition.reason == "ReconcileFailed" and s.status_is_newer


def _reconcile_failed(s: Situation) -> Verdict:
    condition = s.seen.predictor_ready
    return _failed(s, "RECONCILE_FAILED", condition.message if condition else "")


def _is_warned(s: Situation) -> bool:
    """An error that KServe tells in an event only; it counts when it is about this spec and did not pass by itself."""
    warning, applied_at = (s.evidence.warning if s.evidence else None), s.deployment.applied_at
    if warning is None or applied_at is None or s.is_fresh or s.evidence is None:
        return False
    about_this = warning.last_seen >= applied_at.replace(microsecond=0)
    return about_this and s.evidence.at - applied_at >= _WARNING_COUNTS_AFTER


def _warned(s: Situation) -> Verdict:
    message = s.evidence.warning.message if s.evidence and s.evidence.warning else ""
    return _failed(s, "STORAGE_URI_UNSUPPORTED" if "StorageURI not supported" in message else "KSERVE_ERROR", message)


def _not_fresh(s: Situation) -> Verdict:
    silent = s.since_apply > _SILENT_BEFORE_ROLLOUT
    phase = Phase.UPDATING if s.is_ready else Phase.PENDING
    return say(phase, "CONTROLLER_SILENT" if silent else "", _SILENT if silent else _not_ready_message(s))(s)


# Rows 16 to 21: the target revision's workload is in trouble --------------------------------------------------------

_REPLICA_FAILURE_COUNTS_AFTER = timedelta(seconds=30)
_IMAGE_FAILURE_COUNTS_AFTER = timedelta(seconds=60)
_IMAGE_REASONS = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}
_CONFIG_REASONS = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}


def _is_replica_failure(s: Situation) -> bool:
    failure = s.rollout.replica_failure if s.is_fresh and s.rollout else None
    return failure is not None and failure.is_true and s.lasting(failure) > _REPLICA_FAILURE_COUNTS_AFTER


def _replica_failure(s: Situation) -> Verdict:
    message = s.rollout.replica_failure.message if s.rollout and s.rollout.replica_failure else ""
    for text, reason in (
        ("exceeded quota", "QUOTA"),
        ("denied the request", "ADMISSION"),
        ("secret", "SECRET_MISSING"),
        ("forbidden", "FORBIDDEN"),
    ):
        if text in message.lower():
            return _failed(s, reason, message)
    return _failed(s, "FAILED_CREATE", message)


def _containers(s: Situation, *, init: bool) -> list[ContainerEvidence]:
    """The containers of the newest pod of the target revision."""
    pods = s.rollout.pods if s.is_fresh and s.rollout else ()
    newest = max(pods, key=lambda pod: pod.created_at, default=None)
    return [c for c in newest.containers if c.is_init is init] if newest else []


def _failed_download(s: Situation) -> ContainerEvidence | None:
    return next(
        (c for c in _containers(s, init=True) if c.restarts >= 1 and c.last_exit not in {"", "Completed"}), None
    )


def _is_download_failure(s: Situation) -> bool:
    blocked = s.is_fresh and s.seen.transition_status == "BlockedByFailedLoad" and not s.is_rolled_out
    return _failed_download(s) is not None or (blocked and s.status_is_newer and not _containers(s, init=False))


def _download_failure(s: Situation) -> Verdict:
    container = _failed_download(s)
    message = container.message if container else (s.seen.failure.message if s.seen.failure else "")
    return _failed(s, "MODEL_DOWNLOAD", message)


def _crashed(s: Situation) -> ContainerEvidence | None:
    return next(
        (
            c
            for c in _containers(s, init=False)
            if c.waiting == "CrashLoopBackOff" or c.last_exit == "OOMKilled" or (c.last_exit == "Error" and c.restarts)
        ),
        None,
    )


def _crash(s: Situation) -> Verdict:
    container = _crashed(s)
    assert container is not None  # noqa: S101 - the row asks for it
    exit_code = f"exit code {container.exit_code}" if container.exit_code is not None else "no exit code"
    text = f"{container.name}: {exit_code}" + (f": {container.message}" if container.message else "")
    return _failed(s, "OUT_OF_MEMORY" if container.last_exit == "OOMKilled" else "MODEL_LOAD", text)


def _cannot_start(s: Situation) -> ContainerEvidence | None:
    containers = [*_containers(s, init=True), *_containers(s, init=False)]
    return next((c for c in containers if c.waiting in _IMAGE_REASONS | _CONFIG_REASONS), None)


def _is_start_failure(s: Situation) -> bool:
    pods = s.rollout.pods if s.rollout else ()
    newest = max((pod.created_at for pod in pods), default=None)
    old_enough = newest is not None and s.evidence is not None and s.evidence.at - newest > _IMAGE_FAILURE_COUNTS_AFTER
    return old_enough and _cannot_start(s) is not None


def _start_failure(s: Situation) -> Verdict:
    container = _cannot_start(s)
    assert container is not None  # noqa: S101 - the row asks for it
    reason = "IMAGE_PULL" if container.waiting in _IMAGE_REASONS else "CONTAINER_CONFIG"
    return _failed(s, reason, f"{container.name}: {container.waiting}: {container.message}")


def _unschedulable_message(s: Situation) -> str:
    pods = s.rollout.pods if s.is_fresh and s.rollout else ()
    return next((pod.unschedulable for pod in pods if pod.unschedulable), "")


def _unschedulable(s: Situation) -> Verdict:
    if s.now > s.deployment.deadline:
        return _failed(s, "UNSCHEDULABLE", _unschedulable_message(s))
    return say(Phase.PENDING, "UNSCHEDULABLE", _unschedulable_message(s))(s)


def _is_over_deadline(s: Situation) -> bool:
    progressing = s.rollout.progressing if s.is_fresh and s.rollout else None
    exceeded = progressing is not None and progressing.is_false and progressing.reason == "ProgressDeadlineExceeded"
    return (
        not s.is_rolled_out
        and s.deployment.serving_generation != s.deployment.generation
        and (exceeded or s.now > s.deployment.deadline)
    )


# Rows 22 to 26: it runs, or is about to -----------------------------------------------------------------------------

_INGRESS_FAILS_AFTER = timedelta(minutes=5)


def _lacks_route(s: Situation) -> bool:
    route = s.seen.ingress_ready
    return s.is_rolled_out and not (route is not None and route.is_true)


def _route_pending(s: Situation) -> Verdict:
    route = s.seen.ingress_ready
    message = route.message if route else ""
    if s.lasting(route) > _INGRESS_FAILS_AFTER:
        return _failed(s, "INGRESS", message)
    return say(Phase.DEPLOYING, "ROUTE_PENDING", message)(s)


def _is_degraded(s: Situation) -> bool:
    return s.deployment.serving_generation == s.deployment.generation and not s.is_ready


def _degraded(s: Situation) -> Verdict:
    ready = s.seen.ready
    return say(Phase.DEGRADED, _upper_snake(ready.reason if ready else "") or "NOT_READY", _not_ready_message(s))(s)


def _not_ready_message(s: Situation) -> str:
    ready = s.seen.ready
    return ready.message if ready and not ready.is_true else ""


def _upper_snake(words: str) -> str:
    """KServe's reasons are in CamelCase: NoSupportingRuntime becomes NO_SUPPORTING_RUNTIME."""
    return "".join(f"_{c}" if c.isupper() and i else c for i, c in enumerate(words)).upper()


TABLE: tuple[Row, ...] = (
    Row(6, refused(Refusal.STALE, Refusal.UNAVAILABLE), _try_again),
    Row(1, all_of(wants(Want.ABSENT), lambda s: s.live is None),
        lambda _: Verdict(phase=Phase.UNDEPLOYED, again_in=None)),
    Row(3, refused(Refusal.REJECTED, Refusal.FORBIDDEN, Refusal.QUOTA), _cluster_refused),
    Row(2, wants(Want.ABSENT), _deleting),
    Row(4, refused(Refusal.KSERVE_NOT_INSTALLED, Refusal.NAMESPACE_NOT_FOUND), _cluster_refused),
    Row(4, _is_being_released, say(Phase.PENDING, "NAME_BEING_RELEASED", "the object of that name is being deleted")),
    Row(4, refused(Refusal.NAME_TAKEN), _cluster_refused),
    Row(5, refused(Refusal.FIELD_CONFLICT), _conflict),
    Row(7, _is_gone, lambda _: Verdict(phase=Phase.DRIFTED, reason="DELETED_EXTERNALLY",
                                       message="the object was deleted by somebody else", again_in=AT_ONCE)),
    Row(11, lambda s: s.live is None, say(Phase.PENDING)),
    Row(8, lambda s: s.seen.deleting_since is not None,
        say(Phase.DRIFTED, "BEING_DELETED", "the object is being deleted by somebody else")),
    Row(9, _is_drifted, _spec_changed),
    Row(10, lambda s: s.seen.is_stopped, lambda _: Verdict(phase=Phase.STOPPED, reason="STOPPED", again_in=RESYNC)),
    Row(11, lambda s: not s.seen.has_conditions, _no_conditions),
    Row(12, _is_invalid_spec, _invalid_spec),
    Row(13, _is_reconcile_failed, _reconcile_failed),
    Row(14, _is_warned, _warned),
    Row(15, lambda s: not s.is_fresh, _not_fresh),
    Row(16, _is_replica_failure, _replica_failure),
    Row(17, _is_download_failure, _download_failure),
    Row(18, lambda s: _crashed(s) is not None, _crash),
    Row(19, _is_start_failure, _start_failure),
    Row(20, lambda s: bool(_unschedulable_message(s)), _unschedulable),
    Row(21, _is_over_deadline, lambda s: _failed(s, "DEADLINE", _not_ready_message(s) or "it is not up in time")),
    Row(22, _lacks_route, _route_pending),
    Row(23, lambda s: s.is_rolled_out and s.is_ready, lambda _: Verdict(phase=Phase.DEPLOYED, again_in=RESYNC)),
    Row(25, _is_degraded, _degraded),
    Row(24, lambda s: s.is_ready and s.deployment.serving_generation is not None, say(Phase.UPDATING)),
    Row(26, lambda _: True, lambda s: say(Phase.DEPLOYING, "", _not_ready_message(s))(s)),
)  # fmt: skip
