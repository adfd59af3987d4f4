"""The kinds of objects the registry reads and writes."""

from __future__ import annotations

from registry_grpc.adapters.kserve.api import Kind

# The versions of an API group have paths like objects.
KSERVE_VERSIONS = Kind("apis", "serving.kserve.io")
OPENAPI_DOCUMENTS = Kind("openapi/v3/apis", "serving.kserve.io")
KNATIVE_VERSIONS = Kind("apis", "serving.knative.dev")
GATEWAY_VERSIONS = Kind("apis", "gateway.networking.k8s.io")
INFERENCE_SERVICES = Kind("apis/serving.kserve.io/v1beta1", "inferenceservices")
SERVING_RUNTIMES = Kind("apis/serving.kserve.io/v1alpha1", "servingruntimes")
CLUSTER_SERVING_RUNTIMES = Kind("apis/serving.kserve.io/v1alpha1", "clusterservingruntimes")
CLUSTER_STORAGE_CONTAINERS = Kind("apis/serving.kserve.io/v1alpha1", "clusterstoragecontainers")
KNATIVE_SERVICES = Kind("apis/serving.knative.dev/v1", "services")
HTTP_ROUTES = Kind("apis/gateway.networking.k8s.io/v1", "httproutes")
DEPLOYMENTS = Kind("apis/apps/v1", "deployments")
PODS = Kind("api/v1", "pods")
EVENTS = Kind("api/v1", "events")
SECRETS = Kind("api/v1", "secrets")
CONFIG_MAPS = Kind("api/v1", "configmaps")
SERVICE_ACCOUNTS = Kind("api/v1", "serviceaccounts")
PRIORITY_CLASSES = Kind("apis/scheduling.k8s.io/v1", "priorityclasses")
NAMESPACES = Kind("api/v1", "namespaces")
ACCESS_REVIEWS = Kind("apis/authorization.k8s.io/v1", "selfsubjectaccessreviews")
