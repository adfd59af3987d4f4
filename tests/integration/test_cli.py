"""The commands of an operator: their effects, output and exit status."""

from __future__ import annotations

import base64
import contextlib
import importlib.metadata
import json
import re
import signal
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from tests.integration.commands import Outcome, command, free_ports, running, until_serving

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres import migrate
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.stored_keys import place_of_key
from registry_grpc.domain.access import Role, hash_of
from registry_grpc.pages import UiConfig, with_pages
from registry_grpc.shipped import GATEWAY

pytestmark = pytest.mark.slow

MIGRATIONS = migrate.load_migrations()
NEWEST = MIGRATIONS[-1]
PASSWORD = "the-passw0rd"
WRITTEN = with_pages((GATEWAY / "envoy.yaml").read_text(), UiConfig()).encode()
OLD, NEW = (base64.b64encode(name.encode() * 16).decode() for name in ("k1", "k2"))
GO_SCHEMA = Path(__file__).parent / "go_service_schema"


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(fresh_database_url)
    yield connection
    await connection.close()


async def add_version(connection: asyncpg.Connection[Any], access_key: str, secret_key: str) -> uuid.UUID:
    model, version = uuid.uuid4(), uuid.uuid4()
    await connection.execute(
        "INSERT INTO registered_model (id, project_id, name, slug) VALUES ($1, $1, 'm', 'm')", model
    )
    await connection.execute(
        "INSERT INTO model_version (id, registered_model_id, name, uri, access_key, secret_key)"
        " VALUES ($1, $2, 'v', 's3://m/v', $3, $4)",
        version,
        model,
        access_key,
        secret_key,
    )
    return version


async def test_migrations_up_and_down(empty_database_url: str) -> None:
    done = await command("migrate", "up", database_url=empty_database_url)
    assert done.status == 0, done.err
    assert done.out.splitlines() == [f"applied {migration.version} {migration.name}" for migration in MIGRATIONS]
    again = await command("migrate", "up", database_url=empty_database_url)
    assert (again.status, again.out) == (0, "nothing to do\n")

    refused = await command("migrate", "down", database_url=empty_database_url)
    assert refused.status == 1
    assert "--yes" in refused.err
    undone = await command("migrate", "down", "--yes", "--steps", "2", database_url=empty_database_url)
    assert undone.out.splitlines() == [f"reverted {m.version} {m.name}" for m in reversed(MIGRATIONS[-2:])]
    status = await command("migrate", "status", database_url=empty_database_url)
    assert status.out.splitlines() == [
        *(f"applied  {m.version} {m.name}" for m in MIGRATIONS[:-2]),
        *(f"pending  {m.version} {m.name}" for m in MIGRATIONS[-2:]),
    ]


@pytest.mark.parametrize("steps", ["0", "-1", "all"])
async def test_steps_that_would_take_back_something_else(steps: str, fresh_database_url: str) -> None:
    refused = await command("migrate", "down", "--yes", f"--steps={steps}", database_url=fresh_database_url)
    assert refused.status == 2
    assert "--steps" in refused.err


async def test_the_status_does_not_wait_for_a_migration_that_runs(fresh_database_url: str) -> None:
    async with migrate.migration_connection(fresh_database_url):
        assert f"applied  {NEWEST.version}" in (await command("migrate", "status", database_url=fresh_database_url)).out


async def test_a_dirty_schema_shows_in_the_status_and_stops_up(
    database: asyncpg.Connection[Any], fresh_database_url: str
) -> None:
    await migrate.set_version(database, migrate.LOWEST_VERSION, dirty=True)
    assert (
        f"dirty at {migrate.LOWEST_VERSION}"
        in (await command("migrate", "status", database_url=fresh_database_url)).out
    )
    stopped = await command("migrate", "up", database_url=fresh_database_url)
    assert stopped.status == 1
    assert stopped.err.startswith(f"the database is marked dirty at version {migrate.LOWEST_VERSION}")


