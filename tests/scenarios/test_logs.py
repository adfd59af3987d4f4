"""The log tells the story of a deployment: each change once, by whichever process has recorded it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs
from tests.scenarios.world import World, cipher

from registry_grpc.adapters.postgres.requests import PostgresRequests
from registry_grpc.domain.deployment import Phase
from registry_grpc.ports.requests import Request

pytestmark = pytest.mark.slow

Lines = list[Any]


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as lines:
        yield lines


def of(lines: Lines, event: str, id: UUID | None = None) -> Lines:
    return [line for line in lines if line["event"] == event and id in {None, line.get("id")}]


def phases(lines: Lines, id: UUID) -> list[tuple[int, str, str]]:
    return [(line["revision"], line["phase"], line["reason"]) for line in of(lines, "deployment.phase_changed", id)]


async def test_from_pending_to_deployed_to_failed(faulty: World, lines: Lines) -> None:
    async with faulty.controller(), faulty.controller():
        id_ = await faulty.intent()
        deployed = await faulty.until_deployed(id_)
        version = await faulty.version("s3://models/corrupt-model")
        await faulty.deployments.update(faulty.project_id, id_, model_version_id=version.id, options=None)
        failed = await faulty.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
        recorded = [(event.generation, event.phase.value, event.reason) for event in await faulty.events(id_)]
    assert phases(lines, id_) == [
        entry for before, entry in zip([None, *recorded], recorded, strict=False) if entry != before
    ]
    assert phases(lines, id_)[0] == (1, "PENDING", "")
    told = of(lines, "deployment.phase_changed", id_)
    levels = {line["phase"]: line["log_level"] for line in told}
    assert levels.pop("DEPLOYING", "info") == "info"  # nobody may have looked meanwhile
    assert levels == {"PENDING": "info", "DEPLOYED": "info", "UPDATING": "info", "FAILED": "warning"}
    assert (told[-1]["name"], told[-1]["namespace"]) == (deployed.name, deployed.namespace)
    assert (told[-1]["project_id"], told[-1]["message"]) == (faulty.project_id, failed.message)
    gained, lost = of(lines, "leadership.gained"), of(lines, "leadership.lost")
    assert {(line["role"], line["log_level"]) for line in gained + lost} == {("controller", "info")}
    assert len(gained) == len(lost) in {1, 2}  # the second one may lead when the first one has stopped


async def test_what_is_rolled_back_is_not_told(world: World, lines: Lines) -> None:
    """Neither a call that failed after its first write nor one that was told the answer of another one."""
    requests = PostgresRequests(world.database, cipher())
    new = world.new(await world.version())
    made: list[UUID] = []

    async def work() -> bytes:
        made.append((await world.dying_requests.deployments.deploy(world.project_id, new, user="ann")).service.id)
        raise ValueError("the call fails")

    sent = Request(project_id=world.project_id, id=str(uuid4()), rpc="Deploy", content=b"")

    async def resume(_id: UUID) -> bytes:
        return b""

    with suppress(ValueError):
        await requests.once(sent, work, resume)
    id_ = await world.intent()
    assert of(lines, "deployment.phase_changed", made[0]) == []
    assert phases(lines, id_) == [(1, "PENDING", "")]


async def test_an_undeployment_is_told(running: World, lines: Lines) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    await running.until_undeployed(id_)
    assert phases(lines, id_)[0] == (1, "PENDING", "")
    assert [phase for _, phase, _ in phases(lines, id_)][-2:] == ["DELETING", "UNDEPLOYED"]


async def test_an_orphan_is_told_once(faulty: World, lines: Lines) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        deployed = await faulty.until_deployed(id_)
    await faulty.database.execute("DELETE FROM deployment WHERE id = $1", id_)
    for _ in range(2):
        async with faulty.controller():
            await faulty.until_orphans(1)
            await asyncio.sleep(0)
    found = [(line["namespace"], line["name"], line["log_level"]) for line in of(lines, "orphan.found")]
    assert found == [(deployed.namespace, deployed.name, "warning")]
