"""The data of the benchmarks, written by SQL as another writer of the same tables would.

One project holds all the models: the first has many versions, the next 2,000 have five each, the others none. A second
project is small; a third is written to. Ids are digests, so that they are spread over the indexes like random ones and
are still known here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import md5
from uuid import UUID

import asyncpg

PROJECT = UUID("b0000000-0000-4000-8000-000000000001")
SMALL_PROJECT = UUID("b0000000-0000-4000-8000-000000000002")
WRITTEN_PROJECT = UUID("b0000000-0000-4000-8000-000000000003")

MODELS = 100_000
VERSIONS_OF_BIG_MODEL = 20_000
MODELS_WITH_VERSIONS = 2_000
VERSIONS = 5
ALL_VERSIONS = VERSIONS_OF_BIG_MODEL + MODELS_WITH_VERSIONS * VERSIONS
CREATED_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""A time after the creation of some models and before that of others."""
SMALL_PROJECT_MODELS = 50

_MODELS = """
INSERT INTO registered_model (
    id, created_at, updated_at, project_id, owner_email, name, slug, description, tags, labels
)
SELECT
    md5($4 || i)::uuid, t, t, $1, 'owner@example.com', $4 || lpad(i::text, 6, '0'), $4 || lpad(i::text, 6, '0'),
    'A model that recognises what it has been shown before',
    '{"frameworks": ["sklearn"], "architectures": ["tree"], "tasks": ["classification"], "subjects": []}',
    '{"team": "vision", "stage": "candidate"}'
FROM generate_series($2::int, $3::int) AS i,
    LATERAL (SELECT timestamptz '2026-01-01' + i * interval '1 second') AS x (t)
"""
_VERSIONS = """
INSERT INTO model_version (
    id, created_at, updated_at, registered_model_id, name, description, is_default, status, model_framework,
    model_framework_version, uri, labels
)
SELECT
    md5('version-' || m || '-' || v)::uuid, t, t, md5('model-' || m)::uuid, 'v' || v, 'Trained again', v = 1, 'READY',
    'sklearn', '1.5', 's3://models/' || m || '/' || v, '{"run": "nightly"}'
FROM generate_series($1::int, $2::int) AS m, generate_series($3::int, $4::int) AS v,
    LATERAL (SELECT timestamptz '2026-02-01' + v * interval '1 second') AS x (t)
"""


def _digest(text: str) -> UUID:
    return UUID(md5(text.encode(), usedforsecurity=False).hexdigest())


HOT_MODEL = _digest("hot-0")
"""The model to which new versions are added."""


def model_id(number: int) -> UUID:
    """The model with many versions is number 0. Those with five follow."""
    return _digest(f"model-{number}")


def version_id(model: int, number: int) -> UUID:
    return _digest(f"version-{model}-{number}")


def model_name(number: int) -> str:
    return f"model-{number:06}"


async def load(database_url: str, models: int = MODELS) -> None:
    """Fill an empty, migrated database, then tidy it up as autovacuum would within minutes."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_MODELS, PROJECT, 0, models - 1, "model-")
        await connection.execute(_MODELS, SMALL_PROJECT, 0, SMALL_PROJECT_MODELS - 1, "small-")
        await connection.execute(_MODELS, WRITTEN_PROJECT, 0, 0, "hot-")
        # One transaction for all versions of a model would take ten times as long: each changes the last number.
        last = min(VERSIONS_OF_BIG_MODEL, models)
        for first in range(1, last + 1, 500):
            await connection.execute(_VERSIONS, 0, 0, first, min(first + 499, last))
        await connection.execute(_VERSIONS, 1, min(MODELS_WITH_VERSIONS, models - 1), 1, VERSIONS)
        await connection.execute("VACUUM (ANALYZE)")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
