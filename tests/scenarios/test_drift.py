"""Others change, stop, delete or hold deployed objects."""

from __future__ import annotations

from typing import Any

import pytest
from tests.scenarios.world import World

from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES
from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.domain.serving_environment import DriftPolicy

pytestmark = pytest.mark.slow

SCALED: dict[str, Any] = {"spec": {"predictor": {"minReplicas": 2}}}
LABELLED: dict[str, Any] = {"spec": {"predictor": {"labels": {"example.com/team": "vision"}}}}
REDIRECTED: dict[str, Any] = {"spec": {"predictor": {"model": {"storageUri": "gs://others/model"}}}}
STOP = "serving.kserve.io/stop"


async def deployed(world: World, **fields: Any) -> Deployment:
    return await world.until_deployed((await world.deploy(**fields)).service.id)


async def updated(world: World, deployment: Deployment, uri: str = "s3://models/other") -> None:
    version = await world.version(uri)
    await world.deployments.update(world.project_id, deployment.id, model_version_id=version.id, options=None)


def repaired(deployment: Deployment) -> int:
    """How often `minReplicas` was put right lately."""
    return deployment.applied.repairs.get("spec.predictor.minReplicas", 0) if deployment.applied else 0


def predictor(live: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = live["spec"]["predictor"]
    return found


@pytest.mark.parametrize(
    ("patch", "field", "found"),
    [
        (SCALED, "spec.predictor.minReplicas", "2"),
        (REDIRECTED, "spec.predictor.model.storageUri", '"gs://others/model"'),
    ],
    ids=["added", "changed"],
)
async def test_an_edit_is_reported(running: World, patch: dict[str, Any], field: str, found: str) -> None:
    before = await deployed(running)
    live = await running.live(before)
    await running.edit(before.name, patch)
    drifted = await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    assert drifted.message == f"changed by kubectl-edit: {field}"
    assert [(difference.path, difference.found) for difference in drifted.drift] == [(field, found)]
    assert drifted.next_step
    assert drifted.serving_generation == 1
    view = await running.view(before.id)
    assert (view.current_state, view.url, view.served) == ("DEPLOYED", before.url, ("RUNNING",))
    # It is not changed. An update of the deployment takes the field over, or reports a conflict.
    await running.services.sync(running.project_id, before.id)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")  # a second pod may still be starting
    assert predictor(await running.live(before)) != predictor(live)


async def test_an_edit_that_is_taken_back(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, SCALED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    await running.edit(before.name, {"spec": {"predictor": {"minReplicas": None}}})
    after = await running.until_deployed(before.id)
    assert after.drift == ()
    assert (await running.view(before.id)).last_error == ""


async def test_an_edit_is_put_right(running: World) -> None:
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    before = await deployed(running)
    uid = (await running.live(before))["metadata"]["uid"]
    await running.edit(before.name, SCALED)
    await running.edit(before.name, REDIRECTED)
    await running.until(before.id, lambda d: d.phase is Phase.DEPLOYED and d.updated_at > before.updated_at)
    live = await running.live(before)
    assert predictor(live)["model"]["storageUri"] != "gs://others/model"
    assert "minReplicas" not in predictor(live)
    assert live["metadata"]["uid"] == uid
    log = [entry for entry in await running.log(before.id) if entry[0] in {"DEPLOYED", "DRIFTED"}]
    assert log[:2] == [("DEPLOYED", ""), ("DRIFTED", "SPEC_CHANGED")]
    assert log[-1] == ("DEPLOYED", "")


async def test_two_writers_of_one_field_are_damped(running: World) -> None:
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    before = await deployed(running)
    for repairs in range(1, 7):
        await running.backdate(before.id, seconds=600)  # each repair would be allowed at once
        await running.edit(before.name, SCALED)
        await running.until(before.id, lambda d, wanted=repairs: repaired(d) == wanted)  # type: ignore[misc]
        await running.until_deployed(before.id)
    await running.edit(before.name, SCALED)
    fight = await running.until_phase(before.id, Phase.DRIFTED, "DRIFT_FIGHT")
    assert fight.message == "kubectl-edit has changed spec.predictor.minReplicas again after each of the last 6 repairs"
    assert fight.next_step
    assert (fight.serving_generation, [difference.found for difference in fight.drift]) == (1, ["2"])
    await running.services.sync(running.project_id, before.id)
    assert predictor(await running.live(before))["minReplicas"] == 2, "the next repair is due in a minute"
    # Another field is put right at once.
    await running.edit(before.name, {"spec": {"predictor": {"minReplicas": None}}})
    await running.until_deployed(before.id)
    await running.edit(before.name, REDIRECTED)
    await running.until(before.id, lambda d: len(d.applied.repairs if d.applied else ()) == 3)
    await running.until_deployed(before.id)
    # After a truce, nobody is an adversary any more.
    await running.backdate(before.id, seconds=3600)
    await running.edit(before.name, SCALED)
    await running.until(before.id, lambda d: repaired(d) == 1)
    await running.until_deployed(before.id)
    assert "minReplicas" not in predictor(await running.live(before))


async def test_another_policy_takes_effect(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, REDIRECTED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    await running.make_due(before.id)  # or within a minute, by its turn
    await running.until_deployed(before.id)
    assert predictor(await running.live(before))["model"]["storageUri"] != "gs://others/model"


async def test_an_update_meets_an_edit_of_the_same_field(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, REDIRECTED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    version = await running.version("s3://models/other")
    await running.deployments.update(running.project_id, before.id, model_version_id=version.id, options=None)
    conflict = await running.until_phase(before.id, Phase.DRIFTED, "FIELD_CONFLICT")
    assert "kubectl-edit" in conflict.message
    assert predictor(await running.live(before))["model"]["storageUri"] == "gs://others/model"
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    await running.make_due(before.id)
    await running.until_deployed(before.id, revision=2)
    assert predictor(await running.live(before))["model"]["storageUri"] == "s3://models/other"


async def test_an_addition_is_not_absorbed_by_an_update(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, LABELLED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    await updated(running, before)
    drifted = await running.until(before.id, lambda d: d.phase is Phase.DRIFTED and d.serving_generation == 2)
    assert [difference.path for difference in drifted.drift] == ["spec.predictor.labels"]
    assert "FIELD_CONFLICT" not in {reason for _, reason in await running.log(before.id)}
    await running.edit(before.name, {"spec": {"predictor": {"labels": None}}})
    after = await running.until_deployed(before.id, revision=2)
    assert after.drift == ()


async def test_an_addition_survives_updates_until_the_policy_forbids_it(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, LABELLED)
    await updated(running, before)
    await running.until(before.id, lambda d: d.phase is Phase.DRIFTED and d.serving_generation == 2)
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    await running.make_due(before.id)
    await running.until_deployed(before.id, revision=2)
    assert "labels" not in predictor(await running.live(before))


async def test_an_addition_does_not_hide_that_an_update_fails(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, LABELLED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    await updated(running, before, uri="s3://models/does-not-exist")
    failed = await running.until_phase(before.id, Phase.FAILED, "MODEL_DOWNLOAD")
    assert failed.serving_generation == 1


async def test_an_edit_that_is_reported_hides_no_later_failure(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, LABELLED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    changed = "changed by kubectl-edit: spec.predictor.labels"
    await running.forbid_pods_and_kill_them()
    down = await running.until(before.id, lambda d: d.phase is Phase.DEGRADED)
    assert down.message.endswith(f"It was also {changed}")
    assert [difference.path for difference in down.drift] == ["spec.predictor.labels"]
    await running.edit(before.name, {"metadata": {"annotations": {STOP: "true"}}})
    stopped = await running.until_phase(before.id, Phase.STOPPED, "STOPPED")
    assert (stopped.message, stopped.url, stopped.serving_generation) == (changed, "", None)
    assert (await running.view(before.id)).current_state == "UNDEPLOYED"


async def test_a_conflict_hides_no_later_failure(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, REDIRECTED)
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    await updated(running, before)
    conflict = await running.until_phase(before.id, Phase.DRIFTED, "FIELD_CONFLICT")
    assert conflict.message.endswith("(revision 1 is still serving)")
    await running.forbid_pods_and_kill_them()
    await running.until(before.id, lambda d: "(revision 1 does not serve either: " in d.message)


async def test_a_fight_hides_no_later_failure(running: World) -> None:
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    before = await deployed(running)
    for repairs in range(1, 7):
        await running.backdate(before.id, seconds=600)  # each repair would be allowed at once
        await running.edit(before.name, SCALED)
        await running.until(before.id, lambda d, wanted=repairs: repaired(d) == wanted)  # type: ignore[misc]
        await running.until_deployed(before.id)
    await running.edit(before.name, SCALED)
    await running.until_phase(before.id, Phase.DRIFTED, "DRIFT_FIGHT")
    await running.forbid_pods_and_kill_them()
    failing = await running.until(before.id, lambda d: d.phase in {Phase.DEGRADED, Phase.FAILED})
    await running.until(before.id, lambda d: d.message.endswith("changed by kubectl-edit: spec.predictor.minReplicas"))
    assert failing.serving_generation == 1


async def test_what_is_changed_while_it_starts_serves_nevertheless(world: World) -> None:
    """First a new deployment, then an update, both of them applied when nobody watches."""
    id_ = (await world.deploy()).service.id
    for revision in (1, 2):
        await world.edit((await world.deployment(id_)).name, {"spec": {"predictor": {"minReplicas": 1 + revision}}})
        async with world.controller():
            drifted = await world.until(id_, lambda d, wanted=revision: d.serving_generation == wanted)  # type: ignore[misc]
            assert (drifted.phase, drifted.reason, bool(drifted.url)) == (Phase.DRIFTED, "SPEC_CHANGED", True)
            view = await world.view(id_)
            assert (view.current_state, view.url, view.served) == ("DEPLOYED", drifted.url, ("RUNNING",))
            assert await world.served_now(id_) == revision
            await world.edit(drifted.name, {"spec": {"predictor": {"minReplicas": None}}})
            await world.until_deployed(id_)
        version = await world.version("s3://models/other")
        await world.deployments.update(world.project_id, id_, model_version_id=version.id, options=None)


@pytest.mark.parametrize("policy", DriftPolicy)
async def test_defaults_of_a_newer_kserve_are_no_drift(running: World, policy: DriftPolicy) -> None:
    await running.set_drift_policy(policy)
    before = await deployed(running)
    async with running.kserve_defaulting(protocolVersion="v2"):
        # Anybody's write brings the defaults in, here that of a program that writes unset fields as empty ones.
        await running.edit(before.name, {"spec": {"predictor": {"model": {"name": "", "resources": {}}}}})
        await running.services.sync(running.project_id, before.id)
        live = await running.live(before)
        assert predictor(live)["model"]["protocolVersion"] == "v2"
        assert (await running.deployment(before.id)).phase is Phase.DEPLOYED
        await updated(running, before)
        await running.until_deployed(before.id, revision=2)
    await running.edit(before.name, {"spec": {"predictor": {"model": {"protocolVersion": None}}}})
    await running.services.sync(running.project_id, before.id)
    assert "DRIFTED" not in {phase for phase, _ in await running.log(before.id)}


async def test_an_object_deleted_by_hand_is_made_again(running: World) -> None:
    before = await deployed(running)
    await running.kube.delete(INFERENCE_SERVICES, before.name)
    after = await running.until(
        before.id, lambda d: d.phase is Phase.DEPLOYED and d.applied is not None and d.applied != before.applied
    )
    assert (after.generation, after.serving_generation) == (1, 1)
    log = await running.log(before.id)
    gone = log.index(("DRIFTED", "DELETED_EXTERNALLY"))
    assert ("DEPLOYED", "") in log[:gone]
    assert log[-1] == ("DEPLOYED", "")
    view = await running.view(before.id)
    live = await running.live(before)
    assert (view.external_id, view.current_state) == (live["metadata"]["uid"], "DEPLOYED")
    assert await running.served_now(before.id) == 1
    await running.until_undeployed(before.id)


async def test_an_object_deleted_by_hand_that_takes_its_time(running: World) -> None:
    before = await deployed(running)
    await running.hold(before.name)
    await running.kube.delete(INFERENCE_SERVICES, before.name)
    going = await running.until_phase(before.id, Phase.DRIFTED, "BEING_DELETED")
    assert going.next_step
    await running.let_go(before.name)
    await running.until(before.id, lambda d: d.phase is Phase.DEPLOYED and d.applied != before.applied)


async def test_an_object_replaced_by_somebody_elses(running: World) -> None:
    before = await deployed(running)
    async with running.paused():
        live = await running.live(before)
        await running.kube.delete(INFERENCE_SERVICES, before.name)
        await running.kube.until_gone(INFERENCE_SERVICES, before.name)
        theirs = {**live, "metadata": {"name": before.name}}
        theirs.pop("status")
        await running.kube.create(INFERENCE_SERVICES, theirs)
    await running.until_phase(before.id, Phase.FAILED, "NAME_TAKEN")
    assert ("DRIFTED", "DELETED_EXTERNALLY") in await running.log(before.id)
    assert (await running.view(before.id)).current_state == "UNDEPLOYED"
    assert await running.served_now(before.id) is None


async def test_a_finalizer_that_is_stuck(running: World) -> None:
    before = await deployed(running)
    await running.hold(before.name)
    await running.undeploy(before.id)
    await running.until_phase(before.id, Phase.DELETING)
    assert (await running.view(before.id)).current_state == "UNDEPLOYED"
    await running.backdate(before.id, seconds=601)
    stuck = await running.until_phase(before.id, Phase.DELETING, "DELETE_STUCK")
    assert "example.com/wait" in stuck.message
    assert "finalizers" in stuck.next_step
    await running.let_go(before.name)
    await running.until_phase(before.id, Phase.UNDEPLOYED)
    await running.until_nothing_is_left()


async def test_stopped_and_started(running: World) -> None:
    before = await deployed(running)
    await running.edit(before.name, {"metadata": {"annotations": {STOP: "true"}}})
    stopped = await running.until_phase(before.id, Phase.STOPPED, "STOPPED")
    assert (stopped.serving_generation, stopped.url) == (None, "")
    assert stopped.next_step
    view = await running.view(before.id)
    assert (view.current_state, view.url, view.served) == ("UNDEPLOYED", "", ("PENDING",))
    assert await running.served_now(before.id) is None
    await running.edit(before.name, {"metadata": {"annotations": {STOP: None}}})
    after = await running.until_deployed(before.id)
    served = [
        await running.history.served_at(running.project_id, before.id, at)
        for at in (before.phase_since, stopped.phase_since, after.phase_since)
    ]
    periods = [revision and (revision.served_from, revision.served_until) for revision in served]
    assert periods == [(before.phase_since, stopped.phase_since), None, (after.phase_since, None)]


async def test_an_orphan_and_a_copy_are_reported_and_left_alone(world: World) -> None:
    async with world.controller():
        before = await deployed(world)
        live = await world.live(before)
    theirs = {key: live[key] for key in ("apiVersion", "kind", "spec")}
    await world.kube.create(
        INFERENCE_SERVICES, {**theirs, "metadata": {"name": "copy", "labels": live["metadata"]["labels"]}}
    )
    strange = {**live["metadata"]["labels"], "modelregistry.ai-platform/deployment-id": "from-a-backup"}
    await world.kube.create(INFERENCE_SERVICES, {**theirs, "metadata": {"name": "orphan", "labels": strange}})
    async with world.controller():
        orphans = await world.until_orphans(2)
        assert {orphan.name for orphan in orphans} == {"copy", "orphan"}
        assert (await world.deployment(before.id)).phase is Phase.DEPLOYED
        await world.until_undeployed(before.id, "copy", "orphan")
