"""An object stays ours by its uid, even if somebody takes its labels away."""

from __future__ import annotations

from typing import Any

import pytest
from tests.cluster.client import path_of
from tests.scenarios.world import World

from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES
from registry_grpc.domain.deployment import Deployment, Phase
from registry_grpc.domain.serving_environment import DriftPolicy

pytestmark = pytest.mark.slow

OURS = "modelregistry.ai-platform/deployment-id"


async def replaced_without_labels(world: World) -> Deployment:
    """A deployment that somebody has replaced, as by `kubectl replace` with a file that has no labels."""
    before = await world.until_deployed((await world.deploy()).service.id)
    live = await world.live(before)
    path = path_of(INFERENCE_SERVICES, world.kube.namespace, before.name)
    metadata = {key: live["metadata"][key] for key in ("name", "uid", "resourceVersion", "annotations", "finalizers")}
    await world.kube.client.call(
        "PUT", path, {**live, "metadata": metadata}, fieldManager="kubectl-replace", content_type="application/json"
    )
    return before


def labels(live: dict[str, Any]) -> dict[str, str]:
    return dict(live["metadata"].get("labels") or {})


async def test_stripped_labels_are_reported(running: World) -> None:
    before = await replaced_without_labels(running)
    drifted = await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    assert f"metadata.labels[{OURS}]" in {difference.path for difference in drifted.drift}
    assert (drifted.serving_generation, drifted.url, drifted.applied) == (1, before.url, before.applied)
    assert (await running.view(before.id)).current_state == "DEPLOYED"
    # The next revision gives them back. An object without labels is not one of the Go service that is adopted.
    version = await running.version("s3://models/other")
    await running.deployments.update(running.project_id, before.id, model_version_id=version.id, options=None)
    after = await running.until_deployed(before.id, revision=2)
    live = await running.live(after)
    assert labels(live)[OURS] == str(before.id)
    assert before.applied is not None
    assert live["metadata"]["uid"] == before.applied.uid


async def test_stripped_labels_are_put_right(running: World) -> None:
    await running.set_drift_policy(DriftPolicy.ENFORCE)
    before = await replaced_without_labels(running)
    await running.until(before.id, lambda d: d.phase is Phase.DEPLOYED and d.applied != before.applied)
    live = await running.live(before)
    assert labels(live)[OURS] == str(before.id)
    assert before.applied is not None
    assert live["metadata"]["uid"] == before.applied.uid
    log = await running.log(before.id)
    assert ("DRIFTED", "SPEC_CHANGED") in log
    assert "DELETED_EXTERNALLY" not in {reason for _, reason in log}


async def test_an_update_does_not_take_fields_over_because_labels_are_missing(running: World) -> None:
    before = await running.until_deployed((await running.deploy()).service.id)
    await running.edit(before.name, {"spec": {"predictor": {"model": {"storageUri": "gs://others/model"}}}})
    await running.edit(before.name, {"metadata": {"labels": dict.fromkeys(labels(await running.live(before)))}})
    await running.until(before.id, lambda d: len(d.drift) > 1)
    version = await running.version("s3://models/other")
    await running.deployments.update(running.project_id, before.id, model_version_id=version.id, options=None)
    await running.until_phase(before.id, Phase.DRIFTED, "FIELD_CONFLICT")
    assert (await running.live(before))["spec"]["predictor"]["model"]["storageUri"] == "gs://others/model"


@pytest.mark.parametrize("by", ["nobody", "somebody"])
async def test_an_object_without_labels_is_undeployed(running: World, by: str) -> None:
    before = await replaced_without_labels(running)
    if by == "somebody":  # who says that it belongs to another deployment
        theirs = {OURS: "6f0e5c1a-0000-4000-8000-00000000000f"}
        await running.edit(before.name, {"metadata": {"labels": theirs}})
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    await running.until_undeployed(before.id)
