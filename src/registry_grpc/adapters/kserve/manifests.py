"""Makes the InferenceService of a deployment (contract 2.4).

It only has canonical forms, because values that KServe's defaulter rewrites would look like drift. Its metadata only
changes with a new revision, because KServe copies metadata to the pods and restarts them on every change.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from registry_grpc.adapters.kserve.identity import (
    DOMAIN,
    INFERENCE_SERVICE_ID,
    MODEL_VERSION_ID,
    REVISION,
    identity_labels,
)
from registry_grpc.domain.deployment import Deployment, DeploymentSpec
from registry_grpc.domain.deployment_options import MODEL_FOLDER, DeploymentOptions, ServingProtocol, Toleration
from registry_grpc.domain.policy import RESERVED_LABELS
from registry_grpc.domain.runtimes import ModelFormat, RuntimeFormat, Runtimes

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
STORAGE_SECRET_NAME = "serving.kserve.io/storageSecretName"  # noqa: S105 - the name of an annotation
_SHARED_MEMORY = "shared-memory"
_STARTUP, _READINESS = "startupProbe", "readinessProbe"
PROBES = (_STARTUP, _READINESS, "livenessProbe")
_PERIOD = 10

SCALING = ("minReplicas", "maxReplicas", "scaleMetric", "scaleTarget")
"""The fields of the predictor that do not change pods. A Knative Service makes new pods for them."""

Manifest = dict[str, Any]


class Fit(NamedTuple):
    """The parts of the object that depend on the serving runtime: the words with which KServe finds it, and probes."""

    asked: ModelFormat
    probes: Manifest

    @classmethod
    def of(cls, spec: DeploymentSpec, runtimes: Runtimes) -> Self:
        return cls(runtimes.asked_for(spec), _probes(spec.options, runtimes.chosen(spec)))

    @classmethod
    def as_applied(cls, deployment: Deployment) -> Self | None:
        """Those with which the current revision was applied, so that applying it again does not choose another runtime;
        None if it was not applied yet."""
        if deployment.applied is None or deployment.applied_generation != deployment.generation:
            return None
        canary = next(iter(deployment.applied.ours.get("canary", ())), deployment.applied.ours)
        model = canary["predictor"]["model"]
        named, protocol = model.get("modelFormat") or {}, model.get("protocolVersion")
        said = ServingProtocol(protocol) if protocol else None
        asked = ModelFormat(named.get("name", ""), named.get("version", ""), said)
        return cls(asked, {name: model[name] for name in PROBES if name in model})


def inference_service(
    deployment: Deployment,
    fit: Fit,
    *,
    registry_id: str,
    secret_name: str = "",
    reserved: tuple[str, ...] = RESERVED_LABELS,
) -> Manifest:
    """The complete object to apply. `fit` is what depends on the serving runtime, `secret_name` names the Secret with
    the version's keys, and the user's labels that begin with one of `reserved` are left out."""
    options = deployment.spec.options
    annotations = {DEPLOYMENT_MODE: str(options.deployment_mode)}
    if secret_name:
        annotations[STORAGE_SECRET_NAME] = secret_name
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": deployment.name,
            "namespace": deployment.namespace,
            "labels": _labels(deployment, registry_id, reserved),
            "annotations": annotations,
        },
        "spec": {
            "predictor": {
                "annotations": {REVISION: str(deployment.generation)},
                "model": _model(deployment.spec, fit),
                **_storage_uris(deployment.spec),
                **_scaling(options),
                **_pods(options),
            }
        },
    }


def _labels(deployment: Deployment, registry_id: str, reserved: tuple[str, ...]) -> dict[str, str]:
    """The user's labels, overridden by the system's labels (quirk Q18). KServe copies all to the pods, so a label that
    was applied with this revision stays: leaving it out now would restart them."""
    applied = deployment.applied if deployment.applied_generation == deployment.generation else None
    kept = applied.content["labels"] if applied else {}
    return {
        **{
            key: value
            for key, value in deployment.spec.labels.items()
            if key in kept or not key.lower().startswith(reserved)
        },
        INFERENCE_SERVICE_ID: str(deployment.id),
        f"{DOMAIN}/registered-model-id": str(deployment.spec.registered_model_id),
        MODEL_VERSION_ID: str(deployment.spec.model_version_id),
        **identity_labels(registry_id, deployment.id),
    }


def _model(spec: DeploymentSpec, fit: Fit) -> Manifest:
    options = spec.options
    # Without it, the status does not tell why a model server crashed while loading.
    model: Manifest = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    if not options.storage_uris:
        model["storageUri"] = spec.storage_uri
    asked = fit.asked
    if asked.name:
        model["modelFormat"] = _non_empty({"name": asked.name, "version": asked.version})
    if asked.protocol:
        model["protocolVersion"] = str(asked.protocol)
    if spec.runtime:
        model["runtime"] = spec.runtime
    if resources := _non_empty({"requests": dict(options.requests), "limits": dict(options.limits)}):
        model["resources"] = resources
    if options.env:
        model["env"] = [{"name": name, "value": options.env[name]} for name in sorted(options.env)]
    if options.args:
        model["args"] = list(options.args)
    if options.shared_memory:
        model["volumeMounts"] = [{"name": _SHARED_MEMORY, "mountPath": "/dev/shm"}]  # noqa: S108 - in the pod
    return model | fit.probes


def _probes(options: DeploymentOptions, runtime: RuntimeFormat | None) -> Manifest:
    """KServe merges them into those of the runtime. Those that the runtime does not have need a check: whether the port
    is open, as in KServe's default."""
    probes: dict[str, Manifest] = {}
    own = runtime.probes if runtime else ()
    if options.probe_startup_seconds:
        tries = math.ceil(options.probe_startup_seconds / _PERIOD)
        probes[_STARTUP] = {"periodSeconds": _PERIOD, "failureThreshold": tries}
    if options.probe_timeout_seconds:
        for name in {_READINESS, *own, *probes}:
            probes[name] = {**probes.get(name, {}), "timeoutSeconds": options.probe_timeout_seconds}
    check = {"tcpSocket": {"port": runtime.port if runtime else 8080}}
    return {name: probe if name in own else {**check, **probe} for name, probe in probes.items()}


