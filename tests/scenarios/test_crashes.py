"""A controller is killed by SIGKILL at every step. The next one finishes its work, and does nothing twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from tests.cluster.faulty import Fault
from tests.scenarios.processes import controller_process, kill
from tests.scenarios.world import PATIENCE, World

from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deployment import Phase

pytestmark = pytest.mark.slow

DOOMED = "doomed"
"""The user of the controller that is killed, so that faults only affect it."""

# To fail before a call is the same as to lose the answer of the call before it.
OF_A_DEPLOY = [
    ("get", "inferenceservices", 0),
    ("patch", "secrets", 0),
    ("patch", "inferenceservices", 0),
    ("patch", "secrets", 1),
    ("get", "inferenceservices", 1),
    ("get", "deployments", 0),
]
# First the share, then, in a second pass, the object without the canary.
OF_THE_END_OF_A_CANARY = [
    ("patch", "inferenceservices", 0),
    ("get", "inferenceservices", 1),
    ("get", "httproutes", 0),
    ("patch", "inferenceservices", 1),
]
OF_A_DELETE = [
    ("get", "inferenceservices", 0),
    ("delete", "inferenceservices", 0),
    ("get", "inferenceservices", 1),
    ("delete", "secrets", 0),
]
_HANG = "CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'"
_HANG_ON_RECORD = """
CREATE TRIGGER hang BEFORE UPDATE ON deployment FOR EACH ROW
WHEN (OLD.lease_by IS NOT NULL AND NEW.lease_by IS NULL) EXECUTE FUNCTION hang()
"""
_HANGS = "SELECT count(*) AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
_GO_ON = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'
"""


def words(step: tuple[str, str, int]) -> str:
    verb, resource, times = step
    return f"{verb} {resource} {times + 1}"


@asynccontextmanager
async def killed_at(world: World, url: str, folder: Path, step: tuple[str, str, int]) -> AsyncIterator[None]:
    """A controller that processes what becomes due in the block, and is killed after it."""
    verb, resource, skip = step
    hang = world.simulated.faults.add(
        Fault(verb=verb, resource=resource, user=DOOMED, skip=skip, delay=3600, drop=True)
    )
    with controller_process(url, world.simulated.kubeconfig(folder / "doomed.kubeconfig", user=DOOMED)) as pid:
        yield
        await until(lambda: bool(hang.hits), f"nobody makes step {words(step)}")
        kill(pid)
    world.simulated.faults.clear()


