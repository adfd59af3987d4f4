"""An InferenceService's status as KServe works it out from the Deployment and its newest pod.

Its weaknesses are kept: Ready stays True while an update fails, `observedGeneration` is the Deployment's, and
`lastFailureInfo` is never cleared.
"""

from __future__ import annotations

import copy
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.admission import DEPLOYMENT_MODE
from registry_grpc.devtools.simulated_cluster.api.verbs import timestamp
from registry_grpc.devtools.simulated_cluster.kserve.manifests import CONTAINER, INITIALIZER, predictor_name

Status = dict[str, Any]
DOMAIN = "example.com"


def initial(inference_service: dict[str, Any]) -> Status:
    """The status to continue from: the stored one, with the conditions every service has."""
    status: Status = copy.deepcopy(inference_service.get("status", {}))
    annotations = inference_service["metadata"].get("annotations", {})
    status.setdefault("deploymentMode", annotations.get(DEPLOYMENT_MODE, "Standard"))
    status.setdefault("modelStatus", {}).setdefault("transitionStatus", "")
    for kind in ("IngressReady", "PredictorReady", "Ready"):
        if not any(item["type"] == kind for item in status.get("conditions", [])):
            set_condition(status, kind, "Unknown")
    return status


def set_condition(
    status: Status, kind: str, value: str, *, reason: str = "", message: str = "", severity: str = ""
) -> None:
    """Sets a condition; its time changes with its status only."""
    fields = {"severity": severity, "reason": reason, "message": message}
    new = {"type": kind, "status": value, **{key: text for key, text in fields.items() if text}}
    others = [item for item in status.get("conditions", []) if item["type"] != kind]
    before = next((item for item in status.get("conditions", []) if item["type"] == kind), None)
    same = before is not None and before["status"] == value
    new["lastTransitionTime"] = before["lastTransitionTime"] if before and same else timestamp()
    status["conditions"] = sorted([*others, new], key=lambda item: str(item["type"]))


def _condition(status: Status, kind: str) -> dict[str, Any]:
    return next((item for item in status["conditions"] if item["type"] == kind), {})


def invalid_spec(status: Status, reason: str, message: str) -> None:
    """The spec can never work; the conditions stay as they were."""
    status["modelStatus"]["transitionStatus"] = "InvalidSpec"
    status["modelStatus"].setdefault("states", {"activeModelState": ""})["targetModelState"] = "FailedToLoad"
    status["modelStatus"]["lastFailureInfo"] = {"reason": reason, "message": message}


def reconcile_failed(status: Status, message: str) -> None:
    """An object of the service could not be written."""
    set_condition(status, "PredictorReady", "False", reason="ReconcileFailed", message=message)
    _summarise(status)


def stopped(status: Status) -> None:
    """The service is stopped by annotation: no workload, no address."""
    set_condition(status, "Stopped", "True", severity="Info")
    for kind in ("PredictorReady", "IngressReady"):
        set_condition(status, kind, "False", reason="Stopped", severity="Info")
    set_condition(status, "Ready", "False", reason="Stopped")
    for key in ("url", "address", "components"):
        status.pop(key, None)


def observed(
    status: Status,
    inference_service: dict[str, Any],
    runtime: dict[str, Any],
    deployment: dict[str, Any],
    pods: list[dict[str, Any]],
) -> None:
    """Takes over what Deployment and pods show."""
    namespace = inference_service["metadata"]["namespace"]
    name = inference_service["metadata"]["name"]
    key = "clusterServingRuntimeName" if runtime["kind"] == "ClusterServingRuntime" else "servingRuntimeName"
    status.pop("servingRuntimeName", None)
    status.pop("clusterServingRuntimeName", None)
    status[key] = runtime["metadata"]["name"]
    # The addresses are there from the start: a URL in the status is no sign of readiness.
    status["url"] = f"http://{name}-{namespace}.{DOMAIN}"
    predictor = predictor_name(inference_service)
    status["address"] = {"url": f"http://{predictor}.{namespace}.svc.cluster.local"}
    set_condition(status, "IngressReady", "True")
    set_condition(status, "Stopped", "False", severity="Info")
    value, detail = _predictor_ready(deployment)
    set_condition(status, "PredictorReady", value, **detail)
    components = status.setdefault("components", {}).setdefault("predictor", {})
    if _condition(status, "PredictorReady")["status"] == "True":
        components["url"] = f"http://{predictor}-{namespace}.{DOMAIN}"
    status["observedGeneration"] = deployment.get("status", {}).get("observedGeneration", 0)
    _summarise(status)
    _model_status(status, pods)


