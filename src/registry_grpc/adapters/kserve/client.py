"""Connections to a Kubernetes API: where it is and who we are there. Importing this module takes most of a second."""

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
    """A client for the cluster of a kubeconfig (a file or its content), or for the one this process runs in.

    Tokens that live in files or come from a plug-in are read again every minute. Raises ConfigException for a
    kubeconfig that is wrong, and when there is none and this is no pod.
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
        # The loader's way to say that the file is no YAML, or empty. Its text might quote a key.
        raise ConfigException("it is not a kubeconfig") from error


def _reloading(load: Refresh) -> Refresh:
    """Loads again when the credentials may have changed: tokens in files do, and plug-ins know when theirs expire."""
    loaded_at = asyncio.get_running_loop().time()

    async def refresh(configuration: Any) -> None:
        nonlocal loaded_at
        now = asyncio.get_running_loop().time()
        if now - loaded_at >= _CREDENTIALS_LAST:
            await load(configuration)
            loaded_at = now

    return refresh


def _as_network_failure(refresh: Callable[[Any], Any]) -> Refresh:
    """Credentials that cannot be read just now are like an API server that cannot be reached just now."""

    async def guarded(configuration: Any) -> None:
        try:
            result = refresh(configuration)
            if asyncio.iscoroutine(result):
                await result
        except (ConfigException, OSError) as error:
            raise ConnectionError(f"the credentials cannot be read: {error}") from error
        finally:
            # The in-cluster loader has put its own hook back in the place of this one.
            configuration.refresh_api_key_hook = guarded

    return guarded
