"""The commands of docs/recovery.md, pasted."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from tests.certificates import Authority
from tests.integration.commands import Running, running
from tests.integration.documented import KUBECTL, Database, Installation, blocks, installation
from tests.issuer import TestIssuer
from tests.postgres import url_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(KUBECTL is None, reason="no kubectl here"),
]
PAGE = "recovery.md"
DOCTOR = "kubectl exec deploy/registry-grpc-controller --namespace model-registry -- registry-grpc doctor"


@pytest_asyncio.fixture(loop_scope="session")
async def installed(tmp_path: Path) -> AsyncIterator[tuple[Installation, Database]]:
    async with installation(tmp_path) as installed:
        yield installed


def move_to(installed: Installation, database: Database) -> None:
    """Set the variables for the new server."""
    installed.variables |= {"NEW_ADMIN": database.admin, "NEW_OWNER": database.owner, "NEW_URL": database.url}


async def test_a_lost_database_is_restored(installed: tuple[Installation, Database]) -> None:
    there, _ = installed
    kept = await there.deploys("kept", access_key="AKIA", secret_key="s3cr3t")
    [back_up] = blocks(PAGE, "Back up")
    await there.paste(back_up)
    await there.deploys("later")
    serving = there.objects()
    registry_id = await told_id(there.variables["OWNER"])
    there.remove_server("old")

    move_to(there, there.add_server("new"))
    list_orphans, look, delete = blocks(PAGE, "After a restore or a failover")
    restore, switch = blocks(PAGE, "Restore a lost database")
    assert registry_id in await there.paste(restore)
    doctor = await there.paste(switch)
    assert "MISSING" not in doctor
    await there.until_deployed(kept)
    async with asyncio.timeout(60):
        while not (orphans := await there.paste(list_orphans)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    assert " models/later " in orphans
    assert there.objects() == serving, "nothing was restarted or deleted"
    assert "s3://models/later" in await there.paste(look.replace("<namespace> <name>", "models later"))
    assert [model["name"] for model in (await there.call("GET", "/models"))["items"]] == ["kept"]
    # Sequences continue, and the keys can be read: a new revision is deployed.
    await there.deploys("new", access_key="AKIA", secret_key="s3cr3t")
    await there.call("PATCH", f"/inference_services/{kept}", {"desired_state": "UNDEPLOYED"})
    await there.until(kept, state="UNDEPLOYED")
    await there.paste(delete.replace("<namespace> <name>", "models later"))
    assert list(there.objects()) == ["new"]


async def told_id(url: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT id FROM registry_installation"))
    finally:
        await connection.close()


async def test_a_registry_that_moves_to_another_server_loses_nothing(
    installed: tuple[Installation, Database],
) -> None:
    there, _ = installed
    deployed = await there.deploys("iris", access_key="AKIA", secret_key="s3cr3t")
    serving = there.objects()
    acknowledged: list[str] = []
    refusals: set[tuple[int, str]] = set()
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            answer = await there.client.post("/models", json={"name": f"m{len(acknowledged)}"})
            if answer.status_code == 201:
                acknowledged.append(answer.json()["id"])
            else:
                refusals.add((answer.status_code, answer.text))
            assert (await there.client.get("/models")).status_code in {200, 503}
            await asyncio.sleep(0.01)

    move_to(there, there.add_server("new"))
    writing = asyncio.create_task(write())
    create = "\n".join(blocks(PAGE, "Restore a lost database")[0].splitlines()[:2])
    await there.paste(create)
    [move] = blocks(PAGE, "Move to another database server")
    await there.paste(move)
    before = len(acknowledged)
    assert "MISSING" not in await there.paste(blocks(PAGE, "Restore a lost database")[1])
    await asyncio.sleep(0.5)
    stop.set()
    await writing
    assert 0 < before < len(acknowledged)
    assert {status for status, _ in refusals} == {503}
    for id_ in acknowledged:
        await there.call("GET", f"/models/{id_}")
    await there.until_deployed(deployed)
    assert there.objects() == serving


async def test_deployments_move_to_another_cluster(installed: tuple[Installation, Database]) -> None:
    there, _ = installed
    ids = [await there.deploys(name, access_key="AKIA", secret_key="s3cr3t") for name in ("iris", "rose")]
    serving = there.objects()
    new = await there.add_cluster("new-kubeconfig")
    stop, phases, delete = blocks(PAGE, "Move to another Kubernetes cluster")
    await there.paste('kubectl config rename-context "$(kubectl config current-context)" old')
    await there.paste(stop)
    there.follow("new-kubeconfig")
    await there.start()
    async with asyncio.timeout(60):
        while "DEPLOYED |        |     2" not in (told := await there.paste(phases)) or not there.objects(new):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    await there.until_deployed(*ids)
    assert there.objects(new).keys() == serving.keys(), told
    assert there.objects() == serving, "the old objects serve"
    await there.paste(delete)
    assert there.objects() == {}
    await asyncio.sleep(0)
    assert there.objects(new).keys() == serving.keys()


async def test_a_copy_with_an_id_of_its_own_leaves_the_objects_of_the_original_alone(
    installed: tuple[Installation, Database], tmp_path: Path
) -> None:
    there, database = installed
    ids = [await there.deploys(name, access_key="AKIA", secret_key="s3cr3t") for name in ("iris", "rose")]
    serving, secrets = there.objects(), there.secrets()
    there.variables["COPY"] = url_of(database.owner, "copy")
    await there.paste("".join(blocks(PAGE, "Back up") + blocks(PAGE, "A copy beside the original")))
    settings = there.settings() | {"database_url": there.variables["COPY"]}
    async with running(tmp_path / "copy.log", "controller", **settings) as controller:
        connection = await asyncpg.connect(there.variables["COPY"])
        try:
            await until_reasons(connection, ["NAME_TAKEN", "NAME_TAKEN"], controller)
            gone = "UPDATE deployment SET want = 'ABSENT', generation = 2, next_at = now() WHERE id = $1"
            await connection.execute(gone, uuid.UUID(ids[0]))
            await connection.execute("SELECT pg_notify('deployment', '')")
            await until_reasons(connection, ["", "NAME_TAKEN"], controller)
        finally:
            await connection.close()
    await there.until_deployed(*ids)
    assert (there.objects(), there.secrets()) == (serving, secrets)


async def until_reasons(connection: Any, reasons: list[str], controller: Running) -> None:
    asked = "SELECT reason FROM deployment WHERE phase IN ('FAILED', 'UNDEPLOYED') ORDER BY reason"
    async with asyncio.timeout(60):
        while [row["reason"] for row in await connection.fetch(asked)] != reasons:
            assert controller.process.returncode is None, controller.output
            await asyncio.sleep(0.1)


async def test_an_older_pg_dump_refuses_and_that_of_the_wheel_does_not(
    installed: tuple[Installation, Database],
) -> None:
    there, _ = installed
    [newer] = blocks(PAGE, "The version of pg_dump")
    assert "(PostgreSQL) 18" in await there.paste(newer)
    older = shutil.which("pg_dump")
    if older is None or "(PostgreSQL) 18" in await there.paste(f"{older} --version"):
        pytest.skip("no older pg_dump here")
    told = await there.paste(f'{older} --format=custom --file=registry.dump "$OWNER"', fails=True)
    assert "aborting because of server version mismatch" in told


async def test_encryption_keys_are_rotated(installed: tuple[Installation, Database]) -> None:
    there, database = installed
    await there.deploys("iris", access_key="AKIA", secret_key="s3cr3t")
    assert await key_ids(database) == ["k1"]
    told = await there.paste(blocks("operations.md", "Encryption keys")[0])
    assert "encrypted" in told
    assert await key_ids(database) == ["k2"]
    assert there.secret()["REGISTRY_ENCRYPTION_KEYS"].startswith("k2:")
    assert "MISSING" not in await there.paste(DOCTOR)
    await there.deploys("rose", access_key="AKIA", secret_key="s3cr3t")
    assert await key_ids(database) == ["k2"]


async def test_a_lost_encryption_key(installed: tuple[Installation, Database]) -> None:
    there, _ = installed
    id_ = await there.deploys("iris", access_key="AKIA", secret_key="s3cr3t")
    serving = there.objects()
    set_keys = blocks("operations.md", "Encryption keys")[0].partition("NEW=")[0]
    await there.paste(set_keys + 'set_keys "k2:$(head -c 32 /dev/urandom | base64)"')
    find, read_back, set_again = blocks(PAGE, "A lost encryption key")
    service = await there.call("GET", f"/inference_services/{id_}")
    version = service["model_version_id"]
    assert version in await there.paste(find, fails=True)
    assert there.objects() == serving, "it goes on serving"
    there.variables |= {"ID": id_, "VERSION": version, "REGISTRY": there.gateway}
    there.variables["PROJECT"] = there.project["Project-ID"]
    keys = await there.paste(read_back)
    assert "AKIA" in keys
    assert "s3cr3t" in keys
    await there.paste(set_again)
    await there.paste(find)
    assert there.objects() == serving


async def test_what_expires_and_what_takes_the_room(installed: tuple[Installation, Database], tmp_path: Path) -> None:
    there, _ = installed
    authority = Authority()
    authority.mount(tmp_path / "tls")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "tls" / "tls.crt", tmp_path / "tls" / "tls.key")
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=context)
    issuer = TestIssuer()
    async with server, issuer.running():
        there.variables["GATEWAY"] = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        there.variables |= {"DATABASE": there.variables["ADMIN"].split("@")[1].split("/")[0], "ISSUER": issuer.url}
        told = await there.paste(blocks(PAGE, "Certificates and issuers")[0])
    assert "notAfter=" in told
    assert f"{there.variables['GATEWAY']}: the certificate ends within 14 days" in told, "it is valid for a day"
    assert f"{there.variables['DATABASE']}: no TLS, or its certificate" in told
    assert "jwks_uri" in told
    assert "registered_model" in await there.paste(blocks(PAGE, "A full disk")[0])


async def key_ids(database: Database) -> list[str]:
    connection = await asyncpg.connect(database.owner)
    try:
        asked = "SELECT DISTINCT split_part(access_key, ':', 3) AS id FROM model_version ORDER BY 1"
        return [row["id"] for row in await connection.fetch(asked)]
    finally:
        await connection.close()