def _predictor_ready(deployment: dict[str, Any]) -> tuple[str, dict[str, str]]:
    conditions = {item["type"]: item for item in deployment.get("status", {}).get("conditions", [])}
    available = conditions.get("Available")
    progressing = conditions.get("Progressing")
    failure = conditions.get("ReplicaFailure")
    decisive, value = available, "True"
    if progressing and progressing["status"] == "False":
        decisive, value = progressing, "False"
    elif progressing and progressing["reason"] == "NewReplicaSetAvailable":
        decisive = progressing
    if available is None or available["status"] == "False":
        decisive, value = available, "False"
    if failure and failure["status"] == "True":
        decisive, value = failure, "False"
    if decisive is None:
        return "False", {}
    return value, {"reason": decisive["reason"], "message": decisive.get("message", "")}


def _summarise(status: Status) -> None:
    """Ready is False when one of its parts is, True when all are."""
    parts = [_condition(status, kind) for kind in ("PredictorReady", "IngressReady")]
    for value in ("False", "Unknown"):
        for part in parts:
            if part["status"] == value:
                detail = {key: part[key] for key in ("reason", "message") if key in part}
                set_condition(status, "Ready", value, **detail)
                return
    set_condition(status, "Ready", "True")


def _model_status(status: Status, pods: list[dict[str, Any]]) -> None:
    model = status["modelStatus"]
    ready = [pod for pod in pods if _pod_is_ready(pod)]
    model["copies"] = {"failedCopies": 0, "totalCopies": len(ready)}
    if not pods:
        return
    newest = max(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    initializer = _container(newest, "initContainerStatuses", INITIALIZER)
    server = _container(newest, "containerStatuses", CONTAINER)
    if _failed(initializer):
        _failed_to_load(model, initializer)
    elif _condition(status, "Ready")["status"] == "True":
        model["states"] = {"activeModelState": "Loaded", "targetModelState": "Loaded"}
        model["transitionStatus"] = "UpToDate"
    elif "running" in initializer.get("state", {}) and not initializer.get("lastState"):
        _transition(model, "Loading", "InProgress")
    elif _failed(server):
        _failed_to_load(model, server)
    elif server:
        _transition(model, "Pending", "InProgress")


def _transition(model: dict[str, Any], target: str, transition: str) -> None:
    model.setdefault("states", {"activeModelState": ""})["targetModelState"] = target
    model["transitionStatus"] = transition


def _failed_to_load(model: dict[str, Any], container: dict[str, Any]) -> None:
    ended = container["state"].get("terminated") or container["lastState"]["terminated"]
    _transition(model, "FailedToLoad", "BlockedByFailedLoad")
    model["lastFailureInfo"] = {
        "reason": "ModelLoadFailed",
        "message": ended.get("message", ""),
        "exitCode": ended["exitCode"],
    }


def _container(pod: dict[str, Any], field: str, name: str) -> dict[str, Any]:
    return next((item for item in pod.get("status", {}).get(field, []) if item["name"] == name), {})


def _failed(container: dict[str, Any]) -> bool:
    state = container.get("state", {})
    if state.get("terminated", {}).get("reason") == "Error":
        return True
    return bool(state.get("waiting", {}).get("reason") == "CrashLoopBackOff" and container.get("lastState"))


def _pod_is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
