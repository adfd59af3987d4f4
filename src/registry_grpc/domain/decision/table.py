"""The decision table: the first row that holds decides. The numbers are those of the design.

Every row is two names, what holds and what that means; the rows themselves are in the modules by their numbers.
Row 4 is three: what holds of an object of that name that is not ours is said in the design's rules for applying.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from registry_grpc.domain.decision import acceptance, presence, serving, workload
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.verdict import Verdict, says
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.evidence import Refusal


class Row(NamedTuple):
    """One row of the table."""

    number: int
    holds: Callable[[Situation], bool]
    verdict: Callable[[Situation], Verdict]


def decide(situation: Situation) -> Verdict:
    """The verdict of the first row that holds. The last row always does."""
    return next(row.verdict(situation) for row in TABLE if row.holds(situation))


def _refused(*refusals: Refusal) -> Callable[[Situation], bool]:
    return lambda s: s.was_refused(*refusals)


_NAME_BEING_RELEASED = says(Phase.PENDING, "NAME_BEING_RELEASED", "the object of that name is still being deleted")
_BEING_DELETED = says(Phase.DRIFTED, "BEING_DELETED", "the object is being deleted by somebody else")

TABLE: tuple[Row, ...] = (
    Row(1, presence.is_gone_as_wanted, presence.undeployed),
    Row(2, presence.shall_go, presence.deleting),
    Row(3, _refused(Refusal.REJECTED, Refusal.FORBIDDEN, Refusal.QUOTA), presence.cluster_refused),
    Row(4, _refused(Refusal.KSERVE_NOT_INSTALLED, Refusal.NAMESPACE_NOT_FOUND), presence.cluster_refused),
    Row(4, presence.name_is_being_released, _NAME_BEING_RELEASED),
    Row(4, _refused(Refusal.NAME_TAKEN), presence.cluster_refused),
    Row(5, _refused(Refusal.FIELD_CONFLICT), presence.field_conflict),
    Row(6, _refused(Refusal.STALE, Refusal.UNAVAILABLE), presence.try_again),
    Row(7, presence.was_deleted, presence.deleted_externally),
    Row(8, presence.is_being_deleted, _BEING_DELETED),
    Row(9, presence.is_drifted, presence.spec_changed),
    Row(10, presence.is_stopped, presence.stopped),
    Row(11, acceptance.has_no_conditions, acceptance.no_conditions),
    Row(12, acceptance.is_invalid_spec, acceptance.invalid_spec),
    Row(13, acceptance.is_reconcile_failed, acceptance.reconcile_failed),
    Row(14, acceptance.is_warned, acceptance.warned),
    Row(15, acceptance.is_not_fresh, acceptance.not_fresh),
    Row(16, workload.is_replica_failure, workload.replica_failure),
    Row(17, workload.is_download_failure, workload.download_failure),
    Row(18, workload.is_crash, workload.crash),
    Row(19, workload.is_start_failure, workload.start_failure),
    Row(20, workload.is_unschedulable, workload.unschedulable),
    Row(21, workload.is_over_deadline, workload.over_deadline),
    Row(22, serving.lacks_route, serving.route_pending),
    Row(23, serving.serves, serving.deployed),
    Row(24, serving.is_updating, serving.updating),
    Row(25, serving.is_degraded, serving.degraded),
    Row(26, lambda _: True, serving.deploying),
)
