"""The token that a client sends."""

from __future__ import annotations

import base64
import binascii
import json
import shlex
import subprocess
import threading
import time
from pathlib import Path
from typing import Final

from registry_client.config import Context
from registry_client.errors import ConfigError

# A token is replaced before it expires by so much, because clocks differ and calls take a while.
_MARGIN_SECONDS: Final = 30.0
_COMMAND_SECONDS: Final = 60.0


class Tokens:
    """The token of a context: fixed, from a file that is read for every call, or from a command, which runs again when
    its token expires or is refused."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token = context.token
        self._expires_at = float("inf")
        self._running = threading.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether `get` answers at once, because it has no command to run."""
        return not self._context.token_command or bool(self._token and time.time() < self._expires_at - _MARGIN_SECONDS)

    def get(self) -> str:
        """The token; empty if there is none. Raises ConfigError."""
        if self._context.token_file and not self._context.token:
            return _read(Path(self._context.token_file).expanduser())
        with self._running:  # calls that begin at the same time need one token
            if not self.is_ready:
                self._token = _run(self._context.token_command)
                self._expires_at = expiry(self._token)
            return self._token

    def replace(self, refused: str) -> bool:
        """Whether there may be another token than the one that was refused. Raises ConfigError."""
        if self._context.token_command and not self._context.token:
            if self._token == refused:
                self._token = ""
            return True
        return self.get() != refused


def expiry(token: str) -> float:
    """When a JWT expires, in seconds since 1970; infinity for other tokens, of which only the registry knows."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return float("inf")


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not a text"
        raise ConfigError(f"The token cannot be read from {file}: {cause}.") from None


def _run(command: str) -> str:
    """What it prints is never shown, because that may be a token."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own command
            shlex.split(command), capture_output=True, check=True, text=True, timeout=_COMMAND_SECONDS
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        status = getattr(error, "returncode", None)
        how = f"status {status}" if status is not None else type(error).__name__
        raise ConfigError(f"The command that prints the token failed ({how}): {command}") from None
    if not (token := done.stdout.strip()):
        raise ConfigError(f"The command that prints the token printed nothing: {command}")
    return token
