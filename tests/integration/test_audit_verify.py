"""`registry-grpc audit verify` finds every change of the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from tests.contract.conftest import repositories_on
from tests.fakes.seeding import stored_model
from tests.integration.commands import command
from tests.postgres import PATIENT

from registry_grpc.adapters.postgres.audit import PostgresAuditLog
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.audit import FILTER_FIELDS, AuditEntry
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Slice

pytestmark = pytest.mark.slow

TAMPER = "ALTER TABLE audit_entry DISABLE TRIGGER append_only"
_GAP = 4
"""Before this entry of the log that is tampered with, there is a free position."""
_CONTENT = "occurred_at, project_id, type, resource_id, name, actor, changed, before, after, details"
_REST = "authentication, rpc, request_id, address, hash"

# A place is that of an entry of `filled`.
SWAPPED = f"""
CREATE TEMP TABLE kept AS SELECT * FROM audit_entry;
DELETE FROM audit_entry WHERE position IN ({{2}}, {{3}});
INSERT INTO audit_entry (position, {_CONTENT}, {_REST}) OVERRIDING SYSTEM VALUE
SELECT {{2}} + {{3}} - position, {_CONTENT}, {_REST} FROM kept WHERE position IN ({{2}}, {{3}})
"""


def copied(place: str) -> str:
    return f"""
