"""The address of a registry, and how to connect to it."""

from __future__ import annotations

import os
import uuid
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar, Final
from urllib.parse import urlsplit
from weakref import WeakSet

import grpc

from registry_client.config import Context
from registry_client.errors import ConfigError, Error
from registry_client.tokens import Tokens

# A page has at most 3.5 MiB, but an object that another program stored may be larger.
_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024


class Connection:
    """What all calls of a client have in common. Raises ConfigError."""

    is_forked: ClassVar = False
    """Whether this process was forked while a connection was open. gRPC does not work in it."""

    def __init__(self, context: Context, timeout: float) -> None:
        self.timeout = timeout
        self.tokens = Tokens(context)
        self.target, self.has_tls = _address(context)
        self.url = f"{'https' if self.has_tls else 'http'}://{self.target}"
        self.project = _project(context.project)
        self.context = context

    @property
    def credentials(self) -> grpc.ChannelCredentials | None:
        """None without TLS. Raises ConfigError."""
        if not self.has_tls:
            return None
        ca, key, certificate = (_read(self.context, name) for name in ("ca", "key", "certificate"))
        if (key is None) != (certificate is None):
            raise ConfigError("A client certificate needs its key, and a key its certificate: give both, or neither.")
        return grpc.ssl_channel_credentials(ca, key, certificate)

    @property
    def options(self) -> list[tuple[str, str | int]]:
        """Those of the gRPC channel."""
        options: list[tuple[str, str | int]] = [
            ("grpc.primary_user_agent", f"registry-grpc-client/{_version()}"),
            ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            # Calls are retried above gRPC, where the reasons of errors are known.
            ("grpc.enable_retries", 0),
            # A registry that restarts is found soon again.
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.min_reconnect_backoff_ms", 1000),
            ("grpc.max_reconnect_backoff_ms", 2000),
            # A watch notices a connection that was lost without a word.
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
        ]
        if not self.has_tls:
            options.append(("grpc.enable_http_proxy", 0))  # a proxy of the environment is for other machines
        if self.context.server_name:
            options.append(("grpc.ssl_target_name_override", self.context.server_name))
        return options

    def refuse_fork(self) -> None:
        """Raises Error in a forked process, where a call would wait for ever, whatever its timeout is."""
        if self.is_forked:
            raise Error(
                "This process was forked from one that had an open client, so it cannot call a registry. Start it with "
                'multiprocessing.get_context("spawn"), or close all clients before it is forked.'
            )

    def metadata(self, token: str, request_id: str) -> list[tuple[str, str]]:
        """That of one call."""
        pairs = [
            ("project-id", self.project),
            ("x-user", self.context.user),
            ("x-request-id", request_id),
            ("authorization", f"Bearer {token}" if token else ""),
        ]
        return [(key, value) for key, value in pairs if value]


OPEN: Final[WeakSet[Connection]] = WeakSet()
"""The connections with an open channel."""


def _note_fork() -> None:
    Connection.is_forked = Connection.is_forked or len(OPEN) > 0


if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
    os.register_at_fork(after_in_child=_note_fork)


def _address(context: Context) -> tuple[str, bool]:
    """The target of gRPC, and whether it has TLS. `host:port` has TLS if there is something that only TLS needs."""
    url = context.url.strip()
    if url.startswith("unix:"):
        return url, False
    scheme, separator, rest = url.rpartition("://")
    rest = rest.rstrip("/")
    parts = urlsplit(f"//{rest}")
    if "@" in rest or parts.path or parts.query or parts.fragment:
        raise ConfigError("The url must have a scheme, a host and a port only: neither a path nor a user.")
    try:
        port = parts.port
    except ValueError:
        raise ConfigError(f"The port of the url {url!r} must be a number from 0 to 65535.") from None
    if scheme.lower() not in {"", "http", "https"} or not parts.hostname:
        raise ConfigError(f"The url must be like http://127.0.0.1:8080 or https://registry.example.com: {url!r}")
    if port is None and not separator:
        raise ConfigError(f"The address {rest!r} needs a port, such as {rest}:8080, or http:// or https:// before it.")
    has_tls = scheme.lower() == "https" or (not separator and bool(context.ca or context.certificate))
    return (rest if port is not None else f"{rest}:{443 if has_tls else 80}"), has_tls


def _project(text: str) -> str:
    if not text:
        return ""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise ConfigError(f"The project must be a UUID, such as {uuid.uuid4()}: {text!r}") from None


def _read(context: Context, name: str) -> bytes | None:
    path: str = getattr(context, name)
    if not path:
        return None
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ConfigError(f"{name}: {path} cannot be read: {error.strerror}.") from None


def _version() -> str:
    try:
        return version("registry-grpc-client")
    except PackageNotFoundError:  # run from the sources
        return "0"
