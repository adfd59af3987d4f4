"""Every event says who made the change: the caller of the call, the controller, or another program."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID, uuid4

import asyncpg
import pytest
import pytest_asyncio
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.queues import SERVING, queues_on
from tests.contract.surroundings import Surroundings
from tests.contract.test_artifact_repository import an_artifact
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version
from tests.postgres import PATIENT

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.event_log import PostgresEventLog
from registry_grpc.adapters.postgres.requests import PostgresRequests
from registry_grpc.domain.actor import ACTOR
from registry_grpc.domain.artifact import ArtifactPatch
from registry_grpc.domain.deployment import Cause, Want
from registry_grpc.domain.event import KINDS, EventFilter
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch
from registry_grpc.ports.requests import Request

KEPT = timedelta(days=30)


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[Database]:
    database = Database(fresh_database_url, PATIENT)
    yield database
    await database.close()


@contextmanager
def calling(name: str) -> Iterator[None]:
    """In a call of this caller."""
    before = ACTOR.set(name)
    yield
    ACTOR.reset(before)


async def actors(database: Database, project_id: UUID) -> dict[str, set[str]]:
    """Who made the changes of each type."""
    found = defaultdict(set)
    whole = Slice(limit=1000, by_cursor=True)
    page = await PostgresEventLog(database).list(project_id, EventFilter(), whole, oldest_first=True)
    assert page.next is None
    for event in page.items:
        found[event.type].add(event.actor)
    return found


async def change_everything(r: Repositories, database: Database, project_id: UUID) -> None:
    """Make every change of which there is an event, each in as many statements and transactions as there are for it."""
    around = await Surroundings.stored(r, project_id)
    model, version, environment = around.model, around.version, around.environment
    await r.models.update(project_id, model.id, RegisteredModelPatch(description="d"))
    await r.versions.update(project_id, version.id, ModelVersionPatch(description="d"))
    await r.versions.update(project_id, version.id, ModelVersionPatch(is_default=True))
    await r.versions.update(project_id, version.id, ModelVersionPatch(access_key="k", secret_key="s"))
    other = await stored_version(r, model, is_default=True)
    for name in ("champion", "default"):
        await r.aliases.set(project_id, model.id, AliasChange(name=name, version="2"), "")
        await r.aliases.delete(project_id, model.id, AliasChange(name=name), "")
    for of_version in (other, None):
        artifact = await r.artifacts.create(an_artifact(project_id, of_version))
        await r.artifacts.update(project_id, artifact.id, ArtifactPatch(description="d"))
        await r.artifacts.delete(project_id, artifact.id)
    await r.artifacts.create(an_artifact(project_id, other))
    await r.deleted.delete(project_id, other.id, "", force=True, retention=KEPT)
    await r.deleted.restore(project_id, other.id, retention=KEPT)
    await r.environments.update(project_id, environment.id, ServingEnvironmentPatch(description="d"))
    await r.environments.delete(project_id, (await stored_environment(r, project_id)).id)
    service = await stored_service(r, environment, model)
    await r.services.update(project_id, service.id, InferenceServicePatch(labels={"a": "b"}))
    link = await r.serve_models.create(a_serve_model(service, version))
    await r.serve_models.delete(project_id, link.id)
    await r.services.delete(project_id, service.id)
    gone = await stored_model(r, project_id, state="ARCHIVED")
    await r.models.delete(project_id, gone.id)
    deployment = await deployed(r, around, created_by="")
    queues = queues_on(database, r)
    await queues.passed(deployment, service=replace(SERVING, served_state=ServeModelState.FAILED))
    said: dict[str, Any] = {"want": Want.PRESENT, "spec": deployment.spec, "cause": Cause.UPDATE, "created_by": ""}
    await r.deployments.revise(project_id, deployment.id, **said)


async def test_every_change_of_a_call_has_the_name_of_its_caller(database: Database) -> None:
    r, project_id = repositories_on(database), uuid4()
    with calling("ann"):
        await change_everything(r, database, project_id)
    found = await actors(database, project_id)
    assert set(found) == {f"{kind}.{happened}" for kind, all_of_it in KINDS.items() for happened in all_of_it}
    # The pass of a deployment writes what it has seen.
    by_both = {"deployment.status_changed", "service.updated", "serve_model.updated"}
    assert {kind: names for kind, names in found.items() if kind not in by_both} == {
        kind: {"ann"} for kind in found if kind not in by_both
    }
    assert found["deployment.status_changed"] == found["service.updated"] == {"ann", "controller"}
    assert found["serve_model.updated"] == {"controller"}


async def test_callers_without_a_name_and_other_programs_are_told_apart(
    database: Database, fresh_database_url: str
) -> None:
    r, project_id = repositories_on(database), uuid4()
    await stored_model(r, project_id)
    other = await asyncpg.connect(fresh_database_url)
    await other.execute("UPDATE registered_model SET name = 'lily'")
    await other.execute("SELECT set_config('registry.actor', $1, false)", "x" * 300)
    await other.execute("DELETE FROM registered_model")
    await other.close()
    assert await actors(database, project_id) == {
        "model.created": {"registry"}, "model.updated": {"external"}, "model.deleted": {"x" * 250}
    }  # fmt: skip


async def test_a_request_with_an_id_has_the_name_of_its_caller(database: Database) -> None:
    r, project_id = repositories_on(database), uuid4()

    model = await stored_model(r, project_id)

    async def work() -> bytes:
        await stored_version(r, model, is_default=True)
        await r.models.update(project_id, model.id, RegisteredModelPatch(description="d"))
        return b""

    async def never(_id: UUID) -> NoReturn:
        raise AssertionError("resumed")

    request = Request(project_id=project_id, id="key", rpc="Create", content=b"content")
    with calling("ann"):
        await PostgresRequests(database, AesGcmCipher({"k1": bytes(32)})).once(request, work, never)
    assert await actors(database, project_id) == {
        "model.created": {"registry"}, "version.created": {"ann"}, "model.updated": {"ann"}
    }  # fmt: skip


@pytest.mark.slow
async def test_callers_who_share_connections_are_not_mistaken_for_each_other(database: Database) -> None:
    """Also after refusals, and after callers without a name."""
    r, project_id = repositories_on(database), uuid4()

    async def write(name: str) -> None:
        ACTOR.set(name)
        for number in range(20):
            model = await stored_model(r, project_id, name=f"{name} {number}", external_id=f"{name} {number}")
            with pytest.raises(Exception, match="external"):
                await stored_model(r, project_id, external_id=f"{name} {number}")
            await stored_version(r, model, name=name, is_default=True)

    names = [*(f"caller {number}" for number in range(8)), "registry"]
    async with asyncio.TaskGroup() as group:
        for name in names:
            group.create_task(write(name))
    await PostgresEventLog(database).list(project_id, EventFilter(), Slice(limit=1), oldest_first=True)
    rows = await database.fetch("SELECT actor, name FROM event WHERE project_id = $1", project_id)
    assert len(rows) == 40 * len(names)
    assert [row for row in rows if not row["name"].startswith(row["actor"])] == []
