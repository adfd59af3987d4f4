"""The registry's use cases on PostgreSQL with a controller and a cluster, and helpers for what users see."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.cluster.faulty import FaultyCluster
from tests.cluster.kube import Kube, Object, inference_service
from tests.cluster.policies import mutating_policy
from tests.cluster.targets import TestCluster
from tests.deployments import RETENTION
from tests.fakes.builders import a_model, a_version, an_environment
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories
from tests.fakes.use_cases import UseCases, use_cases
from tests.kserve import IMPATIENT, QUICK

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.client import connect
from registry_grpc.adapters.kserve.cluster import KServeCluster
from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.kserve.throttle import Limits
from registry_grpc.adapters.postgres.artifacts import PostgresArtifactRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deleted_versions import PostgresDeletedVersionRepository
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue, installation_id
from registry_grpc.adapters.postgres.deployments import PostgresDeploymentRepository
from registry_grpc.adapters.postgres.inference_services import PostgresInferenceServiceRepository
from registry_grpc.adapters.postgres.model_aliases import PostgresModelAliasRepository
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.postgres.serve_models import PostgresServeModelRepository
from registry_grpc.adapters.postgres.serving_environments import PostgresServingEnvironmentRepository
from registry_grpc.adapters.postgres.transfer import PostgresTransferRepository
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, forbidden
from registry_grpc.devtools.simulated_cluster.api.resources import (
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    PODS,
    SECRETS,
    Resource,
)
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, DeploymentEvent, DeploymentRevision, Orphan, Phase
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import Credentials, ModelVersion
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironment, ServingEnvironmentPatch
from registry_grpc.services.controller import Controller
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.deployments import Deployed, Deployments
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.planning import Planning
from registry_grpc.services.reconciliation import Reconciler

PATIENCE = 90.0  # more than a lease: that of a killed controller may be taken in its last moment
KEYS = Credentials("AKIA", "s3cr3t-s3cr3t")
MODEL = "s3://models/iris"
_BACKDATE = """
UPDATE deployment SET next_at = now(), revised_at = revised_at - $2 * interval '1 second',
    phase_since = phase_since - $2 * interval '1 second', applied_at = applied_at - $2 * interval '1 second'
