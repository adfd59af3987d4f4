"""The contract of the `Cluster` port, on the simulated cluster and (marked `cluster`) on a real Kubernetes."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.cluster.kube import Kube
from tests.cluster.targets import TestCluster
from tests.deployments import a_deployment, a_spec
from tests.kserve import NO_KEYS, REGISTRY_ID, applied, connected, is_gone, is_serving, observed

from registry_grpc.adapters.kserve.cluster import KServeCluster
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, PODS, SECRETS
from registry_grpc.domain.deployment import Deployment, FieldDifference, Want
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions
from registry_grpc.domain.evidence import ApplyRefused, Evidence, LiveObject
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.serving_environment import DriftPolicy

OUTCOME = "simulation.registry-grpc/outcome"
KEYS = Credentials("AKIA", "s3cr3t")
S3 = a_spec(storage_uri="s3://bucket/iris")


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(kubernetes: TestCluster, namespace: str) -> AsyncIterator[KServeCluster]:
    """The adapter with the rights of the registry."""
    async with connected(kubernetes.registry or kubernetes.admin, namespaces=(namespace,)) as adapter:
        yield adapter


@pytest.fixture
def deployment(namespace: str) -> Deployment:
    return a_deployment(namespace=namespace)


def revised(deployment: Deployment, **spec: Any) -> Deployment:
    """The deployment with a new revision."""
    return replace(deployment, generation=deployment.generation + 1, spec=replace(deployment.spec, **spec))


def live_of(evidence: Evidence) -> LiveObject:
    assert evidence.live is not None
    return evidence.live


async def names(kube: Kube, deployment: Deployment) -> list[str]:
    """The Secrets of the deployment."""
    selector = f"modelregistry.ai-platform/deployment-id={deployment.id}"
    return [item["metadata"]["name"] for item in await kube.items(SECRETS, labelSelector=selector)]


async def refused(cluster: KServeCluster, deployment: Deployment, **more: Any) -> ApplyRefused:
    with pytest.raises(ApplyRefused) as error:
        await applied(cluster, deployment, **more)
    return error.value


# Bringing a deployment up


async def test_evidence_without_an_object_is_empty(cluster: KServeCluster, deployment: Deployment) -> None:
    evidence = await cluster.observe(deployment)
    assert (evidence.live, evidence.rollout, evidence.warning) == (None, None, None)


async def test_first_apply(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, deployment)
    evidence = await observed(cluster, deployment, is_serving)
    live, result = live_of(evidence), deployment.applied
    assert result is not None
    assert (live.uid, live.k8s_generation) == (result.uid, result.k8s_generation)
    assert (live.deployment_id, live.registry_id) == (str(deployment.id), str(REGISTRY_ID))
    assert (live.revision, live.drift, live.deleting_since) == (1, (), None)
    assert live.url.startswith("http")
    assert live.status_written_at is not None


async def test_apply_answers_the_stored_object(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=a_spec(labels={"team": "vision"})))
    assert deployment.applied is not None
    content = json.loads(json.dumps(deployment.applied.content))
    assert content["spec"]["predictor"]["model"]["modelFormat"] == {"name": "sklearn", "version": "1"}
    assert content["labels"]["team"] == "vision"
    assert content["annotations"] == {"serving.kserve.io/deploymentMode": "Standard"}


async def test_the_same_deployment_applied_twice_changes_nothing(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    spec = replace(S3, options=DeploymentOptions(min_replicas=1, env={"A": "1"}, limits={"cpu": "1"}))
    deployment = await applied(cluster, replace(deployment, spec=spec), KEYS)
    await observed(cluster, deployment, is_serving)
    second = await applied(cluster, deployment, KEYS)
    third = await applied(cluster, second, KEYS)
    assert deployment.applied is not None
    assert third.applied is not None
    assert second.applied == third.applied
    assert replace(deployment.applied, resource_version="") == replace(third.applied, resource_version="")
    assert len(await names(kube, deployment)) == 1


async def test_an_update_is_recognized_by_its_stamp(cluster: KServeCluster, deployment: Deployment) -> None:
    first = await applied(cluster, deployment)
    await observed(cluster, first, is_serving)
    second = await applied(cluster, revised(first, storage_uri="gs://bucket/other"))
    evidence = await observed(cluster, second, lambda e: is_serving(e) and live_of(e).revision == 2)
    assert first.applied is not None
    assert live_of(evidence).uid == first.applied.uid
    assert live_of(evidence).k8s_generation > first.applied.k8s_generation
    assert live_of(evidence).drift == ()


async def test_an_option_left_out_is_taken_away(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    options = DeploymentOptions(min_replicas=2, env={"A": "1", "B": "2"})
    deployment = await applied(cluster, replace(deployment, spec=a_spec(options=options)))
    await applied(cluster, revised(deployment, options=DeploymentOptions(env={"B": "2"})))
    predictor = (await kube.inference_service(deployment.name))["spec"]["predictor"]
    assert "minReplicas" not in predictor
    assert predictor["model"]["env"] == [{"name": "B", "value": "2"}]


# What goes wrong in the cluster


async def test_an_update_that_fails_shows_in_its_own_pods_only(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, deployment)
    await observed(cluster, deployment, is_serving)
    deployment = await applied(cluster, revised(deployment, labels={OUTCOME: "crash-loop"}))
    evidence = await observed(
        cluster,
        deployment,
        lambda e: e.rollout is not None and any(c.restarts for p in e.rollout.pods for c in p.containers),
    )
    rollout = evidence.rollout
    assert rollout is not None
    assert (rollout.revision, rollout.is_complete) == (2, False)
    assert len(rollout.pods) == 1
    (container,) = [c for c in rollout.pods[0].containers if not c.is_init]
    assert (container.name, container.last_exit) == ("kserve-container", "Error")
    ready = live_of(evidence).ready
    assert ready is not None
    assert ready.is_true, "KServe goes on saying Ready while the old pods serve"


async def test_a_model_that_cannot_be_fetched(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=a_spec(labels={OUTCOME: "download-failed"})))
    evidence = await observed(cluster, deployment, lambda e: live_of(e).transition_status == "BlockedByFailedLoad")
    failure = live_of(evidence).failure
    assert failure is not None
    assert failure.reason == "ModelLoadFailed"
    assert evidence.rollout is not None
    assert any(c.is_init and c.exit_code for pod in evidence.rollout.pods for c in pod.containers)


async def test_a_pod_that_fits_nowhere(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=a_spec(labels={OUTCOME: "unschedulable"})))
    await observed(
        cluster, deployment, lambda e: e.rollout is not None and any(pod.unschedulable for pod in e.rollout.pods)
    )


async def test_errors_that_only_an_event_reports(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=a_spec(storage_uri="ftp://host/model")))
    evidence = await observed(cluster, deployment, lambda e: e.warning is not None)
    assert evidence.warning is not None
    assert "StorageURI not supported" in evidence.warning.message


async def test_a_mode_the_cluster_does_not_have(cluster: KServeCluster, deployment: Deployment) -> None:
    options = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)
    deployment = await applied(cluster, replace(deployment, spec=a_spec(options=options)))
    evidence = await observed(cluster, deployment, lambda e: e.warning is not None)
    assert evidence.rollout is None
    assert evidence.warning is not None
    assert "Knative Services are not available" in evidence.warning.message


# Others at work


async def test_a_name_that_is_taken(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    await applied(cluster, replace(deployment, id=uuid4()))
    before = await kube.inference_service(deployment.name)
    assert (await refused(cluster, deployment)).reason is Why.NAME_TAKEN
    await cluster.delete(deployment, seen=await cluster.observe(deployment))
    after = await kube.inference_service(deployment.name)
    assert after["spec"] == before["spec"]
    assert "deletionTimestamp" not in after["metadata"]


async def test_a_foreign_object_that_appears_meanwhile_is_not_taken_over(
    cluster: KServeCluster, deployment: Deployment
) -> None:
    nothing = await cluster.observe(deployment)
    await applied(cluster, replace(deployment, id=uuid4()))
    with pytest.raises(ApplyRefused) as error:
        await cluster.apply(deployment, NO_KEYS, seen=nothing, force=False)
    assert error.value.reason is Why.OVERTAKEN


async def test_a_changed_field_is_drift(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    options = DeploymentOptions(min_replicas=1)
    deployment = await applied(cluster, replace(deployment, spec=a_spec(options=options)))
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"spec": {"predictor": {"minReplicas": 2}}})
    live = live_of(await cluster.observe(deployment))
    assert live.drift == (FieldDifference("spec.predictor.minReplicas", "1", "2"),)
    assert live.changed_by == "somebody"


async def test_drift_is_not_overwritten_without_force(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    options = DeploymentOptions(min_replicas=1)
    deployment = await applied(cluster, replace(deployment, spec=a_spec(options=options)))
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"spec": {"predictor": {"minReplicas": 2}}})
    refusal = await refused(cluster, deployment)
    assert refusal.reason is Why.FIELD_CONFLICT
    assert "somebody" in refusal.message


async def test_a_change_that_was_taken_back_is_not_in_the_way(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    options = DeploymentOptions(min_replicas=1)
    deployment = await applied(cluster, replace(deployment, spec=a_spec(options=options)))
    for replicas in (2, 1):
        await kube.merge(INFERENCE_SERVICES, deployment.name, {"spec": {"predictor": {"minReplicas": replicas}}})
    await applied(cluster, revised(deployment, options=DeploymentOptions(min_replicas=3)))
    assert (await kube.inference_service(deployment.name))["spec"]["predictor"]["minReplicas"] == 3


async def test_force_undoes_drift_additions_included(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    options = DeploymentOptions(min_replicas=1, env={"A": "1"})
    enforced = replace(deployment, spec=a_spec(options=options), drift_policy=DriftPolicy.ENFORCE)
    deployment = await applied(cluster, enforced)
    before = await kube.inference_service(deployment.name)
    env = [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    drifted = {"minReplicas": 2, "nodeSelector": {"gpu": "yes"}, "model": {"env": env}}
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"spec": {"predictor": drifted}})
    deployment = await applied(cluster, deployment, force=True)
    assert (await kube.inference_service(deployment.name))["spec"] == before["spec"]
    assert live_of(await cluster.observe(deployment)).drift == ()


async def test_force_alone_keeps_additions(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=a_spec(options=DeploymentOptions(min_replicas=1))))
    drifted = {"minReplicas": 2, "nodeSelector": {"gpu": "yes"}}
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"spec": {"predictor": drifted}})
    deployment = await applied(cluster, deployment, force=True)
    predictor = (await kube.inference_service(deployment.name))["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["nodeSelector"]) == (1, {"gpu": "yes"})


async def test_labels_of_others_stay_and_are_no_drift(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"metadata": {"labels": {"kubeflow": "x"}}})
    assert live_of(await cluster.observe(deployment)).drift == ()
    await applied(cluster, deployment)
    labels = (await kube.inference_service(deployment.name))["metadata"]["labels"]
    assert labels["kubeflow"] == "x"


async def test_a_write_after_somebody_elses_is_stale(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"spec": {"predictor": {"timeout": 7}}})
    with pytest.raises(ApplyRefused) as error:
        await cluster.apply(deployment, NO_KEYS, seen=seen, force=True)
    assert error.value.reason is Why.OVERTAKEN


async def test_a_status_written_meanwhile_does_not_hold_up_a_write(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"status": {"url": "http://x"}}, subresource="status")
    result = await cluster.apply(revised(deployment, storage_uri="gs://bucket/x"), NO_KEYS, seen=seen, force=False)
    assert result.content["spec"]["predictor"]["model"]["storageUri"] == "gs://bucket/x"


@pytest.mark.parametrize("force", [False, True])
async def test_a_label_of_ours_that_is_changed_meanwhile_is_told_before_it_is_overwritten(
    cluster: KServeCluster, kube: Kube, deployment: Deployment, *, force: bool
) -> None:
    """It changes no generation."""
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    theirs = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "helm"}}}
    await kube.merge(INFERENCE_SERVICES, deployment.name, theirs)
    with pytest.raises(ApplyRefused) as error:
        await cluster.apply(revised(deployment), NO_KEYS, seen=seen, force=force)
    assert error.value.reason is Why.OVERTAKEN
    assert [found.path for found in live_of(await cluster.observe(deployment)).drift] == [
        "metadata.labels[app.kubernetes.io/managed-by]"
    ]


@pytest.mark.parametrize("force", [False, True])
async def test_a_label_of_others_that_is_added_meanwhile_does_not_hold_up_a_write_and_stays(
    cluster: KServeCluster, kube: Kube, deployment: Deployment, *, force: bool
) -> None:
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    await kube.merge(INFERENCE_SERVICES, deployment.name, {"metadata": {"labels": {"kubeflow": "x"}}})
    result = await cluster.apply(revised(deployment, storage_uri="gs://bucket/x"), NO_KEYS, seen=seen, force=force)
    live = await kube.inference_service(deployment.name)
    assert live["spec"]["predictor"]["model"]["storageUri"] == "gs://bucket/x"
    assert live["metadata"]["labels"]["kubeflow"] == "x"
    assert "kubeflow" not in result.content["labels"]


async def test_an_object_deleted_meanwhile_is_not_made_again(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    await cluster.delete(deployment, seen=seen)
    await kube.until_gone(INFERENCE_SERVICES, deployment.name)
    with pytest.raises(ApplyRefused) as error:
        await cluster.apply(deployment, NO_KEYS, seen=seen, force=False)
    assert error.value.reason is Why.OVERTAKEN
    assert is_gone(await cluster.observe(deployment))


async def test_an_older_revision_does_not_overwrite_a_newer_one(cluster: KServeCluster, deployment: Deployment) -> None:
    await applied(cluster, revised(revised(deployment)))
    refusal = await refused(cluster, revised(deployment))
    assert (refusal.reason, refusal.message) == (
        Why.OVERTAKEN,
        "revision 3, which is newer than 2, has already been applied",
    )


async def test_an_object_of_another_installation_is_left_alone(
    kubernetes: TestCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    """Such as a copy of the database under a new id, which knows the uid of the object."""
    deployment = await applied(cluster, deployment)
    async with connected(kubernetes.registry or kubernetes.admin, registry_id=uuid4()) as copy:
        refusal = await refused(copy, revised(deployment))
        assert refusal.reason is Why.NAME_TAKEN
        seen = await copy.observe(deployment)
        assert not live_of(seen).is_of(deployment)
        await copy.delete(deployment, seen=seen)
    live = live_of(await cluster.observe(deployment))
    assert (live.is_of(deployment), live.revision, live.deleting_since) == (True, 1, None)


async def test_an_object_of_the_go_service_is_adopted(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    made = await kube.create(INFERENCE_SERVICES, made_by_the_go_service(deployment), fieldManager="model-registry")
    seen = await cluster.observe(deployment)
    assert live_of(seen).deployment_id == str(deployment.id)
    assert live_of(seen).registry_id == ""
    deployment = await applied(cluster, deployment)
    assert deployment.applied is not None
    assert deployment.applied.uid == made["metadata"]["uid"]
    live = live_of(await observed(cluster, deployment, is_serving))
    assert (live.registry_id, live.revision) == (str(REGISTRY_ID), 1)


def made_by_the_go_service(deployment: Deployment) -> dict[str, Any]:
    """As in the contract (contract 2.4); the mode is KServe's default in Kubernetes mode."""
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": deployment.name,
            "labels": {"modelregistry.ai-platform/inference-service-id": str(deployment.id)},
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
        },
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "gs://bucket/old"}}},
    }


