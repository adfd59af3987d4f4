"""The kinds the simulated cluster knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from registry_grpc.devtools.simulated_cluster.api import schemas


@dataclass(frozen=True, eq=False)
class Resource:
    """One kind of object: how it is addressed and which rules it follows."""

    group: str
    version: str
    plural: str
    kind: str
    schema: dict[str, Any]
    namespaced: bool = True
    has_status: bool = False
    short_names: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name errors and CRDs use: `inferenceservices.serving.kserve.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_custom(self) -> bool:
        """Whether a CRD defines the kind, so that it is gone when the CRD is."""
        return self.group == "serving.kserve.io"


INFERENCE_SERVICES = Resource(
    "serving.kserve.io",
    "v1beta1",
    "inferenceservices",
    "InferenceService",
    schemas.INFERENCE_SERVICE,
    has_status=True,
    short_names=("isvc",),
)
SERVING_RUNTIMES = Resource(
    "serving.kserve.io", "v1alpha1", "servingruntimes", "ServingRuntime", schemas.SERVING_RUNTIME
)
CLUSTER_SERVING_RUNTIMES = Resource(
    "serving.kserve.io",
    "v1alpha1",
    "clusterservingruntimes",
    "ClusterServingRuntime",
    schemas.SERVING_RUNTIME,
    namespaced=False,
)
CLUSTER_STORAGE_CONTAINERS = Resource(
    "serving.kserve.io",
    "v1alpha1",
    "clusterstoragecontainers",
    "ClusterStorageContainer",
    schemas.OPEN,
    namespaced=False,
)
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    schemas.OPEN,
    namespaced=False,
    has_status=True,
)
NAMESPACES = Resource(
    "", "v1", "namespaces", "Namespace", schemas.OPEN, namespaced=False, has_status=True, short_names=("ns",)
)
DEPLOYMENTS = Resource(
    "apps", "v1", "deployments", "Deployment", schemas.DEPLOYMENT, has_status=True, short_names=("deploy",)
)
REPLICA_SETS = Resource(
    "apps", "v1", "replicasets", "ReplicaSet", schemas.DEPLOYMENT, has_status=True, short_names=("rs",)
)
PODS = Resource("", "v1", "pods", "Pod", schemas.POD, has_status=True, short_names=("po",))
SECRETS = Resource("", "v1", "secrets", "Secret", schemas.SECRET)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", schemas.OPEN, short_names=("cm",))
EVENTS = Resource("", "v1", "events", "Event", schemas.OPEN, short_names=("ev",))
SERVICES = Resource("", "v1", "services", "Service", schemas.OPEN, has_status=True, short_names=("svc",))
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", schemas.OPEN, short_names=("sa",))

RESOURCES = (
    INFERENCE_SERVICES,
    SERVING_RUNTIMES,
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    CUSTOM_RESOURCE_DEFINITIONS,
    NAMESPACES,
    DEPLOYMENTS,
    REPLICA_SETS,
    PODS,
    SECRETS,
    CONFIG_MAPS,
    EVENTS,
    SERVICES,
    SERVICE_ACCOUNTS,
)
CUSTOM_RESOURCES = tuple(resource for resource in RESOURCES if resource.is_custom)


def find(group: str, version: str, plural: str) -> Resource | None:
    """The kind behind a request path, or None."""
    for resource in RESOURCES:
        if (resource.group, resource.version, resource.plural) == (group, version, plural):
            return resource
    return None


def custom_resource_definition(resource: Resource) -> dict[str, Any]:
    """The CRD that defines a custom kind; a real kube-apiserver takes it as it is."""
    schema = {key: value for key, value in resource.schema["properties"].items() if key != "metadata"}
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": schema}},
    }
    if resource.has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {
                "plural": resource.plural,
                "singular": resource.kind.lower(),
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "shortNames": list(resource.short_names),
            },
            "versions": [version],
        },
    }
