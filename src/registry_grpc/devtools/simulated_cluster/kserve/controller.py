"""Simulates KServe's controller: updates the Deployment of every InferenceService and reports its status."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection

from registry_grpc.devtools.simulated_cluster.api.conditions import is_ready, timestamp
from registry_grpc.devtools.simulated_cluster.api.errors import denied_by_webhook
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    DEPLOYMENTS,
    EVENTS,
    HTTP_ROUTES,
    INFERENCE_SERVICES,
    PODS,
    SERVING_RUNTIMES,
    Resource,
)
from registry_grpc.devtools.simulated_cluster.api.store import Key, Object, key_of
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.kserve.canary import canary_statuses, route_of, with_canaries
from registry_grpc.devtools.simulated_cluster.kserve.deployment import (
    SERVICE_LABEL,
    UnsupportedStorage,
    deployment_of,
    name_of,
)
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import NoRuntime, choose
from registry_grpc.devtools.simulated_cluster.kserve.status import DEPLOYMENT_MODE, Status
from registry_grpc.devtools.simulated_cluster.worklist import Worklist

WATCHED = (INFERENCE_SERVICES, DEPLOYMENTS, PODS, SERVING_RUNTIMES, CLUSTER_SERVING_RUNTIMES)
_KSERVE = WriteOptions(manager="kserve-controller-manager")
_OF_STATUS = WriteOptions(manager="kserve-controller-manager", subresource="status")
_FINALIZER = "inferenceservice.finalizers"
_STOP = "serving.kserve.io/stop"
_MADE_FROM = "simulation.registry-grpc/made-from"
"""The annotation of a Deployment with a hash of what was last written, because a cluster adds other fields."""
_NO_KNATIVE = "It is not possible to use Knative deployment mode when Knative Services are not available"
_NAME = "[a-z]([-a-z0-9]*[a-z0-9])?"


def webhook(resource: Resource, new: Object, old: Object | None) -> None:
    """KServe's validating webhook, with the checks that matter here. Raises its 403."""
    if resource is not INFERENCE_SERVICES or "deletionTimestamp" in new["metadata"]:
        return
    if not re.fullmatch(_NAME, name := new["metadata"]["name"]):
        text = (
            f'the InferenceService "{name}" is invalid: a InferenceService name must consist of lower case '
            f"alphanumeric characters or '-', and must start with alphabetical character. (regex '{_NAME}')"
        )
    elif "model" not in new["spec"]["predictor"]:
        text = "the simulated cluster serves predictors with a model only"
    elif old and _renames_same_model(new["spec"]["predictor"], old["spec"]["predictor"]):
        text = "predictor.name change requires a model change (e.g. storageUri)"
    else:
        return
    raise denied_by_webhook("inferenceservice.kserve-webhook-server.validator", text)


def _renames_same_model(new: Object, old: Object) -> bool:
    is_same: bool = new["model"].get("storageUri") == old["model"].get("storageUri")
    return is_same and new.get("name") != old.get("name")