async def test_a_database_of_the_go_service_is_adopted(empty_database_url: str) -> None:
    connection = await asyncpg.connect(empty_database_url)
    await connection.execute((GO_SCHEMA / "000001_registry.up.sql").read_text())
    await connection.close()
    adopted = await command("migrate", "adopt", database_url=empty_database_url)
    assert adopted.status == 0, adopted.err
    assert f"applied {NEWEST.version} {NEWEST.name}" in adopted.out
    again = await command("migrate", "adopt", database_url=empty_database_url)
    assert again.out == "the database has already been adopted\nnothing to do\n"


async def test_keys_are_rotated(database: asyncpg.Connection[Any], fresh_database_url: str) -> None:
    version = await add_version(database, "plain text", "")
    first = await command("migrate", "encrypt-secrets", database_url=fresh_database_url, encryption_keys=f"k1:{OLD}")
    assert first.out == "encrypted the secrets of 1 versions with the current key\n", first.err
    both = f"k2:{NEW},k1:{OLD}"
    for count in (1, 0):
        rotated = await command("migrate", "encrypt-secrets", database_url=fresh_database_url, encryption_keys=both)
        assert rotated.out == f"encrypted the secrets of {count} versions with the current key\n"
    stored = await database.fetchval("SELECT access_key FROM model_version WHERE id = $1", version)
    assert (
        AesGcmCipher({"k2": b"k2" * 16}).decrypt(stored, place_of_key(version, "access_key", "s3://m/v"))
        == "plain text"
    )
    readable = await add_version(database, "more", "text")
    await database.execute(
        "UPDATE model_version SET secret_key = $2 WHERE id = $1",
        version,
        "enc:v1:k3:" + base64.b64encode(bytes(28)).decode(),
    )
    lost = await command("migrate", "encrypt-secrets", database_url=fresh_database_url, encryption_keys=f"k3:{NEW}")
    assert (lost.status, lost.out) == (1, "encrypted the secrets of 1 versions with the current key\n")
    place = f"the secret stored at model_version/{version}/secret_key for s3://m with the key 'k3'"
    assert lost.err.splitlines() == [
        f"model_version {version} access_key: a stored secret needs the encryption key 'k2', which is not configured",
        f"model_version {version} secret_key: {place} was changed by another program, or moved there",
        "secrets that cannot be read, and stay as they are: 2",
    ]
    assert (await database.fetchval("SELECT access_key FROM model_version WHERE id = $1", version)) == stored
    assert (await database.fetchval("SELECT secret_key FROM model_version WHERE id = $1", readable)).startswith(
        "enc:v2:k3:"
    )


async def test_secrets_come_back_for_the_go_service(database: asyncpg.Connection[Any], fresh_database_url: str) -> None:
    """Even if the ciphertext is longer than the Go service's column, or its key was rotated."""
    longest, keys = "ключ" * 125, f"k2:{NEW},k1:{OLD}"
    version, plain = await add_version(database, longest, "secret"), await add_version(database, "", "plain text")
    for encryption_keys in (f"k1:{OLD}", keys):
        await command("migrate", "encrypt-secrets", database_url=fresh_database_url, encryption_keys=encryption_keys)
    first = await database.fetchval("SELECT access_key FROM model_version WHERE id = $1", version)
    rest = await database.fetchval("SELECT access_key_rest FROM model_version WHERE id = $1", version)
    assert first.startswith("enc:v2:k2:")
    assert rest
    assert (
        AesGcmCipher({"k2": b"k2" * 16}).decrypt(first + rest, place_of_key(version, "access_key", "s3://m/v"))
        == longest
    )

    decrypt = ("migrate", "decrypt-secrets")
    hesitating = await command(*decrypt, database_url=fresh_database_url, encryption_keys=keys)
    assert (hesitating.status, "add --yes" in hesitating.err) == (1, True)
    lost = await command(*decrypt, "--yes", database_url=fresh_database_url, encryption_keys=f"k3:{NEW}")
    assert (lost.status, "encryption key 'k2'" in lost.err) == (1, True)
    for count in (2, 0):
        done = await command(*decrypt, "--yes", database_url=fresh_database_url, encryption_keys=keys)
        assert done.out == f"decrypted the secrets of {count} versions\n", done.err
    rows = await database.fetch("SELECT id, access_key, secret_key, access_key_rest FROM model_version")
    assert {tuple(row) for row in rows} == {(version, longest, "secret", ""), (plain, "", "plain text", "")}


