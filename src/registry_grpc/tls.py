"""TLS of the workers, and of the commands that call the gateway or a worker."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import grpc
import structlog
from cryptography import x509

from registry_grpc.settings import ConfigurationError, Settings

_log = structlog.get_logger("tls")
_PATIENCE_SECONDS = 3.0
_WRONG_NAME = (62, 64)  # X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL
_Stamp = tuple[tuple[int, int], ...]


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """Those of a worker; None without TLS. At each new connection, changed files are read again. Raises
    ConfigurationError."""
    files = _files(settings)
    if not files:
        return None
    try:
        seen, first = _stamp(files), _configuration(files)
    except OSError as error:
        raise ConfigurationError(f"REGISTRY_WORKER_TLS_…: {error}") from error

    def changed() -> grpc.ServerCertificateConfiguration | None:
        """Called by a thread of gRPC. None: continue with what there is, also if the files cannot be read."""
        nonlocal seen
        try:
            if (now := _stamp(files)) == seen:
                return None
            configuration = _configuration(files)
        except OSError as error:
            _log.warning("certificate.unreadable", error=str(error))
            return None
        seen = now
        return configuration

    has_ca = settings.worker_tls_ca is not None
    # The stubs of gRPC do not know that None is allowed.
    changes = cast("Callable[[], grpc.ServerCertificateConfiguration]", changed)
    return grpc.dynamic_ssl_server_credentials(first, changes, require_client_authentication=has_ca)


class Endpoint:
    """A gateway or a worker, as the commands of an operator reach it: `host:port`, `unix:/path`, or with `http://` or
    `https://`. Without these, TLS is used if the settings have a CA. A worker of the settings is shown the worker's own
    certificate, which is expected from it."""

    def __init__(self, settings: Settings, address: str) -> None:
        """Raises ConfigurationError."""
        scheme, _, self.target = address.rstrip("/").rpartition("://")
        if scheme not in {"", "http", "https"}:
            raise ConfigurationError(f"the address must be host:port, or begin with http:// or https://: {address}")
        self._ca, self.name = b"", settings.gateway_name
        self._pair: tuple[Path, Path] | None = None
        self._setting = "REGISTRY_CLIENT"
        self.has_tls = scheme == "https"
        if scheme == "http" or self.target.startswith("unix:"):
            return
        if (files := _files(settings)) and self.target in settings.worker_addresses:
            self.has_tls, self._pair = True, (files[0], files[1])
            self._ca, self.name, self._setting = _trusted(files), _name_in(files[0]), "REGISTRY_WORKER_TLS"
            return
        if settings.gateway_ca is not None:
            self.has_tls, self._ca = True, _read("REGISTRY_GATEWAY_CA", settings.gateway_ca)
        if settings.client_certificate is not None and settings.client_key is not None:
            self._pair = settings.client_certificate, settings.client_key

    @property
    def url(self) -> str:
        return f"{'https' if self.has_tls else 'http'}://{self.target}"

    def channel(self) -> grpc.Channel:
        """Raises ConfigurationError."""
        if not self.has_tls:
            # A proxy of the environment is for other machines.
            return grpc.insecure_channel(self.target, options=[("grpc.enable_http_proxy", 0)])
        self.context()  # says what is wrong with a file, while gRPC would only not connect
        certificate, key = [path.read_bytes() for path in self._pair] if self._pair else (None, None)
        options = [("grpc.ssl_target_name_override", self.name)] if self.name else []
        return grpc.secure_channel(
            self.target, grpc.ssl_channel_credentials(self._ca or None, key, certificate), options=options
        )

    def context(self) -> ssl.SSLContext:
        """For clients other than gRPC. Trusts what gRPC trusts. Raises ConfigurationError."""
        try:
            context = ssl.create_default_context(cadata=self._ca.decode() or None)
        except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
            raise ConfigurationError(f"REGISTRY_GATEWAY_CA: the file has no certificates in PEM: {error}") from error
        context.verify_flags = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
        if self._pair:
            for variable, path in zip(("CERTIFICATE", "KEY"), self._pair, strict=True):
                _read(f"{self._setting}_{variable}", path)
            try:
                context.load_cert_chain(*self._pair, password="")  # otherwise it would ask for one
            except ssl.SSLError as error:
                text = f"{self._setting}_CERTIFICATE and {self._setting}_KEY do not fit together: {error}"
                raise ConfigurationError(text) from error
        return context

    def problem(self) -> str:
        """What a TLS handshake says about a call that failed, and what to do; empty if it says nothing. Blocks for some
        seconds at most."""
        parts = urlsplit(f"//{self.target}")
        if self.target.startswith("unix:") or parts.hostname is None:
            return ""
        context = self.context() if self.has_tls else ssl._create_unverified_context()  # noqa: S323, SLF001 - it only asks
        context.set_alpn_protocols(["h2"])
        try:
            with (
                socket.create_connection((parts.hostname, parts.port or 443), timeout=_PATIENCE_SECONDS) as plain,
                context.wrap_socket(plain, server_hostname=self.name or parts.hostname) as secure,
            ):
                if not self.has_tls:
                    return "it speaks TLS: write https:// before the address"
                secure.recv(1)  # with TLS 1.3, a client is refused after the handshake
        except ssl.SSLCertVerificationError as error:
            if error.verify_code in _WRONG_NAME:
                return f"{error.verify_message} Use an address with a name in the certificate, or --gateway-name"
            return f"its certificate is not trusted: {error.verify_message}. Name the CA that signs it: --gateway-ca"
        except ssl.SSLError as error:
            if not self.has_tls:
                return ""
            if "_ALERT_" in (error.reason or ""):
                return f"it refuses this client: {error.reason}. Show a certificate: --client-certificate, --client-key"
            return f"it does not speak TLS: {error.reason}. Without TLS, write http:// before the address"
        except OSError:
            pass
        return ""


def token_metadata(settings: Settings) -> list[tuple[str, str]]:
    """The header with the token of the settings. Raises ConfigurationError."""
    token = settings.token.get_secret_value() if settings.token else ""
    if not token and settings.token_file is not None:
        token = _read("REGISTRY_TOKEN_FILE", settings.token_file).decode(errors="replace").strip()
    return [("authorization", f"Bearer {token}")] if token else []


def _read(variable: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{variable}: {path}: {error.strerror}") from error


def _trusted(files: list[Path]) -> bytes:
    return b"".join(_read("REGISTRY_WORKER_TLS_…", path) for path in (files[0], *files[2:]))


def _name_in(certificate: Path) -> str:
    try:
        leaf = x509.load_pem_x509_certificate(certificate.read_bytes())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ConfigurationError(f"REGISTRY_WORKER_TLS_CERTIFICATE: {error}") from error
    return next(iter(names.get_values_for_type(x509.DNSName)), "")


def _files(settings: Settings) -> list[Path]:
    files = (settings.worker_tls_certificate, settings.worker_tls_key, settings.worker_tls_ca)
    return [path for path in files if path is not None]


def _stamp(files: list[Path]) -> _Stamp:
    stats = [path.stat() for path in files]
    return tuple((stat.st_ino, stat.st_mtime_ns) for stat in stats)


def _configuration(files: list[Path]) -> grpc.ServerCertificateConfiguration:
    certificate, key, *ca = [path.read_bytes() for path in files]
    return grpc.ssl_server_certificate_configuration([(key, certificate)], *ca)