class KServeController:
    """Works on InferenceServices. `on_change` must be called with every change of an object of the kinds in WATCHED."""

    def __init__(self, verbs: Verbs) -> None:
        self._verbs = verbs
        self._services: set[Key] = set()
        self.work: Worklist[Key] = Worklist(self._reconcile)

    def on_change(self, resource: Resource, obj: Object) -> None:
        """Must be called when an object was created, changed or deleted."""
        if resource is INFERENCE_SERVICES:
            self._services.add(key_of(obj))
            self.work.add(key_of(obj))
        elif resource in {DEPLOYMENTS, PODS} and SERVICE_LABEL in obj["metadata"].get("labels", {}):
            self.work.add((obj["metadata"]["namespace"], obj["metadata"]["labels"][SERVICE_LABEL]))
        elif resource in {SERVING_RUNTIMES, CLUSTER_SERVING_RUNTIMES}:
            for key in self._services:
                self.work.add(key)

    def _reconcile(self, key: Key) -> None:
        service = self._verbs.find(INFERENCE_SERVICES, *key)
        if service is None:
            self._services.discard(key)
            return
        metadata, finalizers = service["metadata"], service["metadata"].get("finalizers", [])
        is_going = "deletionTimestamp" in metadata
        if (_FINALIZER in finalizers) is is_going:
            wanted = [item for item in finalizers if item != _FINALIZER] + [_FINALIZER] * (not is_going)
            service = {**service, "metadata": {**metadata, "finalizers": wanted}}
            service = self._verbs.update(INFERENCE_SERVICES, *key, service, _KSERVE)
        if is_going:
            return
        status = Status(service)
        self._bring_about(service, status)
        if status.value != service.get("status"):
            self._verbs.update(INFERENCE_SERVICES, *key, {**service, "status": status.value}, _OF_STATUS)

    def _bring_about(self, service: Object, status: Status) -> None:
        """Writes the Deployment and fills in the status. Errors are reported the way KServe reports them."""
        namespace, annotations = service["metadata"]["namespace"], service["metadata"].get("annotations", {})
        if annotations.get(DEPLOYMENT_MODE) in {"Knative", "Serverless"}:
            self._warn(service, "ServerlessModeRejected", _NO_KNATIVE)
            return
        if annotations.get(_STOP) == "true":
            self._drop_others(service, kept=())
            status.stopped()
            return
        runtimes = self._verbs.list(SERVING_RUNTIMES, namespace)
        runtimes += self._verbs.list(CLUSTER_SERVING_RUNTIMES)
        try:
            lives = [self._write_deployment(part, runtimes) for part in with_canaries(service)]
        except NoRuntime as error:
            status.invalid_spec(error.reason, error.message)
            self._warn(service, "InternalError", error.event)
        except UnsupportedStorage as error:
            self._warn(service, "InternalError", str(error))
        else:
            self._drop_others(service, kept=[live["metadata"]["name"] for live in lives])
            app = lives[0]["spec"]["selector"]["matchLabels"]["app"]
            pods = self._verbs.list(PODS, namespace)
            status.observed(lives[0], [pod for pod in pods if pod["metadata"].get("labels", {}).get("app") == app])
            status.value["canaryStatuses"] = statuses = canary_statuses(service, lives[1:])
            if is_ready({"status": status.value}):
                self._write_route(route_of(service, statuses))

    def _drop_others(self, service: Object, kept: Collection[str]) -> None:
        """Delete the Deployments of predictors that the service no longer has."""
        for live in self._verbs.list(DEPLOYMENTS, service["metadata"]["namespace"]):
            is_own = live["metadata"].get("labels", {}).get(SERVICE_LABEL) == service["metadata"]["name"]
            if is_own and live["metadata"]["name"] not in kept:
                self._verbs.delete(DEPLOYMENTS, *key_of(live))

    def _write_route(self, wanted: Object) -> None:
        live = self._verbs.find(HTTP_ROUTES, *key_of(wanted))
        if live is None:
            self._verbs.create(HTTP_ROUTES, wanted["metadata"]["namespace"], wanted, _KSERVE)
        elif live["spec"] != wanted["spec"]:
            self._verbs.update(HTTP_ROUTES, *key_of(live), {**live, "spec": wanted["spec"]}, _KSERVE)

    def _write_deployment(self, service: Object, runtimes: list[Object]) -> Object:
        runtime = choose(service["spec"]["predictor"]["model"], runtimes)
        live = self._verbs.find(DEPLOYMENTS, service["metadata"]["namespace"], name_of(service))
        return self._write(deployment_of(service, runtime), live)

    def _write(self, wanted: Object, live: Object | None) -> Object:
        """Writes the Deployment if it must change, and returns it."""
        made_from = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
        if live is not None and live["metadata"].get("annotations", {}).get(_MADE_FROM) == made_from:
            return live
        annotations = {**wanted["metadata"]["annotations"], _MADE_FROM: made_from}
        wanted = {**wanted, "metadata": {**wanted["metadata"], "annotations": annotations}}
        if live is not None:
            wanted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
            return self._verbs.update(DEPLOYMENTS, *key_of(wanted), wanted, _KSERVE)
        return self._verbs.create(DEPLOYMENTS, wanted["metadata"]["namespace"], wanted, _KSERVE)

    def _warn(self, service: Object, reason: str, message: str) -> None:
        """Writes a Warning Event about the service. If the Event exists, its count increases."""
        metadata, now = service["metadata"], timestamp()
        digest = hashlib.sha256(f"{metadata['uid']} {message}".encode()).hexdigest()[:16]
        name, namespace = f"{metadata['name']}.{digest}", metadata["namespace"]
        if known := self._verbs.find(EVENTS, namespace, name):
            seen = {"count": known["count"] + 1, "lastTimestamp": now}
            self._verbs.update(EVENTS, namespace, name, {**known, **seen}, _KSERVE)
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
        self._verbs.create(EVENTS, namespace, event, _KSERVE)
