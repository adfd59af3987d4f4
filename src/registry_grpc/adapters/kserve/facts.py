"""Reads the facts about a cluster that preflight checks need. A fact that the API server does not tell is None."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json, Kind
from registry_grpc.adapters.kserve.errors import StatusError
from registry_grpc.adapters.kserve.evidence import Raw
from registry_grpc.adapters.kserve.manifests import PROBES
from registry_grpc.adapters.kserve.namespaces import GONE, TERMINATING, phase_of
from registry_grpc.adapters.kserve.shapes import SERVING_RUNTIME, STORAGE_CONTAINER, shaped
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, ServingProtocol
from registry_grpc.domain.preflight import ClusterFacts
from registry_grpc.domain.runtimes import RuntimeFormat, Runtimes


@dataclass(frozen=True, slots=True)
class Permission:
    """A verb on a kind of object that the registry needs."""

    verb: str
    kind: Kind
    is_cluster_wide: bool = False
    subresource: str = ""
    name: str = ""

    def review(self, namespace: str) -> Json:
        """The SelfSubjectAccessReview that asks the API server whether we have the permission."""
        group = self.kind.api.split("/")[1] if self.kind.api.startswith("apis/") else ""
        attributes = {"verb": self.verb, "group": group, "resource": self.kind.plural}
        if self.subresource:
            attributes["subresource"] = self.subresource
        if self.name:
            attributes["name"] = self.name
        if not self.is_cluster_wide:
            attributes["namespace"] = namespace
        return {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }

    def text(self, namespace: str) -> str:
        where = "" if self.is_cluster_wide else f" in namespace {namespace}"
        return f"{self.verb} {self.kind.plural} {self.name}".rstrip() + where


def _permissions(kind: Kind, *verbs: str, is_cluster_wide: bool = False) -> Iterator[Permission]:
    return (Permission(verb, kind, is_cluster_wide) for verb in verbs)


PERMISSIONS = (
    *_permissions(kinds.INFERENCE_SERVICES, "get", "list", "watch", "create", "patch", "delete"),
    *_permissions(kinds.DEPLOYMENTS, "get", "list", "watch"),
    *_permissions(kinds.PODS, "list", "watch"),
    *_permissions(kinds.EVENTS, "list"),
    *_permissions(kinds.SECRETS, "create", "patch", "delete"),
    *_permissions(kinds.HTTP_ROUTES, "get"),
    *_permissions(kinds.SERVING_RUNTIMES, "list"),
    *_permissions(kinds.SERVICE_ACCOUNTS, "get"),
    *_permissions(kinds.CLUSTER_SERVING_RUNTIMES, "list", is_cluster_wide=True),
    *_permissions(kinds.CLUSTER_STORAGE_CONTAINERS, "list", is_cluster_wide=True),
    *_permissions(kinds.PRIORITY_CLASSES, "get", is_cluster_wide=True),
    *_permissions(kinds.NAMESPACES, "get", is_cluster_wide=True),
)
"""Everything the adapter does. Server-side apply needs `patch`, and also `create` if the object does not exist."""
READING = tuple(each for each in PERMISSIONS if each.verb not in {"create", "patch", "delete"})
"""What a worker does that leaves writing to the controllers."""
LOGS = Permission("get", kinds.PODS, subresource="log")
"""Only explanations use it, which also work without."""
_KNATIVE_FEATURES = "config-features"
KNATIVE_PERMISSIONS = (
    *_permissions(kinds.KNATIVE_SERVICES, "get"),
    Permission("get", kinds.CONFIG_MAPS, is_cluster_wide=True, name=_KNATIVE_FEATURES),
)
_PROTOCOLS = tuple(ServingProtocol)


async def read_facts(
    api: Api,
    namespace: str,
    options: DeploymentOptions,
    runtimes: Runtimes,
    *,
    wanted: tuple[Permission, ...] = PERMISSIONS,
    canary_of: str = "",
) -> ClusterFacts:
    """Raises Unreachable."""
    kserve, knative, gateways, exists, account, priority = await asyncio.gather(
        _exists(api, kinds.KSERVE_VERSIONS, "v1beta1"),
        _exists(api, kinds.KNATIVE_VERSIONS, "v1"),
        _exists(api, kinds.GATEWAY_VERSIONS, "v1"),
        _namespace_exists(api, namespace),
        _exists(api, kinds.SERVICE_ACCOUNTS, options.service_account, namespace),
        _exists(api, kinds.PRIORITY_CLASSES, options.priority_class_name),
    )
    containers = await _items(api, kinds.CLUSTER_STORAGE_CONTAINERS.everywhere())
    fields = await _spec_fields(api) if canary_of or options.storage_uris else None
    predictor = ((fields or {}).get("predictor") or {}).get("properties")
    uses_knative = knative and options.deployment_mode is DeploymentMode.KNATIVE
    return ClusterFacts(
        kserve_installed=kserve,
        namespace_exists=exists,
        knative_installed=knative,
        gateway_api_installed=gateways,
        missing_permissions=await _missing_permissions(
            api, namespace, wanted + KNATIVE_PERMISSIONS if knative else wanted
        ),
        runtimes=runtimes,
        storage_prefixes=None if containers is None else tuple(_uri_formats(containers, "prefix")),
        storage_patterns=tuple(_uri_formats(containers or (), "regex")),
        service_account_exists=account,
        priority_class_exists=priority,
        has_canary_field=None if fields is None else "canary" in fields,
        has_storage_uris_field=None if predictor is None else "storageUris" in predictor,
        knative_features=await _knative_features(api) if uses_knative else None,
        has_route=await _exists(api, kinds.HTTP_ROUTES, canary_of, namespace) if canary_of else None,
    )


async def _spec_fields(api: Api) -> Json | None:
    """The schemas of the fields of an InferenceService's spec. Every user may read the OpenAPI document, but not the
    CRD. None also if the installed schema is KServe's minimal one, which does not list its fields."""
    try:
        document = await api.find(kinds.OPENAPI_DOCUMENTS, "v1beta1") or {}
    except StatusError:
        return None
    for schema in ((document.get("components") or {}).get("schemas") or {}).values():
        if any(kind["kind"] == "InferenceService" for kind in schema.get("x-kubernetes-group-version-kind") or ()):
            fields: Json | None = ((schema.get("properties") or {}).get("spec") or {}).get("properties")
            return fields
    return None


