"""What `registry-grpc doctor` reports if something is missing."""

from __future__ import annotations

import base64
import socket
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import SecretStr
from tests.cluster.failures import webhook_denied, webhook_down
from tests.cluster.faulty import Fault, FaultyCluster
from tests.integration.commands import with_a_later_migration

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres import migrate, stored_keys
from registry_grpc.adapters.postgres.deployment_queue import LEADER_LOCK
from registry_grpc.adapters.postgres.stored_keys import place_of_key
from registry_grpc.adapters.postgres.webhooks import place_of_secret
from registry_grpc.devtools.simulated_cluster.access import write_kubeconfig
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    INFERENCE_SERVICES,
    NAMESPACES,
)
from registry_grpc.doctor import examine
from registry_grpc.settings import ClusterKind, Settings

pytestmark = pytest.mark.slow

OLD, NEW = (AesGcmCipher({name: name.encode() * 16}) for name in ("k1", "k2"))
KEYS = ",".join(f"{name}:{base64.b64encode(name.encode() * 16).decode()}" for name in ("k2", "k1"))
PASSWORD = "the-passw0rd"
MIGRATIONS = migrate.load_migrations()
NEWEST = MIGRATIONS[-1].version


class Doctor:
    """Runs the doctor and keeps its output."""

    def __init__(self, capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
        self._capsys = capsys
        self._settings = settings
        self.text = ""

    async def finds_all_well(self, **changes: object) -> bool:
        self._capsys.readouterr()
        is_well = await examine(self._settings.model_copy(update=changes))
        self.text = self._capsys.readouterr().out
        return is_well

    def line(self, about: str) -> str:
        """The only line about this part."""
        (line,) = (line for line in self.text.splitlines() if line[9:].startswith(f"{about}: "))
        return line


@pytest_asyncio.fixture(loop_scope="session")
async def cluster() -> AsyncIterator[FaultyCluster]:
    async with FaultyCluster(with_kserve=False) as cluster:
        cluster.create_namespace("models")
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(fresh_database_url)
    yield connection
    await connection.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port on which nothing listens, and which no other process can take."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def settings(cluster: FaultyCluster, fresh_database_url: str, silent_port: int, tmp_path: Path) -> Settings:
    return Settings(
        database_url=SecretStr(fresh_database_url),
        cluster=ClusterKind.KUBECONFIG,
        kubeconfig=cluster.kubeconfig(tmp_path / "kubeconfig", user="registry"),
        kubernetes_requests_per_second=1000,
        encryption_keys=SecretStr(KEYS),
        port=silent_port,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def doctor(capsys: pytest.CaptureFixture[str], settings: Settings, database: asyncpg.Connection[Any]) -> Doctor:
    """A doctor that finds no problem: an environment deploys to `models`, and there is no gateway."""
    await add_environment(database, "production", "models")
    return Doctor(capsys, settings)


async def add_environment(connection: asyncpg.Connection[Any], name: str, namespace: str) -> None:
    statement = "INSERT INTO serving_environment (id, project_id, name, external_id) VALUES ($1, $2, $3, $4)"
    await connection.execute(statement, uuid.uuid4(), uuid.uuid4(), name, namespace)


async def add_deployment(connection: asyncpg.Connection[Any], namespace: str, reason: str) -> None:
    statement = (
        "INSERT INTO deployment (id, project_id, serving_environment_id, registered_model_id, namespace, name, want,"
        " spec, reason, observed_at) VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),"
        " gen_random_uuid(), $1, 'iris', 'PRESENT', '{}', $2, '2026-11-29 09:30+00')"
    )
    await connection.execute(statement, namespace, reason)


async def add_version(
    connection: asyncpg.Connection[Any], access_key: str, secret_key: str, id: uuid.UUID | None = None
) -> None:
    project, model = uuid.uuid4(), uuid.uuid4()
    await connection.execute(
        "INSERT INTO registered_model (id, project_id, name, slug) VALUES ($1, $2, 'm', 'm')", model, project
    )
    await connection.execute(
        "INSERT INTO model_version (id, registered_model_id, name, uri, access_key, secret_key)"
        " VALUES ($1, $2, 'v', 's3://m/v', $3, $4)",
        id or uuid.uuid4(),
        model,
        access_key,
        secret_key,
    )


async def test_nothing_is_missing(doctor: Doctor) -> None:
    assert await doctor.finds_all_well(), doctor.text
    assert doctor.line("encryption key") == "ok       encryption key: k2 encrypts, k1 can still decrypt"
    assert doctor.line("database").startswith("ok       database: PostgreSQL 1")
    assert doctor.line("schema").startswith(f"ok       schema: version {NEWEST}, ")
    assert doctor.line("stored secrets").startswith("ok ")
    assert doctor.line("orphans").startswith("skipped  orphans: none are known, but no controller runs")
    assert doctor.line("cluster").startswith("ok       cluster: Kubernetes v1.37.1")
    assert doctor.line("KServe").startswith("ok ")
    for where in ("of the cluster", "in all namespaces", "in namespace models"):
        assert doctor.line(f"permissions {where}").startswith("ok ")
    assert "sklearn" in doctor.line("serving runtimes")
    assert doctor.line("dry run in namespace models").startswith("ok ")
    assert doctor.line("KServe's webhook") == "ok       KServe's webhook: it answers, so KServe's controller runs"
    assert doctor.line("gateway").startswith("skipped  gateway: nothing listens")
    assert "ClusterRole" not in doctor.text


async def test_nothing_stays_behind_in_the_cluster(doctor: Doctor, cluster: FaultyCluster) -> None:
    await doctor.finds_all_well()
    assert not cluster.store.list(INFERENCE_SERVICES)


async def test_permissions_are_named_and_the_rbac_is_printed(doctor: Doctor, cluster: FaultyCluster) -> None:
    cluster.faults.forbid("create", "secrets")
    cluster.faults.forbid("list", "events")
    cluster.faults.forbid("list", "clusterstoragecontainers")
    assert not await doctor.finds_all_well()
    missing = "MISSING  permissions in namespace models: list events, create secrets -> apply the RBAC below"
    assert doctor.line("permissions in namespace models") == missing
    assert "MISSING  permissions of the cluster: list clusterstoragecontainers" in doctor.text
    assert doctor.line("permissions in all namespaces").startswith("ok ")
    shipped = Path(__file__).parents[2] / "deploy" / "kubernetes" / "rbac.yaml"
    assert doctor.text.endswith(shipped.read_text())


async def test_logs_are_only_needed_for_explanations(doctor: Doctor, cluster: FaultyCluster) -> None:
    cluster.faults.forbid("get", "pods/log")
    assert await doctor.finds_all_well()
    assert doctor.line("logs in namespace models").startswith("warning  logs in namespace models: get pods/log is not")
    assert doctor.line("permissions in namespace models").startswith("ok ")


async def test_rights_in_some_namespaces_only(doctor: Doctor, cluster: FaultyCluster) -> None:
    cluster.faults.forbid("watch", "pods", namespace="")
    assert not await doctor.finds_all_well()
    line = doctor.line("permissions in all namespaces")
    assert line.startswith(
        "MISSING  permissions in all namespaces: watch pods -> name the namespaces in REGISTRY_WATCH"
    )
    assert await doctor.finds_all_well(watch_namespaces=("models",)), doctor.text
    assert "in all namespaces" not in doctor.text


async def test_every_namespace_is_looked_at(
    doctor: Doctor, cluster: FaultyCluster, database: asyncpg.Connection[Any]
) -> None:
    await add_environment(database, "staging", "")  # the namespace is its name
    cluster.create_namespace("watched")
    cluster.create_namespace("staging")
    cluster.faults.forbid("delete", "inferenceservices", namespace="staging")
    assert not await doctor.finds_all_well(watch_namespaces=("watched",))
    for namespace in ("watched", "models"):
        assert doctor.line(f"permissions in namespace {namespace}").startswith("ok ")
    assert "delete inferenceservices" in doctor.line("permissions in namespace staging")


async def test_without_an_environment_there_is_no_namespace_to_try(
    doctor: Doctor, database: asyncpg.Connection[Any]
) -> None:
    await database.execute("DELETE FROM serving_environment")
    assert await doctor.finds_all_well()
    assert doctor.line("permissions in namespaces").startswith("skipped ")
    assert doctor.line("KServe's webhook").startswith("skipped ")


async def test_there_are_no_orphans_if_a_controller_compares(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    await database.execute("SELECT pg_advisory_lock($1)", LEADER_LOCK)
    assert await doctor.finds_all_well()
    assert (
        doctor.line("orphans")
        == "ok       orphans: none when a controller last compared the cluster with the deployments"
    )


async def test_orphans_are_counted(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    """Orphans in namespaces without an environment count, too."""
    await database.execute(
        "INSERT INTO orphan (uid, namespace, name) VALUES ('1', 'models', 'a'), ('2', 'nowhere', 'b')"
    )
    assert await doctor.finds_all_well()
    assert doctor.line("orphans") == (
        "warning  orphans: 2 objects in the cluster carry this registry's mark and belong to no deployment"
        " -> list them with `registry-grpc orphans`; docs/operations.md explains what to do"
    )


async def test_an_environment_whose_name_is_no_namespace(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    await add_environment(database, "bad", "demo-")
    assert await doctor.finds_all_well()
    assert doctor.line("environments of demo-").startswith("warning  environments of demo-: `demo-` is not a valid")
    assert "dry run in namespace demo-" not in doctor.text


async def test_a_namespace_that_is_not_there(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    await add_environment(database, "staging", "nowhere")
    assert not await doctor.finds_all_well()
    assert doctor.line("namespace nowhere").startswith("MISSING  namespace nowhere: there is none -> create it; or ")
    assert doctor.text.count(" nowhere") == 1, "nothing else is checked there"


async def test_namespaces_of_deployments_and_what_cannot_be_seen_in_them(
    doctor: Doctor, cluster: FaultyCluster, database: asyncpg.Connection[Any]
) -> None:
    for namespace, reason in (("lost", "NAMESPACE_NOT_VISIBLE"), ("ending", ""), ("models", "")):
        await add_deployment(database, namespace, reason)
    for namespace in ("lost", "ending"):
        cluster.create_namespace(namespace)
    cluster.faults.forbid("*", "*", namespace="lost", user="registry")
    ending = cluster.verbs.get(NAMESPACES, "", "ending")
    cluster.store.put(NAMESPACES, {**ending, "status": {"phase": "Terminating"}})

    assert not await doctor.finds_all_well()
    assert doctor.line("deployments in namespace lost") == (
        "warning  deployments in namespace lost: 1 cannot be seen any more, last seen 2026-11-29 09:30 UTC or later"
        " -> see the checks of the namespace"
    )
    await database.execute("UPDATE deployment SET observed_at = NULL")
    assert not await doctor.finds_all_well()
    assert "1 cannot be seen any more, never seen" in doctor.line("deployments in namespace lost")
    assert "deployments in namespace models" not in doctor.text
    assert doctor.line("permissions in namespace lost").startswith("MISSING ")
    assert doctor.line("namespace ending").startswith("MISSING  namespace ending: it is being deleted -> ")


async def test_kserve_is_not_installed(doctor: Doctor, cluster: FaultyCluster) -> None:
    cluster.uninstalled.add(INFERENCE_SERVICES)
    assert not await doctor.finds_all_well()
    line = doctor.line("KServe")
    assert line == (
        "MISSING  KServe: the cluster does not know serving.kserve.io/v1beta1 inferenceservices -> install KServe"
    )


async def test_no_serving_runtimes(doctor: Doctor, cluster: FaultyCluster) -> None:
    for runtime in cluster.store.list(CLUSTER_SERVING_RUNTIMES):
        cluster.verbs.delete(CLUSTER_SERVING_RUNTIMES, "", runtime["metadata"]["name"], {})
    assert not await doctor.finds_all_well()
    assert doctor.line("serving runtimes").startswith("MISSING  serving runtimes: there are none")


async def test_the_webhook_is_down(doctor: Doctor, cluster: FaultyCluster) -> None:
    cluster.faults.add(Fault(verb="patch", resource="inferenceservices", error=webhook_down()))
    assert not await doctor.finds_all_well()
    line = doctor.line("dry run in namespace models")
    assert "failed calling webhook" in line
    assert line.endswith("-> check that KServe's controller and its webhook service run")
    assert doctor.line("KServe's webhook").startswith("skipped ")


async def test_the_webhook_was_never_installed(doctor: Doctor, cluster: FaultyCluster) -> None:
    cluster.policies.clear()
    assert not await doctor.finds_all_well()
    assert doctor.line("dry run in namespace models").startswith("ok ")
    assert doctor.line("KServe's webhook").startswith("MISSING  KServe's webhook: it is not called")


async def test_a_policy_refuses(doctor: Doctor, cluster: FaultyCluster) -> None:
    error = webhook_denied("models need an owner label")
    cluster.faults.add(Fault(verb="patch", resource="inferenceservices", error=error))
    assert not await doctor.finds_all_well()
    assert "models need an owner label" in doctor.line("dry run in namespace models")


async def test_the_api_server_is_dead(doctor: Doctor, silent_port: int, tmp_path: Path) -> None:
    kubeconfig = write_kubeconfig(tmp_path / "dead", f"http://127.0.0.1:{silent_port}", "t0ken-of-the-registry")
    assert not await doctor.finds_all_well(kubeconfig=kubeconfig)
    assert doctor.line("cluster").startswith("MISSING  cluster: the Kubernetes API cannot be reached")
    assert "permissions" not in doctor.text
    assert doctor.line("gateway")  # checks that do not need the cluster are still made
    assert "t0ken" not in doctor.text


async def test_the_credentials_are_refused(doctor: Doctor, cluster: FaultyCluster, tmp_path: Path) -> None:
    kubeconfig = cluster.kubeconfig(tmp_path / "other")
    kubeconfig.write_text(kubeconfig.read_text().replace(cluster.token(), "expired"))
    assert not await doctor.finds_all_well(kubeconfig=kubeconfig)
    assert doctor.line("cluster").endswith("-> renew the credentials")


@pytest.mark.parametrize("content", [None, "", "{", "a: b", "token: t0ken"])
async def test_a_kubeconfig_that_is_not_valid(doctor: Doctor, tmp_path: Path, content: str | None) -> None:
    kubeconfig = tmp_path / "odd"
    if content is not None:
        kubeconfig.write_text(content)
    assert not await doctor.finds_all_well(kubeconfig=kubeconfig)
    assert doctor.line("cluster").startswith("MISSING ")
    assert str(kubeconfig) in doctor.line("cluster")
    assert "t0ken" not in doctor.text


async def test_no_cluster_is_no_fault(doctor: Doctor) -> None:
    assert await doctor.finds_all_well(cluster=ClusterKind.NONE)
    assert doctor.line("cluster").startswith("skipped ")


async def test_the_database_is_dead(doctor: Doctor, silent_port: int) -> None:
    url = SecretStr(f"postgresql://registry:{PASSWORD}@127.0.0.1:{silent_port}/registry")
    assert not await doctor.finds_all_well(database_url=url)
    assert doctor.line("database").startswith("MISSING  database: does not answer: ")
    assert doctor.line("cluster").startswith("ok ")
    assert PASSWORD not in doctor.text


async def test_no_database_is_set(doctor: Doctor) -> None:
    assert not await doctor.finds_all_well(database_url=None)
    assert doctor.line("database").startswith("MISSING  database: REGISTRY_DATABASE_URL is not set")


async def test_a_dirty_schema(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    tables = next(migration for migration in MIGRATIONS if migration.name == "deployments")
    await migrate.set_version(database, tables.version, dirty=True)
    assert not await doctor.finds_all_well()
    line = doctor.line("schema")
    assert line.startswith(f"MISSING  schema: dirty at {tables.version}")
    assert "-> repair the schema by hand" in line
    assert doctor.line("stored secrets").startswith("skipped ")


async def test_a_schema_that_can_be_resumed(doctor: Doctor, database: asyncpg.Connection[Any], tmp_path: Path) -> None:
    """Workers need the columns, but not the indexes of a later migration."""
    folder = with_a_later_migration(tmp_path)
    later = migrate.load_migrations(folder)[-1]
    counting = next(migration for migration in MIGRATIONS if migration.name == "counting")
    for migration, verdict in ((counting, "MISSING"), (later, "warning")):
        await migrate.set_version(database, migration.version, dirty=True)
        assert await doctor.finds_all_well(migrations_dir=folder) == (verdict == "warning")
        assert doctor.line("schema").startswith(
            f"{verdict:<8} schema: dirty at {migration.version}: a migration is running"
        )
        assert "-> run `registry-grpc migrate up`" in doctor.line("schema")


async def test_pending_migrations(doctor: Doctor, database: asyncpg.Connection[Any], tmp_path: Path) -> None:
    folder = with_a_later_migration(tmp_path)
    newest = migrate.load_migrations(folder)[-1]
    await migrate.set_version(database, NEWEST, dirty=False)
    assert await doctor.finds_all_well(migrations_dir=folder)
    advice = "run `registry-grpc migrate up`"
    assert doctor.line("schema") == f"warning  schema: pending: {newest.version}_{newest.name} -> {advice}"
    await migrate.set_version(database, MIGRATIONS[3].version, dirty=False)
    assert not await doctor.finds_all_well()
    assert doctor.line("schema").startswith("MISSING  schema: pending: ")


async def test_a_newer_schema_does_no_harm(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    await migrate.set_version(database, NEWEST + 1, dirty=False)
    assert await doctor.finds_all_well()
    assert doctor.line("schema").startswith(f"ok       schema: version {NEWEST + 1} is newer than this program")


@pytest.mark.parametrize("version", [None, 3])
async def test_a_database_of_the_go_service(
    doctor: Doctor, database: asyncpg.Connection[Any], version: int | None
) -> None:
    await migrate.set_version(database, version, dirty=False)
    assert not await doctor.finds_all_well()
    assert doctor.line("schema").endswith("-> run `registry-grpc migrate adopt`")


async def test_an_empty_database(doctor: Doctor, empty_database_url: str) -> None:
    assert not await doctor.finds_all_well(database_url=SecretStr(empty_database_url))
    assert doctor.line("schema") == ("MISSING  schema: no migration was applied -> run `registry-grpc migrate up`")


async def test_secrets_under_an_older_key(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    one, other = uuid.uuid4(), uuid.uuid4()
    await add_version(database, "plain text", OLD.encrypt("s3cret", place_of_key(one, "secret_key", "s3://m/v")), one)
    await add_version(database, NEW.encrypt("s3cret", place_of_key(other, "access_key", "s3://m/v")), "", other)
    assert await doctor.finds_all_well()
    assert doctor.line("stored secrets") == (
        "warning  stored secrets: 2 of 3 are not encrypted with the current key"
        " -> run `registry-grpc migrate encrypt-secrets`"
    )


async def test_every_secret_is_read(
    doctor: Doctor, database: asyncpg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its place in the order of the ciphertexts, and in however many batches."""
    monkeypatch.setattr(stored_keys, "_BATCH", 2)
    ids = sorted(uuid.uuid4() for _ in range(7))
    lost = AesGcmCipher({"k3": bytes(32)})
    for id_ in ids[:4]:
        await add_version(database, NEW.encrypt("s3cret", place_of_key(id_, "access_key", "s3://m/v")), "", id_)
    await add_version(database, "", lost.encrypt("s3cret", place_of_key(ids[4], "secret_key", "s3://m/v")), ids[4])
    moved = NEW.encrypt("s3cret", place_of_key(ids[0], "access_key", "s3://m/v"))
    await add_version(database, moved, moved, ids[5])
    await add_version(database, "", AesGcmCipher({"k2": b"x" * 32}).encrypt("s3cret", "there"), ids[6])

    assert not await doctor.finds_all_well()
    lines = [line for line in doctor.text.splitlines() if "stored secrets" in line]
    said = "of 8 cannot be read, for example model_version"
    missing = (
        f"MISSING  stored secrets: 1 {said}/{ids[4]}/secret_key for s3://m: a stored secret needs the encryption key"
        " 'k3', which is not configured -> append that key to REGISTRY_ENCRYPTION_KEYS"
    )
    moved = (
        f"MISSING  stored secrets: 3 {said}/{ids[5]}/access_key for s3://m: it was changed by another program or"
        " moved there, or the key of this id is not the one that encrypted it -> set the right key of this id in"
        " REGISTRY_ENCRYPTION_KEYS, or set the secret again"
    )
    assert lines == [missing, moved]
    assert "s3cret" not in doctor.text


async def test_secrets_of_webhooks_are_read_too(doctor: Doctor, database: asyncpg.Connection[Any]) -> None:
    id_, lost = uuid.uuid4(), AesGcmCipher({"k3": bytes(32)})
    await database.execute(
        "INSERT INTO webhook (id, project_id, url, types, secret, state, position)"
        " VALUES ($1, $1, 'https://example.com', '{}', $2, 'ACTIVE', 0)",
        id_,
        lost.encrypt("whsec_x", place_of_secret(id_)),
    )
    assert not await doctor.finds_all_well()
    assert f"for example webhook/{id_}/secret: a stored secret needs the encryption key 'k3'" in doctor.line(
        "stored secrets"
    )


async def test_the_development_key(doctor: Doctor) -> None:
    assert await doctor.finds_all_well(encryption_keys=None)
    assert doctor.line("encryption key").startswith("warning  encryption key: it is the development key")


@pytest.mark.parametrize(("status", "verdict"), [(200, "ok"), (503, "MISSING")])
async def test_the_gateway_answers(doctor: Doctor, status: int, verdict: str) -> None:
    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "seen"}, status=status)

    application = web.Application()
    application.router.add_get("/healthz", healthz)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        assert await doctor.finds_all_well(port=runner.addresses[0][1]) is (status == 200)
    finally:
        await runner.cleanup()
    assert doctor.line("gateway").startswith(f"{verdict} ")
    assert '{"status": "seen"}' in doctor.line("gateway")
