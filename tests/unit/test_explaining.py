"""Explanations hide the keys of all versions whose pods may be in the cluster, and not only of the target revision."""

from __future__ import annotations

from uuid import UUID

from tests.fakes.cluster import InMemoryCluster
from tests.fakes.projects import OPEN
from tests.fakes.seeding import stored_version
from tests.unit.deployed_world import a_world

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.explanation import Link, LinkKind, LinkState
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.services.explaining import Explaining

FIRST, SECOND, THIRD = "key-of-the-first", "key-of-the-second", "key-of-the-third"


async def test_the_keys_of_revisions_that_still_have_pods_are_hidden(project_id: UUID) -> None:
    world = await a_world(project_id)
    versions, model = (
        world.repositories.versions,
        await world.repositories.models.get(project_id, world.version.registered_model_id),
    )
    second, third = [await stored_version(world.repositories, model, name=name, status="READY") for name in "bc"]
    for version, key in ((world.version, FIRST), (second, SECOND), (third, THIRD)):
        await versions.update(project_id, version.id, ModelVersionPatch(secret_key=key))
    await world.update(DeploymentOptions(env={"DB_PASSWORD": "hunter22"}), second)
    await world.update(DeploymentOptions(), third)
    world.put(serving_generation=1, applied_generation=2)
    text = f"denied for {FIRST}, {SECOND}, {THIRD} and hunter22"
    chain = (Link(kind=LinkKind.CONTAINER, name="a", state=LinkState.FAILED, summary=text),)
    cluster = InMemoryCluster(world.store.clock, links=chain)
    explaining = Explaining(
        deployments=world.repositories.deployments, versions=versions, tenants=OPEN, cluster=cluster
    )
    explanation = await explaining.explain(project_id, world.id)
    assert explanation.chain[-1].summary == "denied for [hidden], [hidden], [hidden] and [hidden]"
