"""Checks of the cluster, listed in CLUSTER_CHECKS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json, Kind
from registry_grpc.adapters.kserve.errors import StatusError, Unreachable, refusal_of
from registry_grpc.adapters.kserve.facts import (
    KNATIVE_PERMISSIONS,
    LOGS,
    PERMISSIONS,
    READING,
    Permission,
    lacking,
    runtime_formats,
)
from registry_grpc.adapters.kserve.namespaces import GONE, TERMINATING, phase_of
from registry_grpc.bootstrap import kubernetes_of
from registry_grpc.doctor.diagnosis import Diagnosis, Verdict, missing, ok, skipped, warning
from registry_grpc.domain.naming import namespace_findings
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.settings import ClusterKind, ConfigurationError, Settings

_EVERYWHERE = ""
_WATCHED = (kinds.INFERENCE_SERVICES, kinds.DEPLOYMENTS, kinds.PODS)
_WATCHING = tuple(p for p in PERMISSIONS if p.kind in _WATCHED and p.verb in {"list", "watch"})
_CLUSTER_WIDE = tuple(p for p in PERMISSIONS if p.is_cluster_wide)
_IN_NAMESPACES = tuple(p for p in PERMISSIONS if not p.is_cluster_wide)
_NEEDED_KINDS = (kinds.INFERENCE_SERVICES, kinds.SERVING_RUNTIMES, kinds.CLUSTER_SERVING_RUNTIMES)
_INSTALL_KSERVE = "install KServe"
_GRANT = "apply the RBAC below"


@dataclass(frozen=True, slots=True)
class Patient:
    """A cluster, with the namespaces that the registry watches (empty: all), those to which it deploys, and those of
    them that are found not to exist."""

    api: Api
    watched: tuple[str, ...]
    targets: tuple[str, ...]
    may_write: bool = True
    """Whether it writes to the cluster; otherwise controllers do, with an account of their own."""
    absent: set[str] = field(default_factory=set)

    @property
    def namespaces(self) -> list[str]:
        return sorted({*self.watched, *self.targets} - self.absent)


async def check_cluster(settings: Settings, targets: tuple[str, ...]) -> AsyncIterator[Diagnosis]:
    """All checks of the cluster. They end when the API does not answer."""
    if settings.cluster is ClusterKind.NONE:
        yield skipped("cluster", "REGISTRY_CLUSTER is `none`: models can be registered, but not deployed")
        return
    try:
        api = await kubernetes_of(settings)
    except ConfigurationError as error:
        yield missing("cluster", str(error), "set REGISTRY_CLUSTER and REGISTRY_KUBECONFIG")
        return
    for namespace in targets:
        for finding in namespace_findings(namespace):
            yield warning(f"environments of {namespace}", finding.message, finding.code.next_step)
    valid = tuple(namespace for namespace in targets if not namespace_findings(namespace))
    patient = Patient(api, settings.watch_namespaces, valid, may_write=settings.workers_write)
    try:
        for about, check in CLUSTER_CHECKS:
            try:
                async for diagnosis in check(patient):
                    yield diagnosis
            except Unreachable as error:
                yield missing(about, str(error), "check the address in the kubeconfig, the network, and the API server")
                return
            except StatusError as error:
                if error.code == HTTPStatus.UNAUTHORIZED:
                    text = f"the API server does not accept the credentials: {error.message}"
                    yield missing(about, text, "renew the credentials")
                    return
                yield missing(about, str(error), "see the log of the API server")
    finally:
        await api.close()


async def _api_server(patient: Patient) -> AsyncIterator[Diagnosis]:
    version = (await patient.api.get("/version")).body
    yield ok("cluster", f"Kubernetes {version.get('gitVersion', '(no version)')} answers")


async def _kserve(patient: Patient) -> AsyncIterator[Diagnosis]:
    """Checks that the cluster knows KServe's kinds of objects."""
    about = "KServe"
    absent = [kind for kind in _NEEDED_KINDS if not await _is_served(patient.api, kind)]
    if absent:
        names = ", ".join(f"{kind.api.removeprefix('apis/')} {kind.plural}" for kind in absent)
        yield missing(about, f"the cluster does not know {names}", _INSTALL_KSERVE)
    else:
        yield ok(about, "serving.kserve.io/v1beta1 inferenceservices and the serving runtimes are defined")


async def _namespaces(patient: Patient) -> AsyncIterator[Diagnosis]:
    for namespace in patient.namespaces:
        phase = await phase_of(patient.api, namespace)
        if phase in {GONE, TERMINATING}:
            patient.absent.add(namespace)
            text = "there is none" if phase == GONE else "it is being deleted"
            advice = "create it; or correct REGISTRY_WATCH_NAMESPACES and the environments, and undeploy what was in it"
            yield missing(f"namespace {namespace}", text, advice)