async def _knative_features(api: Api) -> Mapping[str, str] | None:
    """The feature flags of Knative Serving, as far as they are set."""
    try:
        found = await api.find(kinds.CONFIG_MAPS, _KNATIVE_FEATURES, namespace="knative-serving")
    except StatusError:
        return None
    return None if found is None else found.get("data") or {}


async def _exists(api: Api, kind: Kind, name: str, namespace: str | None = None) -> bool | None:
    """None also without a name."""
    if not name:
        return None
    try:
        return await api.find(kind, name, namespace=namespace) is not None
    except StatusError:
        return None


async def _namespace_exists(api: Api, namespace: str) -> bool | None:
    """A namespace that is being deleted counts as missing, because it accepts no new objects."""
    phase = await phase_of(api, namespace)
    return None if phase is None else phase not in {GONE, TERMINATING}


async def _items(api: Api, path: str) -> list[Json] | None:
    """The objects as `_existing` lists them; None if they cannot be listed."""
    try:
        return await _existing(api, path)
    except StatusError:
        return None


async def _existing(api: Api, path: str) -> list[Json]:
    """The objects; empty if the cluster does not know their kind."""
    try:
        return (await api.list(path)).items
    except StatusError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return []
        raise


async def _missing_permissions(api: Api, namespace: str, wanted: tuple[Permission, ...]) -> tuple[str, ...]:
    try:
        return tuple(permission.text(namespace) for permission in await lacking(api, wanted, namespace))
    except StatusError:
        return ()  # the dry run will tell


