"""Reads the epoch, which identifies a history of the database. If it changes, committed data may have been lost.

It consists of three values that do not change otherwise: the number of the transaction that wrote the row of the
installation, which is new after a restored dump; the timeline, which is new after a promotion or a recovery to a point
in time; and the identifier of the server.
"""

from __future__ import annotations

# Returns no row during a restore, which makes foreign keys last. After a promotion, the timeline of the last checkpoint
# is outdated until the next checkpoint; until then, the end of the recovery has the new one.
EPOCH = """
SELECT to_hex(hashtextextended(concat_ws(
    ' ', system.system_identifier, greatest(point.timeline_id, recovery.min_recovery_end_timeline), installation.xmin
), 0)) AS epoch
FROM pg_control_system() system, pg_control_checkpoint() point, pg_control_recovery() recovery,
    registry_installation installation
WHERE EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'deployment_event'::regclass AND contype = 'f')
"""
