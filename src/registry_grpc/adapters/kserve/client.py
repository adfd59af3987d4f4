"""Connects to a Kubernetes API with its address and credentials. Importing this module takes most of a second."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException

_CREDENTIALS_LAST = 60.0
_USER_AGENT = "registry-grpc"
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
"""Seconds of silence before the first probe, seconds between probes, and how many may go unanswered."""

Kubeconfig = Path | Mapping[str, Any]
Refresh = Callable[[Any], Awaitable[None]]


async def connect(kubeconfig: Kubeconfig | None = None) -> ApiClient:
    """A client for the cluster of a kubeconfig (a file or its content), or else for the cluster of this pod.

    Tokens in files and tokens of plug-ins are read again every minute. Raises ConfigException if the kubeconfig is
    invalid, or if there is none and this process does not run in a pod.
    """
    configuration: Any = Configuration()
    if kubeconfig is None:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        refresh = configuration.refresh_api_key_hook
    else:
        loader = await _load(kubeconfig, configuration)
        refresh = _reloading(loader.load_and_set)
    configuration.refresh_api_key_hook = _as_network_failure(refresh)
    client = ApiClient(configuration=configuration)
    client.rest_client = _Rest(configuration)
    client.user_agent = _USER_AGENT
    return client


class _Rest(RESTClientObject):
    def _create_connector(self) -> aiohttp.TCPConnector:
        """Without a limit: three open watches per namespace would leave no connections for requests."""
        return aiohttp.TCPConnector(limit=0, ssl=self.ssl_context, socket_factory=_opened)


def _opened(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that fails within half a minute after the other host has vanished. Its reader would not notice: a watch
    may be silent for a minute."""
    family, kind, protocol, *_ = address
    opened = socket.socket(family, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:  # macOS has not all of them
            opened.setsockopt(socket.IPPROTO_TCP, option, value)
    return opened


async def _load(kubeconfig: Kubeconfig, configuration: Any) -> Any:
    try:
        if isinstance(kubeconfig, Path):
            return await config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), client_configuration=configuration, persist_config=False
            )
        return await config.load_kube_config_from_dict(  # type: ignore[no-untyped-call]
            dict(kubeconfig), client_configuration=configuration
        )
    except (yaml.YAMLError, TypeError) as error:
        # The loader raises these for a file that is empty or not YAML. Their text might quote a key.
        raise ConfigException("the file is not a kubeconfig") from error


def _reloading(load: Refresh) -> Refresh:
    """Loads the credentials again once they may have changed. Plug-ins know themselves whether a token has expired."""
    loaded_at = asyncio.get_running_loop().time()

    async def refresh(configuration: Any) -> None:
        nonlocal loaded_at
        now = asyncio.get_running_loop().time()
        if now - loaded_at >= _CREDENTIALS_LAST:
            await load(configuration)
            loaded_at = now

    return refresh


def _as_network_failure(refresh: Callable[[Any], Any]) -> Refresh:
    """Treats credentials that cannot be read like an API server that cannot be reached: both may pass."""

    async def guarded(configuration: Any) -> None:
        try:
            result = refresh(configuration)
            if asyncio.iscoroutine(result):
                await result
        except (ConfigException, OSError) as error:
            raise ConnectionError(f"the credentials cannot be read: {error}") from error
        finally:
            # The in-cluster loader replaces this hook by its own.
            configuration.refresh_api_key_hook = guarded

    return guarded
