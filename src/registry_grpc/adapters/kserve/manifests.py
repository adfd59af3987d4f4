"""Makes the InferenceService of a deployment (contract 2.4).

It only has canonical forms, because values that KServe's defaulter rewrites would look like drift. Its metadata only
changes with a new revision, because KServe copies metadata to the pods and restarts them on every change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry_grpc.adapters.kserve.identity import DOMAIN, INFERENCE_SERVICE_ID, REVISION, identity_labels
from registry_grpc.domain.deployment import Deployment, DeploymentSpec
from registry_grpc.domain.deployment_options import MODEL_FOLDER, DeploymentOptions, ServingProtocol, Toleration
from registry_grpc.domain.runtimes import ModelFormat

DEPLOYMENT_MODE = "serving.kserve.io/deploymentMode"
STORAGE_SECRET_NAME = "serving.kserve.io/storageSecretName"  # noqa: S105 - the name of an annotation
_SHARED_MEMORY = "shared-memory"

Manifest = dict[str, Any]


def inference_service(
    deployment: Deployment, asked: ModelFormat, *, registry_id: str, secret_name: str = ""
) -> Manifest:
    """The complete object to apply. `asked` has the words for the choice of a runtime, and `secret_name` names the
    Secret with the version's keys."""
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
            "labels": _labels(deployment, registry_id),
            "annotations": annotations,
        },
        "spec": {
            "predictor": {
                "annotations": {REVISION: str(deployment.generation)},
                "model": _model(deployment.spec, asked),
                **_storage_uris(deployment.spec),
                **_scaling(options),
                **_pods(options),
            }
        },
    }


def as_applied(deployment: Deployment) -> ModelFormat | None:
    """The words with which the current revision was applied, so that applying it again does not choose another runtime;
    None if it was not applied yet."""
    if deployment.applied is None or deployment.applied_generation != deployment.generation:
        return None
    model = deployment.applied.ours["predictor"]["model"]
    named, protocol = model.get("modelFormat") or {}, model.get("protocolVersion")
    return ModelFormat(named.get("name", ""), named.get("version", ""), ServingProtocol(protocol) if protocol else None)


def _labels(deployment: Deployment, registry_id: str) -> dict[str, str]:
    """The user's labels, overridden by the system's labels (quirk Q18)."""
    return {
        **deployment.spec.labels,
        INFERENCE_SERVICE_ID: str(deployment.id),
        f"{DOMAIN}/registered-model-id": str(deployment.spec.registered_model_id),
        f"{DOMAIN}/model-version-id": str(deployment.spec.model_version_id),
        **identity_labels(registry_id, deployment.id),
    }


def _model(spec: DeploymentSpec, asked: ModelFormat) -> Manifest:
    options = spec.options
    # Without it, the status does not tell why a model server crashed while loading.
    model: Manifest = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    if not options.storage_uris:
        model["storageUri"] = spec.storage_uri
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
    return model


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