def _storage_uris(spec: DeploymentSpec) -> Manifest:
    """KServe takes either one uri of the model, or the uris of the predictor."""
    if not spec.options.storage_uris:
        return {}
    uris = [(spec.storage_uri, MODEL_FOLDER), *((each.uri, each.mount_path) for each in spec.options.storage_uris)]
    return {"storageUris": [{"uri": uri, "mountPath": path} for uri, path in uris]}


def storage_uri_of(predictor: Mapping[str, Any]) -> str:
    """The uri of the version in an applied object."""
    uris = predictor.get("storageUris")
    return str(uris[0]["uri"] if uris else predictor["model"]["storageUri"])


def _scaling(options: DeploymentOptions) -> Manifest:
    fields: Mapping[str, Any] = {
        "minReplicas": options.min_replicas,
        "maxReplicas": options.max_replicas,
        "scaleMetric": None if options.scale_metric is None else str(options.scale_metric),
        "scaleTarget": options.scale_target,
        "timeout": options.timeout_seconds,
        "serviceAccountName": options.service_account or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _pods(options: DeploymentOptions) -> Manifest:
    memory = {"medium": "Memory", "sizeLimit": options.shared_memory}
    return _non_empty(
        {
            "nodeSelector": dict(options.node_selector),
            "tolerations": [_toleration(each) for each in options.tolerations],
            "priorityClassName": options.priority_class_name,
            "imagePullSecrets": [{"name": name} for name in options.image_pull_secrets],
            "volumes": [{"name": _SHARED_MEMORY, "emptyDir": memory}] if options.shared_memory else [],
        }
    )


def _toleration(toleration: Toleration) -> Manifest:
    fields = _non_empty(
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
        }
    )
    if toleration.toleration_seconds is not None:
        fields["tolerationSeconds"] = toleration.toleration_seconds
    return fields


def _non_empty(fields: Mapping[str, Any]) -> Manifest:
    return {name: value for name, value in fields.items() if value}
