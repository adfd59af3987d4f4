"""A canary: the target revision gets a share of the requests beside the stable one (docs/decisions/canary.md)."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.stored_word import StoredWord

_ALL = 100


class CanaryStep(StoredWord):
    """What is being done with the canary. Requests enter a step; passes end PROMOTE and ABORT."""

    TRY = "TRY"
    ABORT = "ABORT"
    PROMOTE = "PROMOTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The target revision beside the stable one, whose version is `stable_version_id`. `percent` is the share that was
    asked for."""

    stable_generation: int
    stable_version_id: UUID
    step: CanaryStep = CanaryStep.TRY
    percent: int

    @property
    def share(self) -> int:
        """The percentage of the requests that the target shall get in this step."""
        return {CanaryStep.PROMOTE: _ALL, CanaryStep.ABORT: 0}.get(self.step, self.percent)


@dataclass(frozen=True, slots=True)
class Replicas:
    """How many replicas a revision shall have, and how many can serve."""

    wanted: int
    available: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How the cluster divides the requests: the percentage that the target gets, and the replicas of both revisions.
    None: unknown."""

    percent: int | None
    target: Replicas | None = None
    stable: Replicas | None = None


def check_percent(percent: int) -> None:
    """Raises InvalidRequest."""
    if not 0 < percent < _ALL:
        rule = "must be from 1 to 99: promote the revision to give it everything, or abort it to give it nothing"
        raise InvalidRequest([Violation("traffic_percent", rule)])