INSERT INTO audit_entry (position, {_CONTENT}, {_REST}) OVERRIDING SYSTEM VALUE
SELECT {place}, {_CONTENT}, {_REST} FROM audit_entry WHERE position = {{1}}
"""


# Another entry at the end, whose hash fits.
FORGED = f"""
INSERT INTO audit_entry ({_CONTENT}, {_REST})
SELECT {_CONTENT}, authentication, rpc, request_id, address, audit_link(NULL, hash, jsonb_build_array(
    project_id, (extract(epoch FROM occurred_at) * 1000000)::bigint, type, resource_id, name, actor, authentication,
    rpc, request_id, address, to_jsonb(changed), before, after, details
)::text)
FROM audit_entry WHERE position = {{5}}
"""

# Those of whoever may also change the chain.
FITTING = {
    "the end deleted": """
        DELETE FROM audit_entry WHERE position >= {4} AND project_id = '{project}';
        UPDATE audit_chain SET last = (SELECT hash FROM audit_entry WHERE position = {3}) WHERE project_id = '{project}'
    """,
    "as if all were old": """
        UPDATE audit_chain SET first = last WHERE project_id = '{project}';
        DELETE FROM audit_entry WHERE project_id = '{project}'
    """,
    "nothing left": """
        DELETE FROM audit_entry WHERE project_id = '{project}';
        DELETE FROM audit_chain WHERE project_id = '{project}'
    """,
    "computed anew": f"""
        CREATE TEMP TABLE kept AS SELECT * FROM audit_entry WHERE project_id = '{{project}}';
        DELETE FROM audit_entry WHERE project_id = '{{project}}';
        DELETE FROM audit_chain WHERE project_id = '{{project}}';
        UPDATE kept SET actor = 'bob' WHERE position = {{3}};
        INSERT INTO event_inbox ({_CONTENT}) SELECT {_CONTENT} FROM kept ORDER BY position;
        SELECT sequence_events(100)
    """,
}


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    database = Database(fresh_database_url, PATIENT)
    yield database
    await database.close()


async def entries(database: Database, project_id: UUID | None, filter: str = "") -> list[AuditEntry]:
    """Oldest first."""
    page = await PostgresAuditLog(database).list(
        project_id, parse_filter(filter, FILTER_FIELDS), Slice(limit=1000, by_cursor=True)
    )
    assert page.next is None
    return [*page.items][::-1]


async def verified(url: str, *arguments: str) -> tuple[int, str, str]:
    outcome = await command("audit", "verify", *arguments, database_url=url)
    return outcome.status, outcome.out, outcome.err


async def filled(database: Database) -> tuple[UUID, list[AuditEntry]]:
    r, project_id = repositories_on(database), uuid4()
    for number in range(6):
        if number == _GAP:
            await entries(database, project_id)  # seals
            await database.fetchrow("SELECT nextval(pg_get_serial_sequence('audit_entry', 'position'))")
        await stored_model(r, project_id, name=f"m{number}")
    await stored_model(r, uuid4(), name="other")
    return project_id, await entries(database, project_id)


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("UPDATE audit_entry SET actor = 'bob' WHERE position = {3}", "position {3}"),
        ("UPDATE audit_entry SET after = after || '{{\"x\": 1}}' WHERE position = {3}", "position {3}"),
        ("UPDATE audit_entry SET occurred_at = now() WHERE position = {3}", "position {3}"),
        ("UPDATE audit_entry SET hash = sha256('x') WHERE position = {3}", "position {3}"),
        ("DELETE FROM audit_entry WHERE position = {3}", "position {4}"),
        (SWAPPED, "position {2}"),
        (copied("{4} - 1"), "position {gap}"),
        (copied("0"), "position 0"),
        (copied("1000"), "position 1000"),
        (FORGED, "the end"),
        ("DELETE FROM audit_entry WHERE position = {0}", "position {1}"),
        ("DELETE FROM audit_entry WHERE position = {5}", "the end"),
        ("DELETE FROM audit_entry WHERE project_id = '{project}'", "the end"),
        ("UPDATE audit_entry SET project_id = gen_random_uuid() WHERE position = {5}", "missing in audit_chain"),
        ("DELETE FROM audit_chain WHERE project_id = '{project}'", "missing in audit_chain"),
    ],
)
async def test_every_change_of_the_log_is_found(
    database: Database, fresh_database_url: str, tampering: str, place: str
) -> None:
    project_id, found = await filled(database)
    positions = [each.position for each in found]
    other = await asyncpg.connect(fresh_database_url)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await other.execute("DELETE FROM audit_entry")
    await other.execute(TAMPER)
    await other.execute(tampering.format(*positions, project=project_id))
    await other.close()
    status, out, err = await verified(fresh_database_url)
    assert status == 1, out
    assert f"project {project_id} BROKEN" in out or "missing in audit_chain" in out
    assert place.format(*positions, gap=positions[_GAP] - 1) in out
    assert "the audit log was changed" in err


@pytest.mark.parametrize("tampering", FITTING.values(), ids=FITTING)
async def test_only_hashes_that_were_kept_show_a_chain_that_was_made_to_fit(
    database: Database, fresh_database_url: str, tmp_path: Path, tampering: str
) -> None:
    project_id, found = await filled(database)
    kept = tmp_path / "kept"
    kept.write_text((await verified(fresh_database_url))[1])
    await stored_model(repositories_on(database), project_id, name="later")
    await entries(database, project_id)
    assert (await verified(fresh_database_url, "--kept", str(kept)))[0] == 0
    other = await asyncpg.connect(fresh_database_url)
    await other.execute(TAMPER)
    await other.execute(tampering.format(*(each.position for each in found), project=project_id))
    await other.close()
    assert (await verified(fresh_database_url))[0] == 0
    status, out, err = await verified(fresh_database_url, "--kept", str(kept))
    assert status == 1
    assert f"project {project_id} BROKEN" in out
    assert "the audit log was changed" in err


@pytest.mark.parametrize("text", [None, "", "project x ok: 1 entries, last hash y"])
async def test_a_file_without_kept_hashes_is_refused(fresh_database_url: str, tmp_path: Path, text: str | None) -> None:
    kept = tmp_path / "kept"
    if text is not None:
        kept.write_text(text)
    status, out, err = await verified(fresh_database_url, "--kept", str(kept))
    assert (status, out) == (1, "")
    assert err.startswith("--kept: ")


async def test_a_log_that_nobody_changed_is_whole_also_after_old_entries_were_forgotten(
    database: Database, fresh_database_url: str
) -> None:
    project_id, found = await filled(database)
    status, out, _ = await verified(fresh_database_url)
    assert status == 0
    assert f"project {project_id} ok: 6 entries, last hash {found[-1].hash}" in out
    row = await database.fetchrow("SELECT forget_audit(interval '0', 3) AS gone")
    assert row is not None
    assert row["gone"] == 3
    status, out, _ = await verified(fresh_database_url)
    assert status == 0
    assert f"project {project_id} ok: 3 entries, last hash {found[-1].hash}" in out
    await PostgresAuditLog(database).forget(timedelta(0))
    assert (await verified(fresh_database_url))[0] == 0
    assert len(await entries(database, None)) == 1
