"""`Cluster.changes` reports all objects with our labels, and misses nothing when the connection fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from aiohttp import web
from tests.cluster.failures import gone, unavailable
from tests.cluster.faulty import Fault, FaultyCluster
from tests.cluster.road import Road
from tests.cluster.targets import TestCluster
from tests.deployments import a_deployment
from tests.kserve import IMPATIENT, PATIENCE, REGISTRY_ID, applied, connected, is_serving, observed

from registry_grpc.adapters.kserve import api
from registry_grpc.adapters.kserve.cluster import KServeCluster
from registry_grpc.adapters.kserve.stream import Backoff, Pace
from registry_grpc.devtools.simulated_cluster.api.errors import forbidden
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, NAMESPACES
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.errors import Reason, Unavailable
from registry_grpc.ports.cluster import EVERYWHERE, Change, Changed, NamespacesInUse, Relisted, Unseen

pytestmark = pytest.mark.slow


async def nowhere() -> tuple[str, ...]:
    """No namespace is in use."""
    return ()


class Events:
    """The events so far, and ways to wait for more."""

    def __init__(self) -> None:
        self._seen: list[Change] = []
        self._more = asyncio.Condition()

    async def follow(self, changes: AsyncIterator[Change]) -> None:
        async for event in changes:
            async with self._more:
                self._seen.append(event)
                self._more.notify_all()

    async def next(self, holds: Callable[[Change], bool]) -> Change:
        """The next event that meets the condition, after the last one that was asked for."""
        async with asyncio.timeout(PATIENCE), self._more:
            await self._more.wait_for(lambda: any(holds(event) for event in self._seen))
            index = next(index for index, event in enumerate(self._seen) if holds(event))
            event = self._seen[index]
            del self._seen[: index + 1]
            return event

    async def relisted(self, namespace: str | None = None) -> Relisted:
        event = await self.next(lambda e: isinstance(e, Relisted) and namespace in {None, e.namespace})
        assert isinstance(event, Relisted)
        return event

    async def changed(self, deployment: Deployment) -> None:
        await self.next(lambda e: e == Changed(deployment.id))

    def drain(self) -> list[Change]:
        seen, self._seen = self._seen, []
        return seen

    async def quiet(self) -> None:
        """Wait until there was no event for a moment."""
        while self.drain():  # noqa: ASYNC110 - nothing tells that nothing comes
            await asyncio.sleep(0.3)


@asynccontextmanager
async def watching(cluster: KServeCluster, used: NamespacesInUse = nowhere) -> AsyncIterator[Events]:
    events = Events()
    task = asyncio.create_task(events.follow(cluster.changes(used)))
    try:
        yield events
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def settled(cluster: KServeCluster, events: Events, deployment: Deployment) -> Deployment:
    """Apply the deployment, and wait until it serves and there are no more events."""
    deployment = await applied(cluster, deployment)
    await observed(cluster, deployment, is_serving)
    await events.quiet()
    return deployment


# On any cluster


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(kubernetes: TestCluster, namespace: str) -> AsyncIterator[KServeCluster]:
    async with connected(kubernetes.registry or kubernetes.admin, namespaces=(namespace,)) as adapter:
        yield adapter


async def test_first_a_list_then_changes(cluster: KServeCluster, namespace: str) -> None:
    before = await applied(cluster, a_deployment(namespace=namespace, name="before"))
    assert before.applied is not None
    async with watching(cluster) as events:
        (owned,) = (await events.relisted()).objects
        assert (owned.namespace, owned.name, owned.deployment_id) == (namespace, "before", before.id)
        assert (owned.uid, owned.revision) == (before.applied.uid, before.generation)
        deployment = await applied(cluster, a_deployment(namespace=namespace))
        await events.changed(deployment)
        await observed(cluster, deployment, is_serving)
        await cluster.delete(deployment, seen=await cluster.observe(deployment))
        await events.changed(deployment)
        await events.quiet()
        assert (await cluster.observe(deployment)).live is None


async def test_objects_of_others_are_not_reported(
    kubernetes: TestCluster, cluster: KServeCluster, namespace: str
) -> None:
    kubeconfig = kubernetes.registry or kubernetes.admin
    async with connected(kubeconfig, registry_id=uuid4()) as another, watching(cluster) as events:
        assert (await events.relisted()).objects == ()
        await applied(another, a_deployment(namespace=namespace, name="theirs"))
        ours = await applied(cluster, a_deployment(namespace=namespace, name="ours"))
        await events.changed(ours)
        await observed(cluster, ours, is_serving)
        assert set(events.drain()) <= {Changed(ours.id)}


async def test_it_lists_again_now_and_then(kubernetes: TestCluster, namespace: str) -> None:
    pace = replace(IMPATIENT, relist=(0.2, 0.3))
    kubeconfig = kubernetes.registry or kubernetes.admin
    async with connected(kubeconfig, namespaces=(namespace,), pace=pace) as cluster, watching(cluster) as events:
        for _ in range(3):
            await events.relisted()


# Failures on demand, which only the simulated cluster has


@pytest_asyncio.fixture(loop_scope="session")
async def simulated() -> AsyncIterator[FaultyCluster]:
    async with FaultyCluster(bookmark_interval=0.1) as cluster:
        cluster.create_namespace("models")
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def adapter(simulated: FaultyCluster, tmp_path: Path) -> AsyncIterator[KServeCluster]:
    async with connected(simulated.kubeconfig(tmp_path / "kubeconfig")) as cluster:
        yield cluster


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_watch_that_ends_goes_on(simulated: FaultyCluster, adapter: KServeCluster, abruptly: bool) -> None:
    async with watching(adapter) as events:
        await events.relisted()
        deployment = await settled(adapter, events, a_deployment())
        simulated.end_watches(abruptly=abruptly)
        await adapter.delete(deployment, seen=await adapter.observe(deployment))
        await events.changed(deployment)
        assert Relisted not in {type(event) for event in events.drain()}, "nothing was missed"


async def test_a_forgotten_version_brings_a_new_list(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    async with watching(adapter) as events:
        await events.relisted()
        deployment = await settled(adapter, events, a_deployment())
        held = simulated.faults.add(Fault(verb="watch", error=unavailable()))
        simulated.end_watches(abruptly=True)
        await adapter.delete(deployment, seen=await adapter.observe(deployment))
        await observed(adapter, deployment, lambda e: e.live is None)
        simulated.store.compact()
        simulated.faults.remove(held)
        assert (await events.relisted()).objects == ()


async def test_bookmarks_keep_the_version_of_a_quiet_watch(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    async with watching(adapter) as events:
        await events.relisted()
        deployment = await settled(adapter, events, a_deployment())
        for number in range(3):
            simulated.create_namespace(f"other-{number}")
        await asyncio.sleep(0.3)
        simulated.store.compact()
        simulated.end_watches()
        await adapter.delete(deployment, seen=await adapter.observe(deployment))
        await events.changed(deployment)
        assert Relisted not in {type(event) for event in events.drain()}


async def test_an_error_event_of_410_is_a_gap(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    simulated.faults.add(Fault(verb="watch", times=1, error=gone()))
    async with watching(adapter) as events:
        await events.relisted()
        await events.relisted()


async def test_a_server_that_is_down_is_waited_for(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    simulated.faults.add(Fault(verb="list", times=7, error=unavailable()))
    simulated.faults.add(Fault(verb="watch", times=5, drop=True))
    async with watching(adapter) as events:
        await events.relisted()
        deployment = await applied(adapter, a_deployment())
        await events.changed(deployment)


@pytest_asyncio.fixture(loop_scope="session")
async def road(simulated: FaultyCluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Road]:
    """The way to the server, for a watch whose pauses have grown without bounds after the first one."""
    first = set[Backoff]()

    async def pause(self: Backoff) -> None:
        if self in first:
            await asyncio.Event().wait()
        first.add(self)

    monkeypatch.setattr(Backoff, "pause", pause)
    monkeypatch.setattr(api, "ASK_SECONDS", 0.01)
    simulated.create_namespace("others")
    async with Road(int(simulated.url.rpartition(":")[2])) as road:
        yield road


def kubeconfig_by(road: Road, simulated: FaultyCluster, path: Path) -> Path:
    content = simulated.kubeconfig(path).read_text()
    path.write_text(content.replace(simulated.url, f"https://127.0.0.1:{road.port}"))
    return path


@pytest.mark.parametrize("tells", [True, False], ids=["tells", "does not tell"])
async def test_a_server_that_was_away_is_watched_again_once_it_is_ready(
    simulated: FaultyCluster, road: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tells: bool
) -> None:
    """When it starts, it refuses everything at first. Not everybody may ask whether it is ready."""
    asked: list[str] = []
    usual = simulated.api._answer
    until_ready = api.Api.until_ready
    is_starting = False
    waiting = 0

    async def wait(self: api.Api) -> None:
        nonlocal waiting
        waiting += 1
        await until_ready(self)

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal is_starting
        asked.append(request.path)
        is_starting = is_starting and len(asked) < 4
        if is_starting or (request.path == "/readyz" and not tells):
            raise forbidden(NAMESPACES, "models", "rights are not known yet")
        return await usual(request)

    monkeypatch.setattr(api.Api, "until_ready", wait)
    monkeypatch.setattr(simulated.api, "_answer", answer)

    async def both_relisted(events: Events) -> None:
        left = {"models", "others"}
        while left:
            event = await events.next(lambda _: True)
            assert isinstance(event, Relisted), "and never unseen"
            left.discard(event.namespace)

    kubeconfig = kubeconfig_by(road, simulated, tmp_path / "k")
    async with connected(kubeconfig, namespaces=("models", "others")) as cluster, watching(cluster) as events:
        for _ in range(2):
            await both_relisted(events)
            while len(simulated.api.watches) < 8:  # noqa: ASYNC110 - nothing tells of a watch
                await asyncio.sleep(0.01)
            waiting = 0
            road.block()
            while waiting < 8:  # noqa: ASYNC110 - nor that it waits
                await asyncio.sleep(0.01)
            asked.clear()
            is_starting = True
            await road.open()
        await both_relisted(events)
        assert asked.count("/readyz") == (4 if tells else 5), "one asks for all"
        assert asked[:4] == ["/readyz"] * 4


async def test_a_server_that_ends_every_watch_at_once_is_spared(simulated: FaultyCluster, tmp_path: Path) -> None:
    pace = Pace(first_pause=0.2, longest_pause=10)
    async with connected(simulated.kubeconfig(tmp_path / "k"), pace=pace) as adapter, watching(adapter) as events:
        await events.relisted()
        until = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < until:
            simulated.end_watches()
            await asyncio.sleep(0.005)
    asked = sum(count for (verb, _), count in simulated.calls.items() if verb == "watch")
    assert asked < 60, "with a bound of 0.2, 0.4, 0.8… seconds between attempts"


async def test_workloads_that_may_not_be_watched_do_not_keep_services_from_it(
    simulated: FaultyCluster, adapter: KServeCluster
) -> None:
    simulated.faults.forbid("list", "pods")
    simulated.faults.forbid("watch", "deployments")
    async with watching(adapter) as events:
        await events.relisted()
        deployment = await applied(adapter, a_deployment())
        await events.changed(deployment)


async def test_pods_alone_are_news(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    simulated.faults.forbid("watch", "inferenceservices")
    simulated.faults.forbid("watch", "deployments")
    async with watching(adapter) as events:
        await events.relisted()
        await events.changed(await applied(adapter, a_deployment()))


async def test_each_namespace_is_watched_on_its_own(simulated: FaultyCluster, tmp_path: Path) -> None:
    simulated.create_namespace("others")
    unseen = forbidden(NAMESPACES, "others", "no rights")
    away = simulated.faults.add(Fault(namespace="others", error=unseen))
    kubeconfig = simulated.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig, namespaces=("models", "others")) as cluster, watching(cluster) as events:
        first: set[Change] = {Unseen("others"), Relisted("models", ())}
        while first:  # in any order
            first.discard(await events.next(lambda e: e in first))
        ours = await settled(cluster, events, a_deployment())
        simulated.faults.remove(away)
        assert (await events.relisted("others")).objects == ()
        await events.changed(await applied(cluster, a_deployment(namespace="others")))
        simulated.faults.add(away)
        simulated.end_watches(abruptly=True)
        await events.next(lambda e: e == Unseen("others"))
        await cluster.delete(ours, seen=await cluster.observe(ours))
        await events.changed(ours)
        assert Relisted not in {type(event) for event in events.drain()}


async def test_a_namespace_out_of_sight_costs_one_small_request_at_a_time(
    simulated: FaultyCluster, tmp_path: Path
) -> None:
    refused = simulated.faults.add(Fault(verb="list", error=forbidden(NAMESPACES, "models", "no rights")))
    kubeconfig = simulated.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig, namespaces=("models",)) as cluster, watching(cluster) as events:
        await events.next(lambda e: e == Unseen("models"))
        before, hits = simulated.calls.copy(), refused.hits
        async with asyncio.timeout(PATIENCE):
            while refused.hits < hits + 5:  # noqa: ASYNC110 - nothing tells of a request
                await asyncio.sleep(0.01)
        assert (simulated.calls - before).keys() == {("list", "inferenceservices"), ("get", "namespaces")}
        assert events.drain() == [], "told once"
        simulated.faults.remove(refused)
        await events.relisted("models")


@pytest.mark.parametrize("number", [1, 8, 45])
async def test_lost_rights_are_noticed_as_soon_as_the_number_of_namespaces_allows(
    simulated: FaultyCluster, tmp_path: Path, number: int
) -> None:
    """A request for InferenceServices is checked when it begins. The requests of all namespaces together are few."""
    names = [f"team-{index}" for index in range(number)]
    for name in names:
        simulated.create_namespace(name)
    kubeconfig = simulated.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig, namespaces=tuple(names), pace=Pace()) as cluster, watching(cluster):
        async with asyncio.timeout(PATIENCE):
            while len(simulated.api.watches) < 4 * number:  # noqa: ASYNC110 - nothing tells of a watch
                await asyncio.sleep(0.01)
        seconds = [(watch.path, int(watch.query["timeoutSeconds"])) for watch in simulated.api.watches]
    of_services = [some for path, some in seconds if path.endswith("/inferenceservices")]
    assert len(of_services) == number
    assert max(of_services) <= 76 * max(1, number / 8)
    relists = number * 8 / Pace().among(number).relist[0]
    assert sum(1 / some for _, some in seconds) + relists < 0.35


async def test_a_namespace_that_is_gone_is_seen_to_be_empty(simulated: FaultyCluster, tmp_path: Path) -> None:
    kubeconfig = simulated.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig, namespaces=("models",)) as cluster, watching(cluster) as events:
        await events.relisted()
        await settled(cluster, events, a_deployment())
        refused = simulated.faults.add(Fault(namespace="models", error=forbidden(NAMESPACES, "models", "no rights")))
        simulated.end_watches(abruptly=True)
        await events.next(lambda e: e == Unseen("models"))
        simulated.verbs.delete(NAMESPACES, "", "models", {})
        assert (await events.relisted("models")).objects == ()
        before, hits = simulated.calls.copy(), refused.hits
        async with asyncio.timeout(PATIENCE):
            while refused.hits < hits + 5:  # noqa: ASYNC110 - nothing tells of a request
                await asyncio.sleep(0.01)
        assert (simulated.calls - before).keys() == {("list", "inferenceservices")}
        assert events.drain() == [], "told once"


async def test_a_whole_cluster_out_of_sight_is_not_empty(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    right = simulated.faults.forbid("list", "inferenceservices", namespace="")
    async with watching(adapter) as events:
        assert await events.next(lambda _: True) == Unseen(EVERYWHERE)
        simulated.faults.remove(right)
        await events.relisted(EVERYWHERE)


async def test_namespaces_in_use_are_watched_as_well_and_as_long(simulated: FaultyCluster, tmp_path: Path) -> None:
    in_use: list[str] = []
    asked = 0

    async def used() -> list[str]:
        nonlocal asked
        asked += 1
        if asked % 2:
            raise Unavailable(Reason.DATABASE_UNAVAILABLE)
        return in_use

    simulated.create_namespace("new")
    kubeconfig = simulated.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig, namespaces=("models",)) as cluster, watching(cluster, used) as events:
        await events.relisted("models")
        in_use.extend(("new", "", "..", "no/name"))
        await events.relisted("new")
        deployment = await settled(cluster, events, a_deployment(namespace="new"))
        in_use.clear()
        while simulated.watches_of("new"):  # noqa: ASYNC110 - nothing tells that it has ended
            await asyncio.sleep(0.01)
        await cluster.delete(deployment, seen=await cluster.observe(deployment))
        await events.changed(await applied(cluster, a_deployment()))
        assert Changed(deployment.id) not in events.drain()


async def test_a_label_that_is_not_an_id_is_reported_as_none(simulated: FaultyCluster, adapter: KServeCluster) -> None:
    labels = {
        "modelregistry.ai-platform/registry-id": str(REGISTRY_ID),
        "modelregistry.ai-platform/deployment-id": "x",
    }
    model = {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://x/y"}
    simulated.verbs.create(
        INFERENCE_SERVICES,
        "models",
        {"metadata": {"name": "odd", "labels": labels}, "spec": {"predictor": {"model": model}}},
    )
    async with watching(adapter) as events:
        (owned,) = (await events.relisted()).objects
        assert owned.deployment_id is None
        await asyncio.sleep(0.5)
        assert events.drain() == []


async def test_changes_wait_their_turn_without_piling_up(adapter: KServeCluster) -> None:
    changes = adapter.changes(nowhere)
    assert isinstance(await anext(changes), Relisted)
    deployment = await applied(adapter, a_deployment())
    assert await anext(changes) == Changed(deployment.id)
    await observed(adapter, deployment, is_serving)
    ids: list[UUID] = []
    try:
        async with asyncio.timeout(0.5):
            async for event in changes:
                assert isinstance(event, Changed)
                ids.append(event.deployment_id)
    except TimeoutError:
        pass
    assert 1 <= len(ids) <= 3, "some twenty events came while nobody asked"