WHERE id = $1 AND lease_by IS NULL
"""
_EVERYTHING = Slice(limit=100)


@dataclass(frozen=True)
class View:
    """An inference service as REST shows it."""

    desired_state: str
    current_state: str
    url: str
    last_error: str
    served: tuple[str, ...]
    external_id: str

    @classmethod
    def of(cls, service: InferenceService) -> View:
        return cls(
            desired_state=service.desired_state,
            current_state=service.current_state,
            url=service.url,
            last_error=service.last_error,
            served=tuple(served.last_known_state for served in service.served_models),
            external_id=service.external_id,
        )


@dataclass
class World:
    """One project with a model, and its own namespace."""

    kubernetes: TestCluster
    kube: Kube
    database: Database
    cluster: KServeCluster
    queue: PostgresDeploymentQueue
    reconciler: Reconciler
    deployments: Deployments
    dying_requests: UseCases
    history: DeploymentHistory
    services: InferenceServices
    environments: PostgresServingEnvironmentRepository
    versions: PostgresModelVersionRepository
    environment: ServingEnvironment
    model: RegisteredModel
    project_id: UUID
    under_policy: Callable[[DeploymentPolicy], UseCases]
    faults: list[BaseException] = field(default_factory=list)

    @property
    def simulated(self) -> FaultyCluster:
        assert self.kubernetes.simulated is not None
        return self.kubernetes.simulated

    @property
    def planning(self) -> Planning:
        return Planning(
            drafting=self.dying_requests.drafting,
            services=self.services.services,
            deployments=self.deployments.deployments,
            versions=self.versions,
            cluster=self.cluster,
        )

    # What users do

    async def version(self, uri: str = MODEL, keys: Credentials = KEYS, **fields: Any) -> ModelVersion:
        """A version that is READY."""
        sklearn = {"model_framework": "sklearn", "model_framework_version": "1", "container_image": "", "uri": uri}
        version = a_version(self.model, **sklearn | fields)
        await self.versions.create(self.project_id, version, keys)
        return version

    def new(self, version: ModelVersion, **fields: Any) -> NewDeployment:
        return NewDeployment(
            registered_model_id=self.model.id,
            serving_environment_id=self.environment.id,
            model_version_ids=(version.id,),
            **fields,
        )

    async def deploy_version(self, **fields: Any) -> Deployed:
        """Deploy a version with these fields."""
        return await self.deployments.deploy(self.project_id, self.new(await self.version(**fields)), user="ann")

    async def deploy(self, uri: str = MODEL, **fields: Any) -> Deployed:
        deployed = await self.deployments.deploy(
            self.project_id, self.new(await self.version(uri), **fields), user="ann"
        )
        assert deployed.deployment is not None
        return deployed

    async def intent(self, uri: str = MODEL, **fields: Any) -> UUID:
        """A deployment whose request ended before its first pass. It is due."""
        new = self.new(await self.version(uri), **fields)
        deployed = await self.dying_requests.deployments.deploy(self.project_id, new, user="ann")
        await self.make_due(deployed.service.id)
        return deployed.service.id

    async def undeploy(self, id: UUID) -> None:
        await self.services.undeploy(self.project_id, id, "ann")

    async def until_undeployed(self, id: UUID, *others: str) -> None:
        """Undeploy, and check that only objects of others are left, whatever the state was before."""
        await self.undeploy(id)
        await self.until_phase(id, Phase.UNDEPLOYED)
        await self.until_nothing_is_left(*others)

    def set_policy(self, policy: DeploymentPolicy) -> None:
        """Change the operator's policy."""
        _, self.deployments, self.services = self.under_policy(policy)

    async def use_namespace(self, namespace: str) -> None:
        """Deploy there from now on."""
        patch = ServingEnvironmentPatch(external_id=namespace)
        self.environment = await self.environments.update(self.project_id, self.environment.id, patch)

    async def another_environment(self) -> None:
        """Deploy to another one of the same namespace from now on."""
        self.environment = an_environment(self.project_id, external_id=self.kube.namespace)
        await self.environments.create(self.environment)

    async def set_drift_policy(self, policy: DriftPolicy) -> None:
        patch = ServingEnvironmentPatch(drift_policy=policy)
        self.environment = await self.environments.update(self.project_id, self.environment.id, patch)

    # What others do in the cluster

    async def edit(self, name: str, patch: Object) -> None:
        """Change the object, for example by kubectl."""
        await self.kube.merge(INFERENCE_SERVICES, name, patch, manager="kubectl-edit")

    async def hold(self, name: str) -> None:
        """Add a finalizer, which holds the object."""
        await self._finalize(name, ["example.com/wait"])

    async def let_go(self, name: str) -> None:
        await self._finalize(name, [])

    async def _finalize(self, name: str, finalizers: list[str]) -> None:
        while True:
            metadata = (await self.kube.inference_service(name))["metadata"]
            kept = [item for item in metadata.get("finalizers", []) if not item.startswith("example.com/")]
            # KServe may remove its own finalizer meanwhile, which must not come back.
            wanted = {"resourceVersion": metadata["resourceVersion"], "finalizers": [*kept, *finalizers]}
            try:
                await self.kube.merge(INFERENCE_SERVICES, name, {"metadata": wanted})
            except ApiError as error:
                if error.code != 409:
                    raise
            else:
                return

    @asynccontextmanager
    async def kserve_defaulting(self, **model: str) -> AsyncIterator[None]:
        """Meanwhile every write sets these fields of the model if they are unset, as a newer webhook would."""
        if self.kubernetes.simulated is not None:

            def default(resource: Resource, new: Object, _old: Object | None) -> None:
                if resource is INFERENCE_SERVICES:
                    new["spec"]["predictor"]["model"] = model | new["spec"]["predictor"]["model"]

            self.simulated.policies.append(default)
            yield
            self.simulated.policies.remove(default)
            return
        async with mutating_policy(self.kube, "/spec/predictor/model", model):
            yield

    async def allow_no_pods(self) -> None:
        """Refuse pods by a quota, or in the simulated cluster by a policy with the same text."""
        if self.kubernetes.simulated is not None:
            self.simulated.policies.append(_no_pods)
            return
        quota = {"metadata": {"name": "no-pods"}, "spec": {"hard": {"pods": "0"}}}
        path = f"/api/v1/namespaces/{self.kube.namespace}/resourcequotas"
        await self.kube.client.call("POST", path, quota)
        deadline = time.monotonic() + PATIENCE
        while not (await self.kube.client.call("GET", f"{path}/no-pods")).get("status", {}).get("hard"):
            assert time.monotonic() < deadline, "nobody enforces the quota"
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def policy_against(self, resource: Resource, text: str) -> AsyncIterator[None]:
        """A ValidatingAdmissionPolicy of the namespace that refuses new objects of this kind with this text."""
        name = f"no-{resource.plural}-{self.kube.namespace}"
        if self.kubernetes.simulated is not None:
            policy = _policy(name, resource, text)
            self.simulated.policies.append(policy)
            yield
            self.simulated.policies.remove(policy)
            return
        rule = {"apiGroups": [resource.group], "apiVersions": [resource.version], "resources": [resource.plural]}
        constraints = {"resourceRules": [{**rule, "operations": ["CREATE"]}]}
        matched = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.kube.namespace}}}
        validations = [{"expression": "false", "message": text}]
        specs = {
            "validatingadmissionpolicies": {"matchConstraints": constraints, "validations": validations},
            "validatingadmissionpolicybindings": {
                "policyName": name, "validationActions": ["Deny"], "matchResources": matched
            },
        }  # fmt: skip
        root = "/apis/admissionregistration.k8s.io/v1"
        for plural, spec in specs.items():
            await self.kube.client.call("POST", f"{root}/{plural}", {"metadata": {"name": name}, "spec": spec})
        try:
            await self._until_refused(resource)
            yield
        finally:
            for plural in specs:
                await self.kube.client.call("DELETE", f"{root}/{plural}/{name}")

    async def _until_refused(self, resource: Resource) -> None:
        """The API server needs a few seconds until it follows a new policy."""
        pod = {"spec": {"containers": [{"name": "probe", "image": "probe"}]}}
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        probe = {**(pod if resource is PODS else inference_service("probe")), **kind, "metadata": {"name": "probe"}}
        deadline, answer = time.monotonic() + PATIENCE, ""
        while "ValidatingAdmissionPolicy" not in answer:
            assert time.monotonic() < deadline, f"nobody enforces the policy: {answer}"
            await asyncio.sleep(0.1)
            try:
                await self.kube.create(resource, probe, dryRun="All")
            except ApiError as error:
                answer = error.message

    async def forbid_pods_and_kill_them(self) -> None:
        await self.allow_no_pods()
        for pod in await self.kube.items(PODS):
            await self.kube.delete(PODS, pod["metadata"]["name"])

    async def age_pods(self, *, seconds: int) -> None:
        """Act as if the pods had existed for this much longer."""
        for pod in self.simulated.store.list(PODS, self.kube.namespace):
            born = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) - timedelta(seconds=seconds)
            metadata = {**pod["metadata"], "creationTimestamp": born.isoformat()}
            self.simulated.store.put(PODS, {**pod, "metadata": metadata})

    async def age_replica_failure(self, name: str, *, seconds: int) -> None:
        """Act as if no pods could be created for this much longer. The Deployment's controller keeps existing times."""
        deployment = await self.kube.deployment(name)
        since = (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {**condition, "lastTransitionTime": since} if condition["type"] == "ReplicaFailure" else condition
            for condition in deployment["status"]["conditions"]
        ]
        patch = {"status": {"conditions": conditions}}
        await self.kube.merge(DEPLOYMENTS, f"{name}-predictor", patch, subresource="status")

    # What users see

    async def deployment(self, id: UUID) -> Deployment:
        return await self.history.get(self.project_id, id)

    async def until(self, id: UUID, holds: Callable[[Deployment], bool]) -> Deployment:
        """The first state that meets the condition."""
        deadline = time.monotonic() + PATIENCE
        while True:
            deployment = await self.deployment(id)
            if holds(deployment):
                return deployment
            log = [(event.phase.value, event.reason) for event in await self.events(id)]
            assert time.monotonic() < deadline, f"still {deployment}; log {log}; faults {self.faults}"
            await asyncio.sleep(0.02)

    async def until_phase(self, id: UUID, phase: Phase, reason: str = "") -> Deployment:
        return await self.until(id, lambda d: (d.phase, d.reason) == (phase, reason))

    async def until_deployed(self, id: UUID, revision: int | None = None) -> Deployment:
        """Wait until it is DEPLOYED at the current or the given revision."""
        return await self.until(
            id,
            lambda d: d.phase is Phase.DEPLOYED and d.serving_generation == d.generation == (revision or d.generation),
        )

    async def view(self, id: UUID) -> View:
        return View.of(await self.services.services.get(self.project_id, id))

    async def events(self, id: UUID) -> list[DeploymentEvent]:
        repository = PostgresDeploymentRepository(self.database)
        return list(await repository.events(self.project_id, id, 0, 1000))

    async def log(self, id: UUID) -> list[tuple[str, str]]:
        """Phase and reason of all events in order, without repetitions and mere progress."""
        log: list[tuple[str, str]] = []
        for event in await self.events(id):
            entry = (event.phase.value, event.reason)
            if log[-1:] != [entry]:
                log.append(entry)
        return log

    async def revisions(self, id: UUID) -> list[DeploymentRevision]:
        """The revisions, oldest first."""
        return list(reversed((await self.history.revisions(self.project_id, id, _EVERYTHING)).items))

    async def served_now(self, id: UUID) -> int | None:
        revision = await self.history.served_at(self.project_id, id, None)
        return revision.generation if revision else None

    # What is in the cluster

    async def live(self, deployment: Deployment) -> Object:
        return await self.kube.inference_service(deployment.name)

    async def secrets(self) -> list[str]:
        return [
            secret["metadata"]["name"] for secret in await self.kube.items(SECRETS) if "labels" in secret["metadata"]
        ]

    async def until_secrets(self, names: list[str]) -> None:
        """Wait until the Secrets of the registry have these names."""
        deadline = time.monotonic() + PATIENCE
        while sorted(found := await self.secrets()) != sorted(names):
            assert time.monotonic() < deadline, found
            await asyncio.sleep(0.05)

    async def until_secret(self, name: str, test: Callable[[Object], bool]) -> Object:
        return await self.kube.until(SECRETS, name, test)

    async def until_orphans(self, count: int) -> Sequence[Orphan]:
        deadline = time.monotonic() + PATIENCE
        while len(orphans := await self.history.orphans(self.project_id)) != count:
            assert time.monotonic() < deadline, orphans
            await asyncio.sleep(0.05)
        return orphans

    async def until_pods(self, count: int) -> set[str]:
        """The names of the pods that stay, as soon as there are this many."""
        deadline = time.monotonic() + PATIENCE
        while True:
            pods = [pod["metadata"] for pod in await self.kube.items(PODS)]
            names = {metadata["name"] for metadata in pods if "deletionTimestamp" not in metadata}
            if len(names) == count:
                return names
            assert time.monotonic() < deadline, names
            await asyncio.sleep(0.05)

    async def until_nothing_is_left(self, *others: str) -> None:
        """The namespace has no object, workload, pod or Secret of the registry, but those of others."""
        deadline = time.monotonic() + PATIENCE
        while True:
            left = [
                f"{resource.kind} {item['metadata']['name']}"
                for resource in (INFERENCE_SERVICES, DEPLOYMENTS, PODS)
                for item in await self.kube.items(resource)
                if not item["metadata"]["name"].startswith(others or ("\0",))
            ]
            left += await self.secrets()
            if not left:
                return
            assert time.monotonic() < deadline, left
            await asyncio.sleep(0.05)

    # What time and chance do

    async def make_due(self, id: UUID) -> None:
        """Make it due now, without the lease of a killed controller."""
        await self.database.execute(
            "UPDATE deployment SET next_at = now(), lease_by = NULL, lease_until = NULL WHERE id = $1", id
        )
        await self.database.fetch("SELECT pg_notify('deployment', '')")

    async def backdate(self, id: UUID, seconds: float) -> None:
        """Act as if everything in the row had happened this much earlier."""
        backdated = 0
        while not backdated:  # a running pass would overwrite it
            backdated = await self.database.execute(_BACKDATE, id, seconds)
        await self.database.fetch("SELECT pg_notify('deployment', '')")

    @asynccontextmanager
    async def controller(
        self, *, pace: Pace = IMPATIENT, namespaces: tuple[str, ...] | None = None
    ) -> AsyncIterator[Controller]:
        """A running controller with its own connections. It watches these namespaces; None: the only one, or on the
        simulated cluster all of them."""
        if namespaces is None:
            namespaces = () if self.kubernetes.simulated else (self.kube.namespace,)
        async with connected_cluster(self.kubernetes, self.database, namespaces, pace) as cluster:
            queue = PostgresDeploymentQueue(self.database)
            reconciler = reconciler_of(self.database, queue, cluster)
            controller = Controller(
                queue=queue, reconciler=reconciler, cluster=cluster, retention=RETENTION, report=self._report
            )
            running = asyncio.create_task(controller.run())
            try:
                yield controller
            finally:
                running.cancel()
                with suppress(asyncio.CancelledError):
                    await running

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Meanwhile no controller can claim a deployment."""
        lease = "UPDATE deployment SET lease_by = 'the test', lease_until = now() + interval '1 minute'"
        await self.database.execute(lease)
        try:
            yield
        finally:
            await self.database.execute("UPDATE deployment SET lease_by = NULL, lease_until = NULL, next_at = now()")
            await self.database.fetch("SELECT pg_notify('deployment', '')")

    def _report(self, _where: str, error: BaseException) -> None:
        self.faults.append(error)


def _no_pods(resource: Resource, new: Object, old: Object | None) -> None:
    if resource is PODS and old is None:
        text = "exceeded quota: no-pods, requested: pods=1, used: pods=0, limited: pods=0"
        raise forbidden(PODS, new["metadata"].get("generateName", ""), text)


def _policy(name: str, refused: Resource, text: str) -> Callable[[Resource, Object, Object | None], None]:
    def policy(resource: Resource, new: Object, old: Object | None) -> None:
        if resource is refused and old is None:
            message = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request: {text}"
            raise forbidden(resource, new["metadata"].get("name", new["metadata"].get("generateName", "")), message)

    return policy


class _LeavesItToControllers(Reconciler):
    """Make the change in a request that is cancelled after its commit."""

    async def attempt(self, id: UUID) -> None:
        pass


@asynccontextmanager
async def connected_cluster(
    kubernetes: TestCluster,
    database: Database,
    namespaces: tuple[str, ...] = (),
    pace: Pace = IMPATIENT,
    limits: Limits = QUICK,
) -> AsyncIterator[KServeCluster]:
    """The adapter with the registry's own rights, if the cluster has them."""
    api = Api(await connect(kubernetes.registry or kubernetes.admin), limits)
    registry_id = await installation_id(database)
    cluster = KServeCluster(api, registry_id=registry_id, namespaces=namespaces, pace=pace)
    try:
        yield cluster
    finally:
        await cluster.close()


