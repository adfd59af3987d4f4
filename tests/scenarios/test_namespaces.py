"""Namespaces that the registry may not see, or that are gone: their deployments say so, and no others suffer."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from tests.kserve import IMPATIENT
from tests.scenarios.world import World

from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.metrics import NAMESPACES_UNSEEN
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, NAMESPACES
from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.services import controller

pytestmark = pytest.mark.slow

_SECONDS = 6
_AN_HOUR_AGO = """
UPDATE deployment SET phase_since = phase_since - interval '1 hour', observed_at = observed_at - interval '1 hour'
"""
_SOON_DUE = "SELECT FROM deployment WHERE next_at < now() + interval '1 minute' OR lease_until > now()"


async def _in_two_namespaces(world: World) -> tuple[Deployment, Deployment]:
    """A deployment in the world's own namespace, and one in another."""
    other = await world.kubernetes.create_namespace()
    async with world.controller(namespaces=(world.kube.namespace, other)):
        here = await world.until_deployed((await world.deploy()).service.id)
        await world.use_namespace(other)
        there = await world.until_deployed((await world.deploy()).service.id)
    return await world.deployment(here.id), await world.deployment(there.id)  # after the last pass


async def test_a_namespace_out_of_sight_blinds_nobody_to_others(world: World) -> None:
    here, there = await _in_two_namespaces(world)
    await world.kubernetes.take_rights(there.namespace)
    await world.kube.delete(INFERENCE_SERVICES, here.name)

    async with world.controller(namespaces=(here.namespace, there.namespace)):
        await world.until(here.id, lambda d: d.phase is Phase.DEPLOYED and d.applied != here.applied)
        unseen = await world.until_phase(there.id, Phase.DEPLOYED, "NAMESPACE_NOT_VISIBLE")
        assert (unseen.url, unseen.observed_at) == (there.url, there.observed_at)
        assert there.namespace in unseen.message
        view = await world.view(there.id)
        assert (view.current_state, view.url, view.last_error) == ("DEPLOYED", there.url, unseen.message)

        await world.kubernetes.give_rights(there.namespace)
        seen = await world.until_phase(there.id, Phase.DEPLOYED)
        assert seen.observed_at is not None
        assert unseen.observed_at is not None
        assert seen.observed_at > unseen.observed_at


