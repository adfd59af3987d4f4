"""Versions of frameworks as people write them, and options, arrive at KServe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.cluster.own_kserve import OwnKServe
from tests.scenarios.world import World

from registry_grpc.devtools.simulated_cluster.api.resources import SECRETS
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.deployment_options import (
    DeploymentOptions,
    ServingProtocol,
    StorageUri,
    TaintEffect,
    Toleration,
    TolerationOperator,
)
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.policy import DeploymentPolicy

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("framework", "version", "asked"),
    [
        ("sklearn", "1.6.1", {"modelFormat": {"name": "sklearn", "version": "1"}}),
        ("scikit-learn", "1.6.1", {"modelFormat": {"name": "sklearn", "version": "1"}}),
        ("PyTorch", "2.1.0", {"modelFormat": {"name": "pytorch", "version": "1"}}),
        ("xgboost", "2.1.0", {"modelFormat": {"name": "xgboost", "version": "2"}}),
        ("tensorflow", "2.15.0", {"modelFormat": {"name": "tensorflow", "version": "2"}}),
        ("transformers", "4.45.1", {"modelFormat": {"name": "huggingface", "version": "1"}}),
        ("vllm", "0.6.3", {"modelFormat": {"name": "vLLM", "version": "1"}, "protocolVersion": "v2"}),
        ("mlflow", "2.9.2", {"modelFormat": {"name": "mlflow", "version": "2"}, "protocolVersion": "v2"}),
        ("tensorrt", "8.6", {"modelFormat": {"name": "tensorrt", "version": "8"}, "protocolVersion": "v2"}),
    ],
)
async def test_versions_as_people_write_them_deploy(
    running: World, framework: str, version: str, asked: dict[str, Any]
) -> None:
    deployed = await running.deploy_version(model_framework=framework, model_framework_version=version)
    serving = await running.until_deployed(deployed.service.id)
    assert (serving.spec.model_format, serving.spec.model_format_version) == (framework, version)
    assert serving.drift == ()
    model = (await running.kube.inference_service(serving.name))["spec"]["predictor"]["model"]
    assert {key: model[key] for key in asked} == asked
    await running.until_undeployed(deployed.service.id)


LARGE = DeploymentOptions(
    args=("--max-model-len=8192", "--enable-lora"),
    requests={"cpu": "2", "memory": "8Gi"},
    limits={"cpu": "2", "memory": "8Gi"},
    node_selector={"kubernetes.io/hostname": "kwok-node"},
    tolerations=(Toleration(key="nvidia.com/gpu", operator=TolerationOperator.EXISTS, effect=TaintEffect.NO_SCHEDULE),),
    priority_class_name="system-cluster-critical",
    shared_memory="2Gi",
    probe_startup_seconds=600,
    probe_timeout_seconds=5,
    image_pull_secrets=("mirror",),
    storage_uris=(StorageUri(uri="s3://models/sql-lora", mount_path="/mnt/adapters/sql"),),
)


async def test_a_large_model_with_an_adapter(running: World) -> None:
    running.set_policy(DeploymentPolicy(image_pull_secrets=("*/mirror",)))
    version = await running.version(model_framework="huggingface", model_framework_version="1")
    deployed = await running.deployments.deploy(running.project_id, running.new(version, options=LARGE), user="ann")
    serving = await running.until_deployed(deployed.service.id)

    assert serving.spec.options == LARGE
    assert serving.drift == ()
    pod = (await running.kube.deployment(serving.name))["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == LARGE.node_selector
    (container,) = pod["containers"]
    assert container["args"][0].startswith("--model_name=")
    assert container["args"][-2:] == list(LARGE.args)
    assert container["resources"]["limits"] == LARGE.limits
    assert (container["startupProbe"]["failureThreshold"], container["readinessProbe"]["timeoutSeconds"]) == (60, 5)
    assert ("shared-memory", "/dev/shm") in [(it["name"], it["mountPath"]) for it in container["volumeMounts"]]
    assert {"medium": "Memory", "sizeLimit": "2Gi"} in [it.get("emptyDir") for it in pod["volumes"]]
    assert pod["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert (pod["priorityClassName"], pod["imagePullSecrets"]) == ("system-cluster-critical", [{"name": "mirror"}])
    (running_pod,) = await running.kube.pods(serving.name)
    (initializer,) = running_pod["spec"]["initContainers"]
    assert initializer["args"] == ["s3://models/iris", "/mnt/models", "s3://models/sql-lora", "/mnt/adapters/sql"]
    await running.until_undeployed(serving.id)


async def test_a_probe_has_one_check(running: World) -> None:
    """KServe's own runtime for vLLM has probes with checks by HTTP, and the simulated one has none."""
    options = DeploymentOptions(probe_startup_seconds=3600, probe_timeout_seconds=20)
    version = await running.version(model_framework="vllm", model_framework_version="0.6.3")
    new = running.new(version, options=options)
    deployed = await running.deployments.deploy(running.project_id, new, user="ann")
    serving = await running.until_deployed(deployed.service.id)
    (container,) = (await running.kube.deployment(serving.name))["spec"]["template"]["spec"]["containers"]
    for name in ("startupProbe", "readinessProbe"):
        probe = container[name]
        assert probe["timeoutSeconds"] == 20
        assert len({"httpGet", "tcpSocket"} & probe.keys()) == 1
    assert container["startupProbe"]["failureThreshold"] == 360
    await running.until_undeployed(serving.id)


