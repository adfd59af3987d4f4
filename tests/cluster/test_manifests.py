"""The shipped manifests on a real API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import kubernetes_validate
import pytest
import yaml
from tests.cluster import furnish
from tests.cluster.binaries import KUBERNETES
from tests.cluster.client import ClusterClient, manifest_path
from tests.cluster.targets import TestCluster

from registry_grpc.adapters.kserve.facts import PERMISSIONS
from registry_grpc.doctor.cluster import check_cluster
from registry_grpc.doctor.diagnosis import Verdict
from registry_grpc.settings import ClusterKind, Settings
from registry_grpc.shipped import PROJECT_ROOT

_FOLDER = PROJECT_ROOT / "deploy" / "kubernetes"
MANIFESTS = sorted(path for path in _FOLDER.glob("*.yaml") if path.name != "kustomization.yaml")
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
    assert "envFrom" not in container
    (variable,) = container["env"]
    assert variable["valueFrom"] == {"secretKeyRef": {"name": "registry-grpc-migrate", "key": "REGISTRY_DATABASE_URL"}}
    assert list(the("Secret", "registry-grpc-migrate")["stringData"]) == ["REGISTRY_DATABASE_URL"]


def test_workers_and_controllers_have_accounts_of_their_own() -> None:
    """And workers know that theirs may only read."""
    accounts = {
        kind: pod_of("Deployment", name)["serviceAccountName"]
        for kind, name in (("worker", "registry-grpc"), ("controller", "registry-grpc-controller"))
    }
    assert accounts == {"worker": "registry-grpc-worker", "controller": "registry-grpc-controller"}
    (worker,) = pod_of("Deployment", "registry-grpc")["containers"]
    (controller,) = pod_of("Deployment", "registry-grpc-controller")["containers"]
    read_only = {"name": "REGISTRY_WORKERS_WRITE", "value": "false"}
    assert read_only in worker["env"]
    assert read_only not in controller["env"]


def test_the_settings_are_those_of_production(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in the("ConfigMap", "registry-grpc")["data"].items():
        monkeypatch.setenv(name, value)
    url = the("Secret", "registry-grpc")["stringData"]["REGISTRY_DATABASE_URL"]
    monkeypatch.setenv("REGISTRY_DATABASE_URL", url)
    monkeypatch.setenv("REGISTRY_ENCRYPTION_KEYS", "k1:" + "A" * 43 + "=")
    assert Settings().production
    assert "sslmode=verify-full" in url
    ca = {"name": "database-ca", "mountPath": "/etc/database-ca", "readOnly": True}
    for kind, name in (("Deployment", "registry-grpc"), ("Deployment", "registry-grpc-controller")):
        assert ca in pod_of(kind, name)["containers"][0]["volumeMounts"]
    assert ca in pod_of("Job", "registry-grpc-migrate")["containers"][0]["volumeMounts"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_it_fits_the_schemas_of_kubernetes(path: Path) -> None:
    for document in documents(path):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


@pytest.mark.cluster
@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
async def test_a_real_api_server_takes_it(path: Path, real_test_cluster: TestCluster) -> None:
    """A strict server-side dry run, which refuses unknown fields and invalid values."""
    async with ClusterClient.from_kubeconfig(real_test_cluster.admin) as client:
        for document in documents(path):
            url = manifest_path(document, "default")
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
