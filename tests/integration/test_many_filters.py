"""The table of filter expressions on 100,000 models, against the reference evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from tests.contract.filters import MODEL_EXPRESSIONS, models
from tests.fakes.filtering import matches
from tests.postgres import PATIENT, ServerForRun, new_database

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.registered_models import STORED, PostgresRegisteredModelRepository
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import FILTER_FIELDS, RegisteredModel, RegisteredModelFilter

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MANY = 100_000


@dataclass
class Filled:
    """A database with many models of one project, and a few of another with the same values."""

    url: str
    project_id: UUID = field(default_factory=uuid4)
    models: list[RegisteredModel] = field(default_factory=list)

    async def fill(self) -> None:
        self.models = list(models(self.project_id, MANY))
        others = [
            model._replace(id=UUID(int=number), project_id=UUID(int=1), parent_model_id=None)
            for number, model in enumerate(self.models[:1000], 1)
        ]
        connection = await asyncpg.connect(self.url)
        try:
            await connection.set_type_codec(
                "jsonb",
                schema="pg_catalog",
                encoder=lambda value: b"\x01" + orjson.dumps(value),
                decoder=lambda value: orjson.loads(value[1:]),
                format="binary",
            )
            rows = (
                [model.tags._asdict() if name == "tags" else getattr(model, name) for name in STORED]
                for model in (*self.models, *others)
            )
            await connection.copy_records_to_table("registered_model", records=rows, columns=STORED)
            await connection.execute("VACUUM (ANALYZE) registered_model")
        finally:
            await connection.close()


async def test_the_table_of_expressions(server_for_run: ServerForRun) -> None:
    async with new_database(server_for_run, server_for_run.template) as url:
        filled = Filled(url)
        await filled.fill()
        database = Database(url, PATIENT)
        repository = PostgresRegisteredModelRepository(database)
        newest_first = sorted(filled.models, key=lambda model: (model.created_at, model.id), reverse=True)
        by_name = sorted(filled.models, key=lambda model: model.name)
        for text in MODEL_EXPRESSIONS:
            where = parse_filter(text, FILTER_FIELDS)
            filter_ = RegisteredModelFilter(where=where)
            expected = [model.id for model in newest_first if matches(where, model)]

            counted = await repository.list(filled.project_id, filter_, Sort(), Slice(limit=10))
            assert counted.total == len(expected), text
            assert [model.id for model in counted.items] == expected[:10], text
            ids: list[UUID] = []
            after = None
            for _ in range(3):
                part = Slice(limit=100, by_cursor=True, after=after)
                page = await repository.list(filled.project_id, filter_, Sort(), part)
                ids += [model.id for model in page.items]
                if (after := page.next) is None:
                    break
            assert ids == expected[:300], text
            page = await repository.list(
                filled.project_id, filter_, Sort("name", descending=False), Slice(limit=100, by_cursor=True)
            )
            assert [model.id for model in page.items] == [m.id for m in by_name if matches(where, m)][:100], text
        await database.close()
