"""Explanations of deployments: the chain to the cause, with evidence, times and logs, but without keys."""

from __future__ import annotations

import pytest
from tests.fakes.projects import OPEN
from tests.scenarios.world import KEYS, World

from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES
from registry_grpc.devtools.simulated_cluster.workloads.pods import LABEL, Outcome
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.explanation import Explanation, Link, LinkState
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.services.explaining import Explaining

pytestmark = pytest.mark.slow

CHAIN = ["Intent", "InferenceService", "Deployment", "ReplicaSet", "Pod", "Container", "Container", "URL"]
TOO_LARGE = DeploymentOptions(requests={"cpu": "64"}, limits={"cpu": "64"})


async def explained(world: World, id_: object) -> Explanation:
    explaining = Explaining(
        deployments=world.deployments.deployments, versions=world.versions, tenants=OPEN, cluster=world.cluster
    )
    return await explaining.explain(world.project_id, id_)  # type: ignore[arg-type]


def found(explanation: Explanation, kind: str) -> Link:
    return next(link for link in reversed(explanation.chain) if link.kind == kind)


async def test_a_deployment_that_serves(running: World) -> None:
    id_ = (await running.deploy()).service.id
    deployment = await running.until_deployed(id_)
    explanation = await explained(running, id_)
    assert [link.kind for link in explanation.chain][-3:] == CHAIN[-3:]
    assert {link.state for link in explanation.chain} == {LinkState.OK}
    assert all(link.since for link in explanation.chain if link.kind != "Container")
    assert (explanation.cause, explanation.next_step) == ("", "")
    assert found(explanation, "URL").name == deployment.url
    await running.until_undeployed(id_)
    (intent, missing) = (await explained(running, id_)).chain
    assert intent.summary == "to be removed, is done"
    assert (missing.kind, missing.state) == ("InferenceService", LinkState.WAITING)


async def test_a_server_that_crashes(running: World) -> None:
    id_ = (await running.deploy("s3://models/corrupt-model")).service.id
    await running.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
    explanation = await explained(running, id_)
    assert [link.kind for link in explanation.chain] == CHAIN
    server = found(explanation, "Container")
    assert (server.name, server.state) == ("kserve-container", LinkState.FAILED)
    assert server.since
    assert explanation.cause.startswith("Container kserve-container: ended with exit code 1")
    assert explanation.next_step
    (log,) = server.signs
    assert log.source == "log"
    if running.kubernetes.simulated is not None:
        assert "ValueError" in log.text
    await running.until_undeployed(id_)


async def test_pods_that_a_policy_refuses(faulty: World) -> None:
    async with faulty.controller():
        await faulty.allow_no_pods()
        id_ = (await faulty.deploy()).service.id
        await faulty.until_phase(id_, Phase.DEPLOYING, "QUOTA")
        explanation = await explained(faulty, id_)
        assert [link.kind for link in explanation.chain] == [*CHAIN[:4], "URL"]
        assert explanation.cause.startswith("ReplicaSet: cannot create pods: ")
        assert "exceeded quota" in explanation.cause


async def test_a_pod_without_a_node(running: World) -> None:
    id_ = (await running.deploy(options=TOO_LARGE)).service.id
    await running.until_phase(id_, Phase.PENDING, "UNSCHEDULABLE")
    explanation = await explained(running, id_)
    assert "nodes are available" in explanation.cause
    assert "is on no node: " in found(explanation, "Pod").summary
    assert any(sign.source == "condition PodScheduled" for sign in found(explanation, "Pod").signs)
    await running.until_undeployed(id_)


async def test_an_object_that_is_refused(running: World) -> None:
    async with running.policy_against(INFERENCE_SERVICES, "models need an owner"):
        id_ = (await running.deploy()).service.id
        await running.until_phase(id_, Phase.FAILED, "ADMISSION")
        explanation = await explained(running, id_)
    assert [link.kind for link in explanation.chain] == ["Intent", "InferenceService"]
    assert explanation.cause.startswith("Intent revision 1: ")
    assert "models need an owner" in explanation.cause


async def test_an_error_that_is_in_an_event_only(running: World) -> None:
    id_ = (await running.deploy("s4://models/iris")).service.id
    await running.until_phase(id_, Phase.FAILED, "STORAGE_URI_UNSUPPORTED")
    explanation = await explained(running, id_)
    assert explanation.cause.startswith("StorageURI not supported")
    signs = found(explanation, "InferenceService").signs
    (event,) = [sign for sign in signs if sign.source == "event InternalError"][-1:]
    assert "StorageURI not supported" in event.text
    assert event.at


@pytest.mark.parametrize(
    "what", ["get pods/log", "list events", "list pods", "get deployments", "get inferenceservices"]
)
async def test_without_a_right(faulty: World, what: str) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy("s3://models/corrupt-model")).service.id
        await faulty.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
    verb, resource = what.split()
    faulty.simulated.faults.forbid(verb, resource)
    explanation = await explained(faulty, id_)
    if what == "get pods/log":
        assert found(explanation, "Container").signs[0].text.startswith("cannot be read: ")
        assert [link.kind for link in explanation.chain] == CHAIN
    elif what == "list events":
        assert found(explanation, "InferenceService").signs[-1].text.startswith("cannot be read: ")
        assert [link.kind for link in explanation.chain] == CHAIN
    else:
        after = {"list pods": [*CHAIN[:3], "Next", "URL"], "get deployments": [*CHAIN[:2], "Next", "URL"]}
        assert [link.kind for link in explanation.chain] == after.get(what, ["Intent", "Next"])
        missing = found(explanation, "Next")
        assert missing.state is LinkState.UNKNOWN
        assert "ValueError" in explanation.cause
        assert f'cannot {verb} resource "{resource}"' in missing.summary
        assert missing.summary.endswith("(`registry-grpc doctor` prints all that it needs)")


