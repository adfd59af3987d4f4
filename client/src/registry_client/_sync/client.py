# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""The client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Self, TypeVar

from registry_client._sync.artifacts import Artifacts
from registry_client._sync.channel import Channel
from registry_client._sync.deployments import Deployments
from registry_client._sync.environments import Environments
from registry_client._sync.events import Events
from registry_client._sync.models import Models
from registry_client._sync.runtime import Stream
from registry_client._sync.versions import Versions
from registry_client._sync.watching import watched
from registry_client.config import Context, resolve
from registry_client.connection import Connection

_S = TypeVar("_S")
DEFAULT_TIMEOUT: Final = 30.0


class Client:
    """A registry, as one project sees it. Close it, or use it in a `with` block."""

    def __init__(
        self,
        url: str = "",
        *,
        project: str = "",
        token: str = "",
        context: str = "",
        user: str = "",
        token_file: str = "",
        token_command: str = "",
        ca: str = "",
        certificate: str = "",
        key: str = "",
        server_name: str = "",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """What is not given comes from variables such as REGISTRY_URL, REGISTRY_PROJECT and REGISTRY_TOKEN, or from a
        context of ~/.config/registry/config.yaml. registry_client.config.Context explains the arguments.

        `timeout` is how many seconds a call may take, with all its attempts. Nothing is sent before the first call.
        Raises ConfigError.
        """
        given = Context(
            url=url,
            project=project,
            user=user,
            token=token,
            token_file=token_file,
            token_command=token_command,
            ca=ca,
            certificate=certificate,
            key=key,
            server_name=server_name,
        )
        self._channel = Channel(Connection(resolve(given, context), timeout))
        self._stubs: dict[Any, Any] = {}
        self.models = Models(self)
        self.versions = Versions(self)
        self.artifacts = Artifacts(self)
        self.environments = Environments(self)
        self.deployments = Deployments(self)
        self.events = Events(self)

    @property
    def url(self) -> str:
        """Where the registry is."""
        return self._channel.connection.url

    @property
    def project(self) -> str:
        """The UUID of the project; empty if none is set."""
        return self._channel.connection.project

    def stub(self, kind: Callable[[Any], _S]) -> _S:
        """A generated stub, such as WebhookServiceStub, for what this client has no methods for. Its calls have the
        same project, token, retries and errors."""
        if kind not in self._stubs:
            self._stubs[kind] = kind(self._channel)
        stub: _S = self._stubs[kind]
        return stub

    def watch(
        self,
        method: Any,
        request_after: Callable[[Any], Any],
        place_of: Callable[[Any], Any],
        *,
        timeout: float | None = None,
    ) -> Stream[Any]:
        """The answers of a streaming method of a stub. If the stream breaks, it is opened again where it ended:
        `place_of` is the place of an answer in the log, and `request_after` the request for what comes after a place,
        at first after "".

        Raises DeadlineExceeded after the timeout, OutOfRange if the log cannot be continued, and Unavailable if the
        registry cannot be reached for some time.
        """
        return watched(method, request_after, place_of, timeout)

    def close(self) -> None:
        """Close the connection. The next call would open it again."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, project={self.project!r})"
