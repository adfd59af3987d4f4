"""Which history of the database this is: the epoch is another one when what was seen before may be gone from it.

The row of the installation is written anew when a dump is restored, by a transaction of another number; a standby that
is promoted and a recovery to a point in time begin a new timeline; another server has another identifier. None of them
changes otherwise.
"""

from __future__ import annotations

# No row in the middle of a restore, which makes foreign keys last. The timeline of the last checkpoint is an old one
# until the first checkpoint after a promotion; the end of the recovery is known at once, and forgotten with it.
EPOCH = """
SELECT to_hex(hashtextextended(concat_ws(
    ' ', system.system_identifier, greatest(point.timeline_id, recovery.min_recovery_end_timeline), installation.xmin
), 0)) AS epoch
FROM pg_control_system() system, pg_control_checkpoint() point, pg_control_recovery() recovery,
    registry_installation installation
WHERE EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'deployment_event'::regclass AND contype = 'f')
"""
