"""The controller: brings every InferenceService's workload in line with its spec and reports its status."""

from __future__ import annotations

import hashlib
import json

from registry_grpc.devtools.simulated_cluster.api.conditions import timestamp
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    DEPLOYMENTS,
    EVENTS,
    INFERENCE_SERVICES,
    PODS,
    SERVING_RUNTIMES,
    Resource,
)
from registry_grpc.devtools.simulated_cluster.api.store import Key, Object, key_of
from registry_grpc.devtools.simulated_cluster.kserve.deployment import (
    SERVICE_LABEL,
    UnsupportedStorage,
    deployment_of,
    name_of,
)
from registry_grpc.devtools.simulated_cluster.kserve.objects import Objects
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import NoRuntime, choose
from registry_grpc.devtools.simulated_cluster.kserve.status import DEPLOYMENT_MODE, Status
from registry_grpc.devtools.simulated_cluster.worklist import Worklist
from registry_grpc.devtools.simulated_cluster.workloads.deployments import REVISION

WATCHED = (INFERENCE_SERVICES, DEPLOYMENTS, PODS, SERVING_RUNTIMES, CLUSTER_SERVING_RUNTIMES)
_FINALIZER = "inferenceservice.finalizers"
_STOP = "serving.kserve.io/stop"
_MADE_FROM = "simulation.registry-grpc/made-from"
"""On a Deployment: what it was last written as, because a cluster adds to it."""
_NO_KNATIVE = "It is not possible to use Knative deployment mode when Knative Services are not available"


class KServeController:
    """Works on InferenceServices by namespace and name; somebody calls `on_change` with what is WATCHED."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._services: set[Key] = set()
        self.work: Worklist[Key] = Worklist(self._reconcile)

    def on_change(self, resource: Resource, obj: Object) -> None:
        """An object came, changed or went."""
        if resource is INFERENCE_SERVICES:
            self._services.add(key_of(obj))
            self.work.add(key_of(obj))
        elif resource in {DEPLOYMENTS, PODS} and SERVICE_LABEL in obj["metadata"].get("labels", {}):
            self.work.add((obj["metadata"]["namespace"], obj["metadata"]["labels"][SERVICE_LABEL]))
        elif resource in {SERVING_RUNTIMES, CLUSTER_SERVING_RUNTIMES}:
            for key in self._services:
                self.work.add(key)

    async def _reconcile(self, key: Key) -> None:
        service = await self._objects.find(INFERENCE_SERVICES, *key)
        if service is None:
            self._services.discard(key)
            return
        metadata = service["metadata"]
        finalizers = metadata.get("finalizers", [])
        if "deletionTimestamp" in metadata:
            if _FINALIZER in finalizers:
                left = [item for item in finalizers if item != _FINALIZER]
                await self._objects.update(
                    INFERENCE_SERVICES, {**service, "metadata": {**metadata, "finalizers": left}}
                )
            return
        if _FINALIZER not in finalizers:
            metadata = {**metadata, "finalizers": [*finalizers, _FINALIZER]}
            service = await self._objects.update(INFERENCE_SERVICES, {**service, "metadata": metadata})
        status = Status(service)
        await self._bring_about(service, status)
        if status.value != service.get("status"):
            await self._objects.update(INFERENCE_SERVICES, {**service, "status": status.value}, subresource="status")

    async def _bring_about(self, service: Object, status: Status) -> None:
        """Writes the workload and fills in the status; what cannot be done is told the way KServe tells it."""
        namespace, annotations = service["metadata"]["namespace"], service["metadata"].get("annotations", {})
        if annotations.get(DEPLOYMENT_MODE) in {"Knative", "Serverless"}:
            await self._warn(service, "ServerlessModeRejected", _NO_KNATIVE)
            return
        live = await self._objects.find(DEPLOYMENTS, namespace, name_of(service))
        if annotations.get(_STOP) == "true":
            if live is not None:
                await self._objects.delete(DEPLOYMENTS, live)
            status.stopped()
            return
        runtimes = await self._objects.list(SERVING_RUNTIMES, namespace)
        runtimes += await self._objects.list(CLUSTER_SERVING_RUNTIMES)
        try:
            runtime = choose(service["spec"]["predictor"].get("model", {}), runtimes)
            live = await self._write(deployment_of(service, runtime), live)
        except NoRuntime as error:
            status.invalid_spec(error.reason, error.message)
            await self._warn(service, "InternalError", error.event)
        except UnsupportedStorage as error:
            await self._warn(service, "InternalError", str(error))
        else:
            name = service["metadata"]["name"]
            pods = await self._objects.list(PODS, namespace)
            own = [pod for pod in pods if pod["metadata"].get("labels", {}).get(SERVICE_LABEL) == name]
            status.observed(runtime, live, own)

    async def _write(self, wanted: Object, live: Object | None) -> Object:
        """The Deployment as it is now."""
        made_from = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
        metadata = wanted["metadata"]
        annotations = {**metadata["annotations"], _MADE_FROM: made_from}
        if live is None:
            await self._objects.create(DEPLOYMENTS, {**wanted, "metadata": {**metadata, "annotations": annotations}})
            return wanted
        known = live["metadata"].get("annotations", {})
        if known.get(_MADE_FROM) == made_from:
            return live
        annotations |= {REVISION: known[REVISION]} if REVISION in known else {}
        metadata = {**metadata, "annotations": annotations, "resourceVersion": live["metadata"]["resourceVersion"]}
        return await self._objects.update(DEPLOYMENTS, {**wanted, "metadata": metadata})

    async def _warn(self, service: Object, reason: str, message: str) -> None:
        """A Warning Event about the service; a repeated one is counted."""
        metadata = service["metadata"]
        digest = hashlib.sha256(f"{metadata['uid']} {message}".encode()).hexdigest()[:16]
        name, namespace = f"{metadata['name']}.{digest}", metadata["namespace"]
        now = timestamp()
        if known := await self._objects.find(EVENTS, namespace, name):
            await self._objects.update(EVENTS, {**known, "count": known["count"] + 1, "lastTimestamp": now})
            return
        about = {key: metadata[key] for key in ("name", "namespace", "uid")}
        event = {
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {"apiVersion": service["apiVersion"], "kind": service["kind"], **about},
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": "v1beta1Controllers"},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        await self._objects.create(EVENTS, event)