# What the API server refuses


async def test_a_refusal_has_the_text_of_the_server(cluster: KServeCluster, deployment: Deployment) -> None:
    refusal = await refused(cluster, replace(deployment, spec=a_spec(labels={"team": "not valid"})))
    assert refusal.reason is Why.REJECTED
    assert "a valid label must be an empty string or consist of" in refusal.message


async def test_a_namespace_that_is_not_there(kubernetes: TestCluster) -> None:
    deployment = a_deployment(namespace=f"absent-{uuid4().hex[:8]}")
    async with connected(kubernetes.admin) as cluster:
        assert is_gone(await cluster.observe(deployment))
        for spec, keys in ((a_spec(), NO_KEYS), (S3, KEYS)):
            refusal = await refused(cluster, replace(deployment, spec=spec), credentials=keys)
            assert refusal.reason is Why.NAMESPACE_NOT_FOUND


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a%2Fb", ""])
async def test_names_that_would_lead_elsewhere(cluster: KServeCluster, deployment: Deployment, name: str) -> None:
    elsewhere = replace(deployment, name=name)
    assert is_gone(await cluster.observe(elsewhere))
    assert (await refused(cluster, elsewhere)).reason is Why.REJECTED
    nowhere = replace(deployment, namespace=name)
    assert is_gone(await cluster.observe(nowhere))
    assert (await refused(cluster, nowhere)).reason is Why.NAMESPACE_NOT_FOUND
    assert await cluster.look(name, deployment.name, deployment.id) is None
    assert (await cluster.facts(name)).namespace_exists is False