async def until(holds: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, complaint
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("step", OF_A_DEPLOY, ids=words)
async def test_killed_in_a_deploy(
    faulty: World, own_database_url: str, tmp_path: Path, step: tuple[str, str, int]
) -> None:
    async with killed_at(faulty, own_database_url, tmp_path, step):
        id_ = await faulty.intent()
    await is_finished(faulty, id_)


@pytest.mark.parametrize("step", OF_A_DELETE, ids=words)
async def test_killed_in_a_delete(
    faulty: World, own_database_url: str, tmp_path: Path, step: tuple[str, str, int]
) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
    async with killed_at(faulty, own_database_url, tmp_path, step):
        await faulty.dying_requests.services.undeploy(faulty.project_id, id_)
        await faulty.make_due(id_)
    async with faulty.controller():
        await faulty.make_due(id_)
        await faulty.until_phase(id_, Phase.UNDEPLOYED)
        await faulty.until_nothing_is_left()
        assert "DRIFTED" not in {phase for phase, _ in await faulty.log(id_)}


@pytest.mark.parametrize("step", [OF_A_DEPLOY[2], OF_A_DEPLOY[4]], ids=words)
async def test_killed_in_an_update(
    faulty: World, own_database_url: str, tmp_path: Path, step: tuple[str, str, int]
) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        before = await faulty.until_deployed(id_)
    version = await faulty.version("s3://models/other")
    async with killed_at(faulty, own_database_url, tmp_path, step):
        dying = faulty.dying_requests.deployments
        await dying.update(faulty.project_id, id_, model_version_id=version.id, options=None)
        await faulty.make_due(id_)
    async with faulty.controller():
        await faulty.make_due(id_)
        after = await faulty.until_deployed(id_, revision=2)
        assert before.applied is not None
        assert after.applied is not None
        assert after.applied.uid == before.applied.uid
        live = await faulty.live(after)
        assert live["spec"]["predictor"]["model"]["storageUri"] == "s3://models/other"
        await faulty.until_undeployed(id_)


@pytest.mark.parametrize("end", [CanaryStep.PROMOTE, CanaryStep.ABORT])
@pytest.mark.parametrize("step", OF_THE_END_OF_A_CANARY, ids=words)
async def test_killed_at_the_end_of_a_canary(
    faulty: World, own_database_url: str, tmp_path: Path, step: tuple[str, str, int], end: CanaryStep
) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
        version = await faulty.version("s3://models/other")
        await faulty.deployments.update(
            faulty.project_id, id_, model_version_id=version.id, options=None, traffic_percent=20
        )
        await faulty.until(id_, lambda d: d.reason == "CANARY")
    async with killed_at(faulty, own_database_url, tmp_path, step):
        await faulty.dying_requests.deployments.end_canary(faulty.project_id, id_, end)
        await faulty.make_due(id_)
    async with faulty.controller():
        await faulty.make_due(id_)
        after = await faulty.until_deployed(id_, revision=2 if end is CanaryStep.PROMOTE else 1)
        live = await faulty.live(after)
        assert "canary" not in live["spec"]
        assert live["spec"]["predictor"]["model"]["storageUri"] == after.spec.storage_uri
        assert "DRIFTED" not in {phase for phase, _ in await faulty.log(id_)}
        await faulty.until_undeployed(id_)


async def test_the_work_of_a_killed_controller_goes_on_within_seconds(
    faulty: World, own_database_url: str, tmp_path: Path
) -> None:
    """Nothing but the end of its lease makes it due. It was renewed until the kill, as its pass took longer."""
    async with killed_at(faulty, own_database_url, tmp_path, OF_A_DEPLOY[2]):
        id_ = await faulty.intent()
    (row,) = await faulty.database.fetch(
        "SELECT lease_by, lease_until - now() < interval '10 seconds' AS ends_soon FROM deployment"
    )
    assert (bool(row["lease_by"]), row["ends_soon"]) == (True, True)
    async with faulty.controller():
        await faulty.until_deployed(id_)


async def test_killed_while_it_records(faulty: World, own_database_url: str, tmp_path: Path) -> None:
    """Everything was done, but not recorded."""
    await faulty.database.fetch(_HANG)
    await faulty.database.fetch(_HANG_ON_RECORD)
    kubeconfig = faulty.simulated.kubeconfig(tmp_path / "doomed.kubeconfig", user=DOOMED)
    with controller_process(own_database_url, kubeconfig) as pid:
        id_ = await faulty.intent()
        deadline = time.monotonic() + PATIENCE
        while not (await faulty.database.fetch(_HANGS))[0]["n"]:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        kill(pid)
    await faulty.database.fetch(_GO_ON)
    await faulty.database.fetch("DROP FUNCTION hang CASCADE")
    assert (await faulty.deployment(id_)).applied is None
    await is_finished(faulty, id_)


async def is_finished(world: World, id_: UUID) -> None:
    """There is one object, the same as before if there was one, one Secret that it owns, and one revision."""
    uids = {item["metadata"]["uid"] for item in await world.kube.items(INFERENCE_SERVICES)}
    assert len(uids) <= 1
    async with world.controller():
        await world.make_due(id_)
        deployment = await world.until_deployed(id_)
        (live,) = await world.kube.items(INFERENCE_SERVICES)
        assert uids <= {live["metadata"]["uid"]}
        assert len(await world.secrets()) == 1
        assert len(await world.revisions(deployment.id)) == 1
        assert {phase for phase, _ in await world.log(deployment.id)} <= {"PENDING", "DEPLOYING", "DEPLOYED"}
        await world.until_undeployed(deployment.id)