async def test_rights_that_are_taken_from_a_quiet_namespace_are_missed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kubernetes does not end the watches that are open, and nothing makes the deployment due."""
    monkeypatch.setattr(controller, "LOOK_SECONDS", 3600)
    here, there = await _in_two_namespaces(world)
    async with world.controller(pace=replace(IMPATIENT, sight=(1, 2)), namespaces=(here.namespace, there.namespace)):
        await replace(world.kube, namespace=there.namespace).delete(INFERENCE_SERVICES, there.name)
        await world.until(there.id, lambda d: d.phase is Phase.DEPLOYED and d.applied != there.applied)
        while await world.database.fetch(_SOON_DUE):  # noqa: ASYNC110 - until the last pass
            await asyncio.sleep(0.05)
        await world.kubernetes.take_rights(there.namespace)
        unseen = await world.until_phase(there.id, Phase.DEPLOYED, "NAMESPACE_NOT_VISIBLE")
        assert (unseen.url, (await world.deployment(here.id)).reason) == (there.url, "")
        # A last pass may have been refused before the watch was, which is what has to notice the rights.
        while not any(NAMESPACES_UNSEEN.read().values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await world.kubernetes.give_rights(there.namespace)
        await world.until(there.id, lambda d: d.reason == "")


async def test_a_deleted_namespace_ends_in_undeployed(world: World) -> None:
    here, there = await _in_two_namespaces(world)
    async with world.controller(namespaces=(here.namespace, there.namespace)):
        await world.kubernetes.delete_namespace(there.namespace)
        await world.kubernetes.take_rights(there.namespace)
        gone = await world.until(there.id, lambda d: d.reason == "NAMESPACE_NOT_FOUND" and d.applied is None)
        assert (gone.phase, gone.url, gone.serving_generation) == (Phase.FAILED, "", None)
        view = await world.view(there.id)
        assert (view.current_state, view.url, view.external_id) == ("UNDEPLOYED", "", "")

    async with world.controller(namespaces=(here.namespace, there.namespace)):  # another one
        await world.undeploy(there.id)
        await world.until_phase(there.id, Phase.UNDEPLOYED)
        assert (await world.deployment(here.id)).phase is Phase.DEPLOYED


async def test_nothing_serves_in_a_namespace_that_is_being_deleted(faulty: World) -> None:
    here, there = await _in_two_namespaces(faulty)
    async with faulty.controller(namespaces=(here.namespace, there.namespace)):
        namespace = faulty.simulated.verbs.get(NAMESPACES, "", there.namespace)
        faulty.simulated.store.put(NAMESPACES, {**namespace, "status": {"phase": "Terminating"}})
        await faulty.kubernetes.take_rights(there.namespace)
        await faulty.make_due(there.id)
        ending = await faulty.until_phase(there.id, Phase.FAILED, "NAMESPACE_NOT_FOUND")
        assert (ending.url, ending.serving_generation) == ("", None)
        view = await faulty.view(there.id)
        assert (view.current_state, view.url) == ("UNDEPLOYED", "")

        await faulty.undeploy(there.id)
        waiting = await faulty.until_phase(there.id, Phase.DELETING, "NAMESPACE_NOT_VISIBLE")
        assert (await faulty.view(there.id)).last_error == waiting.message
        await faulty.kubernetes.delete_namespace(there.namespace)
        await faulty.until_phase(there.id, Phase.UNDEPLOYED)
        assert (await faulty.view(there.id)).last_error == ""
        assert await faulty.served_now(here.id) == 1


async def test_an_undeployment_out_of_sight_says_what_it_waits_for(world: World) -> None:
    here, there = await _in_two_namespaces(world)
    await world.kubernetes.take_rights(there.namespace)
    async with world.controller(namespaces=(here.namespace, there.namespace)):
        await world.undeploy(there.id)
        waits = await world.until_phase(there.id, Phase.DELETING, "NAMESPACE_NOT_VISIBLE")
        assert "Grant the registry its rights" in waits.next_step
        await world.kubernetes.give_rights(there.namespace)
        await world.until_phase(there.id, Phase.UNDEPLOYED)


async def test_a_namespace_that_is_made_again(world: World) -> None:
    """The registry watches it although it is not configured, because it has deployments."""
    _, there = await _in_two_namespaces(world)
    async with world.controller(namespaces=(world.kube.namespace,)):
        await world.kubernetes.delete_namespace(there.namespace)
        await world.kubernetes.take_rights(there.namespace)
        await world.until(there.id, lambda d: d.reason == "NAMESPACE_NOT_FOUND" and d.applied is None)
        await world.kubernetes.create_namespace(there.namespace)
        await world.kubernetes.give_rights(there.namespace)
        again = await world.until_deployed(there.id)
        seen = (await world.log(there.id)).count(("DRIFTED", "DELETED_EXTERNALLY"))
        await replace(world.kube, namespace=there.namespace).delete(INFERENCE_SERVICES, there.name)
        await world.until(there.id, lambda d: d.phase is Phase.DEPLOYED and d.applied != again.applied)
        assert (await world.log(there.id)).count(("DRIFTED", "DELETED_EXTERNALLY")) == seen + 1


async def test_a_namespace_that_is_made_again_under_a_watch_on_all(
    faulty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rights do not go with the namespace, and the watch neither ends nor lists again."""
    monkeypatch.setattr(controller, "LOOK_SECONDS", 0.1)
    other = await faulty.kubernetes.create_namespace()
    await faulty.use_namespace(other)
    async with faulty.controller(pace=Pace(first_pause=0.02)):
        ids = [(await faulty.deploy(name=f"iris-{number}")).service.id for number in range(3)]
        for id_ in ids:
            await faulty.until_deployed(id_)
        await faulty.kubernetes.delete_namespace(other)
        for id_ in ids:
            gone = await faulty.until(id_, lambda d: d.reason == "NAMESPACE_NOT_FOUND" and d.applied is None)
            assert (gone.phase, gone.url) == (Phase.FAILED, "")
        await faulty.kubernetes.create_namespace(other)
        for id_ in ids:
            await faulty.until_deployed(id_)


async def test_a_quiet_cluster_with_namespaces_that_are_gone_or_out_of_sight_is_asked_little(faulty: World) -> None:
    here, there = await _in_two_namespaces(faulty)
    hidden = await faulty.kubernetes.create_namespace()
    await faulty.use_namespace(hidden)
    async with faulty.controller():
        out_of_sight = await faulty.until_deployed((await faulty.deploy()).service.id)
    await faulty.kubernetes.delete_namespace(there.namespace)
    for namespace in (there.namespace, hidden):
        await faulty.kubernetes.take_rights(namespace)

    async with faulty.controller(pace=Pace(), namespaces=(here.namespace, there.namespace, hidden)):
        await faulty.until(there.id, lambda d: d.reason == "NAMESPACE_NOT_FOUND" and d.applied is None)
        await faulty.until_phase(out_of_sight.id, Phase.DEPLOYED, "NAMESPACE_NOT_VISIBLE")
        await faulty.database.execute(_AN_HOUR_AGO)
        for deployment in (there, out_of_sight):
            await faulty.make_due(deployment.id)
        while await faulty.database.fetch(_SOON_DUE):  # noqa: ASYNC110 - until the last pass
            await asyncio.sleep(0.05)
        before = faulty.simulated.requests
        await asyncio.sleep(_SECONDS)
        assert faulty.simulated.requests - before <= _SECONDS * 0.5