async def test_encrypted_secrets_are_not_left_to_the_go_service(
    database: asyncpg.Connection[Any], fresh_database_url: str
) -> None:
    await add_version(database, "plain text", "")
    await command("migrate", "encrypt-secrets", database_url=fresh_database_url)
    down = ("migrate", "down", "--yes", f"--steps={len(MIGRATIONS) - 3}")
    refused = await command(*down, database_url=fresh_database_url)
    assert refused.status == 1
    assert "version_columns: encrypted secrets are stored" in refused.err
    await command("migrate", "decrypt-secrets", "--yes", database_url=fresh_database_url)
    assert (await command(*down, database_url=fresh_database_url)).status == 0


async def test_secrets_need_a_schema_with_room_for_them(empty_database_url: str) -> None:
    refused = await command("migrate", "encrypt-secrets", database_url=empty_database_url, encryption_keys=f"k1:{OLD}")
    assert refused.status == 1
    assert refused.err == "migrations are pending: run `registry-grpc migrate up` first\n"


@pytest.mark.parametrize("action", ["up", "status"])
async def test_a_database_that_does_not_answer(action: str) -> None:
    url = f"postgresql://registry:{PASSWORD}@127.0.0.1:{free_ports(1)}/registry"
    failed = await command("migrate", action, database_url=url)
    assert failed.status == 1
    assert failed.err.startswith("the database does not answer: ")
    assert PASSWORD not in failed.err + failed.out


@pytest.mark.parametrize(
    "arguments", [("serve",), ("worker", "--listen", "127.0.0.1:0"), ("controller",), ("migrate", "up")]
)
async def test_without_a_database(arguments: tuple[str, ...]) -> None:
    failed = await command(*arguments)
    assert (failed.status, failed.out, failed.failure) == (1, "", "REGISTRY_DATABASE_URL is not set\n")


async def test_settings_that_are_wrong_are_all_named_without_their_values() -> None:
    failed = await command(
        "config",
        workers="none",
        production="true",
        kubernetes_requests_per_second="0",
        database_url=f"postgresql://registry:{PASSWORD}/x@host/db",
    )
    assert failed.status == 1
    assert failed.out == ""
    named = re.findall(r"^(REGISTRY_\w+): ", failed.err, flags=re.MULTILINE)
    assert sorted(named) == [
        "REGISTRY_AUTH",
        "REGISTRY_DATABASE_URL",
        "REGISTRY_ENCRYPTION_KEYS",
        "REGISTRY_KUBERNETES_REQUESTS_PER_SECOND",
        "REGISTRY_TENANCY",
        "REGISTRY_WORKERS",
    ]
    assert len(named) == len(failed.err.splitlines())
    assert PASSWORD not in failed.err


@pytest.mark.parametrize("arguments", [("serve",), ("migrate", "encrypt-secrets"), ("healthcheck",)])
async def test_production_without_keys_is_refused(arguments: tuple[str, ...]) -> None:
    url = "postgresql://127.0.0.1:1/registry"
    failed = await command(*arguments, production="true", auth="required", tenancy="enforced", database_url=url)
    assert failed.status == 1
    assert failed.failure.startswith("REGISTRY_ENCRYPTION_KEYS: ")


async def test_the_version() -> None:
    done = await command("--version")
    assert (done.status, done.out) == (0, f"registry-grpc {importlib.metadata.version('registry-grpc')}\n")


async def test_an_adapted_configuration_of_the_gateway_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "gateway"
    for own in (None, b"# mine\n"):
        if own:
            (folder / "envoy.yaml").write_bytes(own)
            (folder / "registry.pb").unlink()
        done = await command("gateway", str(folder))
        assert (done.status, done.err) == (0, "")
        assert f"{folder}/envoy.yaml was changed and is kept" in done.out or not own
        assert (folder / "envoy.yaml").read_bytes() == (own or WRITTEN)
        assert (folder / "registry.pb").exists()
    assert (folder / "envoy.yaml.new").read_bytes() == WRITTEN


async def test_the_gateway_is_written_for_the_workers_of_the_settings(tmp_path: Path) -> None:
    assert (await command("gateway", str(tmp_path), workers="3", worker_port="6000")).status == 0
    written = (tmp_path / "envoy.yaml").read_text()
    assert re.findall(r"endpoint: .*port_value: (6\d+)", written) == ["6000", "6001", "6002"]
    assert "max_concurrency_limit: 192" in written


