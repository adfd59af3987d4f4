"""The input of the decision table.

Times inside the evidence (`evidence.at`, conditions, `applied_at`) are the cluster's; `now`, `phase_since` and
`revised_at` are the database's. They are never compared with each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from registry_grpc.domain.canary import Canary
from registry_grpc.domain.deployment import Deployment, Want
from registry_grpc.domain.evidence import ApplyRefused, Condition, Evidence, LiveObject, Rollout
from registry_grpc.domain.reason import DeploymentReason as Why

GRACE = timedelta(seconds=10)
"""KServe does not write a status without changes, so after this time an old status counts for the new spec."""

_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The row, the evidence (None if the cluster could not be read), and the refusal of an apply or delete."""

    deployment: Deployment
    now: datetime
    evidence: Evidence | None = None
    refused: ApplyRefused | None = None

    def after(self, time: timedelta) -> Situation:
        """The situation when this time has passed and nothing else has changed."""
        evidence = self.evidence and replace(self.evidence, at=self.evidence.at + time)
        return replace(self, now=self.now + time, evidence=evidence)

    def wants(self, want: Want) -> bool:
        return self.deployment.want is want

    def was_refused(self, *reasons: Why) -> bool:
        return self.refused is not None and self.refused.reason in reasons

    @property
    def live(self) -> LiveObject | None:
        """The object, if it is this deployment's."""
        live = self.evidence.live if self.evidence else None
        return live if live and live.is_of(self.deployment) else None

    @property
    def others(self) -> LiveObject | None:
        """The object that has the name, if it is not this deployment's."""
        return self.evidence.live if self.evidence and self.live is None else None

    @property
    def seen(self) -> LiveObject:
        """The object, in rows after those for a missing one."""
        assert self.live is not None  # noqa: S101 - `no status yet` is the last row for a missing object
        return self.live

    @property
    def rollout(self) -> Rollout | None:
        return self.evidence.rollout if self.evidence else None

    @property
    def canary(self) -> Canary | None:
        return self.deployment.canary

    @property
    def share(self) -> int | None:
        """The percentage of the requests that the target gets beside the stable revision; None if it is unknown."""
        split = self.evidence.split if self.evidence else None
        return split.percent if split else None

    @property
    def has_served_target(self) -> bool:
        """Whether it has been DEPLOYED at the target revision."""
        return self.deployment.serving_generation == self.deployment.generation

    @property
    def is_fresh(self) -> bool:
        """Whether the observed workload belongs to the target revision, so that its state is about that revision.

        A revision that has served stays fresh while a change of the autoscaler is not observed yet: its template was.
        """
        rollout = self.rollout
        if rollout is None or rollout.revision != self.deployment.stamp:
            return False
        return rollout.is_observed or self.has_served_target

    @property
    def is_rolled_out(self) -> bool:
        return self.is_fresh and self.rollout is not None and self.rollout.is_complete

    @property
    def lacks_only_a_route(self) -> bool:
        """Whether the target's pods are up, also to KServe, which waits for them before it makes a route."""
        predictor, route = self.seen.predictor_ready, self.seen.ingress_ready
        is_up = self.is_rolled_out and not (predictor is not None and predictor.is_false)
        return is_up and not (route is not None and route.is_true)

    @property
    def is_ready(self) -> bool:
        return self.live is not None and self.live.ready is not None and self.live.ready.is_true

    @property
    def obstacle(self) -> Condition | None:
        """The condition that knows most about why the object is not Ready. KServe derives the later ones from the
        earlier ones: without a ready predictor it makes no ingress, and says only that, also before the predictor has a
        message."""
        if self.is_ready:
            return None
        seen = self.seen
        found = [c for c in (seen.predictor_ready, seen.ingress_ready, seen.ready) if c is not None and not c.is_true]
        if found and found[0] is seen.predictor_ready:
            return found[0]
        return next((c for c in found if c.message), next(iter(found), None))

    @property
    def is_serving(self) -> bool:
        """Whether any replica serves. KServe removes Ready when pods are missing, even if others serve."""
        stable = self.evidence.split.stable if self.evidence and self.evidence.split else None
        is_beside_stable = self.canary is not None and stable is not None and bool(stable.available)
        return self.is_ready or (self.rollout is not None and self.rollout.is_available) or is_beside_stable

    @property
    def serves_earlier(self) -> bool:
        """Whether an earlier revision serves, as long as the target one does not."""
        return self.is_serving and self.deployment.serving_generation is not None and not self.has_served_target

    @property
    def since_apply(self) -> timedelta:
        """How long ago the cluster accepted the spec, by the cluster's clock."""
        applied_at = self.deployment.applied_at
        return self.evidence.at - applied_at if self.evidence and applied_at else _NO_TIME

    @property
    def status_is_newer(self) -> bool:
        """Whether KServe's status is about what was last applied. The API server's times have whole seconds."""
        written, applied_at = self.seen.status_written_at, self.deployment.applied_at
        return self.since_apply >= GRACE or (
            written is not None and applied_at is not None and written >= applied_at.replace(microsecond=0)
        )

    @property
    def is_overdue(self) -> bool:
        """Whether the deployment's own deadline has passed. It counts from the revision, or from when its object or its
        pods were created again after somebody had deleted or stopped them."""
        trying_for = [self.now - self.deployment.revised_at, self.since_apply]
        if self.evidence and self.rollout and self.rollout.pods:
            trying_for.append(self.evidence.at - min(pod.created_at for pod in self.rollout.pods))
        return min(trying_for).total_seconds() > self.deployment.spec.options.deadline_seconds

    def lasting(self, condition: Condition | None) -> timedelta:
        """How long the condition has had its status."""
        if condition is None or condition.since is None or self.evidence is None:
            return _NO_TIME
        return self.evidence.at - condition.since


def is_withdrawn(deployment: Deployment) -> bool:
    """Whether we have given up the last applied object: an undeployment resets the applied generation."""
    return deployment.applied is not None and deployment.applied_generation == 0