async def lacking(api: Api, wanted: Sequence[Permission], namespace: str) -> list[Permission]:
    """Those of the wanted permissions that the registry does not have. Raises Unreachable and StatusError."""
    path = kinds.ACCESS_REVIEWS.everywhere()
    answers = await asyncio.gather(*(api.create(path, permission.review(namespace)) for permission in wanted))
    return [
        permission
        for permission, answer in zip(wanted, answers, strict=True)
        if not (answer.get("status") or {}).get("allowed")
    ]


async def read_runtimes(api: Api, namespace: str) -> tuple[RuntimeFormat, ...] | None:
    """The formats of all serving runtimes in the order in which KServe prefers them; None if the registry may not list
    them. Raises Unreachable, and StatusError if the API server fails."""
    paths = (kinds.SERVING_RUNTIMES.within(namespace), kinds.CLUSTER_SERVING_RUNTIMES.everywhere())
    try:
        listed = await asyncio.gather(*(_existing(api, path) for path in paths))
    except StatusError as error:
        if error.code == HTTPStatus.FORBIDDEN:
            return None
        raise
    return tuple(item for runtimes in listed for item in in_order(runtimes))


def in_order(runtimes: Iterable[Raw]) -> list[RuntimeFormat]:
    """The formats in KServe's order: the highest priority, the oldest protocol, the newest, the first by name."""
    by_name = sorted(
        (shaped(runtime, SERVING_RUNTIME) for runtime in runtimes), key=lambda runtime: str(runtime["metadata"]["name"])
    )
    newest = sorted(by_name, key=lambda runtime: runtime["metadata"].get("creationTimestamp") or "", reverse=True)
    oldest_protocol = sorted(newest, key=_protocol_age)
    formats = [(runtime, item) for runtime in oldest_protocol for item in runtime_formats(runtime)]
    return [item for runtime, item in sorted(formats, key=lambda pair: -_priority(pair[0], pair[1].name))]


def _protocol_age(runtime: Raw) -> int:
    protocols = (runtime.get("spec") or {}).get("protocolVersions") or ()
    return min((_PROTOCOLS.index(each) + 1 for each in protocols if each in _PROTOCOLS), default=0)


def _priority(runtime: Raw, name: str) -> int:
    """That of the first format with the name. Without one, a runtime comes last: KServe demands at least 1."""
    formats = (runtime.get("spec") or {}).get("supportedModelFormats") or ()
    return next((item.get("priority") or 0 for item in formats if item["name"] == name), 0)


def runtime_formats(runtime: Raw) -> Iterator[RuntimeFormat]:
    """The formats of a serving runtime. A runtime without formats has one with an empty name."""
    spec = shaped(runtime, SERVING_RUNTIME).get("spec") or {}
    # KServe never selects such runtimes for a single-node model.
    is_special = bool(spec.get("multiModel")) or spec.get("workerSpec") is not None
    formats: Iterable[dict[str, Any]] = spec.get("supportedModelFormats") or ({"name": ""},)
    containers = spec.get("containers") or ()
    container: Raw = next((each for each in containers if each.get("name") == "kserve-container"), {})
    ports = container.get("ports")
    for item in formats:
        yield RuntimeFormat(
            runtime=runtime["metadata"]["name"],
            name=item["name"],
            version=item.get("version") or "",
            auto_select=bool(item.get("autoSelect")) and not is_special,
            protocols=tuple(spec.get("protocolVersions") or ()),
            is_disabled=bool(spec.get("disabled")),
            requests=_quantities(container, "requests"),
            limits=_quantities(container, "limits"),
            probes=tuple(name for name in PROBES if container.get(name)),
            **({"port": ports[0]["containerPort"]} if ports else {}),
        )


def _quantities(container: Raw, kind: str) -> dict[str, str]:
    return {name: str(amount) for name, amount in ((container.get("resources") or {}).get(kind) or {}).items()}


def _uri_formats(containers: Iterable[Raw], field: str) -> Iterator[str]:
    """The URI prefixes or patterns that the storage containers accept, without those of disabled containers."""
    for container in containers:
        if not container.get("disabled"):
            for item in (shaped(container, STORAGE_CONTAINER).get("spec") or {}).get("supportedUriFormats") or ():
                if item.get(field):
                    yield item[field]