async def test_a_public_bucket(running: World) -> None:
    anonymous = DeploymentOptions(storage_anonymous=True, storage_ca_bundle="minio-ca")
    new = running.new(await running.version(keys=Credentials()), options=anonymous)
    deployed = await running.deployments.deploy(running.project_id, new, user="ann")
    serving = await running.until_deployed(deployed.service.id)
    (secret,) = await running.kube.items(SECRETS)
    assert secret["metadata"]["annotations"]["serving.kserve.io/s3-useanoncredential"] == "true"
    if OwnKServe.find() and not running.kubernetes.simulated:
        (pod,) = await running.kube.pods(serving.name)
        env = {each["name"]: each.get("value") for each in pod["spec"]["initContainers"][0]["env"]}
        assert (env["awsAnonymousCredential"], env["AWS_CA_BUNDLE_CONFIGMAP"]) == ("true", "minio-ca")
    live = await running.kube.inference_service(serving.name)
    assert live["metadata"]["annotations"]["serving.kserve.io/storageSecretName"] == secret["metadata"]["name"]
    await running.until_undeployed(serving.id)


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (DeploymentOptions(limits={"memory": "1Gi"}), "RESOURCES_INVALID", "RECONCILE_FAILED"),
        (DeploymentOptions(requests={"cpu": "4"}), "RESOURCES_INVALID", "RECONCILE_FAILED"),
        (DeploymentOptions(protocol_version=ServingProtocol.GRPC_V1), "NO_RUNTIME", "NO_SUPPORTING_RUNTIME"),
    ],
    ids=["limit below the runtime's request", "request above the runtime's limit", "protocol"],
)
async def test_what_a_plan_predicts_happens(running: World, options: DeploymentOptions, code: str, reason: str) -> None:
    """A blocking finding means that the deployment fails."""
    if running.kubernetes.simulated is None and OwnKServe.find() is None:
        pytest.skip("the toy KServe neither merges a runtime's resources nor chooses by protocol")
    new = running.new(await running.version(), options=options)
    plan = await running.planning.plan(running.project_id, new)
    assert [finding.code for finding in plan.blocking] == [code]
    if code == "RESOURCES_INVALID" and running.kubernetes.simulated:
        return  # the simulated cluster does not check pods
    deployed = await running.deployments.deploy(running.project_id, new, user="ann")
    await running.until_phase(deployed.service.id, Phase.FAILED, reason)
    await running.until_undeployed(deployed.service.id)


async def test_resources_that_contradict_each_other_are_not_sent(running: World) -> None:
    options = DeploymentOptions(requests={"cpu": "2"}, limits={"cpu": "1"})
    id_ = (await running.deploy(options=options)).service.id
    failed = await running.until_phase(id_, Phase.FAILED, "RESOURCES_INVALID")
    assert failed.message == "the cpu request 2 is above the cpu limit 1"
    assert "options.resources" in failed.next_step
    await running.deployments.update(
        running.project_id, id_, model_version_id=None, options=replace(options, limits={"cpu": "2"})
    )
    await running.until_deployed(id_, revision=2)
    await running.until_undeployed(id_)


async def test_a_plan_without_findings(running: World) -> None:
    new = running.new(await running.version(model_framework_version="1.6.1"))
    plan = await running.planning.plan(running.project_id, new)
    assert plan.blocking == ()
    assert '"version": "1"' in plan.manifest
