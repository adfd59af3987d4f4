"""The real kubectl works with the simulated cluster, as users of `make run` need it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from tests.cluster import binaries
from tests.cluster.faulty import FaultyCluster
from tests.cluster.kube import inference_service, model_status

from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, NAMESPACES, PODS
from registry_grpc.devtools.simulated_cluster.server.app import REGISTRY

_KUBECTL = shutil.which("kubectl", path=f"{binaries.folder()}{os.pathsep}{os.environ['PATH']}")
_WAIT = ("wait", "--for=condition=Ready", "--timeout=60s", "isvc/iris")

pytestmark = pytest.mark.skipif(_KUBECTL is None, reason="no kubectl here")


class Kubectl:
    """`kubectl` with a kubeconfig, in the namespace `models`."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        assert _KUBECTL is not None
        return await asyncio.create_subprocess_exec(
            *(_KUBECTL, "--kubeconfig", str(self._kubeconfig), "--namespace", "models", *arguments),
            env={**os.environ, "HOME": str(self._kubeconfig.parent)},  # kubectl caches the discovery there
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def __call__(self, *arguments: str, given: object = None, status: int = 0) -> str:
        """Run kubectl. Returns its output."""
        process = await self.start(*arguments)
        out, err = await process.communicate(json.dumps(given).encode() if given else None)
        assert process.returncode == status, f"kubectl {' '.join(arguments)}: {err.decode()}"
        return out.decode()


@pytest_asyncio.fixture(loop_scope="session")
async def cluster() -> AsyncIterator[FaultyCluster]:
    async with FaultyCluster(pace=0.01, auto_create_namespaces=True) as cluster:
        yield cluster


@pytest.fixture
def kubectl(cluster: FaultyCluster, tmp_path: Path) -> Kubectl:
    return Kubectl(cluster.kubeconfig(tmp_path / "kubeconfig"))


async def until(cluster: FaultyCluster, holds: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the InferenceService meets the condition."""
    async with asyncio.timeout(60):
        while not ((found := cluster.verbs.find(INFERENCE_SERVICES, "models", "iris")) and holds(found)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_served_kinds(kubectl: Kubectl) -> None:
    lines = [line.split() for line in (await kubectl("api-resources")).splitlines()]
    assert ["inferenceservices", "isvc", "serving.kserve.io/v1beta1", "true", "InferenceService"] in lines
    assert "storageUri" in await kubectl("explain", "isvc.spec.predictor.model")


async def test_an_object_from_its_making_to_its_end(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    applied = await kubectl("apply", "--server-side", "-f", "-", given=inference_service("iris"))
    assert applied == "inferenceservice.serving.kserve.io/iris serverside-applied\n"
    await kubectl(*_WAIT)
    heads, values = (line.split() for line in (await kubectl("get", "isvc", "-A")).splitlines())
    assert heads == ["NAMESPACE", "NAME", "URL", "READY", "AGE"]
    assert values[:4] == ["models", "iris", "http://iris-models.example.com", "True"]
    (row,) = (await kubectl("get", "pods", "--no-headers")).splitlines()
    assert row.split()[1:3] == ["1/1", "Running"]
    shown = yaml.safe_load(await kubectl("get", "isvc", "iris", "-o", "yaml"))
    assert shown["spec"] == inference_service("iris")["spec"]

    await kubectl("delete", "isvc", "iris", "--wait", "--cascade=foreground")
    assert cluster.verbs.list(INFERENCE_SERVICES) == cluster.verbs.list(PODS) == []


@pytest.mark.parametrize(
    "change",
    [
        ("apply", "-f", "-"),
        ("patch", "isvc", "iris", "--type=merge", '--patch={"spec":{"predictor":{"minReplicas":2}}}'),
        (
            "patch",
            "isvc",
            "iris",
            "--type=json",
            '--patch=[{"op":"add","path":"/spec/predictor/minReplicas","value":2}]',
        ),
        ("label", "isvc", "iris", "team=x"),
    ],
    ids=lambda change: str(change[0]),
)
async def test_changes(cluster: FaultyCluster, kubectl: Kubectl, change: tuple[str, ...]) -> None:
    await kubectl("create", "-f", "-", given=inference_service("iris"))
    before = cluster.verbs.get(INFERENCE_SERVICES, "models", "iris")
    changed = inference_service("iris", minReplicas=2)
    await kubectl(*change, given=changed)
    after = cluster.verbs.get(INFERENCE_SERVICES, "models", "iris")
    content = [(obj["spec"], obj["metadata"]["labels"]) for obj in (before, after)]
    assert content[0] != content[1]


async def test_server_side_apply_after_apply(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    """kubectl first makes its two managers one, with a JSON patch."""
    await kubectl("apply", "-f", "-", given=inference_service("iris", timeout=30))
    await kubectl("apply", "--server-side", "-f", "-", given=inference_service("iris"))
    obj = cluster.verbs.get(INFERENCE_SERVICES, "models", "iris")
    assert "timeout" not in obj["spec"]["predictor"], "it was applied before, and is not any more"
    owners = {(entry["manager"], entry["operation"]) for entry in obj["metadata"]["managedFields"]}
    assert ("kubectl", "Apply") in owners
    assert ("kubectl-client-side-apply", "Update") not in owners


async def test_a_watch(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    await kubectl("apply", "--server-side", "-f", "-", given=inference_service("iris"))
    await kubectl(*_WAIT)
    watch = await kubectl.start("get", "isvc", "--watch", "--no-headers")
    assert watch.stdout is not None
    assert (await watch.stdout.readline()).split()[0] == b"iris"
    cluster.verbs.delete(INFERENCE_SERVICES, "models", "iris", {"propagationPolicy": "Foreground"})
    assert (await watch.stdout.readline()).split()[0] == b"iris"
    watch.kill()
    await watch.communicate()


async def test_failures_show_their_reason(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    service = inference_service("iris")
    service["spec"]["predictor"]["model"]["storageUri"] = "s3://models/does-not-exist"
    await kubectl("apply", "--server-side", "-f", "-", given=service)
    await until(cluster, lambda found: model_status(found).get("transitionStatus") == "BlockedByFailedLoad")
    assert "CrashLoopBackOff" in await kubectl("get", "pods")
    assert "Failed to fetch model" in await kubectl("describe", "pods")
    logs = await kubectl("logs", "--selector=component=predictor", "--container=storage-initializer")
    assert "No model found in s3://models/does-not-exist" in logs


async def test_events_are_described(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    service = inference_service("iris")
    service["spec"]["predictor"]["model"]["storageUri"] = "ftp://models/iris"
    await kubectl("apply", "--server-side", "-f", "-", given=service)
    await until(cluster, lambda found: "status" in found)
    assert "StorageURI not supported" in await kubectl("describe", "isvc", "iris")


async def test_rights(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    cluster.faults.forbid("list", "secrets")
    assert await kubectl("auth", "can-i", "list", "pods") == "yes\n"
    assert await kubectl("auth", "can-i", "list", "secrets", status=1) == "no\n"
    await kubectl("get", "secrets", status=1)


async def test_kubectl_creates_builtin_kinds(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    """kubectl sends these objects in protobuf."""
    await kubectl("create", "namespace", "models")
    await kubectl("create", "serviceaccount", "bob")
    await kubectl("create", "secret", "generic", "keys", "--from-literal=key=one")
    assert await kubectl("get", "secret", "keys", "-o", "jsonpath={.data}") == '{"key":"b25l"}'
    await kubectl("delete", "namespace", "models", "--wait")
    assert await kubectl("get", "secrets") == ""


async def test_a_namespace_exists_when_something_is_written_into_it(cluster: FaultyCluster, kubectl: Kubectl) -> None:
    service = inference_service("iris")
    await kubectl("get", "namespace", "models", status=1)
    await kubectl("get", "isvc", "iris", status=1)
    await kubectl("create", "--dry-run=server", "-f", "-", given=service)
    await kubectl("create", "-f", "-", given={**service, "spec": {"predictor": {}}}, status=1)
    assert cluster.verbs.find(NAMESPACES, "", "models") is None
    await kubectl("create", "-f", "-", given=service)
    await kubectl("get", "namespace", "models")


async def test_the_registry_finds_namespaces_that_it_would_create(cluster: FaultyCluster, tmp_path: Path) -> None:
    registry = Kubectl(cluster.kubeconfig(tmp_path / "registry-access.yaml", REGISTRY))
    await registry("get", "namespace", "models")
    assert cluster.verbs.find(NAMESPACES, "", "models") is None


async def test_an_unknown_field_is_refused_by_the_server(kubectl: Kubectl) -> None:
    service = inference_service("iris")
    service["spec"]["predictor"]["model"]["storageUrii"] = "s3://x"
    for arguments in (("apply", "-f", "-"), ("apply", "--server-side", "-f", "-")):
        await kubectl(*arguments, given=service, status=1)