async def test_the_gateway_is_written_for_the_login_of_the_settings(tmp_path: Path) -> None:
    login = {"ui_issuer": "https://login.example/realms/a", "ui_client_id": "ui", "ui_scopes": "openid,groups"}
    assert (await command("gateway", str(tmp_path), "--tls", auth="required", **login)).status == 0
    known = json.loads((tmp_path / "web" / "config.json").read_text())
    oidc = {"issuer": "https://login.example/realms/a", "client_id": "ui", "scopes": ["openid", "groups"]}
    assert (known["auth"], known["oidc"], known["project"]) == ("required", oidc, None)
    written = (tmp_path / "envoy.yaml").read_text()
    assert "connect-src 'self' https://login.example;" in written
    assert re.search(r"^ +- .*strict-transport-security", written, re.MULTILINE)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"ui_issuer": "https://x", "ui_client_id": "ui"}, "REGISTRY_UI_ISSUER: has no effect with REGISTRY_AUTH=off"),
        (
            {"ui_issuer": "https://x", "auth": "required"},
            "set REGISTRY_UI_ISSUER and REGISTRY_UI_CLIENT_ID, or neither",
        ),
        ({"ui_client_id": "ui"}, "set REGISTRY_UI_ISSUER and REGISTRY_UI_CLIENT_ID, or neither"),
        ({"ui_issuer": "https://x; script-src *", "ui_client_id": "ui", "auth": "required"}, "write a URL such as"),
        ({"ui_issuer": "https://x;script-src", "ui_client_id": "ui", "auth": "required"}, "write a URL such as"),
    ],
)
async def test_a_wrong_login_is_refused(settings: dict[str, str], text: str, tmp_path: Path) -> None:
    failed = await command("gateway", str(tmp_path / "gateway"), **settings)
    assert failed.status == 1
    assert text in failed.err
    assert not (tmp_path / "gateway").exists()


async def test_a_gateway_for_production_has_tls(tmp_path: Path) -> None:
    folder, safe = tmp_path / "gateway", {"auth": "required", "tenancy": "enforced", "encryption_keys": f"k1:{OLD}"}
    refused = await command("gateway", str(folder), production="true", **safe)
    assert refused.status == 1
    assert "add --tls, or set REGISTRY_MESH=true" in refused.err
    assert not folder.exists()
    assert (await command("gateway", str(folder), production="true", mesh="true", **safe)).status == 0
    assert (folder / "envoy.yaml").read_bytes() == WRITTEN
    (folder / "envoy.yaml").unlink()
    assert (await command("gateway", str(folder), "--mtls", production="true", **safe)).status == 0
    written = (folder / "envoy.yaml").read_text()
    assert "require_client_certificate: true" in written
    assert "DownstreamTlsContext" in written
    assert "\n#worker-tls" in written
    assert "\n#tls" not in written
    assert "\n#mtls" not in written


async def test_healthcheck(fresh_database_url: str, tmp_path: Path) -> None:
    port = str(free_ports(1))
    failed = await command("healthcheck", worker_port=port, workers="1")
    assert (failed.status, failed.out) == (1, f"127.0.0.1:{port} does not serve: UNAVAILABLE\n")
    socket = f"unix:{tmp_path}/worker.sock"
    async with running(tmp_path / "log", "worker", "--listen", socket, database_url=fresh_database_url) as worker:
        await until_serving(socket, worker)
        served = await command("healthcheck", "--address", socket)
        assert (served.status, served.out) == (0, f"{socket} SERVING\n")


async def test_healthcheck_finds_the_worker_that_hangs(fresh_database_url: str, tmp_path: Path) -> None:
    port = free_ports(2)
    addresses = [f"127.0.0.1:{port + i}" for i in range(2)]
    async with contextlib.AsyncExitStack() as stack:
        for i, address in enumerate(addresses):
            arguments = ("worker", "--listen", address)
            log = tmp_path / f"log-{i}"
            worker = await stack.enter_async_context(running(log, *arguments, database_url=fresh_database_url))
            await until_serving(address, worker)
        well = await command("healthcheck", worker_port=str(port), workers="2")
        assert (well.status, well.out) == (0, "".join(f"{address} SERVING\n" for address in addresses))
        worker.process.send_signal(signal.SIGSTOP)
        ill = await command("healthcheck", worker_port=str(port), workers="2")
        worker.process.send_signal(signal.SIGCONT)
    assert (ill.status, ill.out) == (
        1,
        f"{addresses[0]} SERVING\n{addresses[1]} does not serve: DEADLINE_EXCEEDED\n",
    )


