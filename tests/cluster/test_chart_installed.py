"""The chart on a real API server, installed with the real helm."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from tests.cluster import furnish
from tests.cluster.charts import CHART, EXAMPLES, OF_OTHERS, Helm, Rendered, containers, pods
from tests.cluster.client import ClusterClient, manifest_path
from tests.cluster.targets import TestCluster

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

GROUPS = {
    "ConfigMap": "v1", "Deployment": "apps/v1", "Job": "batch/v1", "RoleBinding": "rbac.authorization.k8s.io/v1",
}  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def client(real_test_cluster: TestCluster) -> AsyncIterator[ClusterClient]:
    async with ClusterClient.from_kubeconfig(real_test_cluster.admin) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def namespace(client: ClusterClient) -> AsyncIterator[str]:
    """A namespace where the *restricted* pod security standard is enforced."""
    name = f"registry-{uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    await client.call("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
    await furnish.until_served(client, f"/api/v1/namespaces/{name}/serviceaccounts/default")
    yield name
    await client.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.parametrize("example", EXAMPLES)
async def test_a_real_api_server_takes_its_objects(
    client: ClusterClient, namespace: str, rendered: Rendered, example: str
) -> None:
    """A strict server-side dry run. Pods are tried by themselves, because only pods are refused by the standard."""
    documents = rendered(example)
    for document in documents:
        if document["kind"] not in OF_OTHERS:
            document["metadata"].pop("namespace", None)
            await dry_run(client, namespace, document)
    for number, template in enumerate(pods(documents)):
        spec = {**template["spec"], "serviceAccountName": "default"}
        await dry_run(client, namespace, {**template, "kind": "Pod", "apiVersion": "v1", "spec": spec}, f"pod-{number}")


async def dry_run(client: ClusterClient, namespace: str, document: dict[str, Any], name: str = "") -> None:
    document = {**document, "metadata": {**document["metadata"], **({"name": name} if name else {})}}
    stored = await client.call(
        *("PATCH", manifest_path(document, namespace), document),
        content_type="application/apply-patch+yaml",
        fieldManager="test",
        fieldValidation="Strict",
        dryRun="All",
        force="true",
    )
    assert stored["kind"] == document["kind"]


async def test_it_is_installed_upgraded_rolled_back_and_uninstalled(
    client: ClusterClient, namespace: str, real_test_cluster: TestCluster, run: Helm
) -> None:
    """Pods are played by kwok. Each upgrade first waits for the migration."""
    targets = [await real_test_cluster.create_namespace() for _ in range(2)]
    place = ("mine", "--namespace", namespace, "--kubeconfig", real_test_cluster.admin)
    values = ("--values", EXAMPLES["manifests"], "--wait", "--timeout=120s")

    async def helm(*arguments: object) -> str:
        return await asyncio.to_thread(run, *arguments)

    async def the(kind: str, name: str, where: str = namespace) -> dict[str, Any]:
        path = manifest_path({"apiVersion": GROUPS[kind], "kind": kind, "metadata": {"name": name}}, where)
        found: dict[str, Any] = await client.call("GET", path)
        return found

    async def migration() -> tuple[str, int]:
        job = await the("Job", "mine-registry-grpc-migrate")
        return job["metadata"]["uid"], job["status"]["succeeded"]

    told = await helm("install", place[0], CHART, *place[1:], *values, f"--set=cluster.namespaces={{{targets[0]}}}")
    assert f"kubectl port-forward -n {namespace} service/mine-registry-grpc 8080:8080" in told
    first = await migration()
    assert first[1] == 1
    assert (await the("Deployment", "mine-registry-grpc"))["status"]["readyReplicas"] == 2
    assert (await the("RoleBinding", "mine-registry-grpc-worker", targets[0]))["subjects"][0]["namespace"] == namespace

    upgraded = (f"--set=cluster.namespaces={{{targets[1]}}}", "--set=image.tag=0.2.0", "--set=server.replicas=3")
    await helm("upgrade", place[0], CHART, *place[1:], *values, *upgraded)
    assert await migration() != first
    server = await the("Deployment", "mine-registry-grpc")
    assert server["status"]["readyReplicas"] == 3
    assert {c["image"] for c in containers(server["spec"]["template"])} >= {"registry-grpc:0.2.0"}
    await the("RoleBinding", "mine-registry-grpc-worker", targets[1])
    with pytest.raises(ApiError):
        await the("RoleBinding", "mine-registry-grpc-worker", targets[0])

    second = await migration()
    await helm("rollback", place[0], "1", *place[1:], "--wait", "--timeout=120s")
    assert await migration() == second, "the schema of a newer release fits the older one"
    server = await the("Deployment", "mine-registry-grpc")
    assert "registry-grpc:0.1.0" in {c["image"] for c in containers(server["spec"]["template"])}
    await the("RoleBinding", "mine-registry-grpc-worker", targets[0])

    await helm("uninstall", *place, "--wait", "--timeout=120s")
    for kind, name in (("Deployment", "mine-registry-grpc"), ("ConfigMap", "mine-registry-grpc")):
        with pytest.raises(ApiError):
            await the(kind, name)
    for target in targets:
        await real_test_cluster.delete_namespace(target)


async def test_a_trial_keeps_the_password_of_its_database(
    client: ClusterClient, namespace: str, real_test_cluster: TestCluster, run: Helm
) -> None:
    target = await real_test_cluster.create_namespace()
    place = ("--namespace", namespace, "--kubeconfig", real_test_cluster.admin)
    values = ("--values", EXAMPLES["trial"], f"--set=cluster.namespaces={{{target}}}")
    passwords = []
    for verb in ("install", "upgrade"):
        await asyncio.to_thread(run, verb, "trial", CHART, *place, *values)
        secret = await client.call("GET", f"/api/v1/namespaces/{namespace}/secrets/trial-registry-grpc-postgres")
        data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
        assert f":{data['password']}@trial-registry-grpc-postgres:5432/" in data["REGISTRY_DATABASE_URL"]
        passwords.append(data["password"])
    assert len(passwords[0]) == 32
    assert passwords[0] == passwords[1]
    await real_test_cluster.delete_namespace(target)
