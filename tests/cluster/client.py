"""A small client of the Kubernetes API: plain dictionaries in and out."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import AsyncGenerator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import Resource

_LONGEST_LINE = 8 * 1024 * 1024


def path_of(resource: Resource, namespace: str = "", name: str = "", subresource: str = "") -> str:
    """The request path of an object, or of a collection if there is no name."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    place = f"/namespaces/{namespace}" if namespace and resource.namespaced else ""
    return root + place + "/".join(["", resource.plural, *filter(None, (name, subresource))])


def manifest_path(document: dict[str, Any], namespace: str) -> str:
    """The request path of an object as a manifest has it."""
    group_version, kind = document["apiVersion"], document["kind"]
    root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    place = "" if kind in {"ClusterRole", "ClusterRoleBinding"} else f"/namespaces/{namespace}"
    plural = "networkpolicies" if kind == "NetworkPolicy" else f"{kind.lower()}s"
    return f"{root}{place}/{plural}/{document['metadata']['name']}"


class ClusterClient:
    """A connection pool to one cluster. Use it as an async context manager.

    Every answer other than 2xx raises ApiError. Errors of the network are aiohttp's.
    """

    def __init__(self, url: str, *, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"User-Agent": "registry-grpc-tests"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.headers = headers
        self.tls = tls

    @classmethod
    def from_kubeconfig(cls, path: Path) -> ClusterClient:
        """A client for the current context of a kubeconfig: a server, a CA, and a token or a client certificate."""
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        contexts = {item["name"]: item["context"] for item in config["contexts"]}
        context = contexts[config["current-context"]]
        cluster = next(item["cluster"] for item in config["clusters"] if item["name"] == context["cluster"])
        user = next(item["user"] for item in config["users"] if item["name"] == context["user"])
        tls = None
        if cluster["server"].startswith("https:"):
            data = cluster.get("certificate-authority-data")
            tls = ssl.create_default_context(
                cafile=cluster.get("certificate-authority"),
                cadata=base64.b64decode(data).decode() if data else None,
            )
            if "client-certificate" in user:
                tls.load_cert_chain(user["client-certificate"], user["client-key"])
        return cls(cluster["server"], token=user.get("token", ""), tls=tls)

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self.tls if self.tls is not None else True, limit=0)
        self._session = aiohttp.ClientSession(headers=self.headers, connector=connector, read_bufsize=_LONGEST_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        **params: str,
    ) -> Any:
        """Send a request. Returns the decoded body of its answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": content_type} if body is not None else {}
        async with self._session.request(
            method, self.url + path, data=data, headers=headers, params=params
        ) as response:
            text = await response.text()
            if response.status >= 300:
                raise _error(response, text)
            return json.loads(text) if text.startswith(("{", "[")) else text

    async def watch(self, path: str, **params: str) -> AsyncGenerator[dict[str, Any], None]:
        """The events of one watch request, until the server ends it."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        query = {"watch": "1", **params}
        async with self._session.get(self.url + path, params=query, timeout=timeout) as response:
            if response.status >= 300:
                raise _error(response, await response.text())
            async for line in response.content:
                yield json.loads(line)


def _error(response: aiohttp.ClientResponse, text: str) -> ApiError:
    headers = {key: value for key, value in response.headers.items() if key == "Retry-After"}
    try:
        status = json.loads(text)
    except ValueError:
        status = {}
    return ApiError(
        response.status,
        status.get("reason", ""),
        status.get("message", text),
        details=status.get("details"),
        headers=headers,
    )
