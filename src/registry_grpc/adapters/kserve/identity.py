"""How objects are known to be ours: labels that stay the same for an object's life.

KServe copies them down to Deployments and pods, so one selector serves all watches, and a change would restart pods.
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
REVISION = f"{DOMAIN}/revision"
"""The annotation whose value KServe copies to the pod template: tells which revision runs."""


def field_manager(deployment_id: UUID) -> str:
    """The owner of fields in server-side apply: one per deployment, so that two that race for a name conflict."""
    return f"{NAME}/{deployment_id}"


def is_ours(manager: str) -> bool:
    return manager.startswith(f"{NAME}/")


def identity_labels(registry_id: str, deployment_id: UUID) -> dict[str, str]:
    return {MANAGED_BY: NAME, REGISTRY_ID: registry_id, DEPLOYMENT_ID: str(deployment_id)}


def deployment_id_of(labels: Mapping[str, Any]) -> str:
    """Whose an InferenceService is: ours by label, or, made by the Go service, that of its inference service."""
    return str(labels.get(DEPLOYMENT_ID) or labels.get(INFERENCE_SERVICE_ID) or "")


def uuid_or_none(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
