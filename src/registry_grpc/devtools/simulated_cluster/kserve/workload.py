"""Writes what an InferenceService is made of: Deployment, Service, and Events about what went wrong."""

from __future__ import annotations

import hashlib
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, cause, invalid
from registry_grpc.devtools.simulated_cluster.api.resources import DEPLOYMENTS, EVENTS, SERVICES
from registry_grpc.devtools.simulated_cluster.api.verbs import timestamp
from registry_grpc.devtools.simulated_cluster.kserve import manifests
from registry_grpc.devtools.simulated_cluster.kserve.client import ClusterClient, path_of
from registry_grpc.devtools.simulated_cluster.workloads.deployments import REVISION

_LONGEST_LABEL = 63


class Workload:
    """The objects of an InferenceService in the cluster."""

    def __init__(self, client: ClusterClient, *, progress_deadline: int) -> None:
        self._client = client
        self._progress_deadline = progress_deadline
        # What each service's Deployment was last written as, and the generation that write gave it.
        self._written: dict[str, tuple[dict[str, Any], int]] = {}

    async def write(self, service: dict[str, Any], runtime: dict[str, Any]) -> dict[str, Any]:
        """Creates or updates Deployment and Service; returns the Deployment as it is now."""
        _check_host(service)
        desired = manifests.deployment(service, runtime, progress_deadline=self._progress_deadline)
        metadata = desired["metadata"]
        path = path_of(DEPLOYMENTS, metadata["namespace"], metadata["name"])
        live = await self._get(path)
        if live is None:
            await self._create_service(service)
            live = await self._client.call("POST", path_of(DEPLOYMENTS, metadata["namespace"]), desired)
        elif self._written.get(service["metadata"]["uid"]) != (desired, live["metadata"]["generation"]):
            live = await self._update(path, live, desired)
        self._written[service["metadata"]["uid"]] = (desired, live["metadata"]["generation"])
        return live

    async def _get(self, path: str) -> dict[str, Any] | None:
        try:
            obj: dict[str, Any] = await self._client.call("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise
        return obj

    async def _create_service(self, service: dict[str, Any]) -> None:
        namespace = service["metadata"]["namespace"]
        try:
            await self._client.call("POST", path_of(SERVICES, namespace), manifests.service(service))
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise

    async def _update(self, path: str, live: dict[str, Any], desired: dict[str, Any]) -> dict[str, Any]:
        """Writes only what a dry run says would change, so that an idle service causes no writes."""
        metadata = {**desired["metadata"], "resourceVersion": live["metadata"]["resourceVersion"]}
        kept = {key: value for key, value in live["metadata"].get("annotations", {}).items() if key == REVISION}
        metadata["annotations"] = {**desired["metadata"]["annotations"], **kept}
        new = {**desired, "metadata": metadata}
        outcome = await self._client.call("PUT", path, new, dryRun="All")
        if _content(outcome) == _content(live):
            return live
        updated: dict[str, Any] = await self._client.call("PUT", path, new)
        return updated

    async def remove(self, service: dict[str, Any]) -> None:
        """Removes the Deployment of a stopped service."""
        path = path_of(DEPLOYMENTS, service["metadata"]["namespace"], manifests.predictor_name(service))
        if await self._get(path) is not None:
            await self._client.call("DELETE", path, {"propagationPolicy": "Background"})

    async def warn(self, service: dict[str, Any], message: str, *, reason: str = "InternalError") -> None:
        """A Warning Event about the service; a repeated one is counted."""
        metadata = service["metadata"]
        digest = hashlib.sha256(f"{metadata['uid']} {message}".encode()).hexdigest()[:16]
        path = path_of(EVENTS, metadata["namespace"])
        name = f"{metadata['name']}.{digest}"
        if (known := await self._get(f"{path}/{name}")) is not None:
            seen = {"count": known["count"] + 1, "lastTimestamp": timestamp()}
            await self._client.call("PUT", f"{path}/{name}", {**known, **seen})
            return
        event = {
            "metadata": {"name": name, "namespace": metadata["namespace"]},
            "involvedObject": {
                "apiVersion": service["apiVersion"],
                "kind": service["kind"],
                "name": metadata["name"],
                "namespace": metadata["namespace"],
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": "v1beta1Controllers"},
            "firstTimestamp": timestamp(),
            "lastTimestamp": timestamp(),
            "count": 1,
        }
        await self._client.call("POST", path, event)


def _content(deployment: dict[str, Any]) -> tuple[Any, ...]:
    metadata = deployment["metadata"]
    return deployment["spec"], metadata.get("labels"), metadata.get("annotations")


def _check_host(service: dict[str, Any]) -> None:
    """KServe builds this host name in every mode; each of its labels must be a DNS label."""
    label = f"{manifests.predictor_name(service)}-{service['metadata']['namespace']}"
    if len(label) > _LONGEST_LABEL:
        text = f'Invalid value: "{label}": must be no more than {_LONGEST_LABEL} characters'
        raise invalid("networking.k8s.io", "Ingress", label, [cause("FieldValueInvalid", text, "spec.rules[0].host")])
