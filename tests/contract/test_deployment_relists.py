"""The contract of DeploymentQueue: what makes deployments due, and orphans."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.contract.intents import an_intent, deployed
from tests.contract.queues import AFTER_THE_LEASE, APPLIED, SERVING, Queues, a_result, seen
from tests.contract.surroundings import Surroundings
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_version

from registry_grpc.domain.deployment import Cause, Outcome, Phase, Want
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.reason import NO_ACCESS, DeploymentReason
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch
from registry_grpc.ports.cluster import EVERYWHERE

HOUR = timedelta(hours=1)
pytestmark = pytest.mark.usefixtures("no_other_deployments")


@pytest.fixture
def repositories(queues: Queues) -> Repositories:
    return queues.repositories


# Becoming due


async def test_a_change_makes_due(queues: Queues, around: Surroundings) -> None:
    deployments = [await deployed(queues.repositories, around) for _ in range(3)]
    await queues.passed(deployments[0], again_in=None)
    await queues.queue.mark_changed([deployments[0].id, deployments[1].id, uuid4()])

    assert {claim.deployment.id for claim in await queues.claimed()} == {d.id for d in deployments[:2]}


async def test_the_object_of_a_deleted_service_is_due_at_once(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    await queues.passed(
        deployment,
        phase=Phase.FAILED,
        serving_generation=None,
        service=replace(SERVING, current_state=ServiceState.UNDEPLOYED),
        again_in=HOUR,
    )
    await queues.repositories.services.delete(deployment.project_id, deployment.id)

    assert [(claim.deployment.id, claim.deployment.want) for claim in await queues.claimed()] == [
        (deployment.id, Want.ABSENT)
    ]


async def test_a_free_name_makes_the_deployments_due_that_wait_for_it(
    queues: Queues, around: Surroundings, other_project_id: UUID
) -> None:
    """Two environments, even of two projects, may use the same namespace."""
    other = await Surroundings.stored(queues.repositories, other_project_id)
    holder = await deployed(queues.repositories, around)

    async def waiting(namespace: str, reason: DeploymentReason) -> UUID:
        environment = await stored_environment(queues.repositories, other_project_id)
        service = replace(other.service(name=holder.name), serving_environment_id=environment.id)
        _, deployment = await queues.repositories.deployments.deploy(service, (), an_intent(other, namespace=namespace))
        await queues.passed(deployment, phase=Phase.FAILED, reason=reason, serving_generation=None, again_in=HOUR)
        return deployment.id

    waits = await waiting("models", DeploymentReason.NAME_TAKEN)
    await waiting("others", DeploymentReason.NAME_TAKEN)
    await waiting("models", DeploymentReason.QUOTA)
    await queues.repositories.services.delete(holder.project_id, holder.id)
    gone = await queues.repositories.deployments.get(holder.project_id, holder.id)
    await queues.passed(gone, phase=Phase.UNDEPLOYED, serving_generation=None)

    assert [claim.deployment.id for claim in await queues.claimed()] == [waits]


@pytest.mark.parametrize(
    ("change", "is_due"),
    [
        ({}, False),
        ({"uid": "another"}, True),
        ({"k8s_generation": 2}, True),
        ({"is_ready": False}, True),
        ({"namespace": "elsewhere"}, True),
        ({"name": "a-copy"}, True),
        ({"deployment_id": uuid4()}, True),
        (None, True),
    ],
    ids=["as applied", "uid", "generation", "readiness", "namespace", "name", "of another", "missing"],
)
async def test_a_relist_makes_differing_deployments_due(
    queues: Queues, around: Surroundings, change: dict[str, object] | None, *, is_due: bool
) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))

    objects = [] if change is None else [seen(deployment, **change)]
    assert await queues.queue.compare(EVERYWHERE, objects) == is_due

    assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id] * is_due


async def test_a_relist_makes_deployments_due_that_did_not_reach_the_cluster_or_are_not_removed(
    queues: Queues, around: Surroundings
) -> None:
    never_applied = await deployed(queues.repositories, around)
    out_of_reach = await deployed(queues.repositories, around)
    await queues.passed(out_of_reach, phase=Phase.PENDING, applied=None, serving_generation=None, attempts=1)
    going = await queues.passed(await deployed(queues.repositories, around))
    gone = await queues.passed(await deployed(queues.repositories, around))
    for deployment in (going, gone):
        await queues.repositories.deployments.undeploy(deployment.project_id, deployment.id, "")
    gone = await queues.repositories.deployments.get(gone.project_id, gone.id)
    gone = await queues.passed(gone, phase=Phase.UNDEPLOYED, applied=None, serving_generation=None)

    assert await queues.queue.compare(EVERYWHERE, []) == 2
    assert {claim.deployment.id for claim in await queues.claimed()} == {out_of_reach.id, going.id}
    assert never_applied.applied is None
    assert await queues.queue.compare(EVERYWHERE, [seen(gone), seen(going)]) == 3


async def test_a_deployment_that_a_relist_marks_is_due_at_once(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    claim = await queues.taken(deployment)
    await queues.queue.compare(EVERYWHERE, [])
    await queues.queue.record(claim, a_result(deployment, again_in=HOUR))

    assert len(await queues.claimed()) == 1


async def test_a_revision_that_only_the_cluster_knows_is_gone_past(queues: Queues, around: Surroundings) -> None:
    """A restored database does not have this revision, and must not give its number again."""
    r, applied = queues.repositories.deployments, {"uid": "uid-1", "k8s_generation": 9}
    before = await queues.passed(await deployed(queues.repositories, around))
    pending = await deployed(queues.repositories, around)
    going = await queues.passed(await deployed(queues.repositories, around))
    await r.undeploy(going.project_id, going.id, "")
    there = [seen(deployment, **applied, revision=5) for deployment in (before, pending, going)]

    for _ in range(2):
        await queues.queue.compare(EVERYWHERE, [*there, seen(before, name="a-copy", revision=99)])
    after = await r.get(before.project_id, before.id)
    assert (after.generation, after.spec, after.phase) == (6, before.spec, Phase.UPDATING)
    assert (after.applied, after.applied_generation) == (before.applied, 1), "what it can be compared with"
    assert before.id in {claim.deployment.id for claim in await queues.claimed()}, "at once"
    assert (await r.get(going.project_id, going.id)).generation == 2, "it goes, whatever its revision"

    revisions = (await r.revisions(pending.project_id, pending.id, Slice(limit=9, by_cursor=True))).items
    assert [(revision.generation, revision.cause, revision.outcome) for revision in revisions] == [
        (6, Cause.RESTORE, Outcome.PENDING),
        (1, Cause.DEPLOY, Outcome.SUPERSEDED),
    ]


async def test_a_relist_of_a_namespace_says_nothing_of_others(
    queues: Queues, around: Surroundings, project_id: UUID
) -> None:
    here = await queues.passed(await deployed(queues.repositories, around, namespace="here"))
    there = await queues.passed(await deployed(queues.repositories, around, namespace="there"))
    strays = [seen(here, deployment_id=uuid4(), uid="a"), seen(there, deployment_id=uuid4(), uid="b")]
    await queues.queue.compare(EVERYWHERE, [seen(here), seen(there), *strays])

    assert await queues.queue.compare("here", []) == 1
    assert [claim.deployment.id for claim in await queues.claimed()] == [here.id]
    assert await queues.queue.namespaces() == {"here", "there"}
    await queues.queue.compare("there", [seen(there)])
    for deployment in (here, there):
        await queues.repositories.deployments.undeploy(project_id, deployment.id, "")
        await queues.let_pass(AFTER_THE_LEASE)
        await queues.passed(
            await queues.repositories.deployments.get(project_id, deployment.id), phase=Phase.UNDEPLOYED, applied=None
        )
    assert await queues.queue.namespaces() == set(), "neither unfinished deployments nor orphans"


@pytest.mark.parametrize("reason", NO_ACCESS)
async def test_a_relist_makes_due_what_could_not_be_seen(
    queues: Queues, around: Surroundings, reason: DeploymentReason
) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around), reason=reason, again_in=HOUR)

    await queues.queue.mark_unseen(deployment.namespace)
    assert await queues.claimed() == [], "it says so already"
    assert await queues.queue.compare(deployment.namespace, [seen(deployment)]) == 1
    assert len(await queues.claimed()) == 1


async def test_unseen_deployments_are_due_if_they_are_not_finished(queues: Queues, around: Surroundings) -> None:
    here, there = [
        await queues.passed(await deployed(queues.repositories, around, namespace=namespace), again_in=HOUR)
        for namespace in ("here", "there")
    ]
    gone = await deployed(queues.repositories, around, namespace="here")
    await queues.repositories.deployments.undeploy(gone.project_id, gone.id, "")
    gone = await queues.repositories.deployments.get(gone.project_id, gone.id)
    await queues.passed(gone, phase=Phase.UNDEPLOYED, applied=None)

    await queues.queue.mark_unseen("here")
    assert [claim.deployment.id for claim in await queues.claimed()] == [here.id]
    await queues.queue.mark_unseen(EVERYWHERE)
    assert [claim.deployment.id for claim in await queues.claimed()] == [there.id]


async def test_a_pass_that_saw_nothing_keeps_the_time_of_the_last_look(queues: Queues, around: Surroundings) -> None:
    deployment = await queues.passed(await deployed(queues.repositories, around))
    assert deployment.observed_at is not None
    reason = DeploymentReason.NAMESPACE_NOT_VISIBLE
    unseen = await queues.passed(deployment, phase=Phase.FAILED, reason=reason, has_seen=False)
    assert unseen.observed_at == deployment.observed_at
    assert (await queues.passed(deployment)).observed_at != deployment.observed_at


async def test_a_revision_does_not_fail_by_being_out_of_sight(queues: Queues, around: Surroundings) -> None:
    deployment = await deployed(queues.repositories, around)
    failed = {"phase": Phase.FAILED, "serving_generation": None}
    await queues.passed(deployment, reason=DeploymentReason.MODEL_LOAD, **failed)
    await queues.passed(deployment, reason=DeploymentReason.NAMESPACE_NOT_VISIBLE, **failed)
    revision = await queues.repositories.deployments.revision(deployment.project_id, deployment.id, 1)
    assert (revision.outcome, revision.reason) == (Outcome.FAILED, DeploymentReason.MODEL_LOAD)


async def test_the_deployment_with_a_secret_that_was_looked_at_longest_ago_is_looked_at_again(
    queues: Queues, around: Surroundings
) -> None:
    with_secret, without = (replace(APPLIED, content={"secrets": names}) for names in (["iris-creds"], []))
    serving = Phase.DEPLOYED, Phase.DEGRADED, Phase.DRIFTED
    kinds = (Phase.FAILED, with_secret), *((phase, with_secret) for phase in serving), (Phase.DEPLOYED, without)
    rows = [await deployed(queues.repositories, around) for _ in kinds]
    for row, (phase, applied) in zip(rows, kinds, strict=True):
        await queues.passed(row, phase=phase, applied=applied, again_in=timedelta(hours=1))
        await queues.grow_old(timedelta(seconds=2))
    await queues.queue.look_again()
    assert await queues.claimed() == [], "not those that were looked at just now"

    await queues.grow_old(timedelta(seconds=31))
    looked_at = []
    for _ in range(4):
        await queues.queue.look_again()
        looked_at += [claim.deployment.id for claim in await queues.claimed()]
    assert looked_at == [rows[1].id, rows[2].id, rows[3].id]


async def test_deployments_of_a_version_with_new_keys_are_due(queues: Queues, around: Surroundings) -> None:
    r, project_id = queues.repositories, around.environment.project_id
    other_version = await stored_version(r, around.model)
    other = replace(an_intent(around).spec, model_version_id=other_version.id)
    rows = [await deployed(r, around) for _ in range(3)] + [await deployed(r, around, spec=other)]
    await r.deployments.undeploy(project_id, rows[1].id, "ann")
    await r.deployments.revise(
        project_id, rows[2].id, want=Want.PRESENT, spec=other, cause=Cause.UPDATE, created_by="bob"
    )
    for row in rows:
        await queues.passed(await r.deployments.get(project_id, row.id), again_in=timedelta(hours=1))

    await r.deployments.give_new_keys(uuid4(), around.version.id)
    assert await queues.claimed() == []
    await r.deployments.give_new_keys(project_id, around.version.id)
    assert [claim.deployment.id for claim in await queues.claimed()] == [rows[0].id]


# Orphans


async def test_objects_without_a_deployment_are_noted_until_they_are_gone(queues: Queues, around: Surroundings) -> None:
    project_id, namespace = around.environment.project_id, around.environment.namespace
    deployment = await deployed(queues.repositories, around, namespace=namespace)
    own = seen(deployment)
    strays = [
        replace(own, uid="a", deployment_id=uuid4()),
        replace(own, uid="b", name="a-copy"),
        replace(own, uid="c", name="not-ours", deployment_id=None),
    ]

    for _ in range(2):
        await queues.queue.compare(EVERYWHERE, [own, *strays])
    orphans = await queues.repositories.deployments.orphans(project_id)
    assert {(orphan.uid, orphan.name, orphan.deployment_id) for orphan in orphans} == {
        ("a", own.name, str(strays[0].deployment_id)),
        ("b", "a-copy", str(deployment.id)),
        ("c", "not-ours", ""),
    }
    await queues.queue.compare(EVERYWHERE, [own, strays[1]])
    kept = [orphan for orphan in orphans if orphan.uid == "b"]
    assert list(await queues.repositories.deployments.orphans(project_id)) == kept, "with the time it was first seen"


async def test_an_applied_object_whose_label_was_changed_is_no_orphan(queues: Queues, around: Surroundings) -> None:
    project_id, namespace = around.environment.project_id, around.environment.namespace
    deployment = await queues.passed(await deployed(queues.repositories, around, namespace=namespace))
    relabelled = replace(seen(deployment), uid=APPLIED.uid, deployment_id=uuid4())

    await queues.queue.compare(EVERYWHERE, [relabelled, replace(relabelled, name="a-copy", uid="a")])
    assert [orphan.uid for orphan in await queues.repositories.deployments.orphans(project_id)] == ["a"]
    assert [claim.deployment.id for claim in await queues.claimed()] == [deployment.id], "a pass reads it by its name"


async def test_an_orphan_is_forgotten_when_its_deployment_is_back(
    queues: Queues, around: Surroundings, other_project_id: UUID
) -> None:
    """This happens when a relist comes in the middle of a restore."""
    project_id, namespace = around.environment.project_id, around.environment.namespace
    service = around.service(name="iris")
    stray = seen(await deployed(queues.repositories, await Surroundings.stored(queues.repositories, other_project_id)))
    stray = replace(stray, namespace=namespace, name="iris", deployment_id=service.id)
    await queues.queue.compare(EVERYWHERE, [stray])
    assert [orphan.uid for orphan in await queues.repositories.deployments.orphans(project_id)] == [stray.uid]

    await queues.repositories.deployments.deploy(service, (), an_intent(around, namespace=namespace))
    await queues.queue.compare(EVERYWHERE, [stray])
    assert list(await queues.repositories.deployments.orphans(project_id)) == []


async def test_orphans_are_listed_for_the_projects_of_their_namespace_only(
    queues: Queues, around: Surroundings, project_id: UUID, other_project_id: UUID
) -> None:
    elsewhere = await Surroundings.stored(queues.repositories, other_project_id)
    theirs = await stored_environment(queues.repositories, other_project_id, external_id="", name="their-namespace")
    deployment = await deployed(queues.repositories, elsewhere)
    stray = seen(deployment, deployment_id=uuid4())
    await queues.queue.compare(
        EVERYWHERE,
        [
            replace(stray, uid="1", namespace=around.environment.namespace),
            replace(stray, uid="2", namespace=theirs.name, name="second"),
            replace(stray, uid="3", namespace="of-nobody"),
        ],
    )
    await queues.repositories.environments.update(
        other_project_id, elsewhere.environment.id, ServingEnvironmentPatch(external_id="not-that-one")
    )

    orphans = queues.repositories.deployments.orphans
    assert [orphan.uid for orphan in await orphans(project_id)] == ["1"]
    assert [orphan.uid for orphan in await orphans(other_project_id)] == ["2"]
