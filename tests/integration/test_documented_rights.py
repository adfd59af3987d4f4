"""The rights in the database that docs/operations.md gives to the service are enough."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.queues import queues_on, seen
from tests.contract.surroundings import Surroundings
from tests.deployments import RETENTION
from tests.fakes.seeding import stored_version
from tests.integration.commands import command
from tests.postgres import PATIENT

from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.projects import PostgresProjectRepository
from registry_grpc.doctor.database import check_database
from registry_grpc.doctor.diagnosis import Diagnosis
from registry_grpc.domain.access import Caller, MemberKind, NewApiToken, NewMember, Role, hash_of
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.project import NewProject, Project, ProjectPatch
from registry_grpc.ports.cluster import EVERYWHERE
from registry_grpc.services.access import issue_token
from registry_grpc.settings import Settings

pytestmark = pytest.mark.slow

_OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


@asynccontextmanager
async def role_with(grants: list[str], owner_url: str) -> AsyncIterator[str]:
    """The database's URL for a new role that has just these rights."""
    role = f"registry_{uuid4().hex}"
    owner = await asyncpg.connect(owner_url)
    await owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'its own'")
    try:
        for grant in grants:
            await owner.execute(grant.replace("TO registry;", f"TO {role}"))
        yield re.sub(r"//[^@]+@", f"//{role}:its%20own@", owner_url)
    finally:
        await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await owner.close()


@pytest.fixture
def grants() -> list[str]:
    found = re.findall(r"^GRANT [^;]+ TO registry;", _OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(found) > 3
    return found


async def test_a_role_with_the_documented_rights_deploys_leads_and_knows_its_history(
    fresh_database_url: str, grants: list[str]
) -> None:
    async with role_with(grants, fresh_database_url) as url:
        database = Database(url, PATIENT)
        await database.ping()
        repositories = repositories_on(database)
        queues = queues_on(database, repositories)
        around = await Surroundings.stored(repositories, uuid4())
        deployment = await queues.passed(await deployed(repositories, around))
        async with queues.queue.leadership() as states:
            assert await anext(states)
        await queues.queue.compare(
            EVERYWHERE, [seen(deployment, revision=7), seen(deployment, uid="u2", deployment_id=uuid4())]
        )
        events = await repositories.deployments.events(around.model.project_id, deployment.id, 0, 9)
        assert [event.generation for event in events] == [1, 1, 8]
        assert (await database.fetch("SELECT uid FROM orphan"))[0]["uid"] == "u2"
        version, project_id = await stored_version(repositories, around.model), around.model.project_id
        for number in (1, 2):
            change = AliasChange(name="champion", version=str(number))
            await repositories.aliases.set(project_id, around.model.id, change, "")
        await repositories.deleted.delete(project_id, version.id, "", force=True, retention=RETENTION.age)
        await repositories.deleted.restore(project_id, version.id, retention=RETENTION.age)
        await queues.queue.forget(RETENTION)
        await database.close()


async def test_a_role_with_the_documented_rights_manages_members_tokens_and_projects(
    fresh_database_url: str, grants: list[str]
) -> None:
    async with role_with(grants, fresh_database_url) as url:
        database = Database(url, PATIENT)
        access, projects = PostgresAccessRepository(database), PostgresProjectRepository(database)
        project = await projects.create(Project.create(NewProject(name="team"), uuid4()))
        await projects.update(project.id, ProjectPatch(max_models=1))
        for role in (Role.VIEWER, Role.ADMIN):
            await access.set_member(project.id, NewMember(kind=MemberKind.USER, name="ann", role=role))
        ann = Caller(name="ann", method="https://issuer")
        made = await issue_token(access, project.id, NewApiToken(name="ci", role=Role.EDITOR), ann)
        assert await access.token_by_hash(hash_of(made.text)) is not None
        assert (await access.list_tokens(project.id, Slice(by_cursor=True))).items[0].last_used_at is not None
        await access.revoke_token(project.id, made.id)
        await access.remove_member(project.id, MemberKind.USER, "ann")
        await database.close()


async def rights_found(url: str) -> Diagnosis:
    """What doctor says of the rights."""
    diagnoses = [each async for each in check_database(Settings(database_url=SecretStr(url)))]
    return next(each for each in diagnoses if each.about == "rights in the database")


async def test_the_owner_of_the_tables_need_not_be_a_superuser(empty_database_url: str) -> None:
    """Migrations also run for a role that may only create tables and functions."""
    owner, role = await asyncpg.connect(empty_database_url), f"owner_{uuid4().hex}"
    await owner.execute(f"CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role}")
    async with migrate.migration_connection(empty_database_url) as connection:
        await connection.execute(f"SET ROLE {role}")
        await migrate.up(connection, migrate.load_migrations())
        await connection.execute("RESET ROLE")
    assert await owner.fetchval("SELECT count(*) FROM pg_tables WHERE tableowner = $1", role) > 20
    await owner.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    await owner.close()


async def test_doctor_finds_the_documented_rights_enough(fresh_database_url: str, grants: list[str]) -> None:
    async with role_with(grants, fresh_database_url) as url:
        assert (await rights_found(url)).verdict == "ok"


async def test_doctor_names_the_tables_to_which_rights_are_missing(fresh_database_url: str, grants: list[str]) -> None:
    less = [grant.replace("DELETE ON deployment_event", "UPDATE ON deployment_event") for grant in grants]
    less = [grant.replace(" orphan ", " serve_model ") for grant in less]
    async with role_with(less, fresh_database_url) as url:
        found = await rights_found(url)
    assert (found.verdict, found.text) == (
        "MISSING",
        "the role lacks rights on deployment_event, orphan",
    )


async def test_a_worker_without_rights_says_so_in_a_line(fresh_database_url: str) -> None:
    async with role_with([], fresh_database_url) as url:
        outcome = await command("worker", "--listen", "127.0.0.1:0", database_url=url)
    assert outcome.status == 1
    assert "permission denied for table schema_migrations: run `registry-grpc doctor`" in outcome.err
    assert "Traceback" not in outcome.err