async def _permissions(patient: Patient) -> AsyncIterator[Diagnosis]:
    """Checks the permissions to watch, in the cluster or per namespace, and all others in each namespace."""
    yield await _permission(patient.api, "of the cluster", _CLUSTER_WIDE, _EVERYWHERE)
    if not patient.watched:
        yield await _permission(patient.api, "in all namespaces", _WATCHING, _EVERYWHERE)
    has_knative = await patient.api.find(kinds.KNATIVE_VERSIONS, "v1") is not None
    wanted = tuple(each for each in _IN_NAMESPACES if patient.may_write or each in READING)
    wanted += KNATIVE_PERMISSIONS if has_knative else ()
    for namespace in patient.namespaces:
        yield await _permission(patient.api, f"in namespace {namespace}", wanted, namespace)
        if await lacking(patient.api, [LOGS], namespace):
            text = "get pods/log is not granted: explanations of deployments lack the logs of containers"
            yield warning(f"logs in namespace {namespace}", text, "apply deploy/kubernetes/rbac.yaml")
    if not patient.watched + patient.targets:
        yield skipped(
            "permissions in namespaces", "there is no serving environment yet", "create one and run this again"
        )


async def _permission(api: Api, where: str, wanted: Sequence[Permission], namespace: str) -> Diagnosis:
    about = f"permissions {where}"
    absent = tuple(f"{item.verb} {item.kind.plural}" for item in await lacking(api, wanted, namespace))
    if not absent:
        return ok(about, f"all {len(wanted)} are granted")
    advice = _GRANT
    if wanted is _WATCHING:
        advice = f"name the namespaces in REGISTRY_WATCH_NAMESPACES, or {_GRANT} for all of them"
    return Diagnosis(Verdict.MISSING, about, ", ".join(absent), advice, missing_permissions=absent)


async def _runtimes(patient: Patient) -> AsyncIterator[Diagnosis]:
    about = "serving runtimes"
    paths = [kinds.CLUSTER_SERVING_RUNTIMES.everywhere()]
    paths += [kinds.SERVING_RUNTIMES.within(namespace) for namespace in patient.namespaces]
    try:
        found = [item for path in paths for item in (await patient.api.list(path)).items]
    except StatusError as error:
        if error.code not in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            raise
        yield skipped(about, error.message)
        return
    formats = sorted(
        {item.name for raw in found for item in runtime_formats(raw) if item.name and not item.is_disabled}
    )
    if formats:
        yield ok(about, f"{len(found)}, for {', '.join(formats)}")
    else:
        yield missing(
            about, "there are none, so KServe cannot serve models", "install KServe's cluster runtimes or your own"
        )


async def _webhook(patient: Patient) -> AsyncIterator[Diagnosis]:
    """A dry run of a deployment in each namespace, and one of an object that only KServe's webhook refuses."""
    about = "KServe's webhook"
    if not patient.may_write:
        yield skipped(about, "REGISTRY_WORKERS_WRITE is false", "run this also where a controller runs")
        return
    if not patient.namespaces:
        advice = "create a serving environment and run this again"
        yield skipped(about, "there is no namespace for a dry run", advice)
        return
    for namespace in patient.namespaces:
        yield await _dry_run(patient.api, namespace)
    try:
        # Kubernetes accepts a name that begins with a digit, but KServe does not.
        await _rehearse(patient.api, patient.namespaces[0], "0-registry-grpc-doctor")
    except StatusError as error:
        if refusal_of(error) is DeploymentReason.REJECTED:
            yield ok(about, "it answers, so KServe's controller runs")
        else:
            yield skipped(about, f"it cannot be checked: {error.message}")
    else:
        text = "it is not called: the cluster accepts an object that KServe would refuse"
        yield missing(about, text, _INSTALL_KSERVE)


async def _dry_run(api: Api, namespace: str) -> Diagnosis:
    about = f"dry run in namespace {namespace}"
    try:
        await _rehearse(api, namespace, "registry-grpc-doctor")
    except StatusError as error:
        match refusal_of(error):
            case DeploymentReason.FORBIDDEN:
                advice = _GRANT
            case DeploymentReason.KSERVE_NOT_INSTALLED:
                advice = _INSTALL_KSERVE
            case DeploymentReason.API_UNAVAILABLE:
                advice = "check that KServe's controller and its webhook service run"
            case _:
                advice = "deployments would fail with this error; ask whoever set up the policy or quota"
        return missing(about, error.message, advice)
    return ok(about, "the cluster would accept an InferenceService")


async def _rehearse(api: Api, namespace: str, name: str) -> None:
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://kfserving-examples/models/sklearn/1.0/model"}
    service: Json = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"predictor": {"model": model}},
    }
    path = kinds.INFERENCE_SERVICES.at(namespace, name)
    await api.apply(path, service, manager="registry-grpc-doctor", force=False, dry_run=True)


async def _is_served(api: Api, kind: Kind) -> bool:
    try:
        resources = (await api.get(f"/{kind.api}")).body.get("resources") or ()
    except StatusError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return False
    return any(resource["name"] == kind.plural for resource in resources)


CLUSTER_CHECKS: tuple[tuple[str, Callable[[Patient], AsyncIterator[Diagnosis]]], ...] = (
    ("cluster", _api_server),
    ("KServe", _kserve),
    ("namespaces", _namespaces),
    ("permissions", _permissions),
    ("serving runtimes", _runtimes),
    ("KServe's webhook", _webhook),
)
