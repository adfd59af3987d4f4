"""The Secret that gives a version's keys to KServe's downloader.

Its name tells whose keys they are and for which place, but depends on no key: when a version gets other keys, they
replace those in the Secret, and no pod has to restart. A revision with another version has another Secret, so that pods
of the previous one keep theirs. KServe finds the Secret by an annotation, and the kind of storage by the keys of its
data, so it may only have the keys of one kind.
"""

from __future__ import annotations

import base64
import hashlib
import json
from urllib.parse import urlsplit

from registry_grpc.adapters.kserve.identity import identity_labels
from registry_grpc.adapters.kserve.manifests import STORAGE_SECRET_NAME, Manifest, storage_uri_of
from registry_grpc.domain.decision import is_withdrawn
from registry_grpc.domain.deployment import Deployment, DeploymentSpec
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.storage import Storage, place_of

_HASH_LENGTH = 8


def credentials_secret(deployment: Deployment, credentials: Credentials, *, registry_id: str) -> Manifest | None:
    """The Secret for a deployment; None if there are no keys or KServe would not use them."""
    is_anonymous = _is_s3(deployment.spec) and bool(deployment.spec.options.storage_anonymous)
    if is_anonymous:  # KServe takes the options of the storage from a Secret with keys, even if it uses no keys
        credentials = Credentials()
    data = _data(deployment.spec.storage_uri, credentials) if credentials or is_anonymous else {}
    if not data:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(deployment),
            "namespace": deployment.namespace,
            "labels": identity_labels(registry_id, deployment.id),
            "annotations": _annotations(deployment.spec),
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def secret_name(deployment: Deployment) -> str:
    """The name of the Secret for the present spec, whether or not there is one."""
    spec = deployment.spec
    whose = [str(deployment.id), str(spec.model_version_id), place_of(spec.storage_uri), _annotations(spec)]
    digest = hashlib.sha256(json.dumps(whose, sort_keys=True).encode()).hexdigest()
    return f"{deployment.name}-creds-{digest[:_HASH_LENGTH]}"


def known_secrets(deployment: Deployment) -> set[str]:
    """The names of all Secrets made for the deployment. They are stored with the applied content, because the registry
    may not list Secrets."""
    content = deployment.applied.content if deployment.applied else {}
    return set(content.get("secrets", ()))


def applied_secret(deployment: Deployment) -> str:
    """The name of the Secret that the last applied object refers to; empty if there is none."""
    annotations = deployment.applied.content["annotations"] if deployment.applied else {}
    return str(annotations.get(STORAGE_SECRET_NAME, ""))


def applied_secrets(deployment: Deployment) -> set[str]:
    """The names of the Secrets of both revisions, if another one is tried beside the one that serves."""
    if deployment.applied is None:
        return set()
    stable, canaries = deployment.applied.content.get("stable"), deployment.applied.ours.get("canary", ())
    parts = [*([stable] if stable else ()), *(entry["predictor"] for entry in canaries)]
    return {applied_secret(deployment), *(part["annotations"].get(STORAGE_SECRET_NAME, "") for part in parts)} - {""}


def kept_secret(deployment: Deployment) -> str:
    """The name of the last applied Secret, to keep it when its keys are no longer stored. Empty if there is none, if it
    was made for another place, if it goes with an undeployed object, or if the spec needs no keys."""
    if deployment.applied is None or is_withdrawn(deployment) or not deployment.spec.needs_keys:
        return ""
    applied_uri = storage_uri_of(deployment.applied.content["spec"]["predictor"])
    is_same_place = place_of(applied_uri) == place_of(deployment.spec.storage_uri)
    return applied_secret(deployment) if is_same_place else ""


def owned_by(secret: Manifest, inference_service: str, uid: str) -> Manifest:
    """The Secret with the InferenceService as its owner, so that Kubernetes deletes both together."""
    owner = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "name": inference_service,
        "uid": uid,
        "controller": False,
    }
    return {**secret, "metadata": {**secret["metadata"], "ownerReferences": [owner]}}


def _data(uri: str, credentials: Credentials) -> dict[str, str]:
    only_key = credentials.secret_key or credentials.access_key
    match Storage.of(uri):
        case Storage.S3:
            # KServe's shipped configuration reads the first two names, and KServe without configuration the others.
            return {
                "AWS_ACCESS_KEY_ID": credentials.access_key,
                "AWS_SECRET_ACCESS_KEY": credentials.secret_key,
                "awsAccessKeyID": credentials.access_key,
                "awsSecretAccessKey": credentials.secret_key,
            }
        case Storage.GCS:
            return {"gcloud-application-credentials.json": only_key}
        case Storage.AZURE:
            return {"AZURE_STORAGE_ACCESS_KEY": only_key}
        case Storage.HUGGING_FACE:
            return {"HF_TOKEN": only_key}
        case Storage.MODELSCOPE:
            return {"MODELSCOPE_API_TOKEN": only_key}
        case Storage.HTTP:
            return {"https-host": urlsplit(uri).hostname or "", "headers": _authorization(credentials, only_key)}
        case Storage.OTHER:
            return {}


def _authorization(credentials: Credentials, only_key: str) -> str:
    """Two keys are a user and a password, one alone is a token. KServe puts the headers into the pod's environment."""
    if credentials.access_key and credentials.secret_key:
        pair = f"{credentials.access_key}:{credentials.secret_key}"
        value = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        value = f"Bearer {only_key}"
    return json.dumps({"Authorization": value})


def _is_s3(spec: DeploymentSpec) -> bool:
    return Storage.of(spec.storage_uri) is Storage.S3


def _annotations(spec: DeploymentSpec) -> dict[str, str]:
    options, annotations = spec.options, dict[str, str]()
    if not _is_s3(spec):
        return annotations
    if options.storage_endpoint:
        scheme, separator, host = options.storage_endpoint.rpartition("://")
        annotations["serving.kserve.io/s3-endpoint"] = host.rstrip("/")
        if separator:
            annotations["serving.kserve.io/s3-usehttps"] = "0" if scheme == "http" else "1"
    if options.storage_region:
        annotations["serving.kserve.io/s3-region"] = options.storage_region
    if options.storage_anonymous:
        annotations["serving.kserve.io/s3-useanoncredential"] = "true"
    if options.storage_ca_bundle:
        annotations["serving.kserve.io/s3-cabundle-configmap"] = options.storage_ca_bundle
    if options.storage_verify_ssl is not None:
        annotations["serving.kserve.io/s3-verifyssl"] = "1" if options.storage_verify_ssl else "0"
    return annotations
