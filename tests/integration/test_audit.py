"""The audit log: every write in its transaction, refused calls, no secrets, and a chain that shows changes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
import pytest_asyncio
from tests.contract.conftest import repositories_on
from tests.contract.intents import OPTIONS, deployed
from tests.contract.surroundings import Surroundings
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.integration.commands import command
from tests.integration.test_actors import change_everything
from tests.integration.test_audit_verify import entries, filled, verified
from tests.postgres import PATIENT

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.audit import PostgresAuditLog
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.event_log import PostgresEventLog
from registry_grpc.adapters.postgres.projects import PostgresProjectRepository
from registry_grpc.adapters.postgres.webhooks import PostgresWebhookRepository
from registry_grpc.domain.access import ApiToken, MemberKind, NewApiToken, NewMember, Role, hash_of
from registry_grpc.domain.actor import ACTOR, ORIGIN, Origin
from registry_grpc.domain.audit import NO_PROJECT, Refused
from registry_grpc.domain.deployment import Cause, DeploymentSpec, Want
from registry_grpc.domain.event import EventFilter
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.project import NewProject, Project, ProjectPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.webhook import NewWebhook, Webhook, WebhookPatch, new_secret

SET_MEMBER = Origin("https://idp", "modelregistry.v1.AccessService/SetMember", "r-1", "192.0.2.7")
PAGE = Slice(limit=1000, by_cursor=True)


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    database = Database(fresh_database_url, PATIENT)
    yield database
    await database.close()


@contextmanager
def calling(name: str, origin: Origin = SET_MEMBER) -> Iterator[None]:
    before, its = ACTOR.set(name), ORIGIN.set(lambda: origin)
    yield
    ACTOR.reset(before)
    ORIGIN.reset(its)


async def test_an_entry_tells_who_changed_what_and_how(database: Database) -> None:
    r, project_id = repositories_on(database), uuid4()
    with calling("ann\x1fbob"):
        model = await stored_model(r, project_id, name="iris", description="of 1936")
        await r.models.update(project_id, model.id, RegisteredModelPatch(description="d" * 9000, labels={"a": "b"}))
    created, updated = await entries(database, project_id)
    assert (created.type, created.resource_id, created.name) == ("model.created", model.id, "iris")
    assert (created.actor, *SET_MEMBER) == (
        "ann\x1fbob", created.authentication, created.rpc, created.request_id, created.address
    )  # fmt: skip
    assert orjson.loads(created.after) | {"name": "iris", "description": "of 1936"} == orjson.loads(created.after)
    assert (created.before, updated.changed_fields) == ("{}", ("description", "labels"))
    assert orjson.loads(updated.before) == {"description": "of 1936", "labels": {"team": "a"}}
    after = orjson.loads(updated.after)
    assert after["labels"] == {"a": "b"}
    assert set(after["description"]) == {"bytes", "sha256"} or after["description"] == "d" * 9000


async def test_a_write_that_is_rolled_back_is_no_entry(database: Database) -> None:
    r, project_id = repositories_on(database), uuid4()
    new = "INSERT INTO registered_model (id, project_id, name) VALUES ($1, $2, 'gone')"
    async with database.session() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(new, uuid4(), project_id)
        await transaction.rollback()
    await stored_model(r, project_id, name="kept")
    assert [each.name for each in await entries(database, project_id)] == ["kept"]


async def test_other_programs_are_audited_too(database: Database, fresh_database_url: str) -> None:
    project_id = uuid4()
    other = await asyncpg.connect(fresh_database_url)
    await other.execute("INSERT INTO registered_model (id, project_id, name) VALUES ($1, $1, 'iris')", project_id)
    await other.close()
    (entry,) = await entries(database, project_id)
    assert (entry.actor, entry.authentication, entry.rpc, entry.address) == ("external", "", "", "")


async def change_access(database: Database) -> tuple[UUID, ApiToken]:
    access, project_id = PostgresAccessRepository(database), uuid4()
    projects = PostgresProjectRepository(database)
    await projects.create(Project.create(NewProject(name=f"p {project_id}", namespaces=("a",)), project_id))
    await projects.update(project_id, ProjectPatch(namespaces=("b",)))
    for role in (Role.VIEWER, Role.ADMIN):
        await access.set_member(project_id, NewMember(kind=MemberKind.USER, name="bob", role=role))
    await access.remove_member(project_id, MemberKind.USER, "bob")
    new = NewApiToken(name="ci", role=Role.EDITOR, lifetime=timedelta(days=1))
    token = ApiToken.create(new, id=uuid4(), project_id=project_id, created_by="ann", now=datetime.now(UTC))
    await access.create_token(token)
    await access.token_by_hash(hash_of(token.text))
    await access.revoke_token(project_id, token.id)
    return project_id, token


async def test_changes_of_members_tokens_and_projects_are_entries_but_no_events(database: Database) -> None:
    with calling("ann"):
        project_id, _ = await change_access(database)
    found = await entries(database, project_id)
    assert [(each.type, each.name, each.changed_fields) for each in found] == [
        ("project.created", f"p {project_id}", ()),
        ("project.updated", f"p {project_id}", ("namespaces",)),
        ("member.created", "bob", ()),
        ("member.updated", "bob", ("role",)),
        ("member.deleted", "bob", ()),
        ("api_token.created", "ci", ()),
        ("api_token.updated", "ci", ("revoked_at",)),
    ]
    assert {each.actor for each in found} == {"ann"}
    assert {each.rpc for each in found} == {SET_MEMBER.rpc}
    assert (orjson.loads(found[1].before), orjson.loads(found[1].after)) == (
        {"namespaces": ["a"]},
        {"namespaces": ["b"]},
    )
    events = await PostgresEventLog(database).list(project_id, EventFilter(), PAGE, oldest_first=True)
    assert events.items == ()


async def deploy_with_secret_variables(r: Repositories, project_id: UUID) -> None:
    around = await Surroundings.stored(r, project_id)
    options = replace(OPTIONS, env={"TOKEN": "s3cr3t-of-variable"})
    spec = DeploymentSpec.serving((around.version,), {}, options)
    deployment = await deployed(r, around, spec=spec)
    said: dict[str, Any] = {"want": Want.PRESENT, "spec": spec, "cause": Cause.UPDATE, "created_by": ""}
    await r.deployments.revise(project_id, deployment.id, **said)


async def test_no_secret_is_in_the_log(database: Database) -> None:
    r, project_id = repositories_on(database), uuid4()
    with calling("ann"):
        await change_everything(r, database, project_id)
        await deploy_with_secret_variables(r, project_id)
        model = await stored_model(r, project_id)
        version = await stored_version(r, model)
        keys = ModelVersionPatch(access_key="AKIA-first", secret_key="s3cr3t-first")
        await r.versions.update(project_id, version.id, keys)
        _, token = await change_access(database)
        webhooks = PostgresWebhookRepository(database, AesGcmCipher({"k": bytes(32)}))
        webhook = Webhook.create(NewWebhook(url="https://h.example/s3cr3t?k=s3cr3t"), id=uuid4(), project_id=project_id)
        first, second = new_secret(), new_secret()
        await webhooks.create(webhook, first)
        await webhooks.update(project_id, webhook.id, WebhookPatch(secret=second, url="https://o.example/s3cr3t"))
        await webhooks.delete(project_id, webhook.id)
    all_of_it = await entries(database, None)
    text = " ".join(f"{each.before} {each.after} {each.details} {each.name}" for each in all_of_it)
    assert "s3cr3t" not in text
    assert "AKIA" not in text
    assert "whsec" not in text
    assert first not in text
    assert token.text not in text
    assert hash_of(token.text).hex() not in text
    stored = await database.fetch("SELECT to_jsonb(v)::text AS row FROM model_version v WHERE id = $1", version.id)
    for name in ("access_key", "secret_key"):
        assert orjson.loads(stored[0]["row"])[name] not in text
    hooks = [each for each in all_of_it if each.type.startswith("webhook.")]
    assert [(each.type, each.name, each.changed_fields) for each in hooks] == [
        ("webhook.created", "h.example", ()),
        ("webhook.updated", "o.example", ("url", "secret")),
        ("webhook.deleted", "o.example", ()),
    ]


async def test_no_column_that_only_a_caller_gives_is_shown(database: Database) -> None:
    """A recorder shows all columns but those that it names, so a new secret column has to be named."""
    secret = {"access_key", "secret_key", "access_key_rest", "secret_key_rest", "secret", "hash", "url"}
    for table in ("model_version", "webhook", "api_token"):
        row = await database.fetchrow("SELECT prosrc FROM pg_proc WHERE proname = $1", f"record_{table}")
        columns = await database.fetch("SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass", table)
        assert row is not None
        for name in {each["attname"] for each in columns} & secret:
            assert f"to_jsonb(a.{name})" not in row["prosrc"], name
            assert f"to_jsonb(b.{name})" not in row["prosrc"], name


async def test_entries_are_found_by_filters_and_pages(database: Database) -> None:
    r, project_id, log = repositories_on(database), uuid4(), PostgresAuditLog(database)
    with calling("ann"):
        models = [await stored_model(r, project_id, name=f"m{number}") for number in range(5)]
    await stored_model(r, uuid4(), name="other")
    assert [each.name for each in await entries(database, project_id, 'actor = "ann" AND name = "m*"')] == [
        "m0", "m1", "m2", "m3", "m4"
    ]  # fmt: skip
    assert [each.name for each in await entries(database, project_id, f'resource_id = "{models[2].id}"')] == ["m2"]
    assert await entries(database, project_id, 'rpc = "other"') == []
    page = await log.list(project_id, None, Slice(limit=2, by_cursor=True))
    rest = await log.list(project_id, None, Slice(limit=9, by_cursor=True, after=page.next))
    assert [each.name for each in (*page.items, *rest.items)] == ["m4", "m3", "m2", "m1", "m0"]
    found, reached = await log.after(project_id, None, page.items[1].position, 10)
    assert ([each.name for each in found], reached) == (["m4"], page.items[0].position)
    assert await log.after(project_id, None, reached, 10) == ([], reached)
    assert len(await entries(database, None)) == 6


async def test_a_refused_call_is_an_entry(database: Database) -> None:
    await PostgresAuditLog(database).note(
        Refused(project_id=NO_PROJECT, actor="eve", origin=SET_MEMBER, details={"reason": "PERMISSION_DENIED"})
    )
    (entry,) = await entries(database, NO_PROJECT, 'details.reason = "PERMISSION_DENIED"')
    assert (entry.type, entry.actor, entry.address) == ("call.refused", "eve", "192.0.2.7")


@pytest.mark.slow
async def test_writers_at_the_same_time_make_one_chain(database: Database, fresh_database_url: str) -> None:
    r, project_id = repositories_on(database), uuid4()

    async def write(name: str) -> None:
        for number in range(10):
            await stored_model(r, project_id, name=f"{name} {number}")
            await PostgresAuditLog(database).end()

    async with asyncio.TaskGroup() as group:
        for number in range(6):
            group.create_task(write(str(number)))
    assert len(await entries(database, project_id)) == 60
    assert (await verified(fresh_database_url))[0] == 0


@pytest.mark.slow
async def test_entries_are_exported_as_lines_of_json(database: Database, fresh_database_url: str) -> None:
    project_id, found = await filled(database)
    outcome = await command("audit", "export", "--after", str(found[3].position), database_url=fresh_database_url)
    assert (outcome.status, outcome.err) == (0, "")
    lines = [orjson.loads(line) for line in outcome.out.splitlines()]
    assert [(line["name"], line["hash"]) for line in lines][:2] == [(each.name, each.hash) for each in found[4:]]
    assert lines[0]["after"]["name"] == "m4"
    assert lines[0]["project_id"] == str(project_id)
