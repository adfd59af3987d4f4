"""What only the simulated cluster has: faults, counters, KServe's webhooks, its process and its state file."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import yaml
from tests.cluster.kube import Kube, Object, condition, inference_service
from tests.e2e.processes import tree, wait_until

from registry_grpc.devtools.simulated_cluster import Fault, SimulatedCluster, Timing, faults
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.garbage import GarbageCollector
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    PODS,
)
from registry_grpc.devtools.simulated_cluster.api.store import Change
from registry_grpc.devtools.simulated_cluster.kserve.client import ClusterClient, path_of
from registry_grpc.devtools.simulated_cluster.process import run_simulated_cluster

QUICK = Timing(schedule=0.01, download=0.01, start=0.01, terminate=0.01, back_off=0.01, bookmark_interval=0.1)


@pytest_asyncio.fixture(loop_scope="session")
async def cluster() -> AsyncIterator[SimulatedCluster]:
    async with SimulatedCluster(timing=QUICK) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def kube(cluster: SimulatedCluster) -> AsyncIterator[Kube]:
    async with cluster.client() as client:
        yield Kube(client, "default")


async def refusal(kube: Kube, service: Object) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await kube.apply(service)
    return refused.value


class TestFaults:
    async def test_hit_as_many_calls_as_they_are_made_for(self, cluster: SimulatedCluster, kube: Kube) -> None:
        fault = cluster.faults.add(
            Fault(verb="patch", resource="inferenceservices", skip=1, times=2, error=faults.throttled(7))
        )
        await kube.apply(inference_service("a"))
        for _ in range(2):
            error = await refusal(kube, inference_service("a"))
            assert (error.code, error.reason, error.headers) == (429, "TooManyRequests", {"Retry-After": "7"})
        await kube.apply(inference_service("a"))

        assert fault.hits == 2
        assert cluster.calls["patch", "inferenceservices"] == 4

    @pytest.mark.parametrize(
        ("error", "code", "text"),
        [
            (faults.unavailable(), 503, "unable to handle"),
            (faults.webhook_down(), 500, 'failed calling webhook "inferenceservice.kserve'),
            (faults.webhook_denied("no such team"), 403, "denied the request: no such team"),
            (faults.quota_exceeded("a"), 403, "exceeded quota"),
        ],
    )
    async def test_say_what_a_cluster_says(
        self, cluster: SimulatedCluster, kube: Kube, error: ApiError, code: int, text: str
    ) -> None:
        cluster.faults.add(Fault(verb="patch", name="a", error=error))

        assert (await refusal(kube, inference_service("a"))).code == code
        assert text in (await refusal(kube, inference_service("a"))).message
        assert await kube.apply(inference_service("b"))

    async def test_can_drop_the_connection_before_or_after_the_call(
        self, cluster: SimulatedCluster, kube: Kube
    ) -> None:
        cluster.faults.add(Fault(verb="patch", name="before", drop=True))
        cluster.faults.add(Fault(verb="patch", name="after", lose_response=True))
        for name in ("before", "after"):
            with pytest.raises(aiohttp.ClientError):
                await kube.apply(inference_service(name))

        assert [item["metadata"]["name"] for item in await kube.items(INFERENCE_SERVICES)] == ["after"]

    async def test_can_delay(self, cluster: SimulatedCluster, kube: Kube) -> None:
        cluster.faults.add(Fault(verb="list", delay=0.5))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await kube.items(PODS)

    async def test_taken_rights_are_a_403_until_given_back(self, cluster: SimulatedCluster, kube: Kube) -> None:
        taken = cluster.faults.forbid("create", "inferenceservices")
        with pytest.raises(ApiError) as refused:
            await kube.create(INFERENCE_SERVICES, inference_service("a"))
        assert refused.value.message == (
            'inferenceservices.serving.kserve.io is forbidden: User "admin" cannot create resource '
            '"inferenceservices" in API group "serving.kserve.io" in the namespace "default"'
        )

        cluster.faults.remove(taken)
        assert await kube.create(INFERENCE_SERVICES, inference_service("a"))


class TestIdentity:
    async def test_unknown_token_is_unauthorized(self, cluster: SimulatedCluster) -> None:
        async with ClusterClient(cluster.url, token="stolen") as client:
            with pytest.raises(ApiError) as refused:
                await client.call("GET", path_of(PODS))

        assert refused.value.code == 401


class TestHistory:
    async def test_compaction_makes_old_versions_410(self, cluster: SimulatedCluster, kube: Kube) -> None:
        version = (await kube.listed(INFERENCE_SERVICES))["metadata"]["resourceVersion"]
        page = await kube.listed(PODS, limit="1")
        await kube.apply(inference_service("a"))
        cluster.compact()

        watch = kube.client.watch(path_of(INFERENCE_SERVICES, "default"), resourceVersion=version)
        (event,) = [event async for event in watch]
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert "continue" not in page["metadata"]

    async def test_continue_token_of_a_forgotten_list_is_410(self, cluster: SimulatedCluster, kube: Kube) -> None:
        for name in ("a", "b"):
            await kube.apply(inference_service(name))
        page = await kube.listed(INFERENCE_SERVICES, limit="1")
        await kube.apply(inference_service("c"))
        cluster.compact()

        with pytest.raises(ApiError) as refused:
            await kube.listed(INFERENCE_SERVICES, limit="1", **{"continue": page["metadata"]["continue"]})
        assert (refused.value.code, refused.value.reason) == (410, "Expired")

    @pytest.mark.parametrize("abruptly", [True, False])
    async def test_watches_can_be_ended(self, cluster: SimulatedCluster, kube: Kube, *, abruptly: bool) -> None:
        path = path_of(PODS, "default")
        watch = kube.client.watch(path, allowWatchBookmarks="true")
        assert (await anext(watch))["type"] == "BOOKMARK"
        cluster.end_watches(abruptly=abruptly)

        if abruptly:
            with pytest.raises(aiohttp.ClientError):
                await until_end(watch)
        else:
            await until_end(watch)


async def until_end(events: AsyncIterator[Object]) -> None:
    async for _ in events:
        pass


class TestKServeWebhooks:
    @pytest.mark.parametrize(
        ("name", "predictor", "text"),
        [
            ("1st", {}, "must start with alphabetical character"),
            ("a", {"minReplicas": 3, "maxReplicas": 2}, "'MinReplicas' cannot be greater than MaxReplicas"),
            ("a", {"minReplicas": -1}, "'MinReplicas' cannot be less than 0"),
            ("a", {"model": {"modelFormat": {"name": "x"}, "name": "mine"}}, "the 'name' field is not allowed"),
        ],
    )
    async def test_refuse(self, kube: Kube, name: str, predictor: Object, text: str) -> None:
        error = await refusal(kube, inference_service(name, **predictor))

        assert (error.code, error.reason) == (403, "Forbidden")
        assert error.message.startswith('admission webhook "inferenceservice.kserve-webhook-server.validator" denied')
        assert text in error.message

    async def test_refuse_another_deployment_mode_once_there_is_one(self, kube: Kube) -> None:
        await kube.apply(inference_service("a"))
        await kube.until_ready("a")
        changed = inference_service("a")
        changed["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = "Serverless"

        error = await refusal(kube, changed)
        assert "deploymentMode cannot be changed from 'Standard' to 'Knative'" in error.message

    async def test_make_short_forms_canonical(self, kube: Kube) -> None:
        short = inference_service("a")
        short["spec"]["predictor"] = {"sklearn": {"storageUri": "s3://models/iris"}}
        short["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] = "RawDeployment"
        stored = await kube.apply(short)

        model = {"modelFormat": {"name": "sklearn"}, "storageUri": "s3://models/iris"}
        assert stored["spec"]["predictor"] == {"model": model}
        assert stored["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"

    @pytest.mark.parametrize(
        ("annotations", "predictor", "text"),
        [
            ({"serving.kserve.io/storageSecretName": "gone"}, {}, 'denied the request: secrets "gone" not found'),
            ({}, {"serviceAccountName": "gone"}, 'serviceaccount "gone" not found'),
        ],
    )
    async def test_pod_that_cannot_be_created_is_a_replica_failure(
        self, kube: Kube, annotations: Object, predictor: Object, text: str
    ) -> None:
        service = inference_service("a", **predictor)
        service["metadata"]["annotations"] |= annotations
        await kube.apply(service)
        failed = await kube.until(
            INFERENCE_SERVICES, "a", lambda found: condition(found, "PredictorReady").get("reason") == "FailedCreate"
        )

        assert text in condition(failed, "PredictorReady")["message"]
        assert condition(await kube.deployment("a"), "ReplicaFailure")["status"] == "True"


class TestKServe:
    async def test_name_and_namespace_too_long_for_a_host_fail_to_reconcile(self, kube: Kube) -> None:
        name = "a" * 46
        await kube.apply(inference_service(name))
        failed = await kube.until(
            INFERENCE_SERVICES, name, lambda found: condition(found, "Ready").get("status") == "False"
        )

        assert condition(failed, "PredictorReady")["reason"] == "ReconcileFailed"

    async def test_uri_can_ask_for_a_failure(self, kube: Kube) -> None:
        service = inference_service("a")
        service["spec"]["predictor"]["model"]["storageUri"] = "s3://models/does-not-exist"
        await kube.apply(service)
        failed = await kube.until(
            INFERENCE_SERVICES,
            "a",
            lambda found: found.get("status", {}).get("modelStatus", {}).get("lastFailureInfo") is not None,
        )

        assert "s3://models/does-not-exist" in failed["status"]["modelStatus"]["lastFailureInfo"]["message"]

    async def test_without_it_nothing_happens(self) -> None:
        async with SimulatedCluster(with_kserve=False, timing=QUICK) as cluster, cluster.client() as client:
            kube = Kube(client, "default")
            await kube.apply(inference_service("a"))
            await asyncio.sleep(0.2)

            assert "status" not in await kube.inference_service("a")

    async def test_uninstalled_is_a_404_without_a_status(self, cluster: SimulatedCluster, kube: Kube) -> None:
        cluster.verbs.delete(CUSTOM_RESOURCE_DEFINITIONS, "", INFERENCE_SERVICES.qualified)

        error = await refusal(kube, inference_service("a"))
        assert (error.code, error.reason) == (404, "")

    async def test_progress_deadline_fails_the_deployment_and_then_the_service(self) -> None:
        timing = Timing(schedule=0.01, download=0.01, start=0.01, back_off=0.01, progress_deadline=1)
        async with SimulatedCluster(timing=timing) as cluster, cluster.client() as client:
            kube = Kube(client, "default")
            await kube.apply(inference_service("a"))
            await kube.until_ready("a")
            label = {"simulation.registry-grpc/outcome": "never-ready"}
            await kube.apply(inference_service("a", labels=label))
            failed = await kube.until(
                INFERENCE_SERVICES, "a", lambda found: condition(found, "Ready").get("status") == "False"
            )

            assert condition(failed, "PredictorReady")["reason"] == "ProgressDeadlineExceeded"
            assert (await kube.deployment("a"))["status"]["availableReplicas"] == 1


class TestRollout:
    async def test_of_several_replicas_keeps_three_quarters_serving(
        self, cluster: SimulatedCluster, kube: Kube
    ) -> None:
        await kube.apply(inference_service("a", minReplicas=4))
        await kube.until_ready("a")
        statuses: list[Object] = []

        def note(change: Change) -> None:
            if change.resource is DEPLOYMENTS:
                statuses.append(change.obj["status"])

        cluster.store.listen(note)
        await kube.apply(inference_service("a", minReplicas=4, labels={"team": "x"}))
        await kube.until(DEPLOYMENTS, "a-predictor", lambda found: found["metadata"]["generation"] == 2)
        await kube.until(
            DEPLOYMENTS,
            "a-predictor",
            lambda found: (
                [found["status"].get(key) for key in ("replicas", "updatedReplicas", "availableReplicas")] == [4, 4, 4]
            ),
        )

        assert min(status.get("availableReplicas", 0) for status in statuses) == 3
        assert max(status["replicas"] for status in statuses) == 5
        pods = [pod for pod in await kube.items(PODS) if "deletionTimestamp" not in pod["metadata"]]
        assert [pod["metadata"]["labels"].get("team") for pod in pods] == ["x"] * 4


class TestProcess:
    async def test_keeps_its_objects_across_restarts(self, tmp_path: Path) -> None:
        kubeconfig, state = tmp_path / "kubeconfig", tmp_path / "state.json"
        for generation in (1, 2):
            process = await start(kubeconfig, state)
            async with ClusterClient.from_kubeconfig(kubeconfig) as client:
                kube = Kube(client, "made-on-demand")
                applied = await kube.apply(inference_service("a", minReplicas=generation))
                assert applied["metadata"]["generation"] == generation
                await kube.until_ready("a")
                await kube.until(
                    DEPLOYMENTS,
                    "a-predictor",
                    lambda found, wanted=generation: found["status"].get("availableReplicas") == wanted,  # type: ignore[misc]
                )
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
        assert state.stat().st_mode & 0o077 == 0  # Secrets are in it

    async def test_keeps_its_token_across_restarts(self, tmp_path: Path) -> None:
        """Clients read the kubeconfig once a minute only."""
        kubeconfig, state = tmp_path / "kubeconfig", tmp_path / "state.json"
        written = []
        for _ in range(2):
            process = await start(kubeconfig, state)
            process.kill()
            await process.wait()
            written.append(yaml.safe_load(kubeconfig.read_text())["users"])
        assert written[0] == written[1]
        assert kubeconfig.stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize("content", ["", "{", "a: b", "users: []", "users: [{user: {token: [1]}}]"])
    async def test_writes_over_what_is_no_kubeconfig(self, content: str, tmp_path: Path) -> None:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(content)
        process = await start(kubeconfig, tmp_path / "state.json")
        async with ClusterClient.from_kubeconfig(kubeconfig) as client:
            assert await Kube(client, "default").items(PODS) == []
        process.terminate()
        assert await process.wait() == 0

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    async def test_ends_with_the_process_that_started_it(self, tmp_path: Path) -> None:
        """Nobody would stop it any more, and at its end it would write over what another has stored meanwhile."""
        parent = await asyncio.create_subprocess_exec(
            *("sh", "-c", '"$@" & echo $!; wait', "sh", *command(tmp_path / "kubeconfig", tmp_path / "state.json")),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert parent.stdout is not None
        pid = int(await parent.stdout.readline())
        assert (await parent.stdout.readline()).startswith(b"http://127.0.0.1:")
        (simulated,) = [process for process in tree(parent.pid) if process.pid == pid]
        parent.kill()
        await parent.wait()
        assert await asyncio.to_thread(wait_until, lambda: not simulated.runs, 10)


async def test_a_part_that_dies_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def die(_: GarbageCollector) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(GarbageCollector, "run", die)
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(run_simulated_cluster("127.0.0.1", 0, tmp_path / "kubeconfig"), 10)


async def start(kubeconfig: Path, state: Path) -> asyncio.subprocess.Process:
    """The simulated cluster as a process, once it says that it is there."""
    process = await asyncio.create_subprocess_exec(*command(kubeconfig, state), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"http://127.0.0.1:")
    return process


def command(kubeconfig: Path, state: Path) -> list[str]:
    module = "registry_grpc.devtools.simulated_cluster"
    return [sys.executable, "-m", module, "--port", "0", "--kubeconfig", str(kubeconfig), "--state", str(state)]
