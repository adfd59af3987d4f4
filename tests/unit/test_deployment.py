"""Deployments: contradicting options, the copy in a revision, and the operator's policy."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tests.fakes.builders import a_model, a_version

from registry_grpc.domain.deployment import DeploymentSpec, VersionCopy
from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    DeploymentOptions,
    StorageUri,
    TaintEffect,
    Toleration,
    TolerationOperator,
)
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.quantity import amount_of, fault_of_quantity

EQUAL, EXISTS = TolerationOperator.EQUAL, TolerationOperator.EXISTS
SQL = StorageUri(uri="hf://org/sql", mount_path="/mnt/adapters/sql")
PROJECT_ID = UUID(int=1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"min_replicas": 0, "deployment_mode": DeploymentMode.KNATIVE},
        {"min_replicas": 1, "max_replicas": 1},
        {"min_replicas": 3, "max_replicas": 0},  # for KServe, 0 means no maximum
        {"max_replicas": 5},
        {"scale_target": 1, "timeout_seconds": 1, "deadline_seconds": 1},
        {"requests": {"cpu": "500m", "memory": "1.5Gi"}, "limits": {"cpu": "2", "nvidia.com/gpu": "1"}},
        {"shared_memory": "16Gi", "args": ("--a", "")},
        {"tolerations": (Toleration(operator=EXISTS), Toleration(key="a"), Toleration(key="a", operator=EQUAL))},
        {"tolerations": (Toleration(key="a", effect=TaintEffect.NO_EXECUTE, toleration_seconds=0),)},
        {"storage_uris": (StorageUri(uri="s3://b/a", mount_path="/mnt/adapters/a/"), SQL)},
    ],
)
def test_takes_options_that_agree(options: dict[str, Any]) -> None:
    DeploymentOptions(**options).check()


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({"min_replicas": -1}, ["min_replicas"]),
        ({"max_replicas": -1}, ["max_replicas"]),
        ({"min_replicas": 2, "max_replicas": 1}, ["max_replicas"]),
        ({"min_replicas": 0}, ["min_replicas"]),
        ({"scale_target": 0}, ["scale_target"]),
        ({"timeout_seconds": 0}, ["timeout"]),
        ({"deadline_seconds": 0}, ["deadline"]),
        ({"deadline_seconds": 2**31, "probe_timeout_seconds": 2**31}, ["deadline", "probes.timeout"]),
        (
            {"probe_startup_seconds": 0, "probe_timeout_seconds": -1},
            ["probes.startup", "probes.timeout"],
        ),
        ({"min_replicas": -1, "timeout_seconds": -5}, ["min_replicas", "timeout"]),
        (
            {"tolerations": (Toleration(key="a"), Toleration())},
            ["tolerations[1].key"],
        ),
        (
            {"tolerations": (Toleration(key="a", operator=EXISTS, value="b", toleration_seconds=1),)},
            ["tolerations[0].value", "tolerations[0].toleration_period"],
        ),
        ({"shared_memory": "much"}, ["shared_memory"]),
        (
            {"storage_uris": (SQL, StorageUri(uri="", mount_path="/mnt/adapters/sql/"))},
            ["storage_uris[1].uri", "storage_uris[1].mount_path"],
        ),
        *(
            ({"storage_uris": (StorageUri(uri="s3://b", mount_path=path),)}, ["storage_uris[0].mount_path"])
            for path in (
                "",
                "/",
                "/mnt",
                "/mnt/",
                "/opt/a",
                "mnt/a",
                "/mnt/models",
                "/mnt/models/",
                "/mnt/../etc",
                "/mnt/" + "a" * 251,
            )
        ),
        (
            {"requests": {"memory": "lots", "cpu": "-1"}, "limits": {"cpu": ""}, "deadline_seconds": 0},
            ["deadline", "resources.requests.cpu", "resources.requests.memory", "resources.limits.cpu"],
        ),
    ],
)
def test_refuses_options_that_contradict_each_other(options: dict[str, Any], fields: list[str]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        DeploymentOptions(**options).check()

    assert [violation.field for violation in refusal.value.violations] == [f"options.{name}" for name in fields]


@pytest.mark.parametrize(
    "text", ["0", "2", "+1", "500m", "1.5Gi", ".5", "1.", "1e3", "1E3", "1e-3", "1E", "12Ki", "3n", "4u", "5k", "6Ei"]
)
def test_quantities(text: str) -> None:
    assert fault_of_quantity(text) == ""


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "lots", "1,5", "1.5.1", ".", "+", "1e", "1e1.5", "1K", "1mi", "1GiB", "1Gi1", "0x1", "٣", "1\n"],
)
def test_invalid_quantities(text: str) -> None:
    assert fault_of_quantity(text) == "must be a Kubernetes quantity, for example `500m` or `2Gi`"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0"), ("2", "2"), ("+1", "1"), ("500m", "0.5"), ("1.5Gi", "1610612736"), (".5", "0.5"), ("1.", "1"),
        ("1e3", "1000"), ("1E3", "1000"), ("1e-3", "0.001"), ("1E", "1e18"), ("12Ki", "12288"), ("3n", "3e-9"),
        ("4u", "4e-6"), ("5k", "5000"), ("6Ei", "6917529027641081856"), ("7M", "7e6"), ("8T", "8e12"),
    ],
)  # fmt: skip
def test_amounts_of_quantities(text: str, amount: str) -> None:
    assert amount_of(text) == Decimal(amount)


@pytest.mark.parametrize("text", ["-1", "-500m", "-1e3"])
def test_negative_quantities(text: str) -> None:
    assert fault_of_quantity(text) == "must not be negative"


def test_a_spec_is_a_copy_of_its_versions() -> None:
    model = a_model(PROJECT_ID)
    versions = (a_version(model, uri="s3://first"), a_version(model, uri="s3://second"))

    spec = DeploymentSpec.serving(versions, {"a": "1"}, DeploymentOptions())

    assert spec == DeploymentSpec(
        registered_model_id=model.id,
        model_version_id=versions[0].id,
        served_version_ids=(versions[0].id, versions[1].id),
        model_format="onnx",
        model_format_version="1.17",
        storage_uri="s3://first",
        container_image="registry.example.com/onnx:1",
        others=(VersionCopy(versions[1].id, "s3://second", "onnx", "1.17", "registry.example.com/onnx:1"),),
        labels={"a": "1"},
        options=DeploymentOptions(),
    )
    assert [copy.uri for copy in spec.versions] == ["s3://first", "s3://second"]


def test_edited_fields_name_the_version() -> None:
    model = a_model(PROJECT_ID)
    versions = (a_version(model), a_version(model), a_version(model))
    spec = DeploymentSpec.serving(versions, {}, DeploymentOptions())
    now = {copy.model_version_id: list(copy[1:]) for copy in spec.versions[:2]}
    assert spec.edited_fields(now) == ()

    now[versions[0].id][0] = now[versions[1].id][3] = "edited"
    assert spec.edited_fields(now) == ("uri", f"{versions[1].id}.container_image")


def test_the_runtime_asked_for_comes_before_that_of_the_version() -> None:
    version = a_version(a_model(PROJECT_ID), container_image="of-the-version")

    assert DeploymentSpec.serving((version,), {}, DeploymentOptions(runtime="asked-for")).runtime == "asked-for"
    assert DeploymentSpec.serving((version,), {}, DeploymentOptions()).runtime == "of-the-version"


@pytest.mark.parametrize(
    ("account", "env", "fields"),
    [
        ("", {}, []),
        ("reader", {"LOG_LEVEL": "debug", "HF_HOME": ""}, []),
        ("any", {}, ["options.service_account"]),
        ("Reader", {}, ["options.service_account"]),
        ("", {"log_level": ""}, ["options.env.log_level"]),
        ("", {"XLOG_LEVEL": "", "LD_PRELOAD": "x"}, ["options.env.LD_PRELOAD", "options.env.XLOG_LEVEL"]),
        ("any", {"X": ""}, ["options.service_account", "options.env.X"]),
    ],
)
def test_options_are_allowed_by_name(account: str, env: dict[str, str], fields: list[str]) -> None:
    policy = DeploymentPolicy(service_accounts=("models/reader", "team-*/any"), env=("LOG_*", "HF_HOME"))
    options = DeploymentOptions(service_account=account, env=env)

    assert _refused_by(policy, options, "models") == fields


def test_an_account_is_allowed_in_its_namespace_only() -> None:
    policy = DeploymentPolicy(service_accounts=("models/reader", "team-*/any"))

    assert _refused_by(policy, DeploymentOptions(service_account="any"), "team-a") == []
    assert _refused_by(policy, DeploymentOptions(service_account="reader"), "team-a") == ["options.service_account"]


def test_pull_secrets_are_allowed_in_their_namespace_only() -> None:
    policy = DeploymentPolicy(image_pull_secrets=("models/registry", "team-*/pull"))
    assert _refused_by(policy, DeploymentOptions(image_pull_secrets=("registry",)), "models") == []
    assert _refused_by(policy, DeploymentOptions(image_pull_secrets=("pull", "other")), "team-a") == [
        "options.image_pull_secrets"
    ]
    assert _refused_by(DeploymentPolicy(), DeploymentOptions(image_pull_secrets=("registry",)), "models") == [
        "options.image_pull_secrets"
    ]


def test_without_lists_nothing_is_allowed() -> None:
    options = DeploymentOptions(service_account="default", env={"A": "1"})

    assert _refused_by(DeploymentPolicy(), options, "models") == ["options.service_account", "options.env.A"]


def _refused_by(policy: DeploymentPolicy, options: DeploymentOptions, namespace: str) -> list[str]:
    try:
        policy.check(options, namespace)
    except InvalidRequest as refusal:
        return [violation.field for violation in refusal.violations]
    return []
