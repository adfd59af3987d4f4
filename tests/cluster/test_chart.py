"""The chart with the real helm."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from scripts import manifests
from tests.cluster import binaries, helm
from tests.cluster.charts import CHART, EXAMPLES, OF_OTHERS, Helm, Rendered, containers, pods

from registry_grpc.settings import ClusterKind, Settings

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def test_the_plain_manifests_are_made_from_it(program: Path) -> None:
    assert not manifests.differences(manifests.made(program)), "run `make manifests`"


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_passes_lint(run: Helm, example: str) -> None:
    assert "0 chart(s) failed" in run("lint", "--strict", CHART, "--values", EXAMPLES[example])


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_objects_fit_the_schemas_of_kubernetes(rendered: Rendered, example: str) -> None:
    for document in rendered(example):
        if document["kind"] not in OF_OTHERS:
            kubernetes_validate.validate(document, binaries.KUBERNETES, strict=True)


@pytest.mark.parametrize(
    ("value", "refusal"),
    [
        ("replicas=3", "additional properties 'replicas' not allowed"),
        ("server.worker=3", "at '/server': additional properties 'worker' not allowed"),
        ("server.replicas=0", "at '/server/replicas': minimum: got 0, want 1"),
        ("server.workers=many", "at '/server/workers': got string, want integer"),
        ("kserve.deploymentMode=Raw", "at '/kserve/deploymentMode': value must be one of 'Standard', 'Knative'"),
        ("auth.mode=demo", "at '/auth/mode': value must be one of 'required', 'off'"),
        ("auth.issuers[0].issuer=https://dex", "at '/auth/issuers/0': missing property 'audiences'"),
        ("settings.LOG_LEVEL=debug", "at '/settings': additional properties 'LOG_LEVEL' not allowed"),
        ("image.digest=sha256:12", "at '/image/digest': 'sha256:12' does not match pattern"),
        ("cluster.namespaces={models,models}", "at '/cluster/namespaces': items at 0 and 1 are equal"),
        # Values that do not fit together.
        ("database.existingSecret=", "database.existingSecret: name the Secret with the URL of PostgreSQL"),
        ("embeddedPostgres.enabled=true", "embeddedPostgres.enabled: it is for trials only; set production=false"),
        ("encryption.existingSecret=", "encryption.existingSecret: production needs the Secret"),
        ("auth.mode=off", "auth.mode: production needs `required`"),
        ("tenancy=open", "tenancy: production needs `enforced`"),
        ("tls.existingSecret=", "tls: production needs tls.existingSecret or"),
        ("tls.certManager.enabled=true", "tls.certManager: name the issuer in issuerRef.name"),
        ("cluster.namespaces=null", "cluster.namespaces: list the namespaces to which models are deployed"),
        ("cluster.allNamespaces=true", "cluster.allNamespaces: cluster.namespaces lists some"),
        ("metrics.port=0,metrics.serviceMonitor.enabled=true", "serviceMonitor.enabled: there is nothing to scrape"),
        ("autoscaling.minReplicas=11", "autoscaling.minReplicas: it is above maxReplicas"),
        ("settings.REGISTRY_AUTH=off", "settings.REGISTRY_AUTH: set the value `auth.mode` instead"),
    ],
)  # fmt: skip
def test_wrong_values_are_refused(rendered: Rendered, value: str, refusal: str) -> None:
    with pytest.raises(helm.HelmFailed) as refused:
        rendered("manifests", value)
    assert refusal in str(refused.value)


def test_all_that_does_not_fit_is_said_at_once(run: Helm) -> None:
    with pytest.raises(helm.HelmFailed) as refused:
        run("template", "registry", CHART)
    assert str(refused.value).count("\n  - ") == 4


def test_rights_of_knative_are_for_its_mode_only(rendered: Rendered) -> None:
    def groups(mode: str) -> set[str]:
        documents = rendered("manifests", f"kserve.deploymentMode={mode}")
        rules = [rule for document in documents for rule in document.get("rules", ())]
        return {rule["apiGroups"][0] for rule in rules} | {rule["resources"][0] for rule in rules}

    assert groups("Knative") - groups("Standard") == {"serving.knative.dev", "services", "configmaps"}


def test_rights_are_granted_in_the_namespaces_that_are_listed_or_in_all(rendered: Rendered) -> None:
    def bound(example: str) -> list[tuple[str, str | None]]:
        return sorted(
            (document["roleRef"]["name"], document["metadata"].get("namespace"))
            for document in rendered(example)
            if document["kind"].endswith("RoleBinding") and "cluster" not in document["metadata"]["name"]
        )

    names = ("registry-registry-grpc-controller", "registry-registry-grpc-worker")
    assert bound("production") == [(name, namespace) for name in names for namespace in ("models", "vision")]
    assert bound("knative") == [(name, None) for name in names]


def test_without_a_cluster_nobody_gets_rights_or_a_token(rendered: Rendered) -> None:
    documents = rendered("manifests", "cluster.enabled=false", "cluster.namespaces=null")
    assert not [document["kind"] for document in documents if "rbac" in document["apiVersion"]]
    (configuration,) = (document["data"] for document in documents if document["kind"] == "ConfigMap")
    assert configuration["REGISTRY_CLUSTER"] == "none"
    accounts = [document for document in documents if document["kind"] == "ServiceAccount"]
    assert [account["automountServiceAccountToken"] for account in accounts] == [False, False]
    assert "serviceAccountToken" not in json.dumps(documents)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_volume_and_reference_is_there(rendered: Rendered, example: str) -> None:
    """Mounts have volumes, volumes are mounted, and what pods refer to is made by the chart or named in the values."""
    documents = rendered(example)
    made = {(document["kind"], document["metadata"]["name"]) for document in documents}
    made |= {("Secret", document["spec"]["secretName"]) for document in documents if document["kind"] == "Certificate"}
    named = EXAMPLES[example].read_text()
    for pod in pods(documents):
        volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes", ())}
        mounts = [mount["name"] for container in containers(pod) for mount in container["volumeMounts"]]
        assert set(mounts) == set(volumes)
        for kind, name in references(pod, list(volumes.values())):
            assert (kind, name) in made or name in named or name == "kube-root-ca.crt", (kind, name)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_container_is_restricted_and_bounded(rendered: Rendered, example: str) -> None:
    for pod in pods(rendered(example)):
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_selector_finds_pods_and_their_ports(rendered: Rendered, example: str) -> None:
    documents = rendered(example)
    templates = list(pods(documents))
    services = [document for document in documents if document["kind"] == "Service"]
    for document in documents:
        spec = document.get("spec", {})
        selector = spec.get("podSelector") or spec.get("selector") or {}
        labels = selector.get("matchLabels", selector)
        candidates = services if document["kind"] == "ServiceMonitor" else templates
        found = [one for one in candidates if labels.items() <= one["metadata"]["labels"].items()]
        assert found or not labels, document["kind"]
        if document["kind"] == "Service":
            names = {port.get("name") for pod in found for one in containers(pod) for port in one.get("ports", ())}
            assert {port.get("targetPort", port["name"]) for port in spec["ports"]} <= names
        if document["kind"] == "ServiceMonitor":
            names = {port["name"] for service in found for port in service["spec"]["ports"]}
            assert {endpoint["port"] for endpoint in spec["endpoints"]} <= names


def test_values_reach_the_pods(rendered: Rendered) -> None:
    documents = {(document["kind"], document["metadata"]["name"]): document for document in rendered("production")}
    server = documents["Deployment", "registry-registry-grpc"]["spec"]
    files, gateway = server["template"]["spec"]["initContainers"]
    assert files["args"] == ["gateway", "/gateway", "--tls", "--mtls", "--stats"]
    assert gateway["command"][4] == "3"
    assert "replicas" not in server, "the autoscaler sets it"
    scaler = documents["HorizontalPodAutoscaler", "registry-registry-grpc"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 6)
    settings = documents["ConfigMap", "registry-registry-grpc"]["data"]
    assert settings["REGISTRY_HISTORY_DAYS"] == "30"
    assert settings["REGISTRY_MAX_MESSAGE_BYTES"] == "16777216", "not 1.6777216e+07"
    assert settings["REGISTRY_WATCH_NAMESPACES"] == "models,vision"
    (controller,) = documents["Deployment", "registry-registry-grpc-controller"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert controller["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics"}
    migration = documents["Job", "registry-registry-grpc-migrate"]["metadata"]["annotations"]
    assert migration["helm.sh/hook"] == "pre-install,pre-upgrade"


def test_pods_restart_when_a_setting_changes(rendered: Rendered) -> None:
    def annotations(*values: str) -> list[dict[str, str]]:
        documents = [document for document in rendered("manifests", *values) if document["kind"] == "Deployment"]
        return [pod["metadata"]["annotations"] for pod in pods(documents)]

    one, two = annotations()
    assert one == two == annotations()[0] != annotations("settings.REGISTRY_LOG_LEVEL=debug")[0]


def references(pod: dict[str, Any], volumes: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for container in containers(pod):
        for variable in container.get("env", ()):
            source = variable.get("valueFrom", {})
            if "secretKeyRef" in source:
                yield "Secret", source["secretKeyRef"]["name"]
            if "configMapKeyRef" in source:
                yield "ConfigMap", source["configMapKeyRef"]["name"]
        for source in container.get("envFrom", ()):
            yield "ConfigMap", source["configMapRef"]["name"]
    for volume in volumes:
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
    if "serviceAccountName" in pod["spec"]:
        yield "ServiceAccount", pod["spec"]["serviceAccountName"]


@pytest.mark.parametrize("example", EXAMPLES)
def test_workers_and_controllers_accept_their_settings(
    rendered: Rendered, monkeypatch: pytest.MonkeyPatch, example: str
) -> None:
    secrets = {
        "REGISTRY_DATABASE_URL": "postgresql://registry@db/registry",
        "REGISTRY_ENCRYPTION_KEYS": "k1:" + "A" * 43 + "=",
    }
    documents = rendered(example)
    (configuration,) = (document["data"] for document in documents if document["kind"] == "ConfigMap")
    for template in pods([document for document in documents if document["kind"] == "Deployment"]):
        variables = {**configuration}
        for variable in template["spec"]["containers"][0]["env"]:
            variables[variable["name"]] = variable.get("value") or secrets[variable["name"]]
        with monkeypatch.context() as environment:
            for name, value in variables.items():
                environment.setenv(name, value)
            settings = Settings()
        assert settings.production is (example != "trial")
        assert settings.cluster is ClusterKind.IN_CLUSTER


def kustomized(folder: Path) -> list[dict[str, Any]]:
    kubectl = binaries.folder() / "kubectl"
    if not kubectl.exists():
        pytest.skip("no kubectl here")
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def test_the_base_for_kustomize(tmp_path: Path) -> None:
    """Overlays set namespace, image and settings."""
    shutil.copytree(manifests.TARGET, tmp_path / "base")
    for name, overlay in {
        "registry": {
            "namespace": "mine",
            "resources": ["../base"],
            "images": [{"name": "registry-grpc", "newName": "registry.example.com/registry", "newTag": "0.2.0"}],
            "patches": [{"patch": yaml.safe_dump(settings_of(REGISTRY_WATCH_NAMESPACES="vision"))}],
        },
        "vision": {"namespace": "vision", "resources": ["../base/bindings"]},
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    documents = kustomized(tmp_path / "registry")
    assert {document["metadata"].get("namespace") for document in documents} == {"mine", None}
    assert "RoleBinding" not in {document["kind"] for document in documents}
    (bound,) = (document for document in documents if document["kind"] == "ClusterRoleBinding")
    assert {subject["namespace"] for subject in bound["subjects"]} == {"mine"}
    images = {container["image"] for pod in pods(documents) for container in containers(pod)}
    assert images == {"registry.example.com/registry:0.2.0", "envoyproxy/envoy:v1.40.0"}
    (configuration,) = (document["data"] for document in documents if document["kind"] == "ConfigMap")
    assert configuration["REGISTRY_WATCH_NAMESPACES"] == "vision"
    assert [(document["kind"], document["metadata"]["namespace"]) for document in kustomized(tmp_path / "vision")] == [
        ("RoleBinding", "vision")
    ] * 2


def settings_of(**data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "registry-grpc"}, "data": data}
