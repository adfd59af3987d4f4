"""Quotas hold exactly: however many requests come at once, and by whichever way a project could grow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import cycle
from typing import Any, NoReturn
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from tests.contract.conftest import repositories_on
from tests.contract.test_concurrency_repository import refusals_of
from tests.fakes.builders import CREATED_AT, a_model, a_new_version, a_version
from tests.fakes.projects import OPEN, InMemoryProjects
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_version
from tests.fakes.store import InMemoryStore
from tests.fakes.use_cases import UseCases, use_cases
from tests.postgres import PATIENT
from tests.unit.deployed_world import Idle

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.projects import PostgresProjectRepository
from registry_grpc.adapters.postgres.requests import PostgresRequests
from registry_grpc.domain.artifact import ArtifactKind, ArtifactPatch, NewArtifact
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.errors import ConcurrentChange, NotFound, QuotaExceeded
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelFiles, ModelVersion, ModelVersionPatch
from registry_grpc.domain.project import NewProject, Project, ProjectPatch, Usage
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.domain.transfer import Header, Record, Trailer
from registry_grpc.ports.projects import ProjectRepository
from registry_grpc.ports.requests import Request
from registry_grpc.services.artifacts import Artifacts
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.projects import EnforcedTenancy
from registry_grpc.services.registered_models import RegisteredModels
from registry_grpc.services.transfer import Line, Transfers

AT_ONCE = 30
KEPT = timedelta(days=1)


@dataclass
class Tenant:
    """A project with the use cases that can make it grow."""

    projects: ProjectRepository
    r: Repositories
    id: UUID
    tenants: EnforcedTenancy

    async def bound(self, **quotas: int | None) -> None:
        await self.projects.update(self.id, ProjectPatch(**quotas))  # type: ignore[arg-type]
        self.tenants.forget()

    async def usage(self) -> Usage:
        return await self.projects.usage(self.id)

    @property
    def models(self) -> RegisteredModels:
        return RegisteredModels(models=self.r.models, tenants=self.tenants)

    @property
    def versions(self) -> ModelVersions:
        return ModelVersions(versions=self.r.versions, deployments=self.r.deployments, tenants=self.tenants)

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(artifacts=self.r.artifacts, tenants=self.tenants)

    @property
    def transfers(self) -> Transfers:
        return Transfers(transfers=self.r.transfers, versions=self.r.versions, tenants=self.tenants)

    @property
    def serving(self) -> UseCases:
        return use_cases(self.r, cluster=object(), reconciler=Idle(), tenants=self.tenants)

    async def deployable(self) -> tuple[ServingEnvironment, Callable[[ServingEnvironment], NewDeployment]]:
        """An environment, and what makes requests to deploy into it."""
        model = await stored_model(self.r, self.id)
        await stored_version(self.r, model)

        def new(environment: ServingEnvironment) -> NewDeployment:
            return NewDeployment(
                serving_environment_id=environment.id, registered_model_id=model.id, name=f"d-{uuid4().hex[:20]}"
            )

        return await stored_environment(self.r, self.id), new

    async def import_(self, model: RegisteredModel, version: ModelVersion) -> object:
        records = [
            Record(content=Header(project_id=model.project_id, exported_at=CREATED_AT)),
            *(Record(content=each) for each in (model, version)),
            Record(content=Trailer(record_count=3)),
        ]

        async def lines() -> AsyncIterator[Line]:
            for number, record in enumerate(records, 1):
                yield Line(number, 100, record)

        return await self.transfers.import_(self.id, lines(), "ann")


async def tenant_on(database: Database | None, id: UUID) -> Tenant:
    """A new project, in memory without a database."""
    store = InMemoryStore()
    projects: ProjectRepository = PostgresProjectRepository(database) if database else InMemoryProjects(store)
    await projects.create(Project.create(NewProject(name=uuid4().hex, namespaces=("*",)), id))
    repositories = repositories_on(database) if database else in_memory_repositories(store)
    return Tenant(projects, repositories, id, EnforcedTenancy(projects))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def wide_database(database_url: str) -> AsyncIterator[Database]:
    """With so many connections that all requests really come at once."""
    database = Database(database_url, replace(PATIENT, size=AT_ONCE + 10, share=1))
    yield database
    await database.close()


@pytest.fixture(params=["fake", "postgres"])
def place(request: pytest.FixtureRequest) -> Database | None:
    return None if request.param == "fake" else request.getfixturevalue("wide_database")


@pytest.fixture
async def tenant(place: Database | None, project_id: UUID) -> Tenant:
    return await tenant_on(place, project_id)


async def never(_id: UUID) -> NoReturn:
    raise AssertionError("resumed")


def a_new_artifact(**fields: Any) -> NewArtifact:
    given: dict[str, Any] = {"name": uuid4().hex, "kind": ArtifactKind.DOCUMENT, "uri": "s3://b/a"}
    return NewArtifact(**given | fields)


Create = Callable[[], Awaitable[object]]
Prepare = Callable[[Tenant], Awaitable[Create]]


async def a_new_model(tenant: Tenant) -> Create:
    return lambda: tenant.models.create(tenant.id, NewRegisteredModel(name=uuid4().hex))


async def a_first_version(tenant: Tenant) -> Create:
    models = cycle([await stored_model(tenant.r, tenant.id) for _ in range(5)])
    return lambda: tenant.versions.create(tenant.id, next(models).id, a_new_version(name=uuid4().hex, size_bytes=1))


async def a_default_version(tenant: Tenant) -> Create:
    model = await stored_model(tenant.r, tenant.id)

    def work() -> Awaitable[object]:
        new = a_new_version(name=uuid4().hex, size_bytes=1, is_default=True)
        return tenant.versions.create(tenant.id, model.id, new)

    return work


async def an_artifact(tenant: Tenant) -> Create:
    return lambda: tenant.artifacts.create(tenant.id, a_new_artifact(size_bytes=1))


async def a_larger_artifact(tenant: Tenant) -> Create:
    made = iter([await tenant.artifacts.create(tenant.id, a_new_artifact()) for _ in range(AT_ONCE)])
    return lambda: tenant.artifacts.update(tenant.id, next(made).id, ArtifactPatch(size_bytes=1))


async def a_larger_version(tenant: Tenant) -> Create:
    model = await stored_model(tenant.r, tenant.id)
    made = iter([await stored_version(tenant.r, model, size_bytes=0) for _ in range(AT_ONCE)])
    patch = ModelVersionPatch(size_bytes=1)
    return lambda: tenant.versions.update(tenant.id, next(made).id, patch)


async def an_attached_version(tenant: Tenant) -> Create:
    model = await stored_model(tenant.r, tenant.id)
    made = iter([await stored_version(tenant.r, model, uri="", size_bytes=0) for _ in range(AT_ONCE)])
    files = ModelFiles(uri="s3://b/x", model_framework="onnx", model_framework_version="1", size_bytes=1)
    return lambda: tenant.versions.attach(tenant.id, next(made).id, files)


async def a_copy(tenant: Tenant) -> Create:
    """The copy of a version without bytes, whose artifact has some."""
    source, other = await stored_model(tenant.r, project := uuid4()), await stored_model(tenant.r, tenant.id)
    version = await stored_version(tenant.r, source, size_bytes=0)
    artifacts = Artifacts(artifacts=tenant.r.artifacts, tenants=OPEN)
    await artifacts.create(project, a_new_artifact(model_version_id=version.id, size_bytes=1))
    return lambda: tenant.transfers.copy(tenant.id, other.id, project, version.id, name=uuid4().hex)


async def a_restored_version(tenant: Tenant) -> Create:
    """A restored version without bytes, whose artifact has some."""
    model, made = await stored_model(tenant.r, tenant.id), list[ModelVersion]()
    for _ in range(AT_ONCE):
        made.append(version := await stored_version(tenant.r, model, size_bytes=0))
        await tenant.artifacts.create(tenant.id, a_new_artifact(model_version_id=version.id, size_bytes=1))
        await tenant.r.deleted.delete(tenant.id, version.id, "ann", force=True, retention=KEPT)
    ids = iter([version.id for version in made])
    return lambda: tenant.versions.undelete(tenant.id, next(ids), tenant.r.deleted, KEPT)


async def an_imported_version(tenant: Tenant) -> Create:
    return lambda: tenant.import_(model := a_model(uuid4()), a_version(model, size_bytes=1))


async def a_deployment(tenant: Tenant) -> Create:
    environment, new = await tenant.deployable()
    return lambda: tenant.serving.deployments.deploy(tenant.id, new(environment))


async def a_redeployment(tenant: Tenant) -> Create:
    environment, new = await tenant.deployable()
    cases = tenant.serving
    made = [(await cases.deployments.deploy(tenant.id, new(environment))).service for _ in range(AT_ONCE)]
    for service in made:
        await cases.services.undeploy(tenant.id, service.id)
    undeployed = iter(made)
    patch = InferenceServicePatch(desired_state="DEPLOYED")
    return lambda: cases.services.update(tenant.id, next(undeployed).id, patch)


WAYS: dict[str, tuple[Prepare, str]] = {
    "a model": (a_new_model, "models"),
    "a model by an import": (an_imported_version, "models"),
    "a version": (a_first_version, "versions"),
    "a default version": (a_default_version, "versions"),
    "a version by a copy": (a_copy, "versions"),
    "a version by a restoration": (a_restored_version, "versions"),
    "a version by an import": (an_imported_version, "versions"),
    "bytes of a version": (a_first_version, "bytes"),
    "bytes of a changed version": (a_larger_version, "bytes"),
    "bytes that are attached": (an_attached_version, "bytes"),
    "bytes by a copy": (a_copy, "bytes"),
    "bytes by a restoration": (a_restored_version, "bytes"),
    "bytes by an import": (an_imported_version, "bytes"),
    "bytes of an artifact": (an_artifact, "bytes"),
    "bytes of a changed artifact": (a_larger_artifact, "bytes"),
    "a deployment": (a_deployment, "deployments"),
    "a deployment that was undeployed": (a_redeployment, "deployments"),
}


@pytest.mark.slow
@pytest.mark.parametrize(("prepare", "kind"), WAYS.values(), ids=WAYS.keys())
async def test_of_concurrent_requests_as_many_succeed_as_there_is_room_for(
    tenant: Tenant, prepare: Prepare, kind: str
) -> None:
    create = await prepare(tenant)
    before = getattr(await tenant.usage(), kind)
    await tenant.bound(**{f"max_{kind}": before + 5})

    refusals = [refusal for refusal in await refusals_of([create() for _ in range(AT_ONCE)]) if refusal]

    assert getattr(await tenant.usage(), kind) == before + 5
    assert {type(refusal) for refusal in refusals} == {QuotaExceeded}
    assert {refusal.metadata["quota"] for refusal in refusals} == {kind}
    assert len(refusals) == AT_ONCE - 5


@pytest.mark.slow
async def test_a_request_that_is_sent_again_is_answered_like_the_first(
    wide_database: Database, project_id: UUID
) -> None:
    database, tenant = wide_database, await tenant_on(wide_database, project_id)
    await tenant.bound(max_models=3)
    requests = PostgresRequests(database, AesGcmCipher({"k1": bytes(32)}))
    create = await a_new_model(tenant)

    async def work() -> bytes:
        await create()
        return b"created"

    async def once(key: int) -> bytes:
        return await requests.once(Request(project_id=project_id, id=str(key), rpc="r", content=b""), work, never)

    refusals = await refusals_of([once(number // 2) for number in range(AT_ONCE)])

    assert (await tenant.usage()).models == 3
    assert refusals.count(None) == 6, "each of three, and the same once more"
    assert {type(refusal) for refusal in refusals if refusal} == {QuotaExceeded}


async def test_what_a_project_has_above_a_lowered_quota_may_change_and_shrink_but_not_grow(tenant: Tenant) -> None:
    create = await a_first_version(tenant)
    for _ in range(3):
        await create()
    large = await tenant.artifacts.create(tenant.id, a_new_artifact(size_bytes=90))
    await tenant.bound(max_versions=2, max_bytes=50)

    for size in (90, 80):
        await tenant.artifacts.update(tenant.id, large.id, ArtifactPatch(size_bytes=size))
    for work in (create(), tenant.artifacts.update(tenant.id, large.id, ArtifactPatch(size_bytes=81))):
        with pytest.raises(QuotaExceeded):
            await work

    assert await tenant.usage() == Usage(models=5, versions=3, bytes=83)


async def test_a_lowered_quota_is_kept_by_those_who_have_not_heard_of_it(tenant: Tenant) -> None:
    await tenant.bound(max_models=10)
    create = await a_new_model(tenant)
    await create()  # the use cases now remember the quota
    await tenant.projects.update(tenant.id, ProjectPatch(max_models=1))
    with pytest.raises(QuotaExceeded) as refused:
        await create()
    assert refused.value.metadata == {"quota": "models", "limit": "1", "used": "1"}


async def test_other_quotas_of_a_project_are_not_asked_for(tenant: Tenant) -> None:
    """So that nobody waits, and nothing is counted, for a quota that the request cannot exceed."""
    await tenant.bound(max_versions=0, max_bytes=0, max_deployments=0)
    await (await a_new_model(tenant))()
    assert (await tenant.usage()).models == 1


async def test_who_waits_too_long_may_try_again_and_only_those_with_a_quota_wait(
    wide_database: Database, database_url: str, project_id: UUID
) -> None:
    hasty = Database(database_url, replace(PATIENT, lock_timeout=0.05))
    tenant = await tenant_on(hasty, project_id)
    await tenant.bound(max_models=3)
    create_model, create_artifact = await a_new_model(tenant), await an_artifact(tenant)
    async with wide_database.session() as other, other.transaction():
        await other.execute("SELECT FROM project WHERE id = $1 FOR UPDATE", project_id)
        with pytest.raises(ConcurrentChange):
            await create_model()
        await create_artifact()
    await create_model()
    await hasty.close()


async def test_a_refused_write_takes_everything_back(tenant: Tenant) -> None:
    copy = await a_copy(tenant)
    before = await tenant.usage()
    await tenant.bound(max_bytes=before.bytes)
    with pytest.raises(QuotaExceeded):
        await copy()
    assert await tenant.usage() == before


async def test_sizes_that_are_too_large_to_be_added_up_are_counted(tenant: Tenant) -> None:
    for _ in range(2):
        await tenant.artifacts.create(tenant.id, a_new_artifact(size_bytes=2**63 - 1))
    assert (await tenant.usage()).bytes == 2**63 - 1


@pytest.mark.slow
async def test_mixed_writes_do_not_deadlock(tenant: Tenant) -> None:
    """Creations of all kinds with deletions, new quotas and requests that lock models: all come to an end."""
    prepared = [await prepare(tenant) for prepare, _ in WAYS.values()]
    model = await stored_model(tenant.r, tenant.id)
    versions = [await stored_version(tenant.r, model) for _ in range(AT_ONCE)]
    archived = [await stored_model(tenant.r, tenant.id, state="ARCHIVED") for _ in range(10)]
    used = await tenant.usage()
    quotas = {f"max_{kind}": getattr(used, kind) + 20 for kind in ("models", "versions", "deployments", "bytes")}
    await tenant.bound(**quotas)
    deleted, r = tenant.r.deleted, tenant.r
    calls: list[Awaitable[object]] = [create() for create in prepared for _ in range(4)]
    calls += [deleted.delete(tenant.id, v.id, "ann", force=True, retention=KEPT) for v in versions[:10]]
    calls += [r.versions.update(tenant.id, v.id, ModelVersionPatch(is_default=True)) for v in versions[10:]]
    calls += [tenant.versions.create(tenant.id, each.id, a_new_version()) for each in archived]
    calls += [r.models.delete(tenant.id, each.id) for each in archived]
    calls += [tenant.projects.update(tenant.id, ProjectPatch(max_bytes=used.bytes + 10 + n)) for n in range(10)]

    async with asyncio.timeout(60):
        refusals = await refusals_of(calls)

    assert {type(refusal) for refusal in refusals if refusal} <= {QuotaExceeded, NotFound}
    after = await tenant.usage()
    for kind in ("models", "versions", "deployments"):
        assert getattr(after, kind) <= quotas[f"max_{kind}"], kind
    assert after.bytes <= used.bytes + 20