# Credentials


async def test_keys_are_handed_over_in_a_secret(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=S3), KEYS)
    live = await kube.inference_service(deployment.name)
    name = live["metadata"]["annotations"]["serving.kserve.io/storageSecretName"]
    secret = await kube.get(SECRETS, name)
    assert base64.b64decode(secret["data"]["AWS_SECRET_ACCESS_KEY"]) == b"s3cr3t"
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [live["metadata"]["uid"]]
    assert "s3cr3t" not in json.dumps(live)


async def test_a_secret_goes_with_its_object(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    deployment = await applied(cluster, replace(deployment, spec=S3), KEYS)
    (name,) = await names(kube, deployment)
    await cluster.delete(deployment, seen=await cluster.observe(deployment))
    await observed(cluster, deployment, is_gone)
    await kube.until_gone(SECRETS, name)


async def test_a_lost_secret_is_restored_and_gets_other_keys(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, replace(deployment, spec=S3), KEYS)
    (name,) = await names(kube, deployment)
    before = await kube.get(SECRETS, name)
    await cluster.restore_secret(deployment, KEYS)
    assert await kube.get(SECRETS, name) == before
    await kube.delete(SECRETS, name)
    for keys in (KEYS, Credentials("AKIB", "other")):
        await cluster.restore_secret(deployment, keys)
        after = await kube.get(SECRETS, name)
        assert after["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"]
        assert base64.b64decode(after["data"]["AWS_SECRET_ACCESS_KEY"]).decode() == keys.secret_key
    await cluster.restore_secret(deployment, None)
    await cluster.restore_secret(replace(deployment, applied=None), KEYS)
    assert await kube.get(SECRETS, name) == after


async def test_a_secret_that_the_object_does_not_refer_to_is_not_made(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    """An earlier release gave it another name."""
    deployment = await applied(cluster, replace(deployment, spec=S3), KEYS)
    before = await names(kube, deployment)
    await cluster.restore_secret(replace(deployment, spec=replace(S3, storage_uri="s3://other/iris")), KEYS)
    assert await names(kube, deployment) == before


async def test_another_version_has_another_secret_and_the_old_one_stays_until_cleaned_up(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, replace(deployment, spec=S3), KEYS)
    (old,) = await names(kube, deployment)
    deployment = await applied(cluster, revised(deployment, model_version_id=uuid4()), Credentials("AKIA", "other"))
    assert len(await names(kube, deployment)) == 2
    await cluster.clean_up(deployment)
    (new,) = await names(kube, deployment)
    assert new != old
    await cluster.clean_up(deployment)
    assert await names(kube, deployment) == [new], "the Secret in use is never deleted"


async def test_keys_that_are_no_longer_used_are_cleaned_up(
    cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, replace(deployment, spec=S3), KEYS)
    deployment = await applied(cluster, revised(deployment, storage_uri="pvc://claim/iris"))
    assert "storageSecretName" not in json.dumps((await kube.inference_service(deployment.name))["metadata"])
    await cluster.clean_up(deployment)
    assert await names(kube, deployment) == []


# Deleting


async def test_delete_takes_the_workload_along(
    kubernetes: TestCluster, cluster: KServeCluster, kube: Kube, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    await observed(cluster, deployment, is_serving)
    await cluster.delete(deployment, seen=await cluster.observe(deployment))
    await observed(cluster, deployment, is_gone)
    pods = await kube.items(PODS, labelSelector=f"serving.kserve.io/inferenceservice={deployment.name}")
    assert kubernetes.not_overlooked(pods) == [], "in the foreground: gone means that the pods are gone"


async def test_delete_is_repeatable(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    for _ in range(2):
        await cluster.delete(deployment, seen=seen)
    gone = await observed(cluster, deployment, is_gone)
    await cluster.delete(deployment, seen=seen)
    await cluster.delete(deployment, seen=gone)
    await cluster.clean_up(replace(deployment, want=Want.ABSENT))


async def test_delete_means_the_object_that_was_seen(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, deployment)
    seen = await cluster.observe(deployment)
    await cluster.delete(deployment, seen=seen)
    await observed(cluster, deployment, is_gone)
    successor = await applied(cluster, deployment)
    await cluster.delete(successor, seen=seen)
    live = live_of(await cluster.observe(successor))
    assert live.deleting_since is None


# Objects that are not under deployment control


async def test_look_and_remove(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    namespace, name = deployment.namespace, deployment.name
    assert await cluster.look(namespace, name, deployment.id) is None
    await cluster.remove(namespace, name, deployment.id)
    await kube.create(INFERENCE_SERVICES, made_by_the_go_service(deployment))
    await cluster.remove(namespace, name, uuid4())
    assert await cluster.look(namespace, name, uuid4()) is None
    assert await cluster.look(namespace, name, None) is not None
    live = await cluster.look(namespace, name, deployment.id)
    assert live is not None
    assert live.deleting_since is None
    await cluster.remove(namespace, name, deployment.id)
    await observed(cluster, deployment, is_gone)


# Rehearsals and facts


async def test_dry_run_has_no_effect(cluster: KServeCluster, kube: Kube, deployment: Deployment) -> None:
    deployment = replace(deployment, spec=S3)
    manifest = await cluster.manifest(deployment, KEYS)
    assert json.loads(manifest)["spec"]["predictor"]["model"]["storageUri"] == "s3://bucket/iris"
    assert "s3cr3t" not in manifest
    assert await cluster.dry_run(deployment, KEYS) == ()
    assert is_gone(await cluster.observe(deployment))
    assert await names(kube, deployment) == []


async def test_dry_run_answers_the_differences(cluster: KServeCluster, deployment: Deployment) -> None:
    deployment = await applied(cluster, deployment)
    options = DeploymentOptions(min_replicas=2)
    scaled = FieldDifference("spec.predictor.minReplicas", "2", "")
    assert await cluster.dry_run(revised(deployment, options=options), NO_KEYS) == (scaled,)
    options = replace(options, timeout_seconds=7)
    assert await cluster.dry_run(revised(deployment, options=options), NO_KEYS) == (
        FieldDifference("spec.predictor.annotations[modelregistry.ai-platform/revision]", '"2"', '"1"'),
        scaled,
        FieldDifference("spec.predictor.timeout", "7", ""),
    )


async def test_dry_run_refuses_as_apply_would(cluster: KServeCluster, deployment: Deployment) -> None:
    invalid = replace(deployment, spec=a_spec(labels={"team": "not valid"}))
    await applied(cluster, deployment)
    for other, refusal in (
        (invalid, Why.REJECTED),
        (replace(deployment, id=uuid4()), Why.NAME_TAKEN),
    ):
        with pytest.raises(ApplyRefused) as error:
            await cluster.dry_run(other, NO_KEYS)
        assert error.value.reason is refusal


async def test_facts_under_the_registrys_role(cluster: KServeCluster, namespace: str) -> None:
    facts = await cluster.facts(namespace)
    assert facts.kserve_installed is True
    assert facts.missing_permissions == ()
    assert facts.namespace_exists is True
    assert facts.service_account_exists is None
    assert facts.runtimes.formats is not None
    assert ("sklearn", "1") in {(item.name, item.version) for item in facts.runtimes.formats if item.auto_select}
    assert facts.storage_prefixes is not None
    assert (await cluster.facts(namespace, DeploymentOptions(service_account="nobody"))).service_account_exists is False
    assert facts.priority_class_exists is None
    for name, exists in (("system-cluster-critical", True), ("none", False)):
        options = DeploymentOptions(priority_class_name=name)
        assert (await cluster.facts(namespace, options)).priority_class_exists is exists


async def test_facts_of_an_administrator(kubernetes: TestCluster, namespace: str) -> None:
    async with connected(kubernetes.admin) as cluster:
        facts = await cluster.facts(namespace, DeploymentOptions(service_account="nobody"))
        assert (facts.namespace_exists, facts.service_account_exists) == (True, False)
        assert (await cluster.facts(f"absent-{uuid4().hex[:8]}")).namespace_exists is False
