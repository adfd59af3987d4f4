"""The decision table: the first row that holds decides.

Every row has a name, which comments and tests use, a condition and a verdict. Their functions are in the order of the
table, in `presence`, `acceptance`, `workload`, `canary` and `serving`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from registry_grpc.domain.decision import acceptance, canary, presence, serving, workload
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.verdict import Verdict
from registry_grpc.domain.reason import DeploymentReason as Why


class Row(NamedTuple):
    """One row of the table."""

    name: str
    holds: Callable[[Situation], bool]
    verdict: Callable[[Situation], Verdict]


def decide(situation: Situation) -> Verdict:
    """The verdict of the first row that holds. The last row always holds."""
    return presence.with_changes(situation, next(row.verdict(situation) for row in TABLE if row.holds(situation)))


def look_again_in(situation: Situation, verdict: Verdict, spread: float = 1.0) -> timedelta | None:
    """When to observe again: after `again_in` times `spread`, but at the latest when the table would decide otherwise
    because of the time alone. Whole seconds, because the cluster's times have no parts of them."""
    if verdict.again_in is None:
        return None

    def decides_otherwise(seconds: int) -> bool:
        later = decide(situation.after(timedelta(seconds=seconds)))
        return (later.phase, later.reason) != (verdict.phase, verdict.reason)

    again_in = verdict.again_in * spread
    ahead = range(1, math.ceil(again_in.total_seconds()) + 1)
    return min(again_in, timedelta(seconds=1 + bisect_left(ahead, x=True, key=decides_otherwise)))


def _refused(*reasons: Why) -> Callable[[Situation], bool]:
    return lambda s: s.was_refused(*reasons)


TABLE: tuple[Row, ...] = (
    Row("gone as wanted", presence.is_gone_as_wanted, presence.undeployed),
    Row("going", presence.shall_go, presence.deleting),
    Row("name being released", presence.name_is_being_released, presence.name_being_released),
    Row("field conflict", _refused(Why.FIELD_CONFLICT), presence.field_conflict),
    Row("queued", _refused(Why.QUEUED), presence.queued),
    Row("not visible", _refused(Why.NAMESPACE_NOT_VISIBLE), presence.not_visible),
    Row("try again", _refused(Why.OVERTAKEN, Why.API_UNAVAILABLE), presence.try_again),
    Row("refused", presence.is_refused, presence.refused),
    Row("deleted by others", presence.was_deleted, presence.deleted_externally),
    Row("being deleted", presence.is_being_deleted, presence.being_deleted),
    Row("changed by others", presence.is_put_right_now, presence.spec_changed),
    Row("stopped", presence.is_stopped, presence.stopped),
    Row("no status yet", acceptance.has_no_conditions, acceptance.no_conditions),
    Row("canary is aborted", canary.is_aborted, canary.aborted),
    Row("invalid spec", acceptance.is_invalid_spec, acceptance.invalid_spec),
    Row("reconcile failed", acceptance.is_reconcile_failed, acceptance.reconcile_failed),
    Row("warned in an event", acceptance.is_warned, acceptance.warned),
    Row("not taken up yet", acceptance.is_not_fresh, acceptance.not_fresh),
    Row("no pods made", workload.is_replica_failure, workload.replica_failure),
    Row("download failed", workload.is_download_failure, workload.download_failure),
    Row("server crashes", workload.is_crash, workload.crash),
    Row("container cannot start", workload.is_start_failure, workload.start_failure),
    Row("unschedulable", workload.is_unschedulable, workload.unschedulable),
    Row("serving with changes", serving.serves_with_changes, presence.spec_changed),
    Row("over the deadline", workload.is_over_deadline, workload.over_deadline),
    Row("canary", canary.is_tried, canary.tried),
    Row("no route", serving.lacks_route, serving.route_pending),
    Row("serving", serving.serves, serving.deployed),
    Row("updating", serving.is_updating, serving.updating),
    Row("degraded", serving.is_degraded, serving.degraded),
    Row("deploying", lambda _: True, serving.deploying),
)
