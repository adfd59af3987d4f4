"""During a migration, no read waits longer than 100 ms, and no write longer than a second.

50,000 versions, so that it can run with the others; `python -m tests.bench.probe` does it with 500,000.
"""

from __future__ import annotations

import pytest
from tests.bench.probe import Change, adopt_all, go_database, migrate_all, waits_while

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("change", [migrate_all, adopt_all])
async def test_nobody_waits_for_a_migration(empty_database_url: str, change: Change) -> None:
    await go_database(empty_database_url, 50_000)
    before, during = await waits_while(empty_database_url, change)
    # On a busy machine, even statements without a table have to wait, and so do those of the migration that hold locks.
    machine = 3 * max(*before.reads, *before.writes, *before.idle, *during.idle)
    assert max(during.reads) < 0.1 + machine, str(during)
    assert max(during.writes) < 1.0 + machine, str(during)
    assert len(during.reads) > 50
