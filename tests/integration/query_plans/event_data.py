"""The events of what the other modules load; besides: artifacts, deleted versions, webhooks and their deliveries."""

from __future__ import annotations

from uuid import UUID

import asyncpg
from tests.bench import data
from tests.integration.query_plans.loaded import CIPHER

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.webhooks import place_of_secret

ROWS = 100_000
WEBHOOKS = 20
"""Webhooks of the project, of which the first has most deliveries and the last is far behind."""
OTHER_WEBHOOKS = 2_000
"""Webhooks of other projects."""
NEWER = AesGcmCipher({"newer": bytes(32), "test": bytes(32)})
"""Has encrypted the secrets of the others."""
PENDING = 500
FIRST, BEHIND = UUID(int=1), UUID(int=WEBHOOKS)
OF_DELETED = UUID(int=1)
"""A deleted version with artifacts, of the model with many versions."""
DELETED = 20_000
"""The number of deleted versions of the model with many versions. As many other models have one each."""

_SEQUENCE = "SELECT sequence_events(1000000)"
_AGE = "UPDATE event SET occurred_at = now() - interval '2 days' + position * interval '1 ms' WHERE position > 1"
_ARTIFACTS = f"""
INSERT INTO artifact (id, created_at, updated_at, project_id, model_version_id, model_id, kind, name)
SELECT md5('metric-' || i)::uuid, created_at, created_at, project_id, id, registered_model_id, 'METRIC', 'a' || i
FROM (SELECT *, row_number() OVER () AS i FROM model_version) v WHERE i <= {ROWS}
"""
_ID = "('00000000-0000-0000-0000-' || lpad(to_hex(i), 12, '0'))::uuid"
_DELETED = f"""
INSERT INTO deleted_model_version (id, registered_model_id, deleted_at, deleted_by, version)
SELECT {_ID}, $1, now() - interval '29 days' + i * interval '1 minute', 'ann',
    to_jsonb(v) || jsonb_build_object('id', {_ID}, 'name', 'gone' || i, 'number', 1000000 + i, 'is_default', false)
FROM generate_series(1, {DELETED}) AS i, (SELECT * FROM model_version WHERE id = $2) v
UNION ALL
SELECT gen_random_uuid(), registered_model_id, now() - interval '1 day', 'ann', to_jsonb(v) || '{{"number": 2}}'
FROM (SELECT * FROM model_version WHERE registered_model_id <> $1 AND number = 1 LIMIT {DELETED}) v
"""
_THEIR_ARTIFACTS = """
INSERT INTO deleted_artifact (id, model_version_id, artifact)
SELECT d.id, d.of_id, to_jsonb(a) || jsonb_build_object('id', d.id, 'model_version_id', d.of_id)
FROM (SELECT gen_random_uuid() AS id, id AS of_id FROM deleted_model_version) d, (SELECT * FROM artifact LIMIT 1) a
"""
_GO_ON = "UPDATE webhook SET position = (SELECT max(position) FROM event) WHERE id <> $1"
_WEBHOOKS = """
INSERT INTO webhook (id, project_id, url, types, secret, state, position)
SELECT $1, $2, 'https://example.com', '{}', $3, 'ACTIVE', CASE WHEN $4 THEN 1 ELSE max(position) END FROM event
"""
_DELIVERIES = f"""
INSERT INTO webhook_delivery (webhook_id, position, resource_id, state, attempts, attempted_at, status)
SELECT $1, position, resource_id, CASE WHEN place <= {PENDING} THEN 'PENDING' ELSE 'DELIVERED' END, 1, now(), 204
FROM (SELECT *, row_number() OVER (ORDER BY position DESC) AS place FROM event WHERE project_id = $2) e
LIMIT CASE WHEN $3 THEN 1000000 ELSE 5000 END
"""
_OTHER_WEBHOOKS = f"""
INSERT INTO webhook (id, project_id, url, types, secret, state, position)
SELECT id, id, 'https://example.com', '{{}}', $1, 'ACTIVE', (SELECT max(position) FROM event)
FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, {OTHER_WEBHOOKS})) others
"""


async def sequence(database_url: str) -> None:
    """Events that were written since, which are not for the webhooks of the other projects."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_SEQUENCE)
        await connection.execute(_GO_ON, BEHIND)
    finally:
        await connection.close()


async def load(database_url: str) -> None:
    """Add events to the data of the other modules, whose triggers have written them into the inbox."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(_ARTIFACTS)
        await connection.execute(_SEQUENCE)
        await connection.execute(_AGE)
        await connection.execute(_DELETED, data.model_id(0), data.version_id(0, 8))
        await connection.execute(_THEIR_ARTIFACTS)
        for number in range(1, WEBHOOKS + 1):
            id_ = UUID(int=number)
            secret = CIPHER.encrypt("whsec_c2VjcmV0", place_of_secret(id_))
            await connection.execute(_WEBHOOKS, id_, data.PROJECT, secret, id_ == BEHIND)
            if id_ != BEHIND:
                await connection.execute(_DELIVERIES, id_, data.PROJECT, id_ == FIRST)
        await connection.execute(_OTHER_WEBHOOKS, NEWER.encrypt("whsec_c2VjcmV0", "elsewhere"))
    finally:
        await connection.close()
