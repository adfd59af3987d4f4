"""Addresses, and TLS with certificates of one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from tests.certificates import Authority
from tests.client.fake_registry import PROJECT, FakeRegistry

from modelregistry.v1 import registered_model_pb2 as pb
from registry_client import Client
from registry_client.config import Context
from registry_client.connection import Connection
from registry_client.errors import ConfigError, Unavailable


@pytest.mark.parametrize(
    ("url", "target", "has_tls"),
    [
        ("http://127.0.0.1:8080", "127.0.0.1:8080", False),
        ("http://127.0.0.1:8080/", "127.0.0.1:8080", False),
        ("https://registry.example.com", "registry.example.com:443", True),
        ("HTTPS://registry.example.com:8443", "registry.example.com:8443", True),
        ("http://registry", "registry:80", False),
        ("registry:8080", "registry:8080", False),
        ("http://[::1]:8080", "[::1]:8080", False),
        ("unix:/run/registry.sock", "unix:/run/registry.sock", False),
    ],
)
def test_urls(url: str, target: str, has_tls: bool) -> None:
    connection = Connection(Context(url=url), timeout=1)
    assert (connection.target, connection.has_tls) == (target, has_tls)


def test_an_address_has_tls_if_there_is_something_that_only_tls_needs() -> None:
    assert Connection(Context(url="registry:8080", ca="ca.crt"), timeout=1).has_tls
    assert not Connection(Context(url="http://registry:8080", ca="ca.crt"), timeout=1).has_tls


@pytest.mark.parametrize(
    ("context", "complaint"),
    [
        (Context(url="ftp://registry"), "must be like http://127.0.0.1:8080"),
        (Context(url="http://"), "must be like http://127.0.0.1:8080"),
        (Context(url="http://registry/api/v1"), "neither a path nor a user"),
        (Context(url="http://ann:pw@registry"), "neither a path nor a user"),
        (Context(url="http://registry:99999"), "a number from 0 to 65535"),
        (Context(url="registry"), "needs a port, such as registry:8080"),
        (Context(url="http://registry", project="iris"), "must be a UUID.*'iris'"),
    ],
)
def test_mistakes_are_explained(context: Context, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Connection(context, timeout=1)


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def folder(authority: Authority, tmp_path: Path) -> Path:
    """With the certificate of the registry, which is the client's as well, and that of the authority."""
    authority.mount(tmp_path / "tls")
    return tmp_path / "tls"


@pytest.fixture
def registry(authority: Authority, folder: Path) -> FakeRegistry:
    """It wants a certificate of the client."""
    fake = FakeRegistry()
    fake.answer("FindRegisteredModel", pb.FindRegisteredModelResponse(registered_model={"name": "iris"}))
    pair = (folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes()
    fake.start(grpc.ssl_server_credentials([pair], authority.certificate, require_client_auth=True))
    return fake


def test_a_client_with_certificates(registry: FakeRegistry, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_GATEWAY_CA", str(folder / "ca.crt"))
    url = f"https://localhost:{registry.port}"
    with Client(url, project=PROJECT, certificate=f"{folder}/tls.crt", key=f"{folder}/tls.key") as client:
        assert client.models.get("iris").name == "iris"
    registry.stop()


def complaint(**options: Any) -> str:
    with Client(project=PROJECT, **options) as client, pytest.raises(Unavailable) as raised:
        client.models.get("iris")
    return f"{raised.value.message} {raised.value.hint}"


@pytest.mark.slow
def test_what_is_wrong_with_tls_is_explained(registry: FakeRegistry, folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.crt"
    other.write_bytes(Authority().certificate)
    url, ca = f"https://localhost:{registry.port}", f"{folder}/ca.crt"
    assert re.search(r"is not trusted: .* Client\(ca=…\)", complaint(url=url, ca=str(other)))
    assert re.search(r"is not trusted: .* Client\(ca=…\)", complaint(url=url))
    assert re.search(r"for another name: .* Client\(server_name=…\)", complaint(url=url, ca=ca, server_name="other"))
    assert re.search(r"refuses this client. .* Client\(certificate=…, key=…\)", complaint(url=url, ca=ca))
    assert re.search(r"speaks TLS. Write https://", complaint(url=url.replace("https", "http")))
    registry.stop()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [({"ca": "missing"}, "ca: missing cannot be read: No such file"), ({"key": "tls.key"}, "needs its key")],
)
def test_wrong_files_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, Any], complaint: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=complaint), Client("https://localhost:1", **files) as client:
        client.models.get("iris")
