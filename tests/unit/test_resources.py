"""Resources that Kubernetes would refuse, alone and together with those of the serving runtime."""

from __future__ import annotations

from typing import Any

import pytest
from tests.deployments import a_spec

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.preflight import ClusterFacts, findings
from registry_grpc.domain.resources import resource_findings
from registry_grpc.domain.runtimes import RuntimeFormat, Runtimes

SHIPPED = RuntimeFormat(
    runtime="kserve-sklearnserver",
    name="sklearn",
    version="1",
    auto_select=True,
    requests={"cpu": "1", "memory": "2Gi"},
    limits={"cpu": "1", "memory": "2Gi"},
)
GPU = "nvidia.com/gpu"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}},
        {"requests": {"memory": "1Gi"}, "limits": {"memory": "1024Mi"}},
        {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi", GPU: "1"}},
        {"requests": {GPU: "2"}, "limits": {GPU: "2"}},
        {"limits": {"cpu": "2"}},  # the request of the runtime is lower
        {"requests": {"ephemeral-storage": "5Gi", "example.kubernetes.io/shared": "1"}},
        {"shared_memory": "2Gi"},
        {"shared_memory": "8Gi", "limits": {"memory": "16Gi"}, "requests": {"memory": "16Gi"}},
    ],
    ids=str,
)
def test_resources_that_agree(options: dict[str, Any]) -> None:
    assert list(resource_findings(DeploymentOptions(**options), SHIPPED)) == []


@pytest.mark.parametrize(
    ("options", "message", "field", "hint"),
    [
        ({"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}},
         "the cpu request 2 is above the cpu limit 1500m", "requests.cpu", "no request is above"),
        ({"requests": {"cpu": "2"}},
         "the cpu request 2 is above the cpu limit 1 of the serving runtime `kserve-sklearnserver`",
         "requests.cpu", "`options.resources.limits.cpu`"),
        ({"limits": {"memory": "1Gi"}},
         "the memory request 2Gi of the serving runtime `kserve-sklearnserver` is above the memory limit 1Gi",
         "limits.memory", "`options.resources.requests.memory`"),
        ({"requests": {GPU: "1"}}, f"the {GPU} request 1 needs an equal limit: {GPU} cannot be shared",
         f"requests.{GPU}", "whole numbers"),
        ({"requests": {GPU: "1"}, "limits": {GPU: "2"}},
         f"the {GPU} request 1 must equal the {GPU} limit 2: {GPU} cannot be shared", f"limits.{GPU}", "whole numbers"),
        ({"limits": {GPU: "500m"}}, f"the {GPU} limit 500m must be a whole number", f"limits.{GPU}", "whole numbers"),
    ],
)  # fmt: skip
def test_resources_that_contradict_each_other(options: dict[str, Any], message: str, field: str, hint: str) -> None:
    (finding,) = resource_findings(DeploymentOptions(**options), SHIPPED)
    assert (finding.code, finding.message, finding.field, finding.blocking) == (
        "RESOURCES_INVALID", message, f"options.resources.{field}", True,
    )  # fmt: skip
    assert hint in finding.hint


def test_without_a_runtime_only_the_options_are_compared() -> None:
    assert list(resource_findings(DeploymentOptions(limits={"memory": "1Gi"}), None)) == []
    assert list(resource_findings(DeploymentOptions(requests={GPU: "1"}), None)) == []
    both = DeploymentOptions(requests={"memory": "2Gi"}, limits={"memory": "1Gi"})
    assert len(list(resource_findings(both, None))) == 1


def test_shared_memory_counts_towards_the_limit() -> None:
    (finding,) = resource_findings(DeploymentOptions(shared_memory="3Gi"), SHIPPED)
    assert (finding.blocking, finding.field) == (False, "options.shared_memory")
    assert "memory limit 2Gi of the serving runtime" in finding.message
    assert list(resource_findings(DeploymentOptions(shared_memory="3Gi"), None)) == []


def test_preflight_takes_the_runtime_that_serves() -> None:
    spec = a_spec(storage_uri="pvc://c/m", options=DeploymentOptions(limits={"memory": "1Gi"}))
    facts = ClusterFacts(runtimes=Runtimes(formats=(SHIPPED,)))
    (finding,) = findings("iris", "models", spec, has_credentials=False, facts=facts)
    assert finding.code == "RESOURCES_INVALID"
    assert findings("iris", "models", spec, has_credentials=False) == ()


def test_a_runtime_with_strange_amounts_is_left_alone() -> None:
    strange = RuntimeFormat(runtime="r", name="x", version="", auto_select=True, requests={"cpu": "{{.Cpu}}"})
    assert list(resource_findings(DeploymentOptions(limits={"cpu": "1"}), strange)) == []


@pytest.mark.parametrize("amount", ["9" * 60, "1e999"])
def test_an_amount_of_any_size_is_compared(amount: str) -> None:
    options = DeploymentOptions(limits={GPU: amount, "memory": amount}, requests={"memory": "1"})
    assert options.violations() == ()
    assert list(resource_findings(options, None)) == []


def test_an_amount_that_no_number_has_is_refused() -> None:
    (violation,) = DeploymentOptions(limits={GPU: "1e9999999999999999999"}).violations()
    assert violation.field == f"options.resources.limits.{GPU}"
