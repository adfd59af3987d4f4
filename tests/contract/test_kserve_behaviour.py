"""The behaviour of KServe on which the registry's decisions rest, simulated and on a real cluster."""

from __future__ import annotations

import pytest
from tests.cluster.client import ClusterClient, path_of
from tests.cluster.kube import STAMP, Kube, Object, condition, inference_service, is_ready, model_status
from tests.cluster.targets import TestCluster

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import (
    DEPLOYMENTS,
    EVENTS,
    INFERENCE_SERVICES,
    PODS,
    SECRETS,
)
from registry_grpc.devtools.simulated_cluster.workloads.pods import LABEL, Outcome


def failing(name: str, outcome: Outcome, *, revision: str = "1", logs: bool = False) -> Object:
    """An InferenceService whose pods fail in this way."""
    service = inference_service(name, labels={LABEL: outcome}, annotations={STAMP: revision})
    if logs:
        service["spec"]["predictor"]["model"]["terminationMessagePolicy"] = "FallbackToLogsOnError"
    return service


def main_container(pod: Object) -> Object:
    statuses = pod["status"].get("containerStatuses", [])
    return next((item for item in statuses if item["name"] == "kserve-container"), {})


def waits_for(container: Object) -> str:
    return str(container.get("state", {}).get("waiting", {}).get("reason", ""))


async def until_pod(kube: Kube, name: str, revision: str, reason: str) -> Object:
    """The pod of a revision, once one of its containers waits for this reason."""

    def is_stuck(pod: Object) -> bool:
        status = pod["status"]
        containers = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
        return any(waits_for(item) == reason for item in containers)

    pod = await until_created(kube, name, revision)
    return await kube.until(PODS, pod["metadata"]["name"], is_stuck)


async def until_created(kube: Kube, name: str, revision: str) -> Object:
    """The pod of a revision."""
    await kube.until(
        DEPLOYMENTS, f"{name}-predictor", lambda found: found.get("status", {}).get("updatedReplicas", 0) > 0
    )
    (pod,) = [pod for pod in await kube.pods(name) if pod["metadata"]["annotations"][STAMP] == revision]
    return pod


class TestFirstStart:
    async def test_ends_ready(self, kube: Kube) -> None:
        await kube.apply(inference_service("iris"))
        await kube.until_ready("iris")
        ready = await kube.until(
            INFERENCE_SERVICES, "iris", lambda found: found["status"]["modelStatus"]["transitionStatus"] == "UpToDate"
        )

        assert condition(ready, "PredictorReady")["reason"] == "NewReplicaSetAvailable"
        assert condition(ready, "IngressReady")["status"] == "True"
        assert condition(ready, "Stopped")["status"] == "False"
        assert ready["status"]["modelStatus"]["transitionStatus"] == "UpToDate"
        assert ready["status"]["modelStatus"]["states"]["activeModelState"] == "Loaded"
        assert ready["status"]["deploymentMode"] == "Standard"
        assert ready["status"]["url"].startswith("http")
        assert ready["status"]["address"]["url"].startswith("http")
        assert ready["metadata"]["generation"] == 1

    async def test_only_the_predictor_says_why_it_is_not_ready_at_first(self, kube: Kube) -> None:
        await kube.apply(failing("iris", Outcome.NEVER_READY))
        starting = await kube.until(
            INFERENCE_SERVICES,
            "iris",
            lambda found: condition(found, "PredictorReady").get("reason") == "MinimumReplicasUnavailable",
        )

        for kind in ("Ready", "IngressReady"):
            unready = condition(starting, kind)
            assert unready["status"] == "False"
            # With the Gateway API, KServe has other words, which tell as little.
            assert unready["reason"] in {"Predictor ingress not created", "Predictor Deployment NotReady"}
            assert unready.get("message", "") in {"", "Predictor HTTPRoute not created"}

    async def test_copies_labels_and_the_stamp_to_the_workload(self, kube: Kube) -> None:
        await kube.apply(inference_service("iris"))
        await kube.until_ready("iris")
        deployment = await kube.deployment("iris")
        (pod,) = await kube.pods("iris")

        template = deployment["spec"]["template"]["metadata"]
        for metadata in (deployment["metadata"], template, pod["metadata"]):
            assert metadata["annotations"][STAMP] == "1"
            assert metadata["labels"]["registry.example.com/deployment"] == "iris"
        (owner,) = deployment["metadata"]["ownerReferences"]
        assert owner["uid"] == (await kube.inference_service("iris"))["metadata"]["uid"]


