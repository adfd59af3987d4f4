"""Features that only the simulated cluster has: faults, counters, KServe's webhook, its process and its files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from tests.cluster import failures
from tests.cluster.client import ClusterClient, path_of
from tests.cluster.faulty import Fault, FaultyCluster
from tests.cluster.kube import Kube, Object, inference_service, model_status, runtime
from tests.e2e.processes import tree, wait_until

from registry_grpc.devtools.simulated_cluster.access import write_kubeconfig
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, forbidden
from registry_grpc.devtools.simulated_cluster.api.resources import (
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    PODS,
    SECRETS,
    SERVING_RUNTIMES,
    Resource,
)
from registry_grpc.devtools.simulated_cluster.api.store import Store
from registry_grpc.devtools.simulated_cluster.journal import Journal
from registry_grpc.devtools.simulated_cluster.worklist import Worklist

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture(loop_scope="session")
async def cluster() -> AsyncIterator[FaultyCluster]:
    async with FaultyCluster(pace=0.01, bookmark_interval=0.1) as cluster:
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def kube(cluster: FaultyCluster, tmp_path: Path) -> AsyncIterator[Kube]:
    async with ClusterClient.from_kubeconfig(cluster.kubeconfig(tmp_path / "kubeconfig")) as client:
        yield Kube(client, "default")


async def refusal(kube: Kube, service: Object) -> ApiError:
    with pytest.raises(ApiError) as refused:
        await kube.apply(service)
    return refused.value


class TestFaults:
    async def test_hit_as_many_calls_as_they_are_made_for(self, cluster: FaultyCluster, kube: Kube) -> None:
        fault = cluster.faults.add(
            Fault(verb="patch", resource="inferenceservices", skip=1, times=2, error=failures.throttled(7))
        )
        await kube.apply(inference_service("a"))
        for _ in range(2):
            error = await refusal(kube, inference_service("a"))
            assert (error.code, error.reason, error.headers) == (429, "TooManyRequests", {"Retry-After": "7"})
        await kube.apply(inference_service("a"))

        assert fault.hits == 2
        assert cluster.calls["patch", "inferenceservices"] == 4

    async def test_can_drop_the_connection_before_or_after_the_call(self, cluster: FaultyCluster, kube: Kube) -> None:
        cluster.faults.add(Fault(verb="patch", name="before", drop=True))
        cluster.faults.add(Fault(verb="patch", name="after", lose_response=True))
        for name in ("before", "after"):
            with pytest.raises(aiohttp.ClientError):
                await kube.apply(inference_service(name))

        assert [item["metadata"]["name"] for item in await kube.items(INFERENCE_SERVICES)] == ["after"]

    async def test_can_delay(self, cluster: FaultyCluster, kube: Kube) -> None:
        cluster.faults.add(Fault(verb="list", delay=0.5))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await kube.items(PODS)

    async def test_taken_rights_are_a_403_until_given_back(self, cluster: FaultyCluster, kube: Kube) -> None:
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
    async def test_unknown_token_is_unauthorized(self, cluster: FaultyCluster, tmp_path: Path) -> None:
        kubeconfig = cluster.kubeconfig(tmp_path / "kubeconfig")
        kubeconfig.write_text(kubeconfig.read_text().replace(cluster.token(), "stolen"))
        async with ClusterClient.from_kubeconfig(kubeconfig) as client:
            with pytest.raises(ApiError) as refused:
                await client.call("GET", path_of(PODS))

        assert refused.value.code == 401

    async def test_a_client_without_its_certificate_cannot_connect(
        self, cluster: FaultyCluster, tmp_path: Path
    ) -> None:
        kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", cluster.url, cluster.token())
        async with ClusterClient.from_kubeconfig(kubeconfig) as client:
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await client.call("GET", path_of(PODS))


class TestHistory:
    async def test_compaction_makes_old_versions_410(self, cluster: FaultyCluster, kube: Kube) -> None:
        version = (await kube.listed(INFERENCE_SERVICES))["metadata"]["resourceVersion"]
        await kube.apply(inference_service("a"))
        cluster.store.compact()

        watch = kube.client.watch(path_of(INFERENCE_SERVICES, "default"), resourceVersion=version)
        (event,) = [event async for event in watch]
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)

    async def test_continue_token_of_a_forgotten_list_is_410(self, cluster: FaultyCluster, kube: Kube) -> None:
        for name in ("a", "b"):
            await kube.apply(inference_service(name))
        page = await kube.listed(INFERENCE_SERVICES, limit="1")
        await kube.apply(inference_service("c"))
        cluster.store.compact()

        with pytest.raises(ApiError) as refused:
            await kube.listed(INFERENCE_SERVICES, limit="1", **{"continue": page["metadata"]["continue"]})
        assert (refused.value.code, refused.value.reason) == (410, "Expired")

    @pytest.mark.parametrize("abruptly", [True, False])
    async def test_watches_can_be_ended(self, cluster: FaultyCluster, kube: Kube, *, abruptly: bool) -> None:
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


class TestKServe:
    async def test_its_webhook_refuses_a_name(self, kube: Kube) -> None:
        error = await refusal(kube, inference_service("1st"))

        assert (error.code, error.reason) == (403, "Forbidden")
        assert error.message.startswith('admission webhook "inferenceservice.kserve-webhook-server.validator" denied')
        assert "must start with alphabetical character" in error.message

    async def test_uri_can_ask_for_a_failure(self, kube: Kube) -> None:
        service = inference_service("a")
        service["spec"]["predictor"]["model"]["storageUri"] = "s3://models/does-not-exist"
        await kube.apply(service)
        failed = await kube.until(INFERENCE_SERVICES, "a", lambda found: "lastFailureInfo" in model_status(found))

        assert "s3://models/does-not-exist" in failed["status"]["modelStatus"]["lastFailureInfo"]["message"]

    async def test_uninstalled_is_a_404_without_a_status(self, cluster: FaultyCluster, kube: Kube) -> None:
        cluster.uninstalled.add(INFERENCE_SERVICES)

        error = await refusal(kube, inference_service("a"))
        assert (error.code, error.reason) == (404, "")

    async def test_an_unexpected_error_does_not_stop_the_other_work(self, kube: Kube) -> None:
        await kube.apply({**runtime("odd"), "spec": {"supportedModelFormats": [{"name": "sklearn"}], "containers": []}})
        odd = inference_service("odd")
        odd["spec"]["predictor"]["model"]["runtime"] = "odd"
        for service in (odd, inference_service("even")):
            await kube.apply(service)

        await kube.until_ready("even")
        assert "status" not in await kube.inference_service("odd")

    async def test_pods_that_cannot_be_made_leave_time_for_others(self, cluster: FaultyCluster, kube: Kube) -> None:
        def no_pods(resource: Resource, new: Object, _: Object | None) -> None:
            if resource is PODS:
                raise forbidden(PODS, new["metadata"]["name"], "there is no room")

        cluster.policies.append(no_pods)
        await kube.apply(inference_service("a" * 40))
        failed = await kube.until(DEPLOYMENTS, f"{'a' * 40}-predictor", lambda found: "status" in found)
        (reason,) = (item["message"] for item in failed["status"]["conditions"] if item["type"] == "ReplicaFailure")
        assert reason.endswith(" is forbidden: there is no room")
        assert await kube.deployment("a" * 40) == failed, "it would never end"

        cluster.policies.remove(no_pods)
        await kube.apply(inference_service("a" * 40, labels={"team": "x"}))
        await kube.until_ready("a" * 40)
        (pod,) = await kube.items(PODS)
        assert len(pod["metadata"]["name"]) == 63, "its name is a host name too"

    async def test_several_replicas_are_made_and_taken_away(self, kube: Kube) -> None:
        for replicas in (3, 1):
            await kube.apply(inference_service("a", minReplicas=replicas))
            await kube.until(
                DEPLOYMENTS,
                "a-predictor",
                lambda found, wanted=replicas: (  # type: ignore[misc]
                    [found["status"].get(key) for key in ("replicas", "availableReplicas")] == [wanted, wanted]
                ),
            )
        await kube.until_ready("a")


async def test_an_object_with_another_owner_does_not_block_a_deletion(kube: Kube) -> None:
    owners = [await kube.apply(runtime(name)) for name in ("a", "b")]
    references = [
        {
            **{key: owner[key] for key in ("apiVersion", "kind")},
            **{key: owner["metadata"][key] for key in ("name", "uid")},
            "blockOwnerDeletion": True,
        }
        for owner in owners
    ]
    await kube.create(SECRETS, {"metadata": {"name": "shared", "ownerReferences": references}})
    await kube.delete(SERVING_RUNTIMES, "a", propagationPolicy="Foreground")
    await kube.until_gone(SERVING_RUNTIMES, "a")
    assert "deletionTimestamp" not in (await kube.get(SECRETS, "shared"))["metadata"]
    await kube.delete(SERVING_RUNTIMES, "b", propagationPolicy="Foreground")
    await kube.until_gone(SECRETS, "shared")


class TestProcess:
    async def test_keeps_its_objects_and_its_kubeconfig_across_restarts(self, tmp_path: Path) -> None:
        written = []
        for generation in (1, 2):
            process = await start(tmp_path)
            async with client_of(tmp_path) as client:
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
            lines = (tmp_path / "kubeconfig").read_text().splitlines()
            written.append([line for line in lines if "server:" not in line])
        assert written[0] == written[1], "clients read it once a minute only"
        files = [tmp_path / name for name in ("kubeconfig", "objects.jsonl", "server.pem")]
        assert [file.stat().st_mode & 0o077 for file in files] == [0, 0, 0], "Secrets are in it"

    async def test_a_foreground_deletion_goes_on_after_a_kill(self, tmp_path: Path) -> None:
        process = await start(tmp_path)
        async with client_of(tmp_path) as client:
            kube = Kube(client, "models")
            await kube.apply(inference_service("a"))
            await kube.until_ready("a")
            await kube.delete(INFERENCE_SERVICES, "a", propagationPolicy="Foreground")
        await killed(process)
        process = await start(tmp_path)
        async with client_of(tmp_path) as client:
            kube = Kube(client, "models")
            await kube.until_gone(INFERENCE_SERVICES, "a")
            assert (await kube.items(DEPLOYMENTS), await kube.items(PODS)) == ([], [])
        await killed(process)

    async def test_an_answered_change_survives_an_immediate_kill(self, tmp_path: Path) -> None:
        for number in range(3):
            process = await start(tmp_path)
            async with client_of(tmp_path) as client:
                kube = Kube(client, "models")
                assert len(await kube.items(SERVING_RUNTIMES)) == number
                applied = await kube.apply(runtime(f"r{number}"))
                await killed(process)
            process = await start(tmp_path)
            async with client_of(tmp_path) as client:
                assert await Kube(client, "models").get(SERVING_RUNTIMES, f"r{number}") == applied
            await killed(process)

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    async def test_ends_with_the_process_that_started_it(self, tmp_path: Path) -> None:
        """Without its parent, nobody would stop it."""
        parent = await asyncio.create_subprocess_exec(
            *("sh", "-c", '"$@" & echo $!; wait', "sh", *command(tmp_path)),
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        assert parent.stdout is not None
        pid = int(await parent.stdout.readline())
        assert (await parent.stdout.readline()).startswith(b"https://127.0.0.1:")
        (simulated,) = [process for process in tree(parent.pid) if process.pid == pid]
        parent.kill()
        await parent.wait()
        assert await asyncio.to_thread(wait_until, lambda: not simulated.runs, 10)


class TestJournal:
    def secret(self, name: str, **data: str) -> Object:
        metadata = {"name": name, "namespace": "x", "uid": f"uid-of-{name}"}
        return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}

    def again(self, path: Path) -> Store:
        store = Store()
        assert not Journal(path, store).is_new
        return store

    def test_a_line_that_the_writer_was_killed_over_is_left_out(self, tmp_path: Path) -> None:
        path, store = tmp_path / "objects", Store()
        assert Journal(path, store).is_new
        for name in ("a", "b", "c"):
            store.put(SECRETS, self.secret(name))
        store.remove(SECRETS, self.secret("a"))
        with path.open("ab") as file:
            file.write(b'{"type": "ADDED", "obj')

        for _ in range(2):
            again = self.again(path)
            assert [obj["metadata"]["name"] for obj in again.list(SECRETS)] == ["b", "c"]
            assert again.version == store.version, "no watcher would take an earlier one for news"

    def test_it_is_written_anew_when_it_is_long(self, tmp_path: Path) -> None:
        path, store = tmp_path / "objects", Store()
        Journal(path, store)
        for number in range(20_100):
            store.put(SECRETS, self.secret("a", number=str(number)))
        assert len(path.read_text().splitlines()) < 200
        assert self.again(path).list(SECRETS) == store.list(SECRETS)

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's disk that is always full")
    def test_a_change_that_cannot_be_written_is_refused_and_not_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, store = tmp_path / "objects", Store()
        journal = Journal(path, store)
        store.put(SECRETS, self.secret("a"))
        with Path("/dev/full").open("wb") as full:
            monkeypatch.setattr(journal, "_file", full.fileno())
            with pytest.raises(ApiError, match="No space left"):
                store.put(SECRETS, self.secret("b"))
        assert [obj["metadata"]["name"] for obj in store.list(SECRETS)] == ["a"]

    def test_half_a_line_is_taken_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """As much as there was room for."""
        path, store, write = tmp_path / "objects", Store(), os.write
        Journal(path, store)
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda file, data: write(file, data[: len(data) // 2]))
            with pytest.raises(ApiError, match="no space left"):
                store.put(SECRETS, self.secret("a"))
        store.put(SECRETS, self.secret("b"))
        assert [obj["metadata"]["name"] for obj in self.again(path).list(SECRETS)] == ["b"]


async def test_work_without_an_end_leaves_time_for_others() -> None:
    def again(key: str) -> None:
        work.add(key)

    work = Worklist(again)
    work.add("again")
    running = asyncio.create_task(work.run())
    await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()


def client_of(folder: Path) -> ClusterClient:
    return ClusterClient.from_kubeconfig(folder / "kubeconfig")


async def start(folder: Path) -> asyncio.subprocess.Process:
    """The simulated cluster as a process that is ready."""
    process = await asyncio.create_subprocess_exec(*command(folder), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"https://127.0.0.1:")
    return process


async def killed(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


def command(folder: Path) -> list[str]:
    return [sys.executable, "-m", "registry_grpc.devtools.simulated_cluster", "--folder", str(folder)]
