"""What clients see when the database, a worker or the whole service fails. Each test has its own stack."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest
from tests.e2e.api import NO_BODY, Api
from tests.e2e.bodies import BODY_ROUTES
from tests.e2e.builders import World, a_model, a_version, fresh
from tests.e2e.processes import tree, wait_until, workers
from tests.e2e.routes import ALL
from tests.e2e.stack import Addresses, Stack, free_port

from registry_grpc.devtools.embedded_postgres import EmbeddedPostgres, embedded_postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("failures"), pytest.mark.timeout(300)]


class Database:
    """A PostgreSQL for this test only, which can be stopped, frozen and started again."""

    def __init__(self, folder: Path, life: ExitStack) -> None:
        self._folder = folder
        self._port = free_port()
        self._life = life
        self.server = self._start()

    def _start(self) -> EmbeddedPostgres:
        self._running = ExitStack()
        self._life.push(self._running)
        return self._running.enter_context(embedded_postgres(self._folder, port=self._port))

    def stop(self) -> None:
        self._running.close()

    def start(self) -> None:
        self.server = self._start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze every process of the server: connections stay open, but nothing answers."""
        processes = tree(self.server.pid)
        for process in processes:
            process.send(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send(signal.SIGCONT)


@contextmanager
def running(**environment: str) -> Iterator[tuple[Stack, Addresses, Api]]:
    stack = Stack(**{"REGISTRY_CLUSTER": "none"} | environment)
    try:
        addresses = stack.start()
        with httpx.Client(base_url=addresses.base_url, timeout=30) as client:
            yield stack, addresses, Api(client)
    finally:
        stack.stop()
        stack.remove()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with ExitStack() as life:
        yield Database(tmp_path / "postgres", life)


def every_request(world: World) -> list[tuple[str, str, object]]:
    """A request for every route that reaches the database, with a body where the route reads one."""
    bodies = {(route.method, route.path): route.good(world) for route in BODY_ROUTES}
    finds = {
        "/model": "?name=x",
        "/model_version": "?name=x",
        "/model_artifact": "?name=x",
        "/serving_environment": "?name=x",
        "/inference_service": "?externalId=x",
    }
    return [
        (
            route.method,
            world.path(route.path) + finds.get(route.path, ""),
            bodies.get((route.method, route.path), NO_BODY),
        )
        for route in ALL
    ]


def assert_unavailable(api: Api, requests: list[tuple[str, str, object]], within: float) -> None:
    slow, wrong = [], []
    for method, path, body in requests:
        before = time.monotonic()
        response = api.request(method, path, body)
        took = time.monotonic() - before
        if took > within:
            slow.append((method, path, took))
        if response.status_code != 503 or list(response.json()) != ["error"]:
            wrong.append((method, path, response.status_code, response.text))
    assert (wrong, slow) == ([], [])


def healthy(api: Api) -> bool:
    return api.get("!/healthz").status_code == 200 and api.get("/models").status_code == 200


def test_without_its_database_every_route_is_503_and_recovers(database: Database) -> None:
    with running(REGISTRY_DATABASE_URL=database.server.url) as (_, _, api):
        world = World(api)
        requests = every_request(world)
        database.stop()
        assert_unavailable(api, requests, within=2)
        health = api.get("!/healthz")
        assert health.status_code == 503
        assert health.json()["status"] == "unhealthy"
        assert health.json()["error"]
        database.start()
        assert wait_until(lambda: healthy(api), 10)
        assert api.read(f"/models/{world.model['id']}")["id"] == world.model["id"]
        a_model(api)


def test_a_database_that_hangs_is_503_too(database: Database) -> None:
    """The connection is not refused here, so a statement has to time out first."""
    with running(REGISTRY_DATABASE_URL=database.server.url, REGISTRY_DATABASE_STATEMENT_TIMEOUT="1") as (_, _, api):
        world = World(api)
        a_few = every_request(world)[::6]
        with database.frozen():
            assert_unavailable(api, a_few, within=5)
        assert wait_until(lambda: healthy(api), 10)
        a_model(api)


class Load:
    """Clients that write and read all the time, and record acknowledged writes and errors."""

    def __init__(self, api: Api, clients: int = 4) -> None:
        self._api = api
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(clients)
        self.acknowledged: list[str] = []
        self.wrong: list[str] = []
        self._running = [self._pool.submit(self._work) for _ in range(clients)]

    def _work(self) -> None:
        while not self._stop.is_set():
            name = fresh("load")
            try:
                response = self._api.post("/models", {"name": name})
                if response.status_code == 201:
                    self.acknowledged.append(name)
                    response = self._api.get("/model", name=name)
            except httpx.TransportError as error:
                self.wrong.append(repr(error))
                time.sleep(0.05)
                continue
            if response.status_code not in {200, 201}:
                self.wrong.append(f"{response.status_code} {response.text}")

    def finish(self) -> None:
        self._stop.set()
        for future in self._running:
            future.result()
        self._pool.shutdown()


def after(load: Load, more: int) -> Callable[[], bool]:
    """Whether this many more writes were acknowledged from now on."""
    wanted = len(load.acknowledged) + more
    return lambda: len(load.acknowledged) >= wanted


def test_a_killed_worker_is_replaced_and_requests_go_on() -> None:
    with running(REGISTRY_WORKERS="2") as (stack, _, api):
        before = workers(stack.pid)
        assert len(before) == 2
        load = Load(api)
        assert wait_until(after(load, 20), 20)
        before[0].send(signal.SIGKILL)
        assert wait_until(after(load, 200), 30)
        assert wait_until(lambda: len(workers(stack.pid)) == 2, 20)
        load.finish()
        # Only the requests of the dead worker may be lost.
        assert len(load.wrong) <= 4, load.wrong
        for name in load.acknowledged:
            assert api.get("/model", name=name).status_code == 200


def test_sigterm_ends_everything_and_loses_no_acknowledged_write(database: Database) -> None:
    with running(REGISTRY_DATABASE_URL=database.server.url) as (stack, _, api):
        load = Load(api)
        assert wait_until(after(load, 20), 20)
        everything = tree(stack.pid)
        began = time.monotonic()
        os.kill(stack.pid, signal.SIGTERM)
        assert stack.stop() == 0
        assert time.monotonic() - began < 10
        load.finish()
        assert wait_until(lambda: not [process for process in everything if process.runs], 20)
        refused = [problem for problem in load.wrong if "ConnectError" not in problem and not problem.startswith("503")]
        assert len(refused) <= 4, refused
        names, project = load.acknowledged, api.project_id
    with running(REGISTRY_DATABASE_URL=database.server.url) as (_, _, api):
        again = Api(api.http, project)
        assert [name for name in names if again.get("/model", name=name).status_code != 200] == []


def test_a_restart_on_the_same_folder_keeps_everything(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    with running(REGISTRY_DATA_DIR=folder) as (_, _, api):
        model, project = a_model(api), api.project_id
    with running(REGISTRY_DATA_DIR=folder) as (_, _, api):
        assert Api(api.http, project).read(f"/models/{model['id']}") == model


def test_two_instances_work_side_by_side(database: Database) -> None:
    url = database.server.url
    with (
        running(REGISTRY_DATABASE_URL=url) as (_, _, one),
        running(REGISTRY_DATABASE_URL=url) as (_, _, two),
    ):
        other = Api(two.http, one.project_id)
        model = a_model(one)
        assert other.read(f"/models/{model['id']}") == model
        versions = [a_version(api, model["id"]) for api in (one, other) * 4]
        with ThreadPoolExecutor(8) as pool:
            set_default = [
                pool.submit(api.patch, f"/model_versions/{version['id']}", {"is_default": True})
                for version, api in zip(versions * 2, (one, other) * 8, strict=True)
            ]
            assert {future.result().status_code for future in set_default} == {200}
            name = fresh("model")
            creations = [pool.submit(api.post, "/models", {"name": name}) for api in (one, other) * 4]
            assert sorted(future.result().status_code for future in creations) == [201, *[409] * 7]
        items = one.read(f"/models/{model['id']}/versions")["items"]
        assert len([item for item in items if item["is_default"]]) == 1
