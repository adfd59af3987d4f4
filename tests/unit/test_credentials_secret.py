"""The Secret with a version's keys: for one kind of storage, and with a name made of its content by a keyed hash."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from tests.deployments import a_deployment, a_spec

from registry_grpc.adapters.kserve.credentials_secret import (
    applied_secret,
    applied_secrets,
    credentials_secret,
    kept_secret,
    known_secrets,
    owned_by,
)
from registry_grpc.domain.deployment import Applied
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.model_version import Credentials

KEYS = Credentials("AKIA", "s3cr3t")
DEPLOYMENT = a_deployment(spec=a_spec(storage_uri="s3://bucket/key"))


def secret(credentials: Credentials = KEYS, **spec: Any) -> dict[str, Any]:
    made = credentials_secret(replace(DEPLOYMENT, spec=a_spec(**spec)), credentials, registry_id="r")
    assert made is not None
    return made


def data(made: dict[str, Any]) -> dict[str, str]:
    return {key: base64.b64decode(value).decode() for key, value in made["data"].items()}


def test_s3_has_both_pairs_of_names() -> None:
    made = secret(storage_uri="s3://bucket/key")
    assert data(made) == {
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "awsAccessKeyID": "AKIA",
        "awsSecretAccessKey": "s3cr3t",
    }
    assert made["metadata"]["annotations"] == {}
    assert (made["kind"], made["type"]) == ("Secret", "Opaque")
    assert made["metadata"]["labels"]["modelregistry.ai-platform/deployment-id"] == str(DEPLOYMENT.id)


def test_other_options_of_s3_are_annotations_too() -> None:
    options = DeploymentOptions(storage_ca_bundle="minio-ca", storage_verify_ssl=False)
    assert secret(storage_uri="s3://b/k", options=options)["metadata"]["annotations"] == {
        "serving.kserve.io/s3-cabundle-configmap": "minio-ca",
        "serving.kserve.io/s3-verifyssl": "0",
    }
    verified = secret(storage_uri="s3://b/k", options=DeploymentOptions(storage_verify_ssl=True))
    assert verified["metadata"]["annotations"] == {"serving.kserve.io/s3-verifyssl": "1"}


@pytest.mark.parametrize("keys", [KEYS, Credentials()])
def test_anonymous_access_needs_a_secret_without_keys(keys: Credentials) -> None:
    """KServe only reads the annotations of Secrets that have the names of the keys."""
    made = secret(keys, storage_uri="s3://b/k", options=DeploymentOptions(storage_anonymous=True))
    assert made["metadata"]["annotations"] == {"serving.kserve.io/s3-useanoncredential": "true"}
    assert set(data(made).values()) == {""}
    assert "AWS_SECRET_ACCESS_KEY" in data(made)


def test_anonymous_access_is_for_s3_only() -> None:
    spec = a_spec(storage_uri="gs://b/k", options=DeploymentOptions(storage_anonymous=True))
    deployment = replace(DEPLOYMENT, spec=spec)
    assert credentials_secret(deployment, Credentials(), registry_id="r") is None


def test_modelscope_has_a_token() -> None:
    assert data(secret(storage_uri="modelscope://org/model")) == {"MODELSCOPE_API_TOKEN": "s3cr3t"}


@pytest.mark.parametrize(
    ("endpoint", "annotations"),
    [
        ("minio:9000", {"s3-endpoint": "minio:9000"}),
        ("http://minio:9000/", {"s3-endpoint": "minio:9000", "s3-usehttps": "0"}),
        ("https://s3.example.com", {"s3-endpoint": "s3.example.com", "s3-usehttps": "1"}),
    ],
)
def test_s3_endpoint_and_region_are_annotations(endpoint: str, annotations: dict[str, str]) -> None:
    options = DeploymentOptions(storage_endpoint=endpoint, storage_region="eu-1")
    made = secret(storage_uri="s3://bucket/key", options=options)
    expected = {f"serving.kserve.io/{key}": value for key, value in {**annotations, "s3-region": "eu-1"}.items()}
    assert made["metadata"]["annotations"] == expected


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("gs://bucket/key", {"gcloud-application-credentials.json": "s3cr3t"}),
        ("https://acct.blob.core.windows.net/c/m", {"AZURE_STORAGE_ACCESS_KEY": "s3cr3t"}),
        ("hf://org/model", {"HF_TOKEN": "s3cr3t"}),
    ],
)
def test_other_stores(uri: str, expected: dict[str, str]) -> None:
    assert data(secret(storage_uri=uri)) == expected
    assert data(secret(Credentials(access_key="s3cr3t"), storage_uri=uri)) == expected


@pytest.mark.parametrize(
    ("credentials", "authorization"),
    [(KEYS, "Basic QUtJQTpzM2NyM3Q="), (Credentials(secret_key="token"), "Bearer token")],
)
def test_https_has_the_host_and_a_header(credentials: Credentials, authorization: str) -> None:
    made = data(secret(credentials, storage_uri="https://models.example.com:8443/m.zip"))
    assert made["https-host"] == "models.example.com"
    assert json.loads(made["headers"]) == {"Authorization": authorization}


@pytest.mark.parametrize(
    ("uri", "credentials"), [("s3://b/k", Credentials()), ("pvc://claim/m", KEYS), ("oci://r/m", KEYS)]
)
def test_no_secret_without_keys_or_use_for_them(uri: str, credentials: Credentials) -> None:
    deployment = replace(DEPLOYMENT, spec=a_spec(storage_uri=uri))
    assert credentials_secret(deployment, credentials, registry_id="r") is None


def test_the_name_depends_on_whose_keys_they_are_and_for_which_place() -> None:
    name = secret(storage_uri="s3://bucket/key")["metadata"]["name"]
    assert name.startswith("iris-81744a02-creds-")
    assert len(name) == len("iris-81744a02-creds-") + 8
    assert secret(storage_uri="s3://bucket/other", model_format="onnx")["metadata"]["name"] == name
    options = DeploymentOptions(storage_region="eu-1")
    others = [
        secret(storage_uri="s3://bucket/key", model_version_id=uuid4()),
        secret(storage_uri="s3://other/key"),
        secret(storage_uri="s3://bucket/key", options=options),
        credentials_secret(a_deployment(spec=DEPLOYMENT.spec), KEYS, registry_id="r"),
    ]
    assert len({name, *(other["metadata"]["name"] for other in others if other)}) == 5


def test_the_name_tells_nothing_about_the_keys() -> None:
    made = [secret(keys, storage_uri="s3://bucket/key") for keys in (KEYS, Credentials("AKIB", "other"))]
    assert made[0]["metadata"] == made[1]["metadata"]
    assert made[0]["data"] != made[1]["data"]
    assert "immutable" not in made[0], "so that the keys can be replaced"


def applied_at(uri: str) -> Applied:
    content = {
        "spec": {"predictor": {"model": {"storageUri": uri}}},
        "annotations": {"serving.kserve.io/storageSecretName": "iris-creds-1"},
    }
    return Applied(uid="u", k8s_generation=1, resource_version="1", content=content)


def test_the_secret_applied_last_is_kept_for_its_place_only() -> None:
    spec, old = a_spec(storage_uri="s3://bucket/new", needs_keys=True), applied_at("s3://bucket/old")
    assert kept_secret(a_deployment(spec=spec, applied=old, applied_generation=1)) == "iris-creds-1"
    assert kept_secret(a_deployment(spec=spec, applied=applied_at("s3://other/new"), applied_generation=1)) == ""
    assert kept_secret(a_deployment(spec=spec)) == ""
    assert kept_secret(a_deployment(spec=replace(spec, needs_keys=False), applied=old, applied_generation=1)) == ""
    undeployed = a_deployment(spec=spec, applied=old, applied_generation=0)
    assert kept_secret(undeployed) == "", "its Secret is deleted with the object"


def test_the_owner_is_the_inference_service() -> None:
    made = secret(storage_uri="s3://bucket/key")
    owned = owned_by(made, "iris", "uid-1")
    assert owned["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "name": "iris",
            "uid": "uid-1",
            "controller": False,
        }
    ]
    assert "ownerReferences" not in made["metadata"]


def test_existing_names_do_not_change() -> None:
    annotations = {"serving.kserve.io/storageSecretName": "b"}
    content = {"spec": {}, "labels": {}, "annotations": annotations, "secrets": ["a", "b"]}
    applied = Applied(uid="u", k8s_generation=1, resource_version="1", content=content)
    assert known_secrets(DEPLOYMENT) == set()
    assert applied_secret(DEPLOYMENT) == ""
    assert known_secrets(replace(DEPLOYMENT, applied=applied)) == {"a", "b"}
    assert applied_secret(replace(DEPLOYMENT, applied=applied)) == "b"
    assert applied_secrets(replace(DEPLOYMENT, applied=applied)) == {"b"}


def test_the_secrets_of_a_canary() -> None:
    def named(name: str) -> dict[str, dict[str, str]]:
        return {"annotations": {"serving.kserve.io/storageSecretName": name} if name else {}}

    def applied(stable: str, canary: str) -> set[str]:
        content: dict[str, Any] = {"spec": {}, "ours": {"canary": [{"predictor": named(canary)}]}}
        content |= {"labels": {}, **named(stable), "stable": named(stable)}
        seen = Applied(uid="u", k8s_generation=1, resource_version="1", content=content)
        return applied_secrets(replace(DEPLOYMENT, applied=seen))

    assert applied_secrets(DEPLOYMENT) == set()
    assert (applied("a", "b"), applied("a", ""), applied("", "b")) == ({"a", "b"}, {"a"}, {"b"})