def cipher() -> AesGcmCipher:
    return AesGcmCipher({"k1": bytes(32)})


def reconciler_of(database: Database, queue: PostgresDeploymentQueue, cluster: KServeCluster) -> Reconciler:
    return Reconciler(
        tenants=OPEN, queue=queue, cluster=cluster, versions=PostgresModelVersionRepository(database, cipher())
    )


@asynccontextmanager
async def world_of(
    kubernetes: TestCluster, kube: Kube, database: Database, limits: Limits = QUICK
) -> AsyncIterator[World]:
    """A world without a controller, in which requests make the first passes."""
    # All databases are copies of one, but each needs its own installation id.
    await database.execute("UPDATE registry_installation SET id = gen_random_uuid()")
    async with connected_cluster(kubernetes, database, limits=limits) as cluster:
        project_id = uuid4()
        model = a_model(project_id, slug="iris")
        models = PostgresRegisteredModelRepository(database)
        await models.create(model)
        environment = an_environment(project_id, external_id=kube.namespace, drift_policy=DriftPolicy.REPORT)
        environments = PostgresServingEnvironmentRepository(database)
        await environments.create(environment)
        versions = PostgresModelVersionRepository(database, cipher())
        services = PostgresInferenceServiceRepository(database)
        intents = PostgresDeploymentRepository(database)
        queue = PostgresDeploymentQueue(database)
        parts: dict[str, Any] = {"queue": queue, "cluster": cluster, "versions": versions, "tenants": OPEN}
        reconciler = Reconciler(**parts)
        repositories = Repositories(
            models=models,
            versions=versions,
            aliases=PostgresModelAliasRepository(database),
            deleted=PostgresDeletedVersionRepository(database),
            artifacts=PostgresArtifactRepository(database),
            environments=environments,
            services=services,
            serve_models=PostgresServeModelRepository(database),
            deployments=intents,
            transfers=PostgresTransferRepository(database),
        )
        now = use_cases(repositories, cluster=cluster, reconciler=reconciler)
        yield World(
            kubernetes=kubernetes,
            kube=kube,
            database=database,
            cluster=cluster,
            queue=queue,
            reconciler=reconciler,
            deployments=now.deployments,
            services=now.services,
            dying_requests=use_cases(repositories, cluster=cluster, reconciler=_LeavesItToControllers(**parts)),
            history=DeploymentHistory(deployments=intents, events=queue, tenants=OPEN),
            environments=environments,
            versions=versions,
            environment=environment,
            model=model,
            project_id=project_id,
            under_policy=lambda policy: use_cases(repositories, policy, cluster=cluster, reconciler=reconciler),
        )
