"""Versions have the project of their model, also if other programs write them."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest

INSERT_MODEL = "INSERT INTO registered_model (id, project_id, name) VALUES ($1, $2, $1::uuid::text)"
INSERT_VERSION = "INSERT INTO model_version (id, registered_model_id, name) VALUES ($1, $2, 'v1')"
PROJECT = "SELECT project_id FROM model_version WHERE id = $1"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def a_model(connection: asyncpg.Connection) -> tuple[uuid.UUID, uuid.UUID]:
    model, project = uuid.uuid4(), uuid.uuid4()
    await connection.execute(INSERT_MODEL, model, project)
    return model, project


async def test_another_writer_need_not_know_of_it(connection: asyncpg.Connection) -> None:
    (model, project), version = await a_model(connection), uuid.uuid4()
    await connection.execute(INSERT_VERSION, version, model)
    assert await connection.fetchval(PROJECT, version) == project


async def test_a_version_that_moves_to_another_model_moves_to_its_project(connection: asyncpg.Connection) -> None:
    (model, _), (other, project), version = await a_model(connection), await a_model(connection), uuid.uuid4()
    await connection.execute(INSERT_VERSION, version, model)
    await connection.execute("UPDATE model_version SET registered_model_id = $2 WHERE id = $1", version, other)
    assert await connection.fetchval(PROJECT, version) == project


async def test_a_version_of_no_model_is_refused_as_the_foreign_key_does(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError) as refused:
        await connection.execute(INSERT_VERSION, uuid.uuid4(), uuid.uuid4())
    assert refused.value.constraint_name == "fk_model_version_registered_model"
