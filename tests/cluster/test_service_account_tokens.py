"""Tokens of Kubernetes service accounts: the real API server is an issuer, as docs/access.md tells."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self

import jwt
import pytest
import pytest_asyncio
import yaml
from tests.cluster.client import ClusterClient
from tests.cluster.targets import TestCluster

from registry_grpc.bootstrap import issuers_of
from registry_grpc.domain.errors import Unauthenticated
from registry_grpc.ports.access import Issuers
from registry_grpc.settings import AuthKind, IssuerSettings, Settings

pytestmark = pytest.mark.cluster


class Later(datetime):
    """An hour later. The API server gives no token for less than ten minutes."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return super().now(tz) + timedelta(hours=1)


class Accounts:
    """The service accounts of a new namespace."""

    def __init__(self, client: ClusterClient, namespace: str) -> None:
        self.client, self.path, self.namespace = client, f"/api/v1/namespaces/{namespace}/serviceaccounts", namespace

    async def token(self, name: str, *audiences: str) -> str:
        """What a pod gets by a projected volume. Without audiences it is for the API server."""
        spec = {"audiences": list(audiences), "expirationSeconds": 600}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = await self.client.call("POST", f"{self.path}/{name}/token", body)
        token: str = answer["status"]["token"]
        return token


@pytest_asyncio.fixture(loop_scope="session")
async def accounts(real_test_cluster: TestCluster) -> AsyncIterator[Accounts]:
    namespace = await real_test_cluster.create_namespace()
    async with ClusterClient.from_kubeconfig(real_test_cluster.admin) as client:
        accounts = Accounts(client, namespace)
        for name in ("registry", "trainer"):
            await client.call("POST", accounts.path, {"metadata": {"name": name}})
        yield accounts
    await real_test_cluster.delete_namespace(namespace)


@pytest_asyncio.fixture(loop_scope="session")
async def issuers(accounts: Accounts, real_test_cluster: TestCluster, tmp_path: Path) -> Issuers:
    """The API server, read with the token of the registry's own account, as its pod has it."""
    own = await accounts.token("registry")
    (tmp_path / "token").write_text(f"{own}\n")
    (cluster,) = yaml.safe_load(real_test_cluster.admin.read_text())["clusters"]
    (tmp_path / "ca.crt").write_bytes(base64.b64decode(cluster["cluster"]["certificate-authority-data"]))
    issuer: dict[str, Any] = {
        "issuer": jwt.decode(own, options={"verify_signature": False})["iss"],
        "audiences": ["registry"],
        "algorithms": ["RS256"],
        "prefix": "k8s:",
        "ca_file": tmp_path / "ca.crt",
        "token_file": tmp_path / "token",
    }
    return issuers_of(Settings(auth=AuthKind.REQUIRED, issuers=(IssuerSettings(**issuer),)))


async def refused(issuers: Issuers, token: str) -> str:
    with pytest.raises(Unauthenticated) as error:
        await issuers.caller_of(token)
    return str(error.value)


async def test_a_token_for_the_registry_is_accepted(accounts: Accounts, issuers: Issuers) -> None:
    caller = await issuers.caller_of(await accounts.token("trainer", "registry"))
    assert caller.name == f"k8s:system:serviceaccount:{accounts.namespace}:trainer"
    assert (caller.groups, caller.role) == (frozenset(), None)


async def test_a_token_for_the_api_server_or_for_others_is_not(accounts: Accounts, issuers: Issuers) -> None:
    """A pod cannot be lured into sending its own token of the API server, nor can another service pass one on."""
    for token in (await accounts.token("trainer"), await accounts.token("trainer", "vault")):
        assert "another audience" in await refused(issuers, token)


async def test_an_expired_token_is_not(accounts: Accounts, issuers: Issuers, monkeypatch: pytest.MonkeyPatch) -> None:
    token = await accounts.token("trainer", "registry")
    monkeypatch.setattr("jwt.api_jwt.datetime", Later)
    assert "expired" in await refused(issuers, token)


async def test_a_token_that_was_changed_is_not(accounts: Accounts, issuers: Issuers) -> None:
    mine, other = await accounts.token("trainer", "registry"), await accounts.token("registry", "registry")
    header, _, signature = mine.split(".")
    assert "not valid" in await refused(issuers, f"{header}.{other.split('.')[1]}.{signature}")
