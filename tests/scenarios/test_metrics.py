"""Every metric moves when its cause happens: on a worker, a controller, PostgreSQL and a cluster."""

from __future__ import annotations

import asyncio
import base64
import re
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from aiohttp import web
from google.api.httpbody_pb2 import HttpBody
from prometheus_client import CollectorRegistry
from tests.certificates import Authority
from tests.postgres import PATIENT
from tests.receiver import receiving
from tests.scenarios.world import PATIENCE, World

from modelregistry.v1 import event_pb2, event_pb2_grpc, registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.adapters.metrics import REGISTRY, SUPERVISOR, flush
from registry_grpc.adapters.postgres.access import PostgresAccessRepository
from registry_grpc.adapters.postgres.backlog import measure_backlog
from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.adapters.postgres.measured_queue import MeasuredDeploymentQueue
from registry_grpc.adapters.postgres.webhooks import PostgresWebhookRepository
from registry_grpc.bootstrap import App, build, cipher_of
from registry_grpc.domain.access import Caller, NewApiToken, Role
from registry_grpc.domain.errors import Overloaded, Reason, Unavailable
from registry_grpc.domain.webhook import NewWebhook, Webhook, new_secret
from registry_grpc.monitoring import of_supervisor
from registry_grpc.server import Worker, measure
from registry_grpc.services import leading
from registry_grpc.services.access import issue_token
from registry_grpc.settings import Settings
from registry_grpc.supervisor import ProcessSpec, Supervisor

pytestmark = pytest.mark.slow

_STUB: Any = registered_model_pb2_grpc.RegisteredModelServiceStub
_EVENTS: Any = event_pb2_grpc.EventServiceStub
_WORLDS_KEY = f"k1:{base64.b64encode(bytes(32)).decode()}"
_PROJECT = """
INSERT INTO project (id, name, description, namespaces, uris, service_accounts, runtimes)
VALUES ($1, $2, '', '{*}', '{*}', '{}', '{}') RETURNING id
"""
_LONG_AGO = """
UPDATE deployment SET next_at = now() - interval '1 minute', phase_since = phase_since - interval '1 hour'
"""
_HAPPENED = """
INSERT INTO event_inbox (project_id, type, resource_id, name, actor, occurred_at)
VALUES ($1, 'model.updated', gen_random_uuid(), 'm', 'ann', now() - interval '1 minute') RETURNING sequence
"""


def value(name: str, _registry: CollectorRegistry = REGISTRY, /, **labels: str) -> float | None:
    """The sum of all series with these labels; None if there are none."""
    flush()
    found = [
        sample.value
        for family in _registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found) if found else None


@contextmanager
def moved(name: str, /, **labels: str) -> Iterator[None]:
    """Check that the block makes it grow."""
    before = value(name, REGISTRY, **labels) or 0
    yield
    assert (value(name, REGISTRY, **labels) or 0) > before, f"{name} {labels} has not grown"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@dataclass
class Calls:
    """A worker that requires tokens, with a client of a project."""

    app: App
    channel: grpc.aio.Channel
    metadata: list[tuple[str, str]]


