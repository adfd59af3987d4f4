"""What keeps a pod from being created at all: the Deployment shows it as a ReplicaFailure."""

from __future__ import annotations

from typing import Any

from registry_grpc.devtools.simulated_cluster.api.admission import Validator
from registry_grpc.devtools.simulated_cluster.api.errors import denied_by_webhook, forbidden
from registry_grpc.devtools.simulated_cluster.api.resources import PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Store

_WEBHOOK = "inferenceservice.kserve-webhook-server.pod-mutator"
_STORAGE_SECRET = "serving.kserve.io/storageSecretName"  # noqa: S105 - the name of an annotation
_ALWAYS_THERE = "default"


def pod_dependencies(store: Store) -> Validator:
    """Refuses pods whose service account, or whose storage secret for KServe's webhook, is missing."""

    def validate(resource: Resource, new: dict[str, Any], old: dict[str, Any] | None) -> None:
        if resource is not PODS or old is not None:
            return
        metadata = new["metadata"]
        namespace = metadata["namespace"]
        account = new["spec"].get("serviceAccountName", _ALWAYS_THERE)
        if account != _ALWAYS_THERE and store.get(SERVICE_ACCOUNTS, namespace, account) is None:
            text = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
            raise forbidden("", "pods", metadata["generateName"], text)
        secret = metadata.get("annotations", {}).get(_STORAGE_SECRET)
        if secret and store.get(SECRETS, namespace, secret) is None:
            raise denied_by_webhook(_WEBHOOK, f'secrets "{secret}" not found')

    return validate
