"""The full databases, loaded once for all tests of plans. The tests are one group, so one worker runs them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from tests.bench import data
from tests.integration.query_plans import access_cases, event_data, filter_cases, serving_data
from tests.integration.query_plans.indexes import tidy_up, without_indexes
from tests.integration.query_plans.loaded import Loaded
from tests.postgres import ServerForRun, new_database

ONE_PROJECT, MANY_PROJECTS = "one project", "and 5,000 others"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def full_databases(server_for_run: ServerForRun) -> AsyncIterator[dict[str, str]]:
    """The URLs of two databases: one with one large project, and one that also has many small projects."""
    async with new_database(server_for_run, server_for_run.template) as url:
        async with without_indexes(url):
            await data.load(url)
            await serving_data.load(url)
            await filter_cases.add_rare_values(url)
            await access_cases.load(url)
            await event_data.load(url)  # the last one, because it moves everything out of the inbox
        async with new_database(server_for_run, urlsplit(url).path[1:]) as other:
            await serving_data.add_other_projects(other)
            await filter_cases.add_them_elsewhere(other)
            await event_data.sequence(other)
            await tidy_up(other)
            yield {ONE_PROJECT: url, MANY_PROJECTS: other}


@pytest_asyncio.fixture(scope="session", loop_scope="session", params=[ONE_PROJECT, MANY_PROJECTS])
async def loaded(full_databases: dict[str, str], request: pytest.FixtureRequest) -> AsyncIterator[Loaded]:
    loaded = Loaded.at(full_databases[request.param])
    yield loaded
    await loaded.database.close()
