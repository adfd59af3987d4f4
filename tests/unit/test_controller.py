"""The controller's loops: claiming, leading, watching and deleting history. No error ends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.queues import seen
from tests.deployments import RETENTION
from tests.fakes.deployment_queue import InMemoryDeploymentQueue
from tests.fakes.projects import OPEN
from tests.unit.at_work import AtWork, at_work

from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.ports.cluster import EVERYWHERE, Changed, Relisted, Unseen
from registry_grpc.ports.deployments import Claim, Retention
from registry_grpc.services import controller, leading
from registry_grpc.services.controller import CONCURRENT_PASSES, Controller
from registry_grpc.services.reconciliation import Reconciler


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "_AFTER_FAULT_SECONDS", 0.001)
    monkeypatch.setattr(controller, "_GATHER_SECONDS", 0.001)


@pytest.fixture
async def world() -> AtWork:
    return await at_work()


class Faults:
    """What a controller has reported."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def __call__(self, where: str, error: BaseException) -> None:
        self.said.append((where, str(error)))


@asynccontextmanager
async def running(world: AtWork, **parts: Any) -> AsyncIterator[Faults]:
    faults = Faults()
    usual: dict[str, Any] = {"queue": world.queue, "reconciler": world.reconciler, "cluster": world.cluster}
    usual["retention"] = RETENTION
    task = asyncio.create_task(Controller(**usual | parts, report=faults).run())
    try:
        yield faults
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def due(world: AtWork, count: int = 1) -> list[Deployment]:
    """Deployments whose requests died before their first pass."""
    world.reconciler.attempt = _nothing  # type: ignore[method-assign]
    deployments = []
    for number in range(count):
        deployed = await world.deployments.deploy(world.project_id, world.new(name=f"iris-{number}"))
        assert deployed.deployment is not None
        deployments.append(deployed.deployment)
    await world.queue.mark_changed([deployment.id for deployment in deployments])
    return deployments


async def _nothing(id: UUID) -> None:
    pass


class Leading(InMemoryDeploymentQueue):
    """A queue whose leadership a test controls. An exception stands for a lost session."""

    def __init__(self, world: AtWork) -> None:
        super().__init__(world.store)
        self.states: asyncio.Queue[bool | Exception] = asyncio.Queue()

    @asynccontextmanager
    async def leadership(self) -> AsyncIterator[AsyncIterator[bool]]:
        async def states() -> AsyncIterator[bool]:
            while True:
                state = await self.states.get()
                if isinstance(state, Exception):
                    raise state
                yield state

        yield states()


# Leading


async def test_only_the_leader_watches(world: AtWork) -> None:
    queue = Leading(world)
    async with running(world, queue=queue):
        queue.states.put_nowait(False)
        await asyncio.sleep(0.02)
        assert world.cluster.watching == 0
        for _ in range(3):
            queue.states.put_nowait(True)
        await until(lambda: world.cluster.watching == 1)
        queue.states.put_nowait(False)
        await until(lambda: world.cluster.watching == 0)
        queue.states.put_nowait(True)
        await until(lambda: world.cluster.watching == 1)
    assert world.cluster.watching == 0


async def test_a_leader_that_lost_its_session_stops_watching(world: AtWork) -> None:
    queue = Leading(world)
    async with running(world, queue=queue) as faults:
        queue.states.put_nowait(True)
        await until(lambda: world.cluster.watching == 1)
        queue.states.put_nowait(OSError("the session is gone"))
        await until(lambda: world.cluster.watching == 0)
        assert ("lead", "the session is gone") in faults.said
        queue.states.put_nowait(True)
        await until(lambda: world.cluster.watching == 1)


async def test_one_of_two_watches_and_the_other_after_it(world: AtWork) -> None:
    async with running(world):
        await until(lambda: world.cluster.watching == 1)
        async with running(world, queue=InMemoryDeploymentQueue(world.store)):
            await asyncio.sleep(0.05)
            assert world.cluster.watching == 1


# Forgetting


class Forgetting(Leading):
    """Records the calls of `forget` with their retention. The first call fails."""

    def __init__(self, world: AtWork) -> None:
        super().__init__(world)
        self.asked: list[Retention] = []

    async def forget(self, retention: Retention) -> None:
        self.asked.append(retention)
        if len(self.asked) == 1:
            raise OSError("away")


async def test_the_leader_deletes_history_again_and_again(world: AtWork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "_FORGET_SECONDS", 0.002)
    queue = Forgetting(world)
    async with running(world, queue=queue) as faults:
        queue.states.put_nowait(False)
        await asyncio.sleep(0.02)
        assert queue.asked == []
        queue.states.put_nowait(True)
        await until(lambda: len(queue.asked) > 3)
        assert set(queue.asked) == {RETENTION}
        assert faults.said == [("forget", "away")]
        assert world.cluster.watching == 1


async def test_a_fault_in_forgetting_is_not_repeated_at_once(world: AtWork) -> None:
    queue = Forgetting(world)
    async with running(world, queue=queue) as faults:
        queue.states.put_nowait(True)
        await until(lambda: bool(faults.said))
        await asyncio.sleep(0.02)
        assert len(queue.asked) == 1


# Watching


async def test_changes_and_relists_make_due(world: AtWork) -> None:
    deployment = await world.deployed()
    world.store.work[deployment.id].next_at = None
    async with running(world):
        looks = world.cluster.calls["observe"]
        world.cluster.news.put_nowait(Changed(deployment.id))
        await until(lambda: world.cluster.calls["observe"] == looks + 1)
        await until(lambda: world.is_free(deployment.id))
        del world.cluster.objects["models", deployment.name]
        world.cluster.news.put_nowait(Relisted(EVERYWHERE, (seen(deployment, deployment_id=uuid4(), name="stray"),)))
        await until(lambda: ("models", deployment.name) in world.cluster.objects)
        assert [orphan.name for orphan in world.store.orphans] == ["stray"]


