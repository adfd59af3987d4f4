"""Names of InferenceServices are always valid: `<slug>-<8 hex>` if possible (quirk Q19)."""

from __future__ import annotations

import re
from uuid import UUID

import pytest

from registry_grpc.domain.naming import deployment_name, longest_name, name_findings, namespace_findings

VERSION = UUID("81744a02-b136-467c-8566-b22f989982ef")
LONG_NAMESPACE = "n" * 30


@pytest.mark.parametrize(
    ("slug", "namespace", "name"),
    [
        pytest.param("my-model", "models", "my-model-81744a02", id="valid as it is"),
        pytest.param("my--model-", "models", "my--model--81744a02", id="inner dashes are valid and kept"),
        pytest.param("", "models", "model-81744a02", id="empty slug"),
        pytest.param("---", "models", "model-81744a02", id="dashes only"),
        pytest.param("2024", "models", "model-81744a02", id="digits only"),
        pytest.param("-my-model", "models", "my-model-81744a02", id="leading dash"),
        pytest.param("3-d-model", "models", "d-model-81744a02", id="leading digit"),
        pytest.param("a" * 60, "models", "a" * 37 + "-81744a02", id="46 = 52 - 6 for the namespace"),
        pytest.param("a" * 60, "ns", "a" * 39 + "-81744a02", id="48 for the pod label"),
        pytest.param("a" * 60, LONG_NAMESPACE, "a" * 13 + "-81744a02", id="22 = 52 - 30 for the namespace"),
        pytest.param("abcdefghijkl-nop", LONG_NAMESPACE, "abcdefghijkl-81744a02", id="no dash at the cut"),
    ],
)
def test_deployment_name(slug: str, namespace: str, name: str) -> None:
    assert deployment_name(slug, VERSION, namespace) == name
    assert list(name_findings(name, namespace)) == []


def test_longest_name_is_the_stricter_of_both_limits() -> None:
    assert [longest_name("n" * length) for length in (1, 4, 5, 20, 52)] == [48, 48, 47, 32, 0]


def test_the_longest_name_fits_where_kubernetes_wants_it() -> None:
    namespace = "models"
    name = deployment_name("x" * 60, VERSION, namespace)
    assert len(f"isvc.{name}-predictor") <= 63
    assert len(f"{name}-predictor-{namespace}") == 63


@pytest.mark.parametrize("name", ["My-Model", "1model", "-model", "model-", "my_model", "my.model", "", "modèle"])
def test_invalid_names_are_found(name: str) -> None:
    assert [(f.code, f.blocking, f.field) for f in name_findings(name, "models")] == [("NAME_INVALID", True, "name")]


def test_too_long_by_the_pod_label() -> None:
    (finding,) = name_findings("a" * 49, "ns")
    assert finding.code == "NAME_TOO_LONG"
    assert (
        "has 49 characters, but at most 48 fit: 63 for the label `isvc.<name>-predictor` - 15 = 48" in finding.message
    )


def test_a_host_that_is_too_long_names_the_limit_in_the_namespace() -> None:
    (finding,) = name_findings("a" * 23, LONG_NAMESPACE)
    assert f"63 for the host `<name>-predictor-<namespace>` - 11 - 30 for the namespace `{LONG_NAMESPACE}` = 22" in (
        finding.message
    )
    assert finding.hint == "Give a `name` of at most 22 characters."


def test_a_namespace_that_leaves_no_room() -> None:
    namespace = "n" * 60
    name = deployment_name("iris", VERSION, namespace)
    assert re.fullmatch("[a-z][-a-z0-9]*", name)
    (finding,) = name_findings(name, namespace)
    assert finding.hint == "Deploy into a namespace with a shorter name."


@pytest.mark.parametrize("namespace", ["models", "team-a", "1st", "n" * 63])
def test_valid_namespaces(namespace: str) -> None:
    assert namespace_findings(namespace) == ()


@pytest.mark.parametrize("namespace", ["Team A", "team_a", "-a", "a-", "", "n" * 64, "a.b"])
def test_invalid_namespaces(namespace: str) -> None:
    assert [f.code for f in namespace_findings(namespace)] == ["NAMESPACE_INVALID"]
