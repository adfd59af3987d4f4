"""The `Cluster` port when the API server or the network fails. The simulated cluster fails on demand."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.cluster.failures import quota_exceeded, throttled, unavailable, webhook_denied, webhook_down
from tests.cluster.faulty import Fault, FaultyCluster
from tests.deployments import a_deployment, a_spec
from tests.kserve import NO_KEYS, QUICK, applied, connected, is_gone, is_serving, observed

from registry_grpc.adapters.kserve.cluster import KServeCluster
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    CLUSTER_STORAGE_CONTAINERS,
    CUSTOM_RESOURCES,
    DEPLOYMENTS,
    INFERENCE_SERVICES,
    NAMESPACES,
    SECRETS,
    SERVING_RUNTIMES,
)
from registry_grpc.domain.deployment import Deployment, Want
from registry_grpc.domain.errors import ClusterReadFailed, Reason, Unavailable
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.reason import DeploymentReason as Why

KEYS = Credentials("AKIA", "s3cr3t-s3cr3t")
S3 = a_spec(storage_uri="s3://bucket/iris")


@pytest_asyncio.fixture(loop_scope="session")
async def simulated() -> AsyncIterator[FaultyCluster]:
    async with FaultyCluster() as cluster:
        cluster.create_namespace("models")
        yield cluster


@pytest_asyncio.fixture(loop_scope="session")
async def cluster(simulated: FaultyCluster, tmp_path: Path) -> AsyncIterator[KServeCluster]:
    async with connected(simulated.kubeconfig(tmp_path / "kubeconfig")) as adapter:
        yield adapter


@pytest.fixture
def deployment() -> Deployment:
    return a_deployment()


async def refused(cluster: KServeCluster, deployment: Deployment, keys: Credentials = NO_KEYS) -> ApplyRefused:
    with pytest.raises(ApplyRefused) as error:
        await applied(cluster, deployment, keys)
    return error.value


def secrets(simulated: FaultyCluster) -> list[str]:
    return [item["metadata"]["name"] for item in simulated.store.list(SECRETS, "models")]


# Writes


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (unavailable(), Why.API_UNAVAILABLE),
        (webhook_down(), Why.API_UNAVAILABLE),
        (throttled(0), Why.API_UNAVAILABLE),
        (webhook_denied("no models on Fridays"), Why.ADMISSION),
        (quota_exceeded("iris-81744a02"), Why.QUOTA),
        (ApiError(401, "Unauthorized", "Unauthorized"), Why.API_UNAVAILABLE),
    ],
    ids=["503", "webhook down", "429", "webhook denies", "quota", "401"],
)
async def test_refused_applies(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment, error: ApiError, refusal: Why
) -> None:
    simulated.faults.add(Fault(verb="patch", resource="inferenceservices", error=error))
    refused_apply = await refused(cluster, deployment)
    assert (refused_apply.reason, refused_apply.message) == (refusal, error.message)


async def test_retry_after_is_obeyed(simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment) -> None:
    simulated.faults.add(Fault(verb="patch", times=1, error=throttled(1)))
    assert (await refused(cluster, deployment)).retry_after == 1
    before = simulated.calls.total()
    later = asyncio.create_task(cluster.observe(deployment))
    await asyncio.sleep(0.5)
    assert simulated.calls.total() == before, "nothing is asked before the time is over"
    await later


async def test_a_missing_permission(simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment) -> None:
    simulated.faults.forbid("patch", "inferenceservices")
    refusal = await refused(cluster, deployment)
    assert refusal.reason is Why.FORBIDDEN
    assert "cannot patch resource" in refusal.message


async def test_a_missing_permission_to_delete(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    simulated.faults.forbid("delete", "inferenceservices")
    with pytest.raises(ApplyRefused) as error:
        await cluster.delete(deployment, seen=await cluster.observe(deployment))
    assert error.value.reason is Why.FORBIDDEN


async def test_kserve_is_not_installed(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    simulated.uninstalled.update(CUSTOM_RESOURCES)
    assert is_gone(await cluster.observe(deployment))
    assert (await refused(cluster, deployment)).reason is Why.KSERVE_NOT_INSTALLED
    facts = await cluster.facts("models")
    assert (facts.kserve_installed, facts.runtimes.formats, facts.storage_prefixes) == (False, (), ())


async def test_an_answer_that_is_lost_makes_no_second_object(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = replace(deployment, spec=S3)
    simulated.faults.add(Fault(verb="patch", resource="inferenceservices", times=1, lose_response=True))
    assert (await refused(cluster, deployment, KEYS)).reason is Why.API_UNAVAILABLE
    uid = simulated.verbs.get(INFERENCE_SERVICES, "models", deployment.name)["metadata"]["uid"]
    deployment = await applied(cluster, deployment, KEYS)
    assert deployment.applied is not None
    assert deployment.applied.uid == uid
    (secret,) = simulated.store.list(SECRETS, "models")
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [uid]


async def test_a_secret_left_over_by_an_apply_that_got_no_further_is_cleaned_up(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = replace(deployment, spec=S3)
    simulated.faults.add(Fault(verb="patch", resource="inferenceservices", error=unavailable()))
    await refused(cluster, deployment, KEYS)
    assert len(secrets(simulated)) == 1
    await cluster.clean_up(replace(deployment, want=Want.ABSENT))
    assert secrets(simulated) == []


@pytest.mark.parametrize(
    ("error", "stays"),
    [(webhook_denied("no"), False), (quota_exceeded("iris"), False), (unavailable(), True), (webhook_down(), True)],
    ids=["webhook denies", "quota", "503", "webhook down"],
)
async def test_a_refused_first_apply_leaves_its_secret_only_where_the_object_may_have_been_made(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment, error: ApiError, *, stays: bool
) -> None:
    """The next revision may be of another version. Then the name of the Secret could no longer be computed."""
    deployment = replace(deployment, spec=S3)
    simulated.faults.add(Fault(verb="patch", resource="inferenceservices", error=error))

    await refused(cluster, deployment, KEYS)

    assert len(secrets(simulated)) == stays


async def test_another_deployment_that_wins_the_race_for_a_name_keeps_it(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    simulated.faults.add(Fault(verb="patch", delay=0.05))
    rivals = [deployment, a_deployment(spec=a_spec(storage_uri="gs://bucket/rival"))]
    seen = [await cluster.observe(rival) for rival in rivals]
    outcomes = await asyncio.gather(
        *(cluster.apply(rival, NO_KEYS, seen=look, force=False) for rival, look in zip(rivals, seen, strict=True)),
        return_exceptions=True,
    )
    (loser,) = [outcome for outcome in outcomes if isinstance(outcome, ApplyRefused)]
    assert loser.reason is Why.OVERTAKEN
    winner = rivals[0] if outcomes[1] is loser else rivals[1]
    live = (await cluster.observe(winner)).live
    assert live is not None
    assert live.deployment_id == str(winner.id)


# The network


@pytest.mark.parametrize("fault", [{"drop": True}, {"delay": 5.0}], ids=["broken", "silent"])
async def test_no_answer(simulated: FaultyCluster, tmp_path: Path, deployment: Deployment, fault: Any) -> None:
    limits = replace(QUICK, timeout=0.3)
    async with connected(simulated.kubeconfig(tmp_path / "k"), limits=limits) as cluster:
        seen = await cluster.observe(deployment)
        simulated.faults.add(Fault(**fault))
        with pytest.raises(Unavailable) as unreachable:
            await cluster.observe(deployment)
        assert unreachable.value.reason is Reason.CLUSTER_UNAVAILABLE
        with pytest.raises(ApplyRefused) as refusal:
            await cluster.apply(deployment, NO_KEYS, seen=seen, force=False)
        assert refusal.value.reason is Why.API_UNAVAILABLE


async def test_nobody_listens(tmp_path: Path, deployment: Deployment) -> None:
    async with FaultyCluster() as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig) as adapter:
        for asking in (adapter.observe(deployment), adapter.facts("models"), adapter.look("models", "x", uuid4())):
            with pytest.raises(Unavailable):
                await asking


async def test_the_server_is_not_kubernetes(tmp_path: Path, deployment: Deployment) -> None:
    async def web_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")
        await writer.drain()
        writer.close()

    async with FaultyCluster() as cluster:
        kubeconfig = cluster.kubeconfig(tmp_path / "k")
        url = cluster.url
    server = await asyncio.start_server(web_page, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    kubeconfig.write_text(kubeconfig.read_text().replace(url, f"http://127.0.0.1:{port}"))
    async with server, connected(kubeconfig) as adapter:
        with pytest.raises(Unavailable):
            await adapter.observe(deployment)


async def test_giving_up_gives_the_connection_back(
    simulated: FaultyCluster, tmp_path: Path, deployment: Deployment
) -> None:
    limits = replace(QUICK, concurrency=2)
    async with connected(simulated.kubeconfig(tmp_path / "k"), limits=limits) as cluster:
        fault = simulated.faults.add(Fault(delay=30))
        asking = [asyncio.create_task(cluster.observe(deployment)) for _ in range(5)]
        await asyncio.sleep(0.2)
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        simulated.faults.remove(fault)
        async with asyncio.timeout(2):
            assert is_gone(await cluster.observe(deployment))


async def test_no_more_at_once_than_allowed(simulated: FaultyCluster, tmp_path: Path, deployment: Deployment) -> None:
    limits = replace(QUICK, concurrency=3)
    simulated.faults.add(Fault(delay=0.1))
    async with connected(simulated.kubeconfig(tmp_path / "k"), limits=limits) as cluster:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.gather(*(cluster.observe(deployment) for _ in range(9)))
        assert loop.time() - began >= 0.3


# Reads


async def test_a_refused_read(simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment) -> None:
    simulated.faults.forbid("get", "inferenceservices")
    with pytest.raises(ClusterReadFailed) as error:
        await cluster.observe(deployment)
    assert "cannot get resource" in error.value.cause
    assert not error.value.namespace_is_ending
    with pytest.raises(ClusterReadFailed):
        await cluster.remove("models", deployment.name, deployment.id)


async def test_a_refused_read_in_a_namespace_that_is_being_deleted_or_gone(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    await applied(cluster, deployment)
    right = simulated.faults.forbid("*", "*", namespace="models")
    namespace = simulated.verbs.get(NAMESPACES, "", "models")
    simulated.store.put(NAMESPACES, {**namespace, "status": {"phase": "Terminating"}})
    with pytest.raises(ClusterReadFailed) as error:
        await cluster.observe(deployment)
    assert error.value.namespace_is_ending
    assert 'namespace "models" is being deleted' in error.value.cause

    simulated.verbs.delete(NAMESPACES, "", "models", {})
    evidence = await cluster.observe(deployment)
    assert (evidence.live, evidence.namespace_is_gone) == (None, True)
    simulated.faults.forbid("get", "namespaces")
    with pytest.raises(ClusterReadFailed):
        await cluster.observe(deployment)
    simulated.faults.remove(right)
    assert not (await cluster.observe(deployment)).namespace_is_gone


async def test_a_steady_deployment_costs_two_reads(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = await applied(cluster, deployment)
    await observed(cluster, deployment, is_serving)
    before = simulated.calls.copy()
    await cluster.observe(deployment)
    assert dict(simulated.calls - before) == {("get", "inferenceservices"): 1, ("get", "deployments"): 1}


async def test_the_workload_of_another_object_is_no_rollout(tmp_path: Path, deployment: Deployment) -> None:
    async with FaultyCluster(with_kserve=False) as silent:
        silent.create_namespace("models")
        name = f"{deployment.name}-predictor"
        owner = {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "of-another-object"}
        labels = {"app": "x"}
        pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        spec = {"selector": {"matchLabels": labels}, "template": pods, "replicas": 0}
        metadata = {"name": name, "ownerReferences": [owner]}
        silent.verbs.create(DEPLOYMENTS, "models", {"metadata": metadata, "spec": spec})
        async with connected(silent.kubeconfig(tmp_path / "k")) as cluster:
            deployment = await applied(cluster, deployment)
            evidence = await cluster.observe(deployment)
            assert evidence.live is not None
            assert not evidence.live.has_conditions
            assert evidence.rollout is None


# Facts


async def test_facts_name_missing_rights_and_kinds(simulated: FaultyCluster, cluster: KServeCluster) -> None:
    simulated.faults.forbid("create", "secrets")
    simulated.faults.forbid("list", "clusterservingruntimes")
    simulated.faults.forbid("list", "clusterstoragecontainers")
    simulated.faults.forbid("get", "namespaces")
    facts = await cluster.facts("models")
    assert facts.missing_permissions == (
        "create secrets in namespace models",
        "list clusterservingruntimes",
        "list clusterstoragecontainers",
        "get namespaces",
    )
    assert (facts.runtimes.formats, facts.storage_prefixes, facts.namespace_exists) == (None, None, None)


async def test_facts_are_kept_for_a_while(simulated: FaultyCluster, cluster: KServeCluster) -> None:
    await asyncio.gather(*(cluster.facts("models") for _ in range(5)))
    asked = simulated.calls["list", "servingruntimes"]
    await cluster.facts("models")
    assert asked == 1
    assert simulated.calls["list", "servingruntimes"] == 1
    await cluster.facts("default")
    assert simulated.calls["list", "servingruntimes"] == 2


async def test_runtimes_and_storage_containers(simulated: FaultyCluster, cluster: KServeCluster) -> None:
    formats = [{"name": "mine", "version": "1", "autoSelect": True}, {"name": "yours"}]
    spec = {"supportedModelFormats": formats, "protocolVersions": ["v2"], "containers": []}
    simulated.verbs.create(SERVING_RUNTIMES, "models", {"metadata": {"name": "own"}, "spec": spec})
    off = {"disabled": True, "multiModel": True, "supportedModelFormats": formats[:1], "containers": []}
    simulated.verbs.create(CLUSTER_SERVING_RUNTIMES, "", {"metadata": {"name": "off"}, "spec": off})
    bare: dict[str, Any] = {"containers": []}
    simulated.verbs.create(CLUSTER_SERVING_RUNTIMES, "", {"metadata": {"name": "bare"}, "spec": bare})
    uris = [{"prefix": "models://"}, {"regex": "^abc"}]
    for name, disabled in (("hub", False), ("old", True)):
        container = {"metadata": {"name": name}, "spec": {"supportedUriFormats": uris}, "disabled": disabled}
        simulated.verbs.create(CLUSTER_STORAGE_CONTAINERS, "", container)
    facts = await cluster.facts("models")
    assert facts.runtimes.formats is not None
    by_key = {(item.runtime, item.name): item for item in facts.runtimes.formats}
    assert by_key["own", "mine"].auto_select
    assert by_key["own", "mine"].protocols == ("v2",)
    assert (by_key["own", "yours"].auto_select, by_key["own", "yours"].version) == (False, "")
    assert (by_key["off", "mine"].is_disabled, by_key["off", "mine"].auto_select) == (True, False)
    assert ("bare", "") in by_key
    assert (facts.storage_prefixes, facts.storage_patterns) == (("models://",), ("^abc",))


async def test_an_unwanted_object_is_observed_without_rights_for_its_workload(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = replace(await applied(cluster, deployment), want=Want.ABSENT)
    simulated.faults.forbid("get", "deployments")
    assert (await cluster.observe(deployment)).live is not None


# Secrets


async def test_keys_show_nowhere(
    simulated: FaultyCluster, tmp_path: Path, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    simulated.faults.add(Fault(verb="patch", resource="secrets", times=1, error=unavailable()))
    simulated.faults.add(Fault(verb="patch", resource="inferenceservices", times=1, error=webhook_denied("no")))
    kubeconfig = simulated.kubeconfig(tmp_path / "k")
    async with connected(kubeconfig) as cluster:
        deployment = replace(deployment, spec=S3)
        refusals = [await refused(cluster, deployment, KEYS) for _ in range(2)]
        done = await applied(cluster, deployment, KEYS)
    texts = [caplog.text, repr(done), repr(KEYS)]
    for refusal in refusals:
        error: BaseException | None = refusal
        while error is not None:
            texts += [str(error), repr(error), repr(vars(error))]
            error = error.__cause__ or error.__context__
    token = re.search(r"token: (\S+)", kubeconfig.read_text())
    assert token
    for text in texts:
        assert KEYS.secret_key not in text
        assert "czNjcjN0" not in text, "nor in base64"
        assert token[1] not in text


# The words of serving runtimes


MINE = {"supportedModelFormats": [{"name": "mine", "version": "2", "autoSelect": True}], "containers": []}


def format_of(deployment: Deployment) -> Any:
    assert deployment.applied is not None
    return deployment.applied.content["spec"]["predictor"]["model"]["modelFormat"]


async def test_a_runtime_that_is_installed_after_a_look_is_found(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = replace(deployment, spec=a_spec(model_format="Mine", model_format_version="2.7.1"))
    first = await applied(cluster, deployment)
    assert format_of(first) == {"name": "Mine"}
    simulated.verbs.create(SERVING_RUNTIMES, "models", {"metadata": {"name": "own"}, "spec": MINE})
    assert format_of(await applied(cluster, replace(first, generation=2))) == {"name": "mine", "version": "2"}


async def test_a_revision_keeps_its_words(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment, tmp_path: Path
) -> None:
    deployment = await applied(cluster, replace(deployment, spec=a_spec(model_format_version="1.6.1")))
    simulated.faults.forbid("list", "clusterservingruntimes")
    async with connected(simulated.kubeconfig(tmp_path / "another")) as another:
        assert format_of(await applied(another, deployment, force=True)) == {"name": "sklearn", "version": "1"}


async def test_an_apply_waits_until_runtimes_can_be_listed(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    deployment = replace(deployment, spec=a_spec(model_format_version="1.6.1"))
    fault = simulated.faults.add(Fault(verb="list", resource="clusterservingruntimes", error=unavailable()))
    assert (await refused(cluster, deployment)).reason is Why.API_UNAVAILABLE
    assert '"1.6.1"' in await cluster.manifest(deployment, NO_KEYS)  # a plan answers
    simulated.faults.remove(fault)
    assert format_of(await applied(cluster, deployment)) == {"name": "sklearn", "version": "1"}


async def test_without_the_right_to_list_runtimes_the_version_stays(
    simulated: FaultyCluster, cluster: KServeCluster, deployment: Deployment
) -> None:
    simulated.faults.forbid("list", "clusterservingruntimes")
    deployment = replace(deployment, spec=a_spec(model_format="scikit-learn", model_format_version="1.6.1"))
    assert format_of(await applied(cluster, deployment)) == {"name": "sklearn", "version": "1.6.1"}


async def test_many_applies_list_the_runtimes_once(simulated: FaultyCluster, cluster: KServeCluster) -> None:
    await asyncio.gather(*(applied(cluster, a_deployment(name=f"iris-{number}")) for number in range(5)))
    assert simulated.calls["list", "servingruntimes"] == 1


async def planned(cluster: KServeCluster, deployment: Deployment) -> None:
    """The reads of a plan."""
    await cluster.facts("models")
    await cluster.manifest(deployment, NO_KEYS)
    await cluster.dry_run(deployment, NO_KEYS)


async def test_a_plan_lists_the_runtimes_once_even_if_none_fits(
    simulated: FaultyCluster, cluster: KServeCluster
) -> None:
    await planned(cluster, a_deployment(spec=a_spec(model_format="prophet")))
    assert simulated.calls["list", "servingruntimes"] == 1


async def test_an_apply_lists_the_runtimes_once_even_if_none_fits(
    simulated: FaultyCluster, cluster: KServeCluster
) -> None:
    await applied(cluster, a_deployment(spec=a_spec(model_format="prophet")))
    assert simulated.calls["list", "servingruntimes"] == 1


async def test_where_runtimes_may_not_be_listed_they_are_asked_for_once(
    simulated: FaultyCluster, cluster: KServeCluster
) -> None:
    simulated.faults.forbid("list", "clusterservingruntimes")
    for number in range(3):
        deployment = a_deployment(name=f"iris-{number}", spec=a_spec(model_format="prophet"))
        await planned(cluster, deployment)
        await applied(cluster, deployment)
    assert simulated.calls["list", "servingruntimes"] == 1  # both kinds are asked for together