async def test_a_namespace_out_of_sight_makes_its_deployments_due(world: AtWork) -> None:
    deployment = await world.deployed()
    async with running(world):
        looks = world.cluster.calls["observe"]
        world.cluster.news.put_nowait(Unseen("elsewhere"))
        world.cluster.news.put_nowait(Unseen(deployment.namespace))
        await until(lambda: world.cluster.calls["observe"] == looks + 1)


async def test_changes_are_not_forgotten_without_the_database(world: AtWork) -> None:
    deployment = await world.deployed()
    world.store.work[deployment.id].next_at = None

    class Away(InMemoryDeploymentQueue):
        tries = 0

        async def mark_changed(self, ids: Collection[UUID]) -> None:
            self.tries += 1
            if self.tries < 3:
                raise OSError("away")
            await super().mark_changed(ids)

    queue = Away(world.store)
    async with running(world, queue=queue) as faults:
        looks = world.cluster.calls["observe"]
        world.cluster.news.put_nowait(Changed(deployment.id))
        await until(lambda: world.cluster.calls["observe"] > looks)
        assert faults.said == [("mark", "away")] * 2


# Working


async def test_all_that_is_due_is_worked_on_and_no_more_at_once_than_there_is_room_for(world: AtWork) -> None:
    deployments = await due(world, 2 * CONCURRENT_PASSES)
    at_once = most = 0

    async def slow(method: str) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once, sum(1 for work in world.store.work.values() if work.holder))
        await asyncio.sleep(0.002)
        at_once -= 1

    world.cluster.meanwhile = slow
    async with running(world):
        await until(lambda: all(world.store.deployments[d.id].phase is Phase.DEPLOYED for d in deployments))
    assert most == CONCURRENT_PASSES
    assert all(world.is_free(deployment.id) for deployment in deployments)


async def test_a_controller_whose_passes_all_hang_does_not_turn(world: AtWork) -> None:
    """And one with room for another pass does, again and again."""
    hanging = asyncio.Event()
    hung = 0

    async def hang(method: str) -> None:
        nonlocal hung
        hung += 1
        await hanging.wait()

    world.cluster.meanwhile = hang
    usual = {"queue": world.queue, "reconciler": world.reconciler, "cluster": world.cluster, "retention": RETENTION}
    one: Any = Controller(**usual, report=Faults())  # type: ignore[arg-type]
    task = asyncio.create_task(one.run())
    await until(lambda: one._due.is_set() is False)
    turned_at = one.turned_at
    one._due.set()
    await until(lambda: one.turned_at > turned_at)

    await due(world, CONCURRENT_PASSES)
    await until(lambda: hung == CONCURRENT_PASSES)
    turned_at = one.turned_at
    one._due.set()
    await until(lambda: not one._due.is_set())
    assert one.turned_at == turned_at
    hanging.set()
    await until(lambda: one.turned_at > turned_at)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_work_that_becomes_due_later_is_done_without_being_woken(world: AtWork) -> None:
    (deployment,) = await due(world)
    work = world.store.work[deployment.id]
    work.next_at = world.clock.now() + timedelta(seconds=0.2)
    async with running(world):
        await asyncio.sleep(0.05)
        assert world.store.deployments[deployment.id].phase is Phase.PENDING
        world.clock.advance(timedelta(seconds=1))
        await until(lambda: world.store.deployments[deployment.id].phase is Phase.DEPLOYED)


async def test_a_pass_that_fails_is_reported_and_the_others_go_on(world: AtWork) -> None:
    bad, good = await due(world, 2)

    class Bad(Reconciler):
        async def work(self, claim: Claim) -> None:
            if claim.deployment.id == bad.id:
                raise ValueError("a fault of the code")
            await world.reconciler.work(claim)

    reconciler = Bad(queue=world.queue, cluster=world.cluster, versions=world.repositories.versions, tenants=OPEN)
    async with running(world, reconciler=reconciler) as faults:
        await until(lambda: world.store.deployments[good.id].phase is Phase.DEPLOYED)
        await until(lambda: faults.said == [("pass", "a fault of the code")])
        assert world.store.deployments[bad.id].phase is Phase.PENDING


async def test_a_queue_that_fails_ends_no_loop(world: AtWork) -> None:
    (deployment,) = await due(world)

    class Away(InMemoryDeploymentQueue):
        tries = 0

        async def claim(self, limit: int) -> list[Claim]:
            self.tries += 1
            if self.tries < 3:
                raise OSError("away")
            return await super().claim(limit)

    async with running(world, queue=Away(world.store)) as faults:
        await until(lambda: world.store.deployments[deployment.id].phase is Phase.DEPLOYED)
        assert ("work", "away") in faults.said


# Stopping


async def test_a_pass_under_way_may_end(world: AtWork) -> None:
    (deployment,) = await due(world)
    begun = asyncio.Event()

    async def slow(_: str) -> None:
        begun.set()
        await asyncio.sleep(0.01)

    world.cluster.meanwhile = slow
    async with running(world):
        await begun.wait()
    assert world.store.deployments[deployment.id].phase is Phase.DEPLOYED


async def test_a_pass_that_takes_too_long_is_broken_off_and_gives_its_lease_back(
    world: AtWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "_STOP_SECONDS", 0.01)
    (deployment,) = await due(world)
    begun = asyncio.Event()

    async def forever(_: str) -> None:
        begun.set()
        await asyncio.Event().wait()

    world.cluster.meanwhile = forever
    async with running(world):
        await begun.wait()
    assert world.is_free(deployment.id)
    assert world.store.deployments[deployment.id].phase is Phase.PENDING