async def test_healthcheck_goes_through_no_proxy(
    fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{free_ports(1)}"
    async with running(tmp_path / "log", "worker", "--listen", address, database_url=fresh_database_url) as worker:
        await until_serving(address, worker)
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        assert (await command("healthcheck", "--address", address)).out == f"{address} SERVING\n"


async def test_orphans_of_all_projects_are_listed(fresh_database_url: str) -> None:
    assert await command("orphans", database_url=fresh_database_url) == Outcome(0, "", "")
    connection = await asyncpg.connect(fresh_database_url)
    await connection.execute(
        "INSERT INTO orphan (uid, namespace, name, deployment_id, seen_at)"
        " VALUES ('u2', 'gone', 'two', '', '2026-11-29T02:00Z'), ('u1', 'models', 'one', 'd1', '2026-11-29T01:00Z')"
    )
    await connection.close()
    assert (await command("orphans", database_url=fresh_database_url)).out == (
        "2026-11-29T01:00:00Z  models/one  uid u1  deployment d1\n"
        "2026-11-29T02:00:00Z  gone/two  uid u2  deployment unknown\n"
    )
    assert (await command("orphans", database_url="postgresql://nobody@127.0.0.1:1/none")).status == 1


async def test_the_status_of_doctor_shows_whether_something_is_missing(fresh_database_url: str) -> None:
    port = str(free_ports(1))
    well = await command("doctor", database_url=fresh_database_url, port=port)
    assert well.status == 0, well.out
    assert "ok       schema: " in well.out
    assert all(line[:9].strip() in {"ok", "warning", "skipped"} for line in well.out.splitlines())
    ill = await command("doctor", port=port)
    assert ill.status == 1
    assert "MISSING  database: REGISTRY_DATABASE_URL is not set" in ill.out


async def test_the_first_token_and_the_first_member_need_no_issuer(
    database: asyncpg.Connection[Any], fresh_database_url: str
) -> None:
    project = str(uuid.uuid4())
    create = ("api-token", "create", "--project", project, "--name", "ci", "--role")
    made = await command(*create, "editor", "--days", "7", database_url=fresh_database_url)
    assert (made.status, made.err) == (0, "")
    access = PostgresAccessRepository(owner := Database(fresh_database_url))
    token = await access.token_by_hash(hash_of(made.out.strip()))
    await owner.close()
    assert token is not None
    assert (str(token.project_id), token.role, token.expires_at - token.created_at) == (
        project, Role.EDITOR, timedelta(days=7)
    )  # fmt: skip
    again = await command(*create, "admin", database_url=fresh_database_url)
    assert (again.status, again.out, "rgt_" in again.err) == (1, "", False)
    assert "has this name" in again.err
    for days in ("400", "1000000000"):
        long = await command(*create, "admin", "--days", days, database_url=fresh_database_url)
        assert (long.status, long.err) == (1, "lifetime must be more than 0 s and at most 366 days\n")

    member = ("members", "set", "--project", project, "--name", "team", "--kind", "group", "--role")
    for role in ("viewer", "admin"):
        done = await command(*member, role, database_url=fresh_database_url)
        assert done.out == f"group team is {role.upper()} in project {project}\n", done.err
    rows = await database.fetch("SELECT project_id::text, kind, name, role FROM member")
    assert [tuple(row) for row in rows] == [(project, "GROUP", "team", "ADMIN")]
    operator = await command(*member, "operator", database_url=fresh_database_url)
    assert (operator.status, "invalid choice: 'operator'" in operator.err) == (2, True)
    down = await command(*member, "viewer", database_url=f"postgresql://x:{PASSWORD}@127.0.0.1:1/none")
    assert (down.status, down.out, PASSWORD in down.err) == (1, "", False)
