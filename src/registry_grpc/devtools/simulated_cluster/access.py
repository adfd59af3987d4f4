"""Authenticates clients by the token of their user. TLS is needed, because client-go sends no token without it."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import ipaddress
import ssl
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID = dt.timedelta(days=3650)


class Access:
    """The certificate and key of a cluster in one file, which is made if it does not exist.

    All tokens are derived from the file, so a kubeconfig stays valid when the cluster is started again.
    """

    def __init__(self, path: Path) -> None:
        if not path.exists():
            _make(path)
        pem = path.read_text(encoding="ascii")
        self._secret, self._certificate = pem.encode(), pem[pem.index("-----BEGIN CERTIFICATE") :]
        self.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.tls.load_cert_chain(path)
        self._users: dict[str, str] = {}

    def token(self, user: str) -> str:
        """The bearer token of this user."""
        token = hmac.new(self._secret, user.encode(), hashlib.sha256).hexdigest()
        self._users[token] = user
        return token

    def user_of(self, token: str) -> str | None:
        return self._users.get(token)

    def write_kubeconfig(self, path: Path, url: str, user: str) -> Path:
        return write_kubeconfig(path, url, self.token(user), certificate_authority=self._certificate)


def write_kubeconfig(path: Path, url: str, token: str, *, certificate_authority: str = "") -> Path:
    """Writes a kubeconfig with one cluster and one user, which only its owner can read. Returns the path."""
    cluster: dict[str, Any] = {"server": url}
    if certificate_authority:
        cluster["certificate-authority-data"] = base64.b64encode(certificate_authority.encode()).decode()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "cluster", "cluster": cluster}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "context", "context": {"cluster": "cluster", "user": "user"}}],
        "current-context": "context",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _make(path: Path) -> None:
    """Makes a key and a self-signed certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated-cluster")])
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    new.replace(path)
