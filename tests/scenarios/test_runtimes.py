"""Versions of frameworks as people write them, and options, arrive at KServe."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.world import World


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