class TestUpdate:
    async def test_rolls_out_through_pods_of_another_hash(self, kube: Kube) -> None:
        await kube.apply(inference_service("iris"))
        await kube.until_ready("iris")
        (old,) = await kube.pods("iris")
        await kube.apply(inference_service("iris", annotations={STAMP: "2"}))

        def is_rolled_out(deployment: Object) -> bool:
            status = deployment.get("status", {})
            counts = {status.get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")}
            fresh = deployment["spec"]["template"]["metadata"]["annotations"][STAMP] == "2"
            observed = status.get("observedGeneration") == deployment["metadata"]["generation"]
            return fresh and observed and counts == {1}

        await kube.until(DEPLOYMENTS, "iris-predictor", is_rolled_out)

        await kube.until_gone(PODS, old["metadata"]["name"])
        (new,) = await kube.pods("iris")
        assert new["metadata"]["annotations"][STAMP] == "2"
        hashes = {pod["metadata"]["labels"]["pod-template-hash"] for pod in (old, new)}
        assert len(hashes) == 2
        assert is_ready(await kube.inference_service("iris"))

    async def test_that_fails_leaves_the_old_pod_serving_and_the_service_ready(self, kube: Kube) -> None:
        await kube.apply(inference_service("iris"))
        await kube.until_ready("iris")
        await kube.apply(failing("iris", Outcome.IMAGE_PULL, revision="2"))
        await kube.until(
            DEPLOYMENTS,
            "iris-predictor",
            lambda found: (
                found["status"].get("unavailableReplicas") == 1
                and found["status"]["observedGeneration"] == found["metadata"]["generation"]
            ),
        )
        await until_pod(kube, "iris", "2", "ImagePullBackOff")

        status = (await kube.deployment("iris"))["status"]
        assert (status["updatedReplicas"], status["availableReplicas"], status["replicas"]) == (1, 1, 2)
        service = await kube.inference_service("iris")
        assert is_ready(service)
        assert service["status"]["modelStatus"]["transitionStatus"] == "UpToDate"
        old, new = await kube.pods("iris")
        assert main_container(old)["ready"]
        assert not main_container(new)["ready"]


class TestFailingPods:
    async def test_download(self, kube: Kube) -> None:
        await kube.apply(failing("iris", Outcome.DOWNLOAD_FAILED))
        pod = await until_pod(kube, "iris", "1", "CrashLoopBackOff")

        (initializer,) = pod["status"]["initContainerStatuses"]
        assert initializer["name"] == "storage-initializer"
        assert initializer["restartCount"] >= 1
        assert initializer["lastState"]["terminated"]["exitCode"] == 1
        assert "Failed to fetch model" in initializer["lastState"]["terminated"]["message"]
        blocked = await kube.until(
            INFERENCE_SERVICES,
            "iris",
            lambda found: model_status(found).get("transitionStatus") == "BlockedByFailedLoad",
        )
        failure = blocked["status"]["modelStatus"]["lastFailureInfo"]
        assert failure["reason"] == "ModelLoadFailed"
        assert "Failed to fetch model" in failure["message"]

    @pytest.mark.parametrize(("logs", "message"), [(True, "cannot be read"), (False, None)])
    async def test_crash_has_a_message_only_with_the_logs(self, kube: Kube, *, logs: bool, message: str | None) -> None:
        await kube.apply(failing("iris", Outcome.CRASH_LOOP, logs=logs))
        pod = await until_pod(kube, "iris", "1", "CrashLoopBackOff")

        server = main_container(pod)
        ended = server["lastState"]["terminated"]
        assert server["restartCount"] >= 1
        assert (ended["exitCode"], ended["reason"]) == (1, "Error")
        assert (message or "") in ended.get("message", "")
        assert bool(ended.get("message")) is logs

    async def test_out_of_memory(self, kube: Kube) -> None:
        await kube.apply(failing("iris", Outcome.OUT_OF_MEMORY))
        pod = await until_pod(kube, "iris", "1", "CrashLoopBackOff")

        ended = main_container(pod)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")

    @pytest.mark.parametrize(
        ("outcome", "reason"),
        [(Outcome.IMAGE_PULL, "ImagePullBackOff"), (Outcome.CONFIG_ERROR, "CreateContainerConfigError")],
    )
    async def test_container_that_cannot_be_made(self, kube: Kube, outcome: Outcome, reason: str) -> None:
        await kube.apply(failing("iris", outcome))
        pod = await until_pod(kube, "iris", "1", reason)

        assert pod["status"]["phase"] == "Pending"
        assert main_container(pod)["state"]["waiting"]["message"]
        # KServe does not notice this, so the model stays Pending.
        pending = await kube.until(INFERENCE_SERVICES, "iris", lambda found: bool(model_status(found).get("states")))
        assert pending["status"]["modelStatus"]["states"]["targetModelState"] in {"Pending", "Loading"}

    @pytest.mark.parametrize("predictor", [{"labels": {LABEL: Outcome.UNSCHEDULABLE}}, {}])
    async def test_unschedulable(self, kube: Kube, predictor: Object) -> None:
        service = inference_service("iris", **predictor)
        if not predictor:
            service["spec"]["predictor"]["model"]["resources"] = {
                "requests": {"cpu": "1000"},
                "limits": {"cpu": "1000"},
            }
        await kube.apply(service)
        created = await until_created(kube, "iris", "1")
        pod = await kube.until(PODS, created["metadata"]["name"], lambda found: bool(condition(found, "PodScheduled")))

        scheduled = condition(pod, "PodScheduled")
        assert (scheduled["status"], scheduled["reason"]) == ("False", "Unschedulable")
        assert scheduled["message"].startswith("0/")
        assert pod["status"]["phase"] == "Pending"

    async def test_never_ready(self, kube: Kube) -> None:
        await kube.apply(failing("iris", Outcome.NEVER_READY))
        created = await until_created(kube, "iris", "1")
        pod = await kube.until(
            PODS, created["metadata"]["name"], lambda found: "running" in main_container(found).get("state", {})
        )

        assert condition(pod, "Ready")["status"] == "False"


class TestHopelessSpec:
    async def test_a_missing_runtime_is_reported_in_the_model_status(self, kube: Kube) -> None:
        service = inference_service("iris")
        service["spec"]["predictor"]["model"]["modelFormat"] = {"name": "sklearn", "version": "1.3"}
        await kube.apply(service)
        invalid = await kube.until(
            INFERENCE_SERVICES,
            "iris",
            lambda found: model_status(found).get("transitionStatus") == "InvalidSpec",
        )

        assert invalid["status"]["modelStatus"]["lastFailureInfo"]["reason"] == "NoSupportingRuntime"
        assert condition(invalid, "Ready")["status"] == "Unknown"

    async def test_unsupported_storage_is_only_reported_in_an_event(self, kube: Kube) -> None:
        service = inference_service("iris")
        service["spec"]["predictor"]["model"]["storageUri"] = "ftp://models/iris"
        uid = (await kube.apply(service))["metadata"]["uid"]
        seen = await kube.until(INFERENCE_SERVICES, "iris", lambda found: bool(condition(found, "Ready")))
        events = await kube.items(EVENTS, fieldSelector=f"involvedObject.uid={uid},type=Warning")

        assert condition(seen, "Ready")["status"] == "Unknown"
        assert seen["status"]["modelStatus"]["transitionStatus"] == ""
        assert [event["reason"] for event in events] == ["InternalError"]
        assert "StorageURI not supported: storageUri, must be one of: [gs://, s3://" in events[0]["message"]


class TestEnd:
    async def test_stop_takes_the_workload_away_and_keeps_the_object(self, kube: Kube) -> None:
        await kube.apply(inference_service("iris"))
        await kube.until_ready("iris")
        stopping = inference_service("iris")
        stopping["metadata"]["annotations"]["serving.kserve.io/stop"] = "true"
        await kube.apply(stopping)

        stopped = await kube.until(
            INFERENCE_SERVICES, "iris", lambda found: condition(found, "Stopped").get("status") == "True"
        )
        assert condition(stopped, "Ready")["status"] == "False"
        await kube.until_gone(DEPLOYMENTS, "iris-predictor")

        await kube.apply(inference_service("iris"))
        assert await kube.until_ready("iris")

    async def test_foreground_deletion_ends_after_the_pods(self, kubernetes: TestCluster, kube: Kube) -> None:
        await kube.apply(inference_service("iris"))
        uid = (await kube.until_ready("iris"))["metadata"]["uid"]
        await kube.delete(INFERENCE_SERVICES, "iris", propagationPolicy="Foreground", preconditions={"uid": uid})
        await kube.until_gone(INFERENCE_SERVICES, "iris")

        assert kubernetes.not_overlooked(await kube.items(PODS)) == []
        assert await kube.items(DEPLOYMENTS) == []


class TestRights:
    async def test_the_registry_may_not_list_secrets_and_can_find_out(
        self, kubernetes: TestCluster, namespace: str
    ) -> None:
        if kubernetes.registry is None:
            pytest.skip("the tests cannot set up RBAC on this cluster")
        if kubernetes.simulated is not None:
            kubernetes.simulated.faults.forbid("list", "secrets", namespace=namespace, user="registry")
        async with ClusterClient.from_kubeconfig(kubernetes.registry) as client:
            kube = Kube(client, namespace)
            with pytest.raises(ApiError) as refused:
                await kube.items(SECRETS)
            answers = {verb: await self.allowed(client, namespace, verb) for verb in ("list", "create", "patch")}
            await kube.apply(inference_service("iris"))
            await client.call("GET", path_of(INFERENCE_SERVICES, namespace))

        assert (refused.value.code, refused.value.reason) == (403, "Forbidden")
        assert refused.value.message == (
            'secrets is forbidden: User "registry" cannot list resource "secrets" in API group "" '
            f'in the namespace "{namespace}"'
        )
        assert answers == {"list": False, "create": True, "patch": True}

    async def allowed(self, client: ClusterClient, namespace: str, verb: str) -> bool:
        attributes = {"verb": verb, "resource": "secrets", "group": "", "namespace": namespace}
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await client.call("POST", path, review)
        return bool(answer["status"]["allowed"])
