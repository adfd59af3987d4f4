"""Why a registry cannot be reached. gRPC only says what became of its last attempt, so here is one more connection."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

from registry_client.config import Context
from registry_client.connection import Connection
from registry_client.errors import Unavailable

_PATIENCE_SECONDS: Final = 2.0
_WRONG_NAME: Final = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL
_OTHER_URL: Final = "name another one: Client(url), REGISTRY_URL, or a context."


def explained(error: Unavailable, connection: Connection) -> Unavailable:
    """The error with what is wrong, and what to do about it. Blocks for some seconds at most."""
    if not connection.target.startswith("unix:") and (problem := _problem(connection)):
        error.message, error.hint = problem
    return error


def _problem(connection: Connection) -> tuple[str, str] | None:
    host, _, port = connection.target.rpartition(":")
    try:
        plain = socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS)
    except socket.gaierror:
        return f"The host of {connection.url} is not known.", f"Correct the url, or {_OTHER_URL}"
    except ConnectionRefusedError:
        start = f"Start the registry (`make run` for one on this machine), or {_OTHER_URL}"
        return f"Nothing listens at {connection.url}.", start
    except OSError as error:
        return f"{connection.url} cannot be reached: {error}.", f"Check the network, or {_OTHER_URL}"
    with plain:
        return _of_tls(plain, connection, host.strip("[]"))


def _of_tls(plain: socket.socket, connection: Connection, host: str) -> tuple[str, str] | None:
    """What is wrong with TLS; None if nothing is."""
    context = _trusting(connection.context) if connection.has_tls else _trusting_all()
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(plain, server_hostname=connection.context.server_name or host) as secure:
            if not connection.has_tls:
                return f"{connection.url} speaks TLS.", "Write https:// before the address."
            is_refused = not secure.recv(1)  # with TLS 1.3, a client is refused after the handshake
    except ssl.SSLCertVerificationError as error:
        if error.verify_code in _WRONG_NAME:
            return (
                f"The certificate of {connection.url} is for another name: {error.verify_message}",
                "Use a name of the certificate in the url, or name it: Client(server_name=…), REGISTRY_GATEWAY_NAME.",
            )
        return (
            f"The certificate of {connection.url} is not trusted: {error.verify_message}.",
            "Name the file with the certificates that sign it: Client(ca=…), REGISTRY_GATEWAY_CA, or a context.",
        )
    except ssl.SSLError as error:
        if not connection.has_tls:
            return None
        if "_ALERT_" not in (error.reason or ""):
            return f"{connection.url} does not speak TLS.", "Write http:// before the address."
        is_refused = True
    except OSError:
        is_refused = connection.has_tls
    if not is_refused:
        return None
    return (
        f"{connection.url} refuses this client.",
        "Show a certificate that it trusts: Client(certificate=…, key=…), or a context with one.",
    )


def _trusting_all() -> ssl.SSLContext:
    """To find out whether there is TLS at all."""
    return ssl._create_unverified_context()  # noqa: S323, SLF001


def _trusting(files: Context) -> ssl.SSLContext:
    """It trusts what gRPC trusts."""
    context = ssl.create_default_context(cafile=_path(files.ca) or None)
    context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
    if files.certificate:
        context.load_cert_chain(_path(files.certificate), _path(files.key), password="")  # else it would ask for one
    return context


def _path(path: str) -> str:
    return str(Path(path).expanduser()) if path else ""
