"""Connects to a Kubernetes API with its address and credentials. Importing this module takes most of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config.config_exception import ConfigException

_CREDENTIALS_LAST = 60.0
_USER_AGENT = "registry-grpc"

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
    configuration.connection_pool_maxsize = (
        0  # no limit: three open watches per namespace would leave none for requests
    )
    client = ApiClient(configuration=configuration)
    client.user_agent = _USER_AGENT
    return client


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