@asynccontextmanager
async def running(*works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    tasks = [asyncio.ensure_future(work()) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest_asyncio.fixture(loop_scope="session")
async def calls(fresh_database_url: str) -> AsyncIterator[Calls]:
    database = Database(fresh_database_url, PATIENT)
    settings = Settings.model_validate(
        {"shutdown_grace": 5, "drain_delay": 0, "auth": "required", "tenancy": "enforced"}
    )
    app = await build(settings, database)
    project = uuid.uuid4()
    await database.fetchrow(_PROJECT, project, str(project))
    new = NewApiToken(name="ci", role=Role.EDITOR, lifetime=timedelta(days=1))
    token = await issue_token(
        PostgresAccessRepository(database), project, new, Caller(name="test", method="none", role=Role.OPERATOR)
    )
    worker = Worker(settings, app)
    port = worker.listen("127.0.0.1:0")
    await worker.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Calls(app, channel, [("project-id", str(project)), ("authorization", f"Bearer {token.text}")])
    await worker.stop()
    await app.close()


@asynccontextmanager
async def app_on(world: World, **settings: Any) -> AsyncIterator[App]:
    """The whole composition on the database and the cluster of a world."""
    database = Database(world.database._dsn, PATIENT)
    given = {
        "encryption_keys": _WORLDS_KEY,
        "cluster": "kubeconfig",
        "kubeconfig": world.kubernetes.registry or world.kubernetes.admin,
    }
    app = await build(Settings.model_validate({**given, **settings}), database)
    try:
        yield app
    finally:
        await app.close()


async def test_calls_of_grpc_and_rest_clients(calls: Calls) -> None:
    method = {"method": "RegisteredModelService/GetRegisteredModel"}
    get = registered_model_pb2.GetRegisteredModelRequest(id=str(uuid.uuid4()))
    before = value("registry_rpcs_total", **method, front_end="grpc", code="NOT_FOUND")
    with (
        moved("registry_rpc_seconds_count", **method, front_end="grpc"),
        moved("registry_statement_seconds_count", share="registered_model", kind="read"),
    ):
        with suppress(grpc.aio.AioRpcError):
            await _STUB(calls.channel).GetRegisteredModel(get, metadata=calls.metadata)
        # A call that is refused is counted when its client has got the answer.
        await until(lambda: value("registry_rpcs_total", **method, front_end="grpc", code="NOT_FOUND") != before)
    create = registered_model_pb2.CreateRegisteredModelRequest(registered_model={"name": "m"})
    with moved("registry_statement_seconds_count", share="registered_model", kind="write"):
        await _STUB(calls.channel).CreateRegisteredModel(create, metadata=calls.metadata)
    rest: Any = calls.channel.unary_unary(
        "/modelregistry.v1.rest.RegisteredModelService/ListRegisteredModels",
        request_serializer=HttpBody.SerializeToString,
    )
    target = ("x-envoy-original-path", "/api/v1/model-registry/models")
    with moved(
        "registry_rpcs_total", method="RegisteredModelService/ListRegisteredModels", front_end="rest", code="OK"
    ):
        await rest(HttpBody(), metadata=[*calls.metadata, target])


async def test_streams(calls: Calls) -> None:
    method = "EventService/WatchEvents"
    before = value("registry_streams", method=method) or 0
    with moved("registry_rpcs_total", method=method, code="CANCELLED"):
        stream = _EVENTS(calls.channel).WatchEvents(event_pb2.WatchEventsRequest(), metadata=calls.metadata)
        await until(lambda: value("registry_streams", method=method) == before + 1)
        stream.cancel()
        await until(lambda: value("registry_streams", method=method) == before)
    assert value("registry_rpc_seconds_count", method=method) is None, "it would only tell how long callers watch"


async def test_look_ups_of_the_gate(calls: Calls) -> None:
    measure(calls.app)
    request = registered_model_pb2.ListRegisteredModelsRequest()
    misses = [value("registry_cache_lookups_total", cache=cache, result="miss") for cache in ("tokens", "roles")]
    for result in ("miss", "hit"):
        with (
            moved("registry_cache_lookups_total", cache="tokens", result=result),
            moved("registry_cache_lookups_total", cache="roles", result=result),
        ):
            await _STUB(calls.channel).ListRegisteredModels(request, metadata=calls.metadata)
            measure(calls.app)
    assert [(count or 0) + 1 for count in misses] == [
        value("registry_cache_lookups_total", cache=cache, result="miss") for cache in ("tokens", "roles")
    ]
    with moved("registry_cache_lookups_total", cache="projects", result="hit"):
        for lookups in calls.app.lookups.values():
            lookups.hits += 1
        measure(calls.app)


async def test_the_pool(database_url: str) -> None:
    database = Database(database_url, replace(PATIENT, size=1, queue=1))
    connection = await database.borrow()
    waiting = asyncio.create_task(database.fetchrow("SELECT 1"))
    await asyncio.sleep(0)
    database.measure()
    assert value("registry_database_connections_used") == 1
    assert value("registry_database_connections_limit") == 1
    assert value("registry_database_waiting") == 1
    with moved("registry_database_errors_total", cause="Overloaded"), pytest.raises(Overloaded):
        await database.fetchrow("SELECT 1")
    database.give_back(connection)
    await waiting
    database.measure()
    assert (value("registry_database_connections_used"), value("registry_database_waiting")) == (0, 0)
    with moved("registry_statement_seconds_count", share="other", kind="transaction"):
        async with database.transaction():
            pass
    await database.close()


async def test_a_database_that_is_away(database_url: str) -> None:
    answering = Database(database_url, PATIENT)
    await measure_backlog(answering)
    await answering.close()
    assert value("registry_event_inbox") is not None
    database = Database("postgresql://nobody@127.0.0.1:1/none", DatabaseOptions(connect_timeout=5))
    with moved("registry_database_errors_total", cause="ConnectionRefusedError"), pytest.raises(Unavailable):
        await database.fetchrow("SELECT 1")
    with pytest.raises(Unavailable):
        await measure_backlog(database)
    for name in ("registry_deployments_due", "registry_event_inbox", "registry_webhook_lag_seconds"):
        assert value(name) is None, "nobody knows"


async def test_passes_and_the_cluster(world: World) -> None:
    async with app_on(world, watch_namespaces=(world.kube.namespace,)) as app:
        assert app.controller is not None
        assert value("registry_watch_silence_seconds") is None, "nothing is watched"
        with (
            moved("registry_passes_total", outcome="DEPLOYED"),
            moved("registry_pass_seconds_count"),
            moved("registry_kubernetes_requests_total", verb="patch"),
            moved("registry_kubernetes_requests_total", verb="watch", code="200"),
            moved("registry_kubernetes_requests_total", verb="get", code="404"),
            moved("registry_kubernetes_seconds_count", verb="list"),
        ):
            id_ = await world.intent()
            async with running(app.controller.run):
                await world.until_deployed(id_)
                await until(lambda: value("registry_leader", role="controller") == 1)
                await until(lambda: (value("registry_watch_silence_seconds") or 0) > 0)
                assert value("registry_watch_unseen_namespaces") == 0
        assert value("registry_leader", role="controller") == 0
        assert value("registry_watch_silence_seconds") is None


async def test_a_pass_that_lost_its_lease_or_was_given_up(world: World) -> None:
    queue = MeasuredDeploymentQueue(world.database)
    await world.intent()
    (claim,) = await queue.claim(1)
    with moved("registry_passes_total", outcome="released"):
        await queue.release(claim)


async def test_a_namespace_that_cannot_be_seen(world: World) -> None:
    await world.kubernetes.take_rights(world.kube.namespace)
    async with app_on(world, watch_namespaces=(world.kube.namespace,)) as app:
        assert app.controller is not None
        async with running(app.controller.run):
            await until(lambda: value("registry_watch_unseen_namespaces") == 1)
            assert value("registry_watch_silence_seconds") is None, "it is refused, and not silent"


async def test_a_loop_that_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise Unavailable(Reason.DATABASE_UNAVAILABLE)

    monkeypatch.setattr(leading, "_AFTER_FAULT_SECONDS", 0.01)
    async with app_on(world) as app:
        assert app.controller is not None
        monkeypatch.setattr(app.controller, "_wake", fail)
        before = value("registry_loop_errors_total", loop="wake") or 0
        async with running(app.controller.run):
            await until(lambda: (value("registry_loop_errors_total", loop="wake") or 0) > before)


async def test_what_waits_in_the_database(world: World) -> None:
    database = world.database
    await measure_backlog(database)
    assert value("registry_deployments") is None
    assert (value("registry_deployments_due"), value("registry_orphans"), value("registry_leases")) == (0, 0, 0)
    id_ = await world.intent()
    await database.fetch(_LONG_AGO)
    await database.fetch("INSERT INTO orphan (namespace, name, uid) VALUES ('n', 'o', 'u')")
    with moved("registry_event_inbox"), moved("registry_event_inbox_age_seconds"):
        await database.fetch(_HAPPENED, world.project_id)
        await measure_backlog(database)
    assert value("registry_deployments", phase="PENDING") == 1
    assert 3600 <= (value("registry_deployments_age_seconds", phase="PENDING") or 0) < 7200
    assert 60 <= (value("registry_deployments_due_age_seconds") or 0) < 600
    assert (value("registry_deployments_due"), value("registry_orphans"), value("registry_leases")) == (1, 1, 0)
    assert await MeasuredDeploymentQueue(database).claim_one(id_)
    await measure_backlog(database)
    assert (value("registry_deployments_due"), value("registry_leases")) == (0, 1)


async def test_events_and_webhooks(world: World) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    status, database, project = 500, world.database, uuid.uuid4()
    await database.fetch("TRUNCATE webhook CASCADE")
    async with app_on(world, webhook_networks=("127.0.0.0/8",)) as app, receiving() as receiver:

        async def delivered(outcome: str) -> None:
            """Let an event happen, and wait until the courier has tried to deliver it."""
            await database.fetch(_HAPPENED, project)
            await database.fetch("UPDATE webhook_delivery SET next_at = now()")
            before = value("registry_webhook_deliveries_total", outcome=outcome) or 0
            async with running(app.courier.run):
                await until(lambda: value("registry_leader", role="courier") == 1)
                await until(lambda: (value("registry_webhook_deliveries_total", outcome=outcome) or 0) > before)
            await measure_backlog(database)

        receiver.answer = answer
        webhook = Webhook.create(NewWebhook(url=receiver.url), id=uuid.uuid4(), project_id=project)
        await PostgresWebhookRepository(
            database, cipher_of(Settings.model_validate({"encryption_keys": _WORLDS_KEY}))
        ).create(webhook, new_secret())
        await measure_backlog(database)
        assert value("registry_webhooks", state="ACTIVE") == 1
        with moved("registry_event_position"), moved("registry_webhook_seconds_count"):
            await delivered("failed")
        assert value("registry_webhook_pending") == 1
        assert (value("registry_webhook_lag_seconds") or 0) >= 60
        status = 204
        await delivered("delivered")
        status = 410
        await delivered("disabled")
        assert (value("registry_webhooks", state="DISABLED"), value("registry_webhook_pending")) == (1, 0)


async def test_a_supervisor(tmp_path: Path) -> None:
    authority = Authority()
    authority.mount(tmp_path / "tls")
    settings = Settings.model_validate(
        {"worker_tls_certificate": tmp_path / "tls" / "tls.crt", "worker_tls_key": tmp_path / "tls" / "tls.key"}
    )
    supervisor = Supervisor([ProcessSpec(name="short", module="platform", arguments=())], grace_seconds=1)
    registry = of_supervisor(settings, tmp_path, supervisor.pids)
    await supervisor.start()
    try:
        await until(lambda: value("registry_process_restarts_total", registry, process="short") == 1)
    finally:
        await supervisor.stop()
    expires = value("registry_certificate_expiry_timestamp_seconds", registry, certificate="worker")
    assert expires is not None
    assert 0 < expires - datetime.now(UTC).timestamp() < 2 * 86400
    assert value("registry_build_info", registry, python=sys.version.split()[0]) == 1
    assert (value("process_resident_memory_bytes", registry, process="supervisor") or 0) > 0


def test_all_metrics_are_moved_by_a_test_above() -> None:
    named = set(re.findall(r'"(registry_\w+?)(?:_count)?"', Path(__file__).read_text()))
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for registry in (REGISTRY, SUPERVISOR)
        for collector in registry._collector_to_names
        for family in collector.describe()  # type: ignore[attr-defined]
    }
    assert names - named == set()
