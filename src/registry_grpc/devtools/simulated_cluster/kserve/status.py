"""Computes the status of an InferenceService from the Deployment and its newest pod like KServe.

This includes KServe's faults: Ready stays True while an update fails, and `lastFailureInfo` is never cleared.
"""

from __future__ import annotations

import copy

from registry_grpc.devtools.simulated_cluster.api.conditions import condition_of, is_ready, with_condition
from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.kserve.deployment import CONTAINER, INITIALIZER, name_of

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
_DOMAIN = "example.com"


class Status:
    """The status of one InferenceService. It begins with the stored status."""

    def __init__(self, service: Object) -> None:
        mode = service["metadata"].get("annotations", {}).get(DEPLOYMENT_MODE, "Standard")
        first = {"deploymentMode": mode, "conditions": [], "modelStatus": {"transitionStatus": ""}}
        self.value: Object = {**first, **copy.deepcopy(service.get("status", {}))}
        self._service = service
        for kind in ("IngressReady", "PredictorReady", "Ready"):
            if not condition_of({"status": self.value}, kind):
                self._set(kind, "Unknown")

    def _set(self, kind: str, status: str, **details: str) -> None:
        self.value["conditions"] = with_condition(self.value["conditions"], kind, status, **details)

    def invalid_spec(self, reason: str, message: str) -> None:
        """Reports a spec that can never work. The conditions do not change."""
        self._set_model("FailedToLoad", "InvalidSpec", failure={"reason": reason, "message": message})

    def stopped(self) -> None:
        """Reports that the service is stopped by annotation, without workload and address."""
        self._set("Stopped", "True")
        for kind in ("PredictorReady", "IngressReady", "Ready"):
            self._set(kind, "False", reason="Stopped")
        self.value.pop("url", None)
        self.value.pop("address", None)

    def observed(self, deployment: Object, pods: list[Object]) -> None:
        """Reports the state of Deployment and pods."""
        name, namespace = self._service["metadata"]["name"], self._service["metadata"]["namespace"]
        self._set("Stopped", "False")
        is_predictor_ready, by = _predictor_ready(deployment)
        details = {key: by[key] for key in ("reason", "message") if key in by}
        self._set("PredictorReady", str(is_predictor_ready), **details)
        if is_predictor_ready:
            self.value["url"] = f"http://{name}-{namespace}.{_DOMAIN}"
            self.value["address"] = {"url": f"http://{name_of(self._service)}.{namespace}.svc.cluster.local"}
        # Without a predictor, KServe makes no Ingress, and a URL that is already there stays. Ready gets the reason of
        # the condition that was set last, which knows least.
        for kind in ("IngressReady", "Ready"):
            details = {} if is_predictor_ready else {"reason": "Predictor ingress not created"}
            self._set(kind, str(is_predictor_ready), **details)
        if pods:
            self._observe_model(max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"])))

    def _observe_model(self, pod: Object) -> None:
        initializer = _container(pod, "initContainerStatuses", INITIALIZER)
        server = _container(pod, "containerStatuses", CONTAINER)
        if ended := _failure_of(initializer):
            self._set_model("FailedToLoad", "BlockedByFailedLoad", failure=ended)
        elif is_ready({"status": self.value}):
            self._set_model("Loaded", "UpToDate")
            self.value["modelStatus"]["states"]["activeModelState"] = "Loaded"
        elif "running" in initializer.get("state", {}):
            self._set_model("Loading", "InProgress")
        elif ended := _failure_of(server):
            self._set_model("FailedToLoad", "BlockedByFailedLoad", failure=ended)
        elif server:
            self._set_model("Pending", "InProgress")

    def _set_model(self, target: str, transition: str, *, failure: Object | None = None) -> None:
        model = self.value["modelStatus"]
        model["transitionStatus"] = transition
        model.setdefault("states", {"activeModelState": ""})["targetModelState"] = target
        if failure:
            model["lastFailureInfo"] = failure


def _predictor_ready(deployment: Object) -> tuple[bool, Object]:
    """Whether the service is ready, and the condition that decides this."""
    kinds = ("Available", "Progressing", "ReplicaFailure")
    available, progressing, failure = (condition_of(deployment, kind) for kind in kinds)
    if failure.get("status") == "True":
        return False, failure
    if available.get("status") != "True":
        return False, available
    if progressing.get("status") == "False":
        return False, progressing
    return True, progressing if progressing.get("reason") == "NewReplicaSetAvailable" else available


def _container(pod: Object, field: str, name: str) -> Object:
    return next((item for item in pod.get("status", {}).get(field, []) if item["name"] == name), {})


def _failure_of(container: Object) -> Object | None:
    """The `lastFailureInfo` for a container that ended with an error or waits for its next start."""
    state, last = container.get("state", {}), container.get("lastState", {})
    ended: Object = state.get("terminated", {})
    if state.get("waiting", {}).get("reason") == "CrashLoopBackOff" and last:
        ended = last["terminated"]
    elif ended.get("reason") != "Error":
        return None
    return {"reason": "ModelLoadFailed", "message": ended.get("message", ""), "exitCode": ended["exitCode"]}
