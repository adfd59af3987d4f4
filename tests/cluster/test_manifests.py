"""The shipped manifests on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from tests.cluster import furnish
from tests.cluster.client import ClusterClient
from tests.cluster.targets import TestCluster

from registry_grpc.adapters.kserve.facts import PERMISSIONS
from registry_grpc.doctor.cluster import check_cluster
from registry_grpc.doctor.diagnosis import Verdict
from registry_grpc.settings import ClusterKind, Settings
from registry_grpc.shipped import PROJECT_ROOT

MANIFESTS = sorted((PROJECT_ROOT / "deploy" / "kubernetes").glob("*.yaml"))
_CLUSTER_WIDE = {"ClusterRole", "ClusterRoleBinding"}
_APPLY = "application/apply-patch+yaml"
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"


def documents(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def the(kind: str, name: str) -> dict[str, Any]:
    (found,) = (
        document
        for path in MANIFESTS
        for document in documents(path)
        if (document["kind"], document["metadata"]["name"]) == (kind, name)
    )
    return found


def pod_of(kind: str, name: str) -> dict[str, Any]:
    pod: dict[str, Any] = the(kind, name)["spec"]["template"]["spec"]
    return pod


def test_a_pod_that_ends_calls_the_gateways_admin_socket() -> None:
    gateway = yaml.safe_load((PROJECT_ROOT / "gateway" / "envoy.yaml").read_text())
    socket = gateway["admin"]["address"]["pipe"]["path"]
    pod = pod_of("Deployment", "registry-grpc")
    (container,) = pod["containers"]
    *_, script = container["lifecycle"]["preStop"]["exec"]["command"]
    assert f'connect("/{socket}")' in script
    shared = {"name": "gateway", "mountPath": f"/{Path(socket).parent}"}
    (envoy,) = [beside for beside in pod["initContainers"] if beside["name"] == "gateway"]
    assert shared | {"readOnly": True} in container["volumeMounts"]
    assert shared in envoy["volumeMounts"], "the socket is made there"


def test_envoy_gets_no_token_of_the_service_account() -> None:
    pod = pod_of("Deployment", "registry-grpc")
    assert pod["automountServiceAccountToken"] is False
    mounted = {
        container["name"]: [mount["mountPath"] for mount in container["volumeMounts"]]
        for container in (*pod["initContainers"], *pod["containers"])
    }
    assert [name for name, paths in mounted.items() if _TOKEN in paths] == ["registry"]


def test_migrations_get_no_keys() -> None:
    (container,) = pod_of("Job", "registry-grpc-migrate")["containers"]
    names = [source["secretRef"]["name"] for source in container["envFrom"]]
    assert [list(the("Secret", name)["stringData"]) for name in names] == [["REGISTRY_DATABASE_URL"]]


@pytest.mark.cluster
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
async def test_a_real_api_server_takes_it(path: Path, real_test_cluster: TestCluster) -> None:
    """A strict server-side dry run, which refuses unknown fields and invalid values."""
    async with ClusterClient.from_kubeconfig(real_test_cluster.admin) as client:
        for document in documents(path):
            url = _path_of(document, "default")
            dry_run = {"fieldManager": "test", "fieldValidation": "Strict", "dryRun": "All", "force": "true"}
            stored = await client.call("PATCH", url, document, content_type=_APPLY, **dry_run)
            assert stored["kind"] == document["kind"]


@pytest.mark.cluster
async def test_its_pods_may_run_where_the_restricted_pod_security_standard_is_enforced(
    real_test_cluster: TestCluster,
) -> None:
    name = f"restricted-{uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    async with ClusterClient.from_kubeconfig(real_test_cluster.admin) as client:
        await client.call("POST", "/api/v1/namespaces", {"metadata": {"name": name, "labels": labels}})
        try:
            pods = [
                document["spec"]["template"]
                for path in MANIFESTS
                for document in documents(path)
                if document["kind"] in {"Deployment", "Job"}
            ]
            assert len(pods) == 3
            for number, template in enumerate(pods):
                spec = {**template["spec"], "serviceAccountName": "default"}
                pod = {"metadata": {"name": f"pod-{number}", "labels": template["metadata"]["labels"]}, "spec": spec}
                await _until_accounts_exist(client, name)
                await client.call("POST", f"/api/v1/namespaces/{name}/pods", pod, dryRun="All")
        finally:
            await client.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.mark.cluster
async def test_doctor_finds_all_rights_under_the_shipped_rbac(real_test_cluster: TestCluster) -> None:
    if real_test_cluster.registry is None:
        pytest.skip("the rights on the cluster given are not ours to set")
    namespace = await real_test_cluster.create_namespace()
    try:
        settings = Settings(
            cluster=ClusterKind.KUBECONFIG,
            kubeconfig=real_test_cluster.registry,
            watch_namespaces=(namespace,),
            kubernetes_requests_per_second=1000,
        )
        found = {diagnosis.about: diagnosis async for diagnosis in check_cluster(settings, ("default",))}
        assert found["permissions of the cluster"].verdict is Verdict.OK
        assert found[f"permissions in namespace {namespace}"].verdict is Verdict.OK
        assert found[f"dry run in namespace {namespace}"].verdict is Verdict.OK
        refused = found["permissions in namespace default"]
        assert refused.verdict is Verdict.MISSING
        assert len(refused.missing_permissions) == len([p for p in PERMISSIONS if not p.is_cluster_wide])
    finally:
        await real_test_cluster.delete_namespace(namespace)


async def _until_accounts_exist(client: ClusterClient, namespace: str) -> None:
    await furnish.until_served(client, f"/api/v1/namespaces/{namespace}/serviceaccounts/default")


def _path_of(document: dict[str, Any], namespace: str) -> str:
    group_version, kind = document["apiVersion"], document["kind"]
    root = f"/apis/{group_version}" if "/" in group_version else f"/api/{group_version}"
    place = "" if kind in _CLUSTER_WIDE else f"/namespaces/{namespace}"
    return f"{root}{place}/{kind.lower()}s/{document['metadata']['name']}"
