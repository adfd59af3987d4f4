"""Plain calls to a cluster for tests: apply, get and wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.cluster.client import ClusterClient, path_of

from registry_grpc.devtools.simulated_cluster.api.resources import (
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    PODS,
    RESOURCES,
    Resource,
)

Object = dict[str, Any]
_APPLY = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"
PATIENCE = 60.0


@dataclass(frozen=True)
class Kube:
    """One client and the namespace of one test."""

    client: ClusterClient
    namespace: str

    async def apply(self, obj: Object, *, manager: str = "registry", **params: str) -> Object:
        """Server-side apply."""
        path = path_of(_RESOURCES[obj["kind"]], self.namespace, obj["metadata"]["name"])
        query = {"fieldManager": manager, **params}
        applied: Object = await self.client.call("PATCH", path, obj, content_type=_APPLY, **query)
        return applied

    async def merge(
        self, resource: Resource, name: str, patch: Object, *, manager: str = "somebody", subresource: str = ""
    ) -> Object:
        path = path_of(resource, self.namespace, name, subresource)
        patched: Object = await self.client.call("PATCH", path, patch, content_type=_MERGE_PATCH, fieldManager=manager)
        return patched

    async def create(self, resource: Resource, obj: Object, **params: str) -> Object:
        created: Object = await self.client.call("POST", path_of(resource, self.namespace), obj, **params)
        return created

    async def get(self, resource: Resource, name: str) -> Object:
        obj: Object = await self.client.call("GET", path_of(resource, self.namespace, name))
        return obj

    async def items(self, resource: Resource, **params: str) -> list[Object]:
        found: list[Object] = (await self.listed(resource, **params))["items"]
        return found

    async def listed(self, resource: Resource, **params: str) -> Object:
        """The whole `List` object."""
        listed: Object = await self.client.call("GET", path_of(resource, self.namespace), **params)
        return listed

    async def delete(self, resource: Resource, name: str, **options: Any) -> Object:
        deleted: Object = await self.client.call("DELETE", path_of(resource, self.namespace, name), options)
        return deleted

    async def inference_service(self, name: str) -> Object:
        return await self.get(INFERENCE_SERVICES, name)

    async def deployment(self, name: str) -> Object:
        """The Deployment of an InferenceService."""
        return await self.get(DEPLOYMENTS, f"{name}-predictor")

    async def pods(self, name: str) -> list[Object]:
        """The pods of an InferenceService, oldest revision first."""
        pods = await self.items(PODS, labelSelector=f"serving.kserve.io/inferenceservice={name}")
        return sorted(pods, key=lambda pod: str(pod["metadata"]["annotations"].get(STAMP)))

    async def until(self, resource: Resource, name: str, test: Callable[[Object], bool]) -> Object:
        """The object, as soon as it exists and passes the test."""
        deadline = time.monotonic() + PATIENCE
        while True:
            found = await self.items(resource, fieldSelector=f"metadata.name={name}")
            if found and test(found[0]):
                return found[0]
            assert time.monotonic() < deadline, f"{resource.kind} {name} is still {found}"
            await asyncio.sleep(0.05)

    async def until_gone(self, resource: Resource, name: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            found = await self.items(resource, fieldSelector=f"metadata.name={name}")
            if not found:
                return
            assert time.monotonic() < deadline, f"{resource.kind} {name} is still there: {found}"
            await asyncio.sleep(0.05)

    async def until_ready(self, name: str) -> Object:
        return await self.until(INFERENCE_SERVICES, name, is_ready)


STAMP = "registry.example.com/revision"
_RESOURCES = {resource.kind: resource for resource in RESOURCES}


def is_ready(service: Object) -> bool:
    return condition(service, "Ready").get("status") == "True"


def model_status(service: Object) -> Object:
    """`status.modelStatus`; {} if there is none."""
    status: Object = service.get("status", {}).get("modelStatus", {})
    return status


def condition(obj: Object, kind: str) -> Object:
    """A condition of an object; {} if there is none."""
    found = obj.get("status", {}).get("conditions", [])
    return next((item for item in found if item["type"] == kind), {})


def inference_service(name: str, **predictor: Any) -> Object:
    """An InferenceService as the registry writes it: canonical, with a revision stamp."""
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris/1"}
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": name,
            "labels": {"registry.example.com/deployment": name},
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
        },
        "spec": {"predictor": {"model": model, "minReplicas": 1, "annotations": {STAMP: "1"}, **predictor}},
    }


def runtime(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A ServingRuntime, which no controller changes, so that the test is the only writer."""
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {"containers": [{"name": "kserve-container", "image": "x"}], **spec},
    }
