"""The controller: brings every InferenceService's workload in line with its spec and reports its status."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp

from registry_grpc.devtools.simulated_cluster.api.admission import DEPLOYMENT_MODE
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    PODS,
    SERVING_RUNTIMES,
)
from registry_grpc.devtools.simulated_cluster.kserve import manifests, status
from registry_grpc.devtools.simulated_cluster.kserve.client import ClusterClient, path_of
from registry_grpc.devtools.simulated_cluster.kserve.manifests import UnsupportedStorage
from registry_grpc.devtools.simulated_cluster.kserve.mirror import Mirror
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import NoRuntime, choose
from registry_grpc.devtools.simulated_cluster.kserve.workload import Workload

_LOG = logging.getLogger(__name__)
_SERVICE_LABEL = "serving.kserve.io/inferenceservice"
_FINALIZER = "inferenceservice.finalizers"
_STOP = "serving.kserve.io/stop"
_NO_KNATIVE = "It is not possible to use Knative deployment mode when Knative Services are not available"
_MERGE_PATCH = "application/merge-patch+json"
_AGAIN_AFTER_CONFLICT = 0.05
_AGAIN_AFTER_ERROR = 1.0

Key = tuple[str, str]


class KServeController:
    """Level-triggered, one InferenceService at a time."""

    def __init__(self, client: ClusterClient, *, progress_deadline: int = 600) -> None:
        self._client = client
        self._workload = Workload(client, progress_deadline=progress_deadline)
        self._pending: asyncio.Queue[Key] = asyncio.Queue()
        self._queued: set[Key] = set()
        self._services = Mirror(client, INFERENCE_SERVICES, self._on_service)
        self._deployments = Mirror(client, DEPLOYMENTS, self._on_part, selector=_SERVICE_LABEL)
        self._pods = Mirror(client, PODS, self._on_part, selector=_SERVICE_LABEL)
        self._runtimes = Mirror(client, SERVING_RUNTIMES, self._on_runtime)
        self._cluster_runtimes = Mirror(client, CLUSTER_SERVING_RUNTIMES, self._on_runtime)

    def _on_service(self, obj: dict[str, Any]) -> None:
        self._enqueue((obj["metadata"]["namespace"], obj["metadata"]["name"]))

    def _on_part(self, obj: dict[str, Any]) -> None:
        self._enqueue((obj["metadata"]["namespace"], obj["metadata"]["labels"][_SERVICE_LABEL]))

    def _on_runtime(self, _: dict[str, Any]) -> None:
        for service in self._services.objects():
            self._on_service(service)

    def _enqueue(self, key: Key) -> None:
        if key not in self._queued:
            self._queued.add(key)
            self._pending.put_nowait(key)

    async def run(self) -> None:
        """Runs until it is cancelled."""
        mirrors = (self._runtimes, self._cluster_runtimes, self._services, self._deployments, self._pods)
        async with asyncio.TaskGroup() as group:
            for mirror in mirrors:
                group.create_task(mirror.run())
            while True:
                key = await self._pending.get()
                self._queued.discard(key)
                await self._attempt(key)

    async def _attempt(self, key: Key) -> None:
        try:
            await self._reconcile(key)
        except ApiError as error:
            if error.code not in {404, 409}:
                _LOG.warning("inference service %s/%s: %s", *key, error.message)
            self._again(key, _AGAIN_AFTER_CONFLICT if error.code == 409 else _AGAIN_AFTER_ERROR)
        except (aiohttp.ClientError, TimeoutError) as error:
            _LOG.warning("inference service %s/%s: %r", *key, error)
            self._again(key, _AGAIN_AFTER_ERROR)

    def _again(self, key: Key, delay: float) -> None:
        asyncio.get_running_loop().call_later(delay, self._enqueue, key)

    async def _reconcile(self, key: Key) -> None:
        namespace, name = key
        try:
            service = await self._client.call("GET", path_of(INFERENCE_SERVICES, namespace, name))
        except ApiError as error:
            if error.code == 404:
                return
            raise
        finalizers = service["metadata"].get("finalizers", [])
        if "deletionTimestamp" in service["metadata"]:
            if _FINALIZER in finalizers:
                await self._set_finalizers(service, [item for item in finalizers if item != _FINALIZER])
            return
        if _FINALIZER not in finalizers:
            service = await self._set_finalizers(service, [*finalizers, _FINALIZER])
        new = status.initial(service)
        await self._bring_about(service, new)
        if new != service.get("status"):
            path = path_of(INFERENCE_SERVICES, namespace, name, "status")
            await self._client.call("PUT", path, {**service, "status": new})

    async def _set_finalizers(self, service: dict[str, Any], finalizers: list[str]) -> dict[str, Any]:
        metadata = service["metadata"]
        patch = {"metadata": {"finalizers": finalizers}}
        path = path_of(INFERENCE_SERVICES, metadata["namespace"], metadata["name"])
        patched: dict[str, Any] = await self._client.call("PATCH", path, patch, content_type=_MERGE_PATCH)
        return patched

    async def _bring_about(self, service: dict[str, Any], new: status.Status) -> None:
        """Writes the workload and fills in the status; what cannot be done is told the way KServe tells it."""
        namespace, annotations = service["metadata"]["namespace"], service["metadata"].get("annotations", {})
        if annotations.get(DEPLOYMENT_MODE) == "Knative":
            await self._workload.warn(service, _NO_KNATIVE, reason="ServerlessModeRejected")
            return
        if annotations.get(_STOP) == "true":
            await self._workload.remove(service)
            status.stopped(new)
            return
        try:
            runtime = choose(service["spec"]["predictor"].get("model", {}), self._known_runtimes(namespace))
            manifests.check_storage(service["spec"]["predictor"])
            deployment = await self._workload.write(service, runtime)
        except NoRuntime as error:
            status.invalid_spec(new, error.reason, error.message)
            await self._workload.warn(service, error.event)
        except UnsupportedStorage as error:
            await self._workload.warn(service, str(error))
        except ApiError as error:
            if error.code not in {403, 422}:
                raise
            status.reconcile_failed(new, error.message)
            await self._workload.warn(service, error.message)
        else:
            name = service["metadata"]["name"]
            pods = [pod for pod in self._pods.objects(namespace) if pod["metadata"]["labels"][_SERVICE_LABEL] == name]
            status.observed(new, service, runtime, deployment, pods)

    def _known_runtimes(self, namespace: str) -> list[dict[str, Any]]:
        return [*self._runtimes.objects(namespace), *self._cluster_runtimes.objects()]
