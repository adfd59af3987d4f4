"""The labels by which objects are recognized as ours. They never change during an object's life.

KServe copies labels to Deployments and pods, so one selector serves all watches, and a change would restart the pods.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

DOMAIN = "modelregistry.ai-platform"
NAME = "registry-grpc"
MANAGED_BY = "app.kubernetes.io/managed-by"
REGISTRY_ID = f"{DOMAIN}/registry-id"
DEPLOYMENT_ID = f"{DOMAIN}/deployment-id"
INFERENCE_SERVICE_ID = f"{DOMAIN}/inference-service-id"
MODEL_VERSION_ID = f"{DOMAIN}/model-version-id"
REVISION = f"{DOMAIN}/revision"
"""The annotation with the revision. KServe copies it to the pod template, so it shows which revision runs."""


def field_manager(deployment_id: UUID) -> str:
    """The field manager of server-side apply. Each deployment has its own, so that two that want one name conflict."""
    return f"{NAME}/{deployment_id}"


def is_ours(manager: str) -> bool:
    return manager.startswith(f"{NAME}/")


def identity_labels(registry_id: str, deployment_id: UUID) -> dict[str, str]:
    return {MANAGED_BY: NAME, REGISTRY_ID: registry_id, DEPLOYMENT_ID: str(deployment_id)}


def deployment_id_of(labels: Mapping[str, Any]) -> str:
    """The id of the deployment that owns an InferenceService. The Go service's objects have the id of their inference
    service, which is the same. Empty if there is neither."""
    return str(labels.get(DEPLOYMENT_ID) or labels.get(INFERENCE_SERVICE_ID) or "")


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
