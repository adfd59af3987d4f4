"""The rights in the database that docs/operations.md gives to the service are enough."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import asyncpg
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.queues import queues_on, seen
from tests.contract.surroundings import Surroundings
from tests.postgres import PATIENT

from registry_grpc.adapters.postgres.database import Database

_OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


async def test_a_role_with_the_documented_rights_deploys_leads_and_knows_its_history(fresh_database_url: str) -> None:
    grants = re.findall(r"^GRANT [^;]+ TO registry;", _OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(grants) > 3
    role = f"registry_{uuid4().hex}"
    owner = await asyncpg.connect(fresh_database_url)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'its own'")
    database = Database(re.sub(r"//[^@]+@", f"//{role}:its%20own@", fresh_database_url), PATIENT)
    try:
        for grant in grants:
            await owner.execute(grant.replace("TO registry;", f"TO {role}"))
        await database.ping()
        repositories = repositories_on(database)
        queues = queues_on(database, repositories)
        around = await Surroundings.stored(repositories, uuid4())
        deployment = await queues.passed(await deployed(repositories, around))
        async with queues.queue.leadership() as states:
            assert await anext(states)
        await queues.queue.compare([seen(deployment, revision=7), seen(deployment, uid="u2", deployment_id=uuid4())])
        events = await repositories.deployments.events(around.model.project_id, deployment.id, 0, 9)
        assert [event.generation for event in events] == [1, 1, 8]
        assert (await database.fetch("SELECT uid FROM orphan"))[0]["uid"] == "u2"
    finally:
        await database.close()
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await owner.close()
