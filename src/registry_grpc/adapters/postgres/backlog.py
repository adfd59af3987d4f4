"""Measures what waits in the database, for metrics. Each controller does it, because there may be no leader."""

from __future__ import annotations

from registry_grpc.adapters import metrics
from registry_grpc.adapters.postgres.database import Database

# One scan tells everything about deployments. Of many that are due, it does not matter how many they are.
_DEPLOYMENTS = """
SELECT phase, reason, count(*), extract(epoch FROM now() - min(phase_since)) AS age,
    count(*) FILTER (WHERE lease_until > now()) AS leased,
    count(*) FILTER (WHERE is_due) AS due,
    extract(epoch FROM now() - min(next_at) FILTER (WHERE is_due)) AS due_age
FROM deployment CROSS JOIN LATERAL (SELECT next_at <= now() AND coalesce(lease_until < now(), true) AS is_due) due
GROUP BY phase, reason
"""
_REST = """
SELECT (SELECT count(*) FROM orphan) AS orphans, (SELECT max(position) FROM event) AS position,
    inbox.count AS inbox, inbox.age AS inbox_age, pending.count AS pending, pending.lag
FROM (
    SELECT count(*), extract(epoch FROM now() - min(occurred_at)) AS age FROM (
        SELECT occurred_at FROM event_inbox ORDER BY sequence LIMIT 100000
    ) waiting
) inbox, (
    SELECT coalesce(sum(first.count), 0) AS count, extract(epoch FROM now() - min(e.occurred_at)) AS lag FROM (
        SELECT count(*), min(d.position) AS position FROM webhook_delivery d JOIN webhook w ON w.id = d.webhook_id
        WHERE d.state = 'PENDING' AND w.state = 'ACTIVE' GROUP BY d.webhook_id
    ) first JOIN event e USING (position)
) pending
"""
_WEBHOOKS = "SELECT state, count(*) FROM webhook GROUP BY state"
_MEASURED = (
    metrics.DEPLOYMENTS, metrics.DEPLOYMENTS_AGE, metrics.DUE, metrics.DUE_AGE, metrics.LEASES, metrics.ORPHANS,
    metrics.EVENT_INBOX, metrics.EVENT_INBOX_AGE, metrics.EVENT_POSITION, metrics.WEBHOOKS, metrics.WEBHOOK_PENDING,
    metrics.WEBHOOK_LAG,
)  # fmt: skip


async def measure_backlog(database: Database) -> None:
    """Show it. Raises Unavailable, and shows nothing then."""
    try:
        deployments = await database.fetch(_DEPLOYMENTS)
        rest = await database.fetchrow(_REST)
        webhooks = await database.fetch(_WEBHOOKS)
    except BaseException:
        for measured in _MEASURED:
            measured.show({})
        raise
    metrics.DEPLOYMENTS.show({(row["phase"], row["reason"]): row["count"] for row in deployments})
    metrics.DEPLOYMENTS_AGE.show({(row["phase"], row["reason"]): float(row["age"]) for row in deployments})
    metrics.WEBHOOKS.show({(row["state"],): row["count"] for row in webhooks})
    values = {
        metrics.DUE: sum(row["due"] for row in deployments),
        metrics.DUE_AGE: max((float(row["due_age"] or 0) for row in deployments), default=0),
        metrics.LEASES: sum(row["leased"] for row in deployments),
    }
    if rest is not None:
        values |= {
            metrics.ORPHANS: rest["orphans"],
            metrics.EVENT_INBOX: rest["inbox"],
            metrics.EVENT_INBOX_AGE: float(rest["inbox_age"] or 0),
            metrics.EVENT_POSITION: rest["position"] or 0,
            metrics.WEBHOOK_PENDING: int(rest["pending"]),
            metrics.WEBHOOK_LAG: float(rest["lag"] or 0),
        }
    for measured, value in values.items():
        measured.show({(): value})
