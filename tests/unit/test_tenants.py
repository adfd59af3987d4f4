"""What the project of a caller may not reach, whichever way it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_model, a_version
from tests.fakes.cluster import TRUE, InMemoryCluster
from tests.fakes.deployments import NoNews
from tests.fakes.projects import InMemoryProjects
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version
from tests.fakes.use_cases import UseCases, use_cases
from tests.unit.deployed_world import ALLOWING, Idle, World, a_world

from registry_grpc.domain.artifact import ArtifactKind, ArtifactPatch, NewArtifact
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Orphan, Want
from registry_grpc.domain.deployment_options import DeploymentOptions, StorageUri
from registry_grpc.domain.errors import NotAllowed, QuotaExceeded, Reason
from registry_grpc.domain.evidence import LiveObject
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelFiles, ModelVersionPatch
from registry_grpc.domain.project import Project, Usage
from registry_grpc.domain.transfer import Header, Record, Trailer
from registry_grpc.services.artifacts import Artifacts
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.explaining import Explaining
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.projects import EnforcedTenancy
from registry_grpc.services.transfer import Line, Transfers


@dataclass
class Tenant:
    """A world whose project is bounded."""

    world: World
    projects: InMemoryProjects
    tenants: EnforcedTenancy
    cluster: InMemoryCluster

    def bound(self, **fields: Any) -> None:
        id_ = self.world.project_id
        given: dict[str, Any] = {"namespaces": ("*",)}
        self.projects.found[id_] = Project(id=id_, name="team", **given | fields)
        self.tenants.forget()

    @property
    def use_cases(self) -> UseCases:
        return use_cases(
            self.world.repositories, ALLOWING, cluster=self.cluster, reconciler=Idle(), tenants=self.tenants
        )

    @property
    def versions(self) -> ModelVersions:
        r = self.world.repositories
        return ModelVersions(versions=r.versions, deployments=r.deployments, tenants=self.tenants)


@pytest.fixture
async def tenant(project_id: UUID) -> Tenant:
    world = await a_world(project_id)
    projects = InMemoryProjects(world.store)
    tenant = Tenant(world, projects, EnforcedTenancy(projects), InMemoryCluster(world.store.clock))
    tenant.bound()
    return tenant


def unread(*_: Any, **__: Any) -> NoReturn:
    raise AssertionError("the cluster is read")


@pytest.mark.parametrize(
    "uri",
    [
        "s3://team-a@evil/x",
        "s3://team-a\\@evil/x",
        "s3://team-a%2fevil/x",
        "s3://team-\u212a/x",
        "s3://team-a\t/x",
        "s3://team-ä/x",
        " s3://team-a/x",
        "https://evil.example\\.models.example/x",
        "https://user:word@a.models.example/x",
        "https://evil.example#.models.example/x",
        "https://evil.example?.models.example/x",
        "https://a.models.example:8443/x",
        "//team-a/x",
        "s3:/team-a/x",
        "PVC://claim/x",
        "file:///etc/passwd",
    ],
)
def test_places_that_parsers_may_read_otherwise_are_not_allowed(project_id: UUID, uri: str) -> None:
    project = Project(id=project_id, name="p", uris=("s3://team-*", "https://*.models.example"))
    with pytest.raises(NotAllowed):
        project.check_uri(uri)


def test_allowed_places_may_be_written_in_any_case(project_id: UUID) -> None:
    project = Project(id=project_id, name="p", uris=("S3://Team-*", "hf://Google"))
    for uri in ("s3://team-a", "S3://TEAM-a/../x?y#z", "hf://google/gemma"):
        project.check_uri(uri)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"storage_uris": (StorageUri(uri="s3://others/x", mount_path="/mnt/x"),)}, "options.storage_uris[0].uri"),
        ({"storage_endpoint": "https://evil.example"}, "options.storage.endpoint"),
        ({"storage_endpoint": "evil.example"}, "options.storage.endpoint"),
    ],
)
async def test_further_files_and_the_endpoint_come_from_allowed_places(
    tenant: Tenant, options: dict[str, Any], field: str
) -> None:
    tenant.bound(uris=("s3://*bucket*", "https://minio.example"))
    world, given = tenant.world, DeploymentOptions(**options)
    version = await world.repositories.versions.get(world.project_id, world.version.id)
    tenant.bound(uris=(version.uri.partition("//")[0] + "//" + version.uri.split("/")[2], "https://minio.example"))
    environment = await stored_environment(world.repositories, world.project_id, name="more")
    new = NewDeployment(
        serving_environment_id=environment.id, registered_model_id=version.registered_model_id, options=given
    )
    deployments = tenant.use_cases.deployments
    for work in (
        lambda: deployments.deploy(world.project_id, new),
        lambda: deployments.update(world.project_id, world.id, model_version_id=None, options=given),
    ):
        with pytest.raises(NotAllowed) as refused:
            await work()
        assert (refused.value.reason, refused.value.metadata["field"]) == (Reason.URI_NOT_ALLOWED, field)
    tenant.projects.found[world.project_id].check_options(DeploymentOptions(storage_endpoint="minio.example"))


async def test_a_record_follows_only_an_object_with_its_own_mark(tenant: Tenant) -> None:
    world, r = tenant.world, tenant.world.repositories
    environment = await stored_environment(r, world.project_id, name="shared")
    model = await stored_model(r, world.project_id)
    record = await stored_service(r, environment, model)
    place, live = (
        (environment.namespace, record.name),
        LiveObject(
            uid="u",
            k8s_generation=1,
            resource_version="1",
            deployment_id="another",
            registry_id="r",
            ready=TRUE,
            url="http://x",
        ),
    )
    tenant.cluster.objects[place] = live
    synced = await tenant.use_cases.services.sync(world.project_id, record.id)
    assert (synced.current_state, synced.url, synced.external_id) == ("UNDEPLOYED", "", record.external_id)
    tenant.cluster.objects[place] = replace(live, deployment_id=str(record.id))
    assert (await tenant.use_cases.services.sync(world.project_id, record.id)).current_state == "DEPLOYED"


async def test_a_withdrawn_namespace_is_not_read_for_anybody(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    world, r = tenant.world, tenant.world.repositories
    environment = await stored_environment(r, world.project_id, name="withdrawn")
    record = await stored_service(r, environment, await stored_model(r, world.project_id))
    tenant.bound(namespaces=("another",))
    for name in ("look", "trace", "facts", "dry_run", "observe", "manifest"):
        monkeypatch.setattr(tenant.cluster, name, unread)
    explaining = Explaining(
        deployments=r.deployments, versions=r.versions, tenants=tenant.tenants, cluster=tenant.cluster
    )
    deployment = await world.deployment()
    a_canary = deployment.tried(deployment.spec, 10)
    for work in (
        lambda: tenant.use_cases.services.sync(world.project_id, record.id),
        lambda: explaining.explain(world.project_id, world.id),
        lambda: tenant.use_cases.drafting.following(a_canary, None, None, 30),
    ):
        with pytest.raises(NotAllowed) as refused:
            await work()
        assert refused.value.reason == Reason.NAMESPACE_NOT_ALLOWED


async def test_orphans_of_withdrawn_namespaces_are_not_told(tenant: Tenant) -> None:
    world = tenant.world
    found = [
        Orphan(namespace=name, name="x", uid=name, deployment_id="", seen_at=world.store.clock.now())
        for name in ("mine", "theirs")
    ]

    class Orphans:
        async def orphans(self, _project_id: UUID) -> list[Orphan]:
            return found

    history = DeploymentHistory(deployments=Orphans(), events=NoNews(), tenants=tenant.tenants)  # type: ignore[arg-type]
    assert await history.orphans(world.project_id) == found
    tenant.bound(namespaces=("mi*",))
    assert await history.orphans(world.project_id) == found[:1]


async def test_bytes_are_bounded_however_they_come(tenant: Tenant) -> None:
    world = tenant.world
    model = await world.repositories.models.get(world.project_id, world.version.registered_model_id)
    unattached = await stored_version(world.repositories, model, name="later", uri="", size_bytes=0)
    files = ModelFiles(uri="s3://b/x", model_framework="onnx", model_framework_version="1", size_bytes=11)
    tenant.bound(max_bytes=100)
    tenant.projects.used = Usage(bytes=90)
    with pytest.raises(QuotaExceeded):
        await tenant.versions.update(
            world.project_id, world.version.id, ModelVersionPatch(size_bytes=11), edits_deployed=True
        )
    with pytest.raises(QuotaExceeded):
        await tenant.versions.attach(world.project_id, unattached.id, files)
    patch = ModelVersionPatch(size_bytes=10)
    assert (
        await tenant.versions.update(world.project_id, world.version.id, patch, edits_deployed=True)
    ).size_bytes == 10
    tenant.projects.used = Usage(bytes=100)
    patch = ModelVersionPatch(size_bytes=9)
    assert (
        await tenant.versions.update(world.project_id, world.version.id, patch, edits_deployed=True)
    ).size_bytes == 9


async def test_artifacts_count_too(tenant: Tenant) -> None:
    project_id, repository = tenant.world.project_id, tenant.world.repositories.artifacts
    artifacts = Artifacts(artifacts=repository, tenants=tenant.tenants)
    tenant.bound(max_bytes=100)
    tenant.projects.used = Usage(bytes=80)

    def new(size: int) -> NewArtifact:
        return NewArtifact(name="a", kind=ArtifactKind.DOCUMENT, uri="s3://b/a", size_bytes=size)

    with pytest.raises(QuotaExceeded):
        await artifacts.create(project_id, new(21))
    created = await artifacts.create(project_id, new(10))
    with pytest.raises(QuotaExceeded):
        await artifacts.update(project_id, created.id, ArtifactPatch(size_bytes=21))
    assert (await artifacts.update(project_id, created.id, ArtifactPatch(size_bytes=20))).size_bytes == 20


async def test_an_import_needs_room_for_the_bytes_that_it_adds(tenant: Tenant) -> None:
    world, project_id, r = tenant.world, tenant.world.project_id, tenant.world.repositories
    transfers = Transfers(transfers=r.transfers, versions=r.versions, tenants=tenant.tenants)
    model = a_model(uuid4(), name="imported")
    records = [
        Record(content=Header(project_id=model.project_id, exported_at=world.store.clock.now())),
        Record(content=model),
        Record(content=a_version(model, name="v", size_bytes=11)),
        Record(content=Trailer(record_count=3)),
    ]

    async def lines() -> AsyncIterator[Line]:
        for number, record in enumerate(records, 1):
            yield Line(number, 100, record)

    tenant.bound(max_bytes=100)
    tenant.projects.used = Usage(bytes=90)
    with pytest.raises(QuotaExceeded):
        await transfers.import_(project_id, lines(), "ann")
    tenant.projects.used = Usage(bytes=89)
    await transfers.import_(project_id, lines(), "ann")
    tenant.projects.used = Usage(bytes=100)
    await transfers.import_(project_id, lines(), "ann")


@pytest.mark.parametrize("way", ["update", "roll back", "desired state"])
async def test_deploying_again_needs_room(tenant: Tenant, way: str) -> None:
    world, project_id, id_ = tenant.world, tenant.world.project_id, tenant.world.id
    tenant.bound(max_deployments=1)
    cases = tenant.use_cases
    ways: dict[str, Callable[[], Any]] = {
        "update": lambda: cases.deployments.update(project_id, id_, model_version_id=None, options=DeploymentOptions()),
        "roll back": lambda: cases.deployments.roll_back(project_id, id_, 1),
        "desired state": lambda: cases.services.update(
            project_id, id_, InferenceServicePatch(desired_state="DEPLOYED")
        ),
    }
    await cases.services.undeploy(project_id, id_)
    tenant.projects.used = Usage(deployments=1)
    with pytest.raises(QuotaExceeded):
        await ways[way]()
    tenant.projects.used = Usage(deployments=0)
    await ways[way]()
    assert (await world.deployment()).want is Want.PRESENT
