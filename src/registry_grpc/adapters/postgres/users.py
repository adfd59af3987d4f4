"""What refers to a row and so forbids to delete it: the first few by name, and how many there are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import MOST_USERS, FailedPrecondition, User, Users

_FIRST = f"""
SELECT kind, id, name, count(*) OVER () AS total FROM ({{users}}) AS users ORDER BY kind, name, id LIMIT {MOST_USERS}
"""
_SERVICE, _LINK, _VARIANT, _ALIAS = "INFERENCE_SERVICE", "SERVE_MODEL", "TRAFFIC_VARIANT", "ALIAS"
# A service may serve other versions than the one it names, in a canary or beside it.
OF_VERSION = _FIRST.format(
    users=f"""
    SELECT '{_SERVICE}' AS kind, id::text, name FROM inference_service WHERE model_version_id = $1::uuid
    UNION
    SELECT '{_SERVICE}', d.id::text, d.name
    FROM deployment_revision r JOIN deployment d ON d.id = r.deployment_id
    WHERE r.spec->>'model_version_id' = $1::uuid::text AND d.want = 'PRESENT'
        AND r.generation IN (d.generation, d.stable_generation, d.serving_generation, d.applied_generation)
    UNION ALL
    SELECT '{_LINK}', l.id::text, s.name FROM serve_model l JOIN inference_service s ON s.id = l.inference_service_id
    WHERE l.model_version_id = $1 AND s.model_version_id IS DISTINCT FROM $1
    UNION ALL
    SELECT '{_VARIANT}', id::text, variant_name FROM traffic_variant WHERE model_version_id = $1
    UNION ALL
    SELECT '{_ALIAS}', name, name FROM model_alias WHERE model_version_id = $1 AND NOT $2::boolean
    UNION ALL
    SELECT '{_ALIAS}', 'default', 'default' FROM model_version WHERE id = $1 AND is_default AND NOT $2"""
)
OF_MODEL = _FIRST.format(
    users=f"""
    SELECT '{_SERVICE}' AS kind, id::text, name FROM inference_service WHERE registered_model_id = $1
    UNION ALL
    SELECT '{_LINK}', l.id::text, s.name
    FROM model_version v JOIN serve_model l ON l.model_version_id = v.id
    JOIN inference_service s ON s.id = l.inference_service_id
    WHERE v.registered_model_id = $1 AND s.registered_model_id <> $1
    UNION ALL
    SELECT '{_VARIANT}', t.id::text, t.variant_name
    FROM model_version v JOIN traffic_variant t ON t.model_version_id = v.id WHERE v.registered_model_id = $1"""
)
OF_ENVIRONMENT = _FIRST.format(
    users=f"SELECT '{_SERVICE}' AS kind, id::text, name FROM inference_service WHERE serving_environment_id = $1"
)


async def users_of(connection: Any, statement: str, id: UUID, *args: Any) -> Users | None:
    """None if nothing refers to it."""
    rows = await connection.fetch(statement, id, *args)
    return Users(tuple(User(row["kind"], row["id"], row["name"]) for row in rows), rows[0]["total"]) if rows else None


@asynccontextmanager
async def naming_users(database: Database, statement: str, id: UUID) -> AsyncIterator[None]:
    """Name the users in the refusal of a deletion."""
    try:
        yield
    except FailedPrecondition as error:
        raise FailedPrecondition(error.reason, users=await users_of(database, statement, id), id=str(id)) from error
