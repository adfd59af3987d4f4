"""The kinds of objects that the simulated cluster serves."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry_grpc.devtools.simulated_cluster.api import schemas
from registry_grpc.devtools.simulated_cluster.api.schemas import Schema

_KSERVE = "serving.kserve.io"
_GATEWAY = "gateway.networking.k8s.io"


@dataclass(frozen=True, eq=False)
class Resource:
    """One kind of object, with its address and its rules."""

    group: str
    version: str
    plural: str
    kind: str
    short_name: str = ""
    schema: Schema = field(default_factory=lambda: schemas.OPEN)
    namespaced: bool = True
    has_status: bool = False
    first_phase: str = ""
    """`status.phase` of a new object."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in errors: `inferenceservices.serving.kserve.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def is_custom(self) -> bool:
        """Whether a CRD of KServe or of the Gateway API defines the kind."""
        return self.group in {_KSERVE, _GATEWAY}


INFERENCE_SERVICES = Resource(
    *(_KSERVE, "v1beta1", "inferenceservices", "InferenceService", "isvc"),
    schema=schemas.INFERENCE_SERVICE,
    has_status=True,
)
SERVING_RUNTIMES = Resource(_KSERVE, "v1alpha1", "servingruntimes", "ServingRuntime", schema=schemas.SERVING_RUNTIME)
CLUSTER_SERVING_RUNTIMES = Resource(
    *(_KSERVE, "v1alpha1", "clusterservingruntimes", "ClusterServingRuntime"),
    schema=schemas.SERVING_RUNTIME,
    namespaced=False,
)
CLUSTER_STORAGE_CONTAINERS = Resource(
    _KSERVE, "v1alpha1", "clusterstoragecontainers", "ClusterStorageContainer", namespaced=False
)
HTTP_ROUTES = Resource(_GATEWAY, "v1", "httproutes", "HTTPRoute", schema=schemas.HTTP_ROUTE, has_status=True)
NAMESPACES = Resource(
    "", "v1", "namespaces", "Namespace", "ns", namespaced=False, has_status=True, first_phase="Active"
)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", "deploy", schemas.DEPLOYMENT, has_status=True)
PODS = Resource("", "v1", "pods", "Pod", "po", schemas.POD, has_status=True, first_phase="Pending")
SECRETS = Resource("", "v1", "secrets", "Secret", schema=schemas.SECRET)
EVENTS = Resource("", "v1", "events", "Event", "ev")
SERVICE_ACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount", "sa")
PRIORITY_CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", "pc", namespaced=False)

RESOURCES = (
    INFERENCE_SERVICES,
    SERVING_RUNTIMES,
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    HTTP_ROUTES,
    NAMESPACES,
    DEPLOYMENTS,
    PODS,
    SECRETS,
    EVENTS,
    SERVICE_ACCOUNTS,
    PRIORITY_CLASSES,
)
CUSTOM_RESOURCES = tuple(resource for resource in RESOURCES if resource.is_custom)
