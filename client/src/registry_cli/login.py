"""Tokens of people: the device authorization of OpenID Connect (RFC 8628), and the files that keep tokens.

The file of a context that logged in has the id token and what refreshes it. The context names `registry print-token` as
its token command, so that programs with registry_client have the same token; this command reads the file itself.
"""

from __future__ import annotations

import fcntl
import json
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from registry_cli.errors import CommandError, Exit
from registry_cli.output import say
from registry_client import config
from registry_client.config import Context
from registry_client.tokens import expiry

MARGIN_SECONDS = 60
_HTTP_SECONDS = 20
_MAX_BYTES = 4 << 20
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def folder() -> Path:
    return config.path().parent / "tokens"


def token_file(context_name: str) -> Path:
    """The file of an API token, or of whatever was given to `registry login --token`."""
    return folder() / quote(context_name, safe="")


def session_file(context_name: str) -> Path:
    """The file of a login at an issuer."""
    return folder() / f"{quote(context_name, safe='')}.json"


def command(context_name: str) -> str:
    """The token command of a context that logged in at an issuer."""
    return shlex.join(["registry", "print-token", "--context", context_name])


def with_fresh_token(context: Context) -> Context:
    """The context with its token instead of our own token command."""
    words = shlex.split(context.token_command) if context.token_command else []
    if len(words) != 4 or context.token_command != command(words[-1]):
        return context
    return replace(context, token_command="", token=fresh_token(words[-1]))


def fresh_token(context_name: str) -> str:
    """The token of a login, refreshed if it is about to expire."""
    file = session_file(context_name)
    again = f"registry login --context {shlex.quote(context_name)}"
    if not file.exists():
        raise CommandError(
            f"Nobody is logged in to the context {context_name!r}.", hint=f"Log in: {again}", status=Exit.DENIED
        )
    with _locked(file):
        session = json.loads(file.read_text(encoding="utf-8"))
        if expiry(session["token"]) - time.time() > MARGIN_SECONDS:
            return str(session["token"])
        if not session.get("refresh_token"):
            raise CommandError("The login has expired.", hint=f"Log in again: {again}", status=Exit.DENIED)
        given = {
            "grant_type": "refresh_token",
            "refresh_token": session["refresh_token"],
            "client_id": session["client_id"],
        }
        answer = _post(session["token_endpoint"], given)
        if "error" in answer:
            raise CommandError(
                f"The login has ended: {_error(answer)}.", hint=f"Log in again: {again}", status=Exit.DENIED
            )
        session |= {"token": _token(answer), "refresh_token": answer.get("refresh_token") or session["refresh_token"]}
        config.write_private(file, json.dumps(session))
        return str(session["token"])


def device_login(context_name: str, issuer: str, client_id: str, scopes: str) -> None:
    """Ask the person to log in with a browser, on any device, and keep what the issuer answers."""
    metadata = fetch(f"{_safe(issuer).rstrip('/')}/.well-known/openid-configuration")
    endpoint = metadata.get("device_authorization_endpoint")
    if metadata.get("issuer") != issuer or not endpoint or not metadata.get("token_endpoint"):
        raise CommandError(
            f"The issuer {issuer} offers no login by device authorization.", hint="Use a token: registry login --token"
        )
    device = _post(endpoint, {"client_id": client_id, "scope": scopes})
    if "error" in device:
        raise CommandError(f"The issuer {issuer} refused the login: {_error(device)}.", status=Exit.DENIED)
    page = device.get("verification_uri_complete") or device["verification_uri"]
    say(f"Open {page}\nand confirm the code {device['user_code']}.")
    answer = _polled(metadata["token_endpoint"], device, client_id)
    session = {
        "issuer": issuer,
        "client_id": client_id,
        "scopes": scopes,
        "token_endpoint": metadata["token_endpoint"],
        "token": _token(answer),
        "refresh_token": answer.get("refresh_token", ""),
    }
    config.write_private(session_file(context_name), json.dumps(session))


def settings_of(url: str) -> dict[str, Any]:
    """The issuer, client id and scopes that the registry tells to its own pages; empty if it tells none."""
    try:
        return dict(fetch(f"{url}/ui/config.json").get("oidc") or {})
    except CommandError:
        return {}


def _polled(endpoint: str, device: dict[str, Any], client_id: str) -> dict[str, Any]:
    """The answer of the token endpoint once the person has logged in."""
    interval = float(device.get("interval", 5))
    deadline = time.monotonic() + float(device.get("expires_in", 600))
    given = {"grant_type": _DEVICE_GRANT, "device_code": device["device_code"], "client_id": client_id}
    while time.monotonic() < deadline:
        time.sleep(interval)
        answer = _post(endpoint, given)
        match answer.get("error"):
            case None:
                return answer
            case "authorization_pending":
                continue
            case "slow_down":
                interval += 5
            case _:
                raise CommandError(f"The login was refused: {_error(answer)}.", status=Exit.DENIED)
    raise CommandError(
        "Nobody has logged in while the code was valid.", hint="Try again: registry login", status=Exit.DENIED
    )


def _token(answer: dict[str, Any]) -> str:
    """The id token is what the registry expects; without one, the access token."""
    token = answer.get("id_token") or answer.get("access_token")
    if not token:
        raise CommandError("The issuer answered without a token.", status=Exit.DENIED)
    return str(token)


def _error(answer: dict[str, Any]) -> str:
    return str(answer.get("error_description") or answer["error"]).rstrip(".")


def fetch(url: str) -> dict[str, Any]:
    """The JSON object at the URL. Raises CommandError."""
    if not url.startswith(("http://", "https://")):
        raise CommandError(f"{url} must begin with https:// or http://.")
    return _read(urllib.request.Request(url))  # noqa: S310 - checked


def _post(url: str, fields: dict[str, str]) -> dict[str, Any]:
    """The JSON of the answer, also of a refusal."""
    return _read(urllib.request.Request(_safe(url), data=urlencode(fields).encode()))  # noqa: S310 - checked


def _safe(url: str) -> str:
    """Tokens are only sent by TLS, or to this machine."""
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"}):
        raise CommandError(f"{url} must begin with https://.")
    return url


def _read(request: urllib.request.Request) -> dict[str, Any]:
    request.add_header("Accept", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=_HTTP_SECONDS) as answer:  # noqa: S310 - checked
            content = answer.read(_MAX_BYTES)
    except urllib.error.HTTPError as error:
        with error:
            content = error.read(_MAX_BYTES)
            if error.code != 400 and error.code != 401:  # noqa: PLR1714 - these have an OAuth error
                raise CommandError(f"{request.full_url} answered {error.code}.") from None
    except OSError as error:
        raise CommandError(f"{request.full_url} cannot be reached: {getattr(error, 'reason', error)}.") from None
    try:
        return dict(json.loads(content))
    except (TypeError, ValueError):
        raise CommandError(f"{request.full_url} did not answer JSON.") from None


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Only one process refreshes: many issuers accept a refresh token once."""
    with file.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
