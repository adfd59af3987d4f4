"""Computes the hash chains of the audit log anew."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

_CONTENT = """
jsonb_build_array(
    project_id, (extract(epoch FROM occurred_at) * 1000000)::bigint, type, resource_id, name, actor,
    authentication, rpc, request_id, address, to_jsonb(changed), before, after, details
)::text
"""
"""What is hashed, as sequence_events has it. It is repeated here because whoever changes the log may change that."""
_CHAINS = "SELECT project_id, first, last FROM audit_chain ORDER BY project_id"
_CHAIN = f"SELECT position, hash, {_CONTENT} AS content FROM audit_entry WHERE project_id = $1 ORDER BY position"
_WITHOUT_CHAIN = """
SELECT DISTINCT project_id FROM audit_entry e
WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.project_id = e.project_id)
"""
_ROWS_AT_ONCE = 1000
_LINE = re.compile(r"project ([0-9a-f-]{36}) ok: \d+ entries, last hash ([0-9a-f]{64})")


class Chain(NamedTuple):
    """What the check of a project's chain has found."""

    project_id: UUID
    entries: int
    last: str
    """The last hash that fits."""
    broken: str
    """The first place that does not; empty if all do."""

    @property
    def line(self) -> str:
        """What `kept_hashes` reads."""
        found = f"BROKEN: {self.broken}. Until there:" if self.broken else "ok:"
        return f"project {self.project_id} {found} {self.entries} entries, last hash {self.last}"


def kept_hashes(text: str) -> dict[UUID, bytes]:
    """The last hashes of the whole chains in an earlier output. Raises ValueError if there are none."""
    found = {UUID(project_id): bytes.fromhex(last) for project_id, last in _LINE.findall(text)}
    if not found:
        raise ValueError(
            "the file has no line such as `project … ok: … entries, last hash …`, which `audit verify` prints"
        )
    return found


async def check_chains(
    connection: asyncpg.Connection[Any], kept: Mapping[UUID, bytes] | None = None
) -> AsyncIterator[Chain]:
    """Compute the hashes of all projects anew, in the caller's transaction, which must see one moment. A chain must
    still have its `kept` hash."""
    missing = dict(kept or {})
    for row in await connection.fetch(_CHAINS):
        yield await _checked(connection, row, missing.pop(row["project_id"], None))
    without_chain = {row["project_id"] for row in await connection.fetch(_WITHOUT_CHAIN)}
    for project_id in sorted(without_chain | missing.keys()):
        yield Chain(project_id, 0, "", "its chain is missing in audit_chain")


async def _checked(connection: asyncpg.Connection[Any], chain: Any, kept: bytes | None) -> Chain:
    project_id, hash_, entries = chain["project_id"], chain["first"], 0
    has_kept = kept in {None, hash_}
    async for row in connection.cursor(_CHAIN, project_id, prefetch=_ROWS_AT_ONCE):
        expected = hashlib.sha256(hash_ + row["content"].encode()).digest()
        if expected != row["hash"]:
            where = f"position {row['position']}: this entry, or one before it, was changed, moved, added or deleted"
            return Chain(project_id, entries, hash_.hex(), where)
        hash_, entries = expected, entries + 1
        has_kept = has_kept or hash_ == kept
    broken = "" if hash_ == chain["last"] else "the end: entries were added or deleted there"
    if not broken and not has_kept:
        broken = "the kept hash: the entry that had it was deleted, or the chain was computed anew"
    return Chain(project_id, entries, hash_.hex(), broken)
