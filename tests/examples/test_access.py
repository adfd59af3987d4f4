"""The clients of examples/ with a registry that asks for tokens, behind TLS with an authority of its own."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.certificates import Authority
from tests.e2e.stack import Stack
from tests.examples.builds import EXAMPLES, GO, JAVA, TYPESCRIPT, Example
from tests.examples.conftest import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # the first run fetches packages and compiles

_PASSWORD = "changeit"


@dataclass(frozen=True)
class Guarded:
    target: str
    project: str
    token: str
    authority: Path

    def trusted_by(self, example: Example, folder: Path) -> dict[str, str]:
        """The variables that make the runtime of a language trust the authority, as those of the system."""
        if example is not JAVA:
            return {"SSL_CERT_FILE": str(self.authority), "NODE_EXTRA_CA_CERTS": str(self.authority)}
        store = folder / "authorities.p12"
        command = ["keytool", "-importcert", "-noprompt", "-file", str(self.authority), "-keystore", str(store)]
        subprocess.run([*command, "-storepass", _PASSWORD], check=True, capture_output=True)
        options = {"javax.net.ssl.trustStore": store, "javax.net.ssl.trustStorePassword": _PASSWORD}
        return {"JDK_JAVA_OPTIONS": " ".join(f"-D{name}={value}" for name, value in options.items())}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("certificates")
    authority = Authority()
    certificate, key = authority.issue("localhost")
    for name, content in {"ca.crt": authority.certificate, "tls.crt": certificate, "tls.key": key}.items():
        (folder / name).write_bytes(content)
    service = Stack(REGISTRY_CLUSTER="simulated", REGISTRY_AUTH="demo", REGISTRY_GATEWAY_TLS=str(folder))
    try:
        address = service.start().base_url.removeprefix("https://")
        printed = service.log.read_text()
        project, token = (
            re.findall(rf"^{name} (\S+)$", printed, re.MULTILINE)[0] for name in ("project", "token admin")
        )
        yield Guarded(address, project, token, folder / "ca.crt")
    finally:
        service.stop()
        service.remove()


@pytest.fixture(
    params=[
        pytest.param(example, id=example.name, marks=pytest.mark.xdist_group(f"example-{example.name}"))
        for example in EXAMPLES
        if example in (GO, TYPESCRIPT, JAVA)
    ]
)
def client_with_tls(request: pytest.FixtureRequest, guarded: Guarded) -> Client:
    return Client(request.param, request.param.built(), guarded.target)


def test_a_token_is_sent_by_tls(client_with_tls: Client, guarded: Guarded, tmp_path: Path) -> None:
    trusted = guarded.trusted_by(client_with_tls.example, tmp_path)
    done = client_with_tls.run("--tls", project=guarded.project, token=guarded.token, environment=trusted)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "undeployed"
    refused = client_with_tls.run("--tls", project=guarded.project, environment=trusted)
    assert refused.returncode == 1
    assert "unauthenticated" in refused.stderr.lower()


def test_a_gateway_that_nobody_vouches_for_gets_no_token(client_with_tls: Client, guarded: Guarded) -> None:
    done = client_with_tls.run("--tls", project=guarded.project, token=guarded.token)
    assert (done.returncode, done.stdout) == (1, "")
    assert "certificat" in done.stderr.lower()