async def test_a_namespace_of_which_nothing_is_known(faulty: World) -> None:
    async with faulty.controller():
        id_ = (await faulty.deploy()).service.id
        await faulty.until_deployed(id_)
    faulty.simulated.faults.forbid("get", "inferenceservices")
    explanation = await explained(faulty, id_)
    assert explanation.cause.startswith("Next: cannot be read: ")
    assert 'cannot get resource "inferenceservices"' in explanation.cause


async def test_a_canary_that_crashes_beside_the_revision_that_serves(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    version = await running.version("s3://models/corrupt-model")
    await running.deployments.update(
        running.project_id, id_, model_version_id=version.id, options=None, traffic_percent=25
    )
    await running.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
    explanation = await explained(running, id_)
    stable, canary = ([link for link in explanation.chain if link.is_canary is it] for it in (False, True))
    assert [link.kind for link in canary] == CHAIN[2:7]
    assert {link.revision for link in canary} == {2}
    assert [(link.kind, link.revision) for link in stable if link.kind in CHAIN[2:5]] == [
        (kind, 1) for kind in CHAIN[2:5]
    ]
    assert {link.state for link in stable if link.kind in CHAIN[2:7]} == {LinkState.OK}
    assert explanation.cause.startswith("Container kserve-container: ended with exit code 1")
    assert canary[0].name.endswith("-r2-predictor")
    await running.until_undeployed(id_)


async def test_an_update_that_crashes_while_the_pods_of_the_revision_before_serve(running: World) -> None:
    id_ = (await running.deploy()).service.id
    await running.until_deployed(id_)
    version = await running.version("s3://models/corrupt-model")
    await running.deployments.update(running.project_id, id_, model_version_id=version.id, options=None)
    await running.until_phase(id_, Phase.FAILED, "MODEL_LOAD")
    explanation = await explained(running, id_)
    workload = found(explanation, "Deployment")
    assert workload.revision == found(explanation, "Pod").revision == found(explanation, "Intent").revision == 2
    assert workload.summary == (
        "has 1 of 1 replicas available, and makes pods of revision 2; pods of revision 1 are ready"
    )
    await running.until_undeployed(id_)


async def test_a_log_with_the_keys(faulty: World) -> None:
    """The simulated cluster's log is the container's message, which is also stored, and shown to REST clients."""
    async with faulty.controller():
        uri = f"s3://models/does-not-exist/{KEYS.secret_key}/{KEYS.access_key}"
        id_ = (await faulty.deploy(uri)).service.id
        failed = await faulty.until_phase(id_, Phase.FAILED, "MODEL_DOWNLOAD")
    stored = [failed.message, (await faulty.view(id_)).last_error]
    assert all("does-not-exist/[hidden]/[hidden]" in text for text in stored)
    stored += [repr(event) for event in await faulty.events(id_)]
    explanation = await explained(faulty, id_)
    told = (explanation.cause, explanation.deployment.message, *(link for link in explanation.chain[1:]))
    assert "does-not-exist" in repr(told)
    assert KEYS.secret_key not in repr((told, stored))
    assert f"/{KEYS.access_key}" not in repr((told, stored))


async def test_an_object_that_somebody_has_stopped(running: World) -> None:
    deployment = await running.until_deployed((await running.deploy()).service.id)
    await running.edit(deployment.name, {"metadata": {"annotations": {"serving.kserve.io/stop": "true"}}})
    await running.until_phase(deployment.id, Phase.STOPPED, "STOPPED")
    await running.until_pods(0)
    explanation = await explained(running, deployment.id)
    assert explanation.cause.endswith(": is stopped by its annotation serving.kserve.io/stop")
    await running.until_undeployed(deployment.id)


async def test_a_conflict_on_a_deployment_without_pods(running: World) -> None:
    """The cause is what the next step is about, although a later link failed, and the URL does not lead to pods."""
    before = await running.until_deployed((await running.deploy()).service.id)
    await running.edit(before.name, {"spec": {"predictor": {"model": {"storageUri": "s3://models/hotfix"}}}})
    await running.until_phase(before.id, Phase.DRIFTED, "SPEC_CHANGED")
    version = await running.version("s3://models/other")
    await running.deployments.update(running.project_id, before.id, model_version_id=version.id, options=None)
    await running.until_phase(before.id, Phase.DRIFTED, "FIELD_CONFLICT")
    await running.forbid_pods_and_kill_them()
    conflict = await running.until(before.id, lambda d: "(revision 1 does not serve either: " in d.message)
    await running.until_pods(0)
    explanation = await explained(running, before.id)
    assert found(explanation, "ReplicaSet").state is LinkState.FAILED
    assert (explanation.cause, explanation.next_step) == (conflict.message, DeploymentReason.FIELD_CONFLICT.next_step)
    url = found(explanation, "URL")
    assert url.state is LinkState.WAITING
    # Without the Gateway API, KServe says that there is no ingress.
    assert url.summary in {"answers 503, because no pod is ready", "leads nowhere yet"}


async def test_a_pod_that_is_not_ready_yet(running: World) -> None:
    id_ = (await running.deploy(labels={LABEL: Outcome.NEVER_READY})).service.id
    await running.until_phase(id_, Phase.DEPLOYING)
    explanation = await explained(running, id_)
    assert explanation.chain[0].state is LinkState.OK
    assert LinkState.FAILED not in {link.state for link in explanation.chain}
    await running.until_undeployed(id_)
