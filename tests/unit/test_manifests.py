"""The InferenceService of a deployment: the object of the contract in canonical form, without volatile fields."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.deployments import BORN, a_deployment, a_spec

from registry_grpc.adapters.kserve.manifests import Fit, inference_service, storage_uri_of
from registry_grpc.domain.deployment import Applied, Deployment
from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    DeploymentOptions,
    ScaleMetric,
    ServingProtocol,
    StorageUri,
    TaintEffect,
    Toleration,
    TolerationOperator,
)
from registry_grpc.domain.runtimes import Runtimes

REGISTRY = "6f0e5c1a-0000-4000-8000-000000000001"
FULL = DeploymentOptions(
    runtime="kserve-mlserver",
    protocol_version=ServingProtocol.V2,
    service_account="reader",
    min_replicas=1,
    max_replicas=3,
    scale_metric=ScaleMetric.CPU,
    scale_target=80,
    requests={"cpu": "500m"},
    limits={"cpu": "1", "nvidia.com/gpu": "1"},
    env={"B": "2", "A": "1"},
    timeout_seconds=30,
    storage_endpoint="minio:9000",
    args=("--max-model-len=8192", "--quantization=awq"),
    node_selector={"nvidia.com/gpu.product": "NVIDIA-L40S"},
    tolerations=(
        Toleration(key="nvidia.com/gpu", operator=TolerationOperator.EXISTS, effect=TaintEffect.NO_SCHEDULE),
        Toleration(key="spot", value="yes", effect=TaintEffect.NO_EXECUTE, toleration_seconds=0),
    ),
    priority_class_name="serving",
    shared_memory="2Gi",
    image_pull_secrets=("registry", "mirror"),
)


def manifest(deployment: Deployment, secret_name: str = "") -> dict[str, Any]:
    fit = Fit.of(deployment.spec, Runtimes())
    return inference_service(deployment, fit, registry_id=REGISTRY, secret_name=secret_name)


def test_the_object_of_the_contract_with_our_marks() -> None:
    deployment = a_deployment(generation=3)
    assert manifest(deployment) == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "iris-81744a02",
            "namespace": "models",
            "labels": {
                "modelregistry.ai-platform/inference-service-id": str(deployment.id),
                "modelregistry.ai-platform/registered-model-id": "db10ccfe-942d-4df1-bbac-1391227f6f3d",
                "modelregistry.ai-platform/model-version-id": "81744a02-b136-467c-8566-b22f989982ef",
                "modelregistry.ai-platform/deployment-id": str(deployment.id),
                "modelregistry.ai-platform/registry-id": REGISTRY,
                "app.kubernetes.io/managed-by": "registry-grpc",
            },
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
        },
        "spec": {
            "predictor": {
                "annotations": {"modelregistry.ai-platform/revision": "3"},
                "model": {
                    "modelFormat": {"name": "sklearn", "version": "1"},
                    "storageUri": "gs://kfserving-examples/models/sklearn/1.0/model",
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                },
            }
        },
    }


def test_all_options() -> None:
    predictor = manifest(a_deployment(spec=a_spec(options=FULL)))["spec"]["predictor"]
    assert predictor["model"]["runtime"] == "kserve-mlserver"
    assert predictor["model"]["protocolVersion"] == "v2"
    assert predictor["model"]["resources"] == {
        "requests": {"cpu": "500m"},
        "limits": {"cpu": "1", "nvidia.com/gpu": "1"},
    }
    assert predictor["model"]["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert predictor["model"]["args"] == ["--max-model-len=8192", "--quantization=awq"]
    assert predictor["model"]["volumeMounts"] == [{"name": "shared-memory", "mountPath": "/dev/shm"}]
    of_pods = {key: value for key, value in predictor.items() if key not in {"model", "annotations"}}
    assert of_pods == {
        "minReplicas": 1,
        "maxReplicas": 3,
        "scaleMetric": "cpu",
        "scaleTarget": 80,
        "timeout": 30,
        "serviceAccountName": "reader",
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L40S"},
        "tolerations": [
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
            {"key": "spot", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 0},
        ],
        "priorityClassName": "serving",
        "volumes": [{"name": "shared-memory", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}],
        "imagePullSecrets": [{"name": "registry"}, {"name": "mirror"}],
    }


def test_adapters_are_fetched_beside_the_version() -> None:
    adapter = StorageUri(uri="s3://adapters/sql", mount_path="/mnt/adapters/sql")
    spec = a_spec(storage_uri="hf://org/base", options=DeploymentOptions(storage_uris=(adapter,)))
    predictor = manifest(a_deployment(spec=spec))["spec"]["predictor"]
    assert "storageUri" not in predictor["model"]
    assert predictor["storageUris"] == [
        {"uri": "hf://org/base", "mountPath": "/mnt/models"},
        {"uri": "s3://adapters/sql", "mountPath": "/mnt/adapters/sql"},
    ]
    assert storage_uri_of(predictor) == "hf://org/base"
    assert (
        storage_uri_of(manifest(a_deployment(spec=a_spec(storage_uri="s3://b/k")))["spec"]["predictor"]) == "s3://b/k"
    )


def test_scaling_to_zero_is_explicit() -> None:
    options = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE, min_replicas=0)
    made = manifest(a_deployment(spec=a_spec(options=options)))
    assert made["spec"]["predictor"]["minReplicas"] == 0
    assert made["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": "Knative"}


def test_an_empty_format_is_left_out_and_an_empty_uri_is_not() -> None:
    model = manifest(a_deployment(spec=a_spec(model_format="", storage_uri="")))["spec"]["predictor"]["model"]
    assert "modelFormat" not in model
    assert model["storageUri"] == ""


def test_an_empty_format_version_is_left_out() -> None:
    model = manifest(a_deployment(spec=a_spec(model_format_version="")))["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "sklearn"}


def test_reserved_labels_of_users_are_left_out() -> None:
    labels = {
        "sidecar.istio.io/inject": "false",
        "kueue.x-k8s.io/queue-name": "theirs",
        "app.kubernetes.io/name": "registry-grpc",
        "Serving.KServe.io/inferenceservice": "other",
        "team": "a",
        "example.com/sidecar.istio.io": "kept",
    }
    deployment = a_deployment(spec=a_spec(labels=labels))
    made = manifest(deployment)["metadata"]["labels"]
    assert {key for key in labels if key in made} == {"team", "example.com/sidecar.istio.io"}
    assert deployment.spec.labels == labels, "the record keeps them"


def test_a_reserved_label_that_was_applied_stays_until_the_next_revision() -> None:
    labels = {"sidecar.istio.io/inject": "false"}
    applied = Applied(uid="u", k8s_generation=1, resource_version="1", content={"labels": labels, "spec": {}})
    deployment = a_deployment(spec=a_spec(labels=labels), applied=applied, applied_generation=1, generation=1)
    assert labels.items() <= manifest(deployment)["metadata"]["labels"].items()
    assert labels.keys().isdisjoint(manifest(replace(deployment, generation=2))["metadata"]["labels"])


def test_what_the_operator_reserves_is_up_to_him() -> None:
    deployment = a_deployment(spec=a_spec(labels={"sidecar.istio.io/inject": "x", "team": "a"}))
    made = inference_service(deployment, Fit.of(deployment.spec, Runtimes()), registry_id="r", reserved=("team",))
    assert made["metadata"]["labels"]["sidecar.istio.io/inject"] == "x"
    assert "team" not in made["metadata"]["labels"]


def test_system_labels_win_over_labels_of_users() -> None:
    labels = {
        "team": "vision",
        "modelregistry.ai-platform/deployment-id": "stolen",
        "modelregistry.ai-platform/model-version-id": "stolen",
        "app.kubernetes.io/managed-by": "helm",
    }
    made = manifest(a_deployment(spec=a_spec(labels=labels)))["metadata"]["labels"]
    assert made["team"] == "vision"
    assert "stolen" not in made.values()
    assert made["app.kubernetes.io/managed-by"] == "registry-grpc"


def test_the_secret_is_found_by_annotation() -> None:
    annotations = manifest(a_deployment(), "iris-creds-12345678")["metadata"]["annotations"]
    assert annotations["serving.kserve.io/storageSecretName"] == "iris-creds-12345678"


def test_only_a_new_revision_changes_the_object() -> None:
    deployment = a_deployment()
    later = replace(deployment, updated_at=BORN.replace(year=2030), message="x", attempts=7, url="http://x")
    assert manifest(later) == manifest(deployment)


def test_a_new_revision_only_changes_the_metadata_that_it_needs() -> None:
    deployment = a_deployment()
    assert manifest(replace(deployment, generation=2))["metadata"] == manifest(deployment)["metadata"]
