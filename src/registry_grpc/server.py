"""Runs one worker, a grpc.aio server on one address, or one controller, and stops it in order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import asyncpg
import grpc
import structlog
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from registry_grpc.adapters.grpc.handlers import handlers_of
from registry_grpc.adapters.grpc.health import healthz_handler
from registry_grpc.adapters.grpc.reflection import reflection_handlers
from registry_grpc.adapters.metrics import CACHE_LOOKUPS, flush
from registry_grpc.adapters.postgres.backlog import measure_backlog
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.migrate import LOWEST_VERSION, MigrationError, load_migrations
from registry_grpc.adapters.postgres.sessions import ADVICE, NOT_A_SESSION
from registry_grpc.bootstrap import App, build, database_of, report
from registry_grpc.domain.errors import RegistryError
from registry_grpc.monitoring import MetricsServer, Pulse, of_controller
from registry_grpc.services.leading import work_forever
from registry_grpc.settings import ConfigurationError, Settings
from registry_grpc.stopping import is_orphaned, until_stopped
from registry_grpc.tls import server_credentials

_log = structlog.get_logger("server")
_MAX_METADATA_BYTES = 128 * 1024
_SCHEMA_CHECK_SECONDS = 1.0
_MEASURE_SECONDS = 1.0
_BACKLOG_SECONDS = 15.0

SERVER_OPTIONS = (
    # Otherwise two workers with the same port would share it, instead of the second one failing.
    ("grpc.so_reuseport", 0),
    # Envoy accepts headers of up to 60 KiB and adds some of its own.
    ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
    # Clients share Envoy's connections. A header that gRPC cannot parse (`grpc-timeout: 1x`) would stay in the header
    # table of the connection, and requests of other clients that refer to it would fail. So there is no table. (Envoy's
    # own `hpack_table_size: 0` breaks new connections under load, because gRPC's encoder notices it too late.)
    ("grpc.http2.hpack_table_size.decoder", 0),
    # A message of 15 KiB may unpack to 16 MiB. Compression other than `identity` is answered with UNIMPLEMENTED.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # Envoy sends keepalive pings on its connections to workers, also when there are no calls.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class Worker:
    """A gRPC server with its health service."""

    def __init__(self, settings: Settings, app: App) -> None:
        self._settings = settings
        self._watched = (app.history, app.events, app.audit)
        self._health = HealthServicer()
        self.server = grpc.aio.server(
            options=(("grpc.max_receive_message_length", settings.max_message_bytes), *SERVER_OPTIONS)
        )
        self.server.add_generic_rpc_handlers(
            (*handlers_of(app.servicers, app.requests, app.gate, app.auditing), healthz_handler(app.database.ping))
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        self._names = [servicer.SERVICE.full_name for servicer in app.servicers]
        if settings.has_reflection:
            known = (*self._names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name)
            self.server.add_generic_rpc_handlers(reflection_handlers(known))

    def listen(self, address: str) -> int:
        """Returns the bound port, also for `host:0`. TCP ports have TLS if the settings have a certificate. Raises
        ConfigurationError if the address cannot be used."""
        credentials = None if address.startswith("unix:") else server_credentials(self._settings)
        try:
            if credentials is not None:
                return self.server.add_secure_port(address, credentials)
            self._settings.check_listener(address)
            return self.server.add_insecure_port(address)
        except RuntimeError as error:
            text = f"cannot listen on {address}: it is in use, or is not an address of this machine"
            raise ConfigurationError(text) from error

    async def start(self) -> None:
        await self.server.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def stop(self) -> None:
        """Report NOT_SERVING, continue to serve while load balancers turn away, end the watches, which never end by
        themselves, and wait for running requests."""
        await self._health.enter_graceful_shutdown()
        await asyncio.sleep(self._settings.drain_delay)
        for watched in self._watched:
            watched.stop_watches()
        await self.server.stop(self._settings.shutdown_grace)


def run_worker(settings: Settings, address: str) -> None:
    """Serve on `address` (`host:port` or `unix:/path`) until SIGTERM or SIGINT."""

    async def serve() -> None:
        async with _app(settings) as app:
            worker = Worker(settings, app)
            worker.listen(address)
            await worker.start()
            beside = work_beside(app)
            _leave_requests_to_reference_counts()
            _log.info("worker.ready", address=address)
            _log.info("process.stopping", reason=await until_stopped())
            await worker.stop()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    _run(serve())


def work_beside(app: App) -> list[asyncio.Future[None]]:
    """Do what a worker does besides its calls. A part that fails is reported and begins again."""
    works: list[Callable[[], Awaitable[None]]] = [*app.beside, partial(_keep_measuring, app)]
    return [asyncio.ensure_future(work_forever("beside", work, report=report)) for work in works]


def _leave_requests_to_reference_counts() -> None:
    """Run the garbage collector less often. The objects of a request have no cycles and are freed when it ends, but the
    collector would run twice in every list of 100, which takes a fifth of the time of such a list."""
    gc.collect()
    gc.freeze()  # modules and stubs are never freed
    gc.set_threshold(50_000)


def run_controller(settings: Settings) -> None:
    """Reconcile deployments, if a cluster is configured, and deliver webhooks, until SIGTERM or SIGINT."""

    async def control() -> None:
        async with _app(settings.model_copy(update={"workers_write": True})) as app:
            controller = app.controller
            pulse = Pulse(lambda: controller.turned_at) if controller else Pulse()
            works: list[Callable[[], Coroutine[Any, Any, None]]] = [
                app.courier.run,
                partial(_keep_measuring, app, pulse),
                *([controller.run] if controller else []),
            ]
            if settings.metrics_port is not None:
                served = MetricsServer(settings.metrics_host, settings.metrics_port, of_controller(), pulse)
                works.append(partial(_keep_measuring_backlog, app))
                _log.info("metrics.served", url=served.url)
            running = [asyncio.create_task(work()) for work in works]
            stopped = asyncio.create_task(until_stopped())
            _log.info("controller.ready", deploys=controller is not None)
            await asyncio.wait((*running, stopped), return_when=asyncio.FIRST_COMPLETED)
            _log.info("process.stopping", reason=stopped.result() if stopped.done() else "a part of it has failed")
            for part in running:
                part.cancel()
            for ended in await asyncio.gather(*running, return_exceptions=True):
                if isinstance(ended, Exception):  # and not only cancelled
                    raise ended

    _run(control())


async def _keep_measuring(app: App, pulse: Pulse | None = None) -> None:
    """Hand to the metrics what is not counted when it happens. Ends only by being cancelled."""
    try:
        while True:
            measure(app)
            if pulse is not None:
                pulse.beat()
            await asyncio.sleep(_MEASURE_SECONDS)
    finally:
        measure(app)


async def _keep_measuring_backlog(app: App) -> None:
    await work_forever("measure", partial(measure_backlog, app.database), _BACKLOG_SECONDS, report=report)


def measure(app: App) -> None:
    flush()
    app.database.measure()
    for cache, lookups in app.lookups.items():
        CACHE_LOOKUPS.labels(cache, "hit").inc(lookups.hits)
        CACHE_LOOKUPS.labels(cache, "miss").inc(lookups.misses)
        lookups.hits = lookups.misses = 0


def _run(main: Coroutine[Any, Any, None]) -> None:
    try:
        uvloop.run(main)
    except RegistryError as error:
        raise SystemExit(error.message) from error


@contextlib.asynccontextmanager
async def _app(settings: Settings) -> AsyncIterator[App]:
    """The service, after a check of the database; it is closed in the end. Raises ConfigurationError, Unavailable."""
    async with _sending_spans(settings), _composed(settings) as app:
        yield app


def _sending_spans(settings: Settings) -> contextlib.AbstractAsyncContextManager[None]:
    """Raises ConfigurationError."""
    if settings.traces_endpoint is None:
        return contextlib.nullcontext()
    # Imported here because a process without traces should not spend time and memory on the SDK.
    from registry_grpc.adapters.otlp import sending_spans  # noqa: PLC0415

    try:
        return sending_spans(settings.traces_endpoint)
    except ValueError as error:
        raise ConfigurationError(f"one of the variables OTEL_… of docs/traces.md is wrong: {error}") from error


@contextlib.asynccontextmanager
async def _composed(settings: Settings) -> AsyncIterator[App]:
    database = database_of(settings)
    try:
        await _until_schema_fits(database, settings)
        app = await build(settings, database)
    except BaseException:
        await database.close()
        raise
    try:
        yield app
    finally:
        await app.close()


class _SchemaUnfit(ConfigurationError):
    """The schema is too old or half-way, until somebody migrates it."""


async def _until_schema_fits(database: Database, settings: Settings) -> None:
    """Wait for the migration of a rollout, instead of being started again and again. Raises as `_check_database`."""
    told = ""
    while not is_orphaned():
        try:
            return await _check_database(database, settings)
        except _SchemaUnfit as error:
            if told != str(error):
                _log.error("schema.awaited", text=str(error))
            told = str(error)
        await asyncio.sleep(_SCHEMA_CHECK_SECONDS)
    raise SystemExit(1)


async def _check_database(database: Database, settings: Settings) -> None:
    """Raises ConfigurationError if this release cannot work on the database, and Unavailable."""
    if not await database.keeps_sessions():
        raise ConfigurationError(f"{NOT_A_SESSION}: {ADVICE}")
    row = await database.fetchrow("SELECT to_regclass('schema_migrations') IS NOT NULL AS exists")
    found = None
    if row is not None and row["exists"]:
        try:
            found = await database.fetchrow("SELECT version, dirty FROM schema_migrations")
        except asyncpg.InsufficientPrivilegeError as error:
            raise ConfigurationError(f"{error}: run `registry-grpc doctor`, which tells what to do") from error
    try:
        newest = load_migrations(settings.migrations_dir)[-1].version
    except MigrationError as error:
        raise ConfigurationError(f"REGISTRY_MIGRATIONS_DIR: {error}") from error
    version = found["version"] if found else 0
    if found and found["dirty"] and version <= LOWEST_VERSION:
        raise _SchemaUnfit(
            f"the schema of the database is dirty at {version}: run `registry-grpc doctor`, which tells what to do"
        )
    if version < LOWEST_VERSION:
        raise _SchemaUnfit(
            f"the schema of the database has version {version or 'none'}, but at least {LOWEST_VERSION} is needed: "
            "run `registry-grpc migrate up`"
        )
    if version > newest:
        _log.warning("schema.newer", schema=version, known=newest)
