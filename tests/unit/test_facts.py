"""The facts that need more than the simulated cluster has: schemas of a CRD, and Knative."""

from __future__ import annotations

from typing import Any, cast

import pytest

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Kind
from registry_grpc.adapters.kserve.errors import StatusError
from registry_grpc.adapters.kserve.facts import read_facts
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, StorageUri
from registry_grpc.domain.preflight import ClusterFacts
from registry_grpc.domain.runtimes import Runtimes

ADAPTERS = DeploymentOptions(storage_uris=(StorageUri(uri="hf://a/b", mount_path="/mnt/b"),))
KNATIVE = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)
PLACES = {kinds.OPENAPI_DOCUMENTS: "v1beta1", kinds.CONFIG_MAPS: "config-features"}


class Answering:
    """An API server that has these objects, by their kinds, and allows everything else."""

    def __init__(self, objects: dict[Kind, Any]) -> None:
        self.objects = objects
        self.asked: list[tuple[Kind, str, str | None]] = []

    async def find(self, kind: Kind, name: str, *, namespace: str | None = None) -> Any:
        self.asked.append((kind, name, namespace))
        found = self.objects.get(kind, {} if kind not in PLACES else None)
        if isinstance(found, Exception):
            raise found
        return found

    async def list(self, path: str) -> Any:
        raise StatusError(404, "no such kind")

    async def create(self, path: str, review: Any) -> Any:
        return {"status": {"allowed": True}}


async def facts(api: Answering, options: DeploymentOptions, **more: Any) -> ClusterFacts:
    return await read_facts(cast("Api", api), "models", options, Runtimes(), **more)


def document(spec: Any) -> dict[str, Any]:
    of = {"group": "serving.kserve.io", "kind": "InferenceService", "version": "v1beta1"}
    schema = {"x-kubernetes-group-version-kind": [of], "properties": {"spec": spec}}
    return {"components": {"schemas": {"other": {}, "isvc": schema}}}


@pytest.mark.parametrize(
    ("spec", "has_uris", "has_canary"),
    [
        ({"properties": {"canary": {}, "predictor": {"properties": {"storageUris": {}}}}}, True, True),
        ({"properties": {"predictor": {"properties": {"model": {}}}}}, False, False),
        ({"properties": {"predictor": {"type": "object"}}}, None, False),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, None, None),
    ],
)
async def test_fields_of_inference_services(spec: Any, has_uris: bool | None, has_canary: bool | None) -> None:
    api = Answering({kinds.OPENAPI_DOCUMENTS: document(spec)})
    read = await facts(api, ADAPTERS)
    assert (read.has_storage_uris_field, read.has_canary_field) == (has_uris, has_canary)
    assert (await facts(api, DeploymentOptions(), canary_of="iris")).has_canary_field is has_canary


async def test_the_large_document_is_only_read_if_it_is_needed() -> None:
    api = Answering({kinds.OPENAPI_DOCUMENTS: document({"properties": {}})})
    assert (await facts(api, KNATIVE)).has_storage_uris_field is None
    assert kinds.OPENAPI_DOCUMENTS not in {kind for kind, *_ in api.asked}


@pytest.mark.parametrize(
    ("found", "features"),
    [
        ({"data": {"kubernetes.podspec-tolerations": "enabled"}}, {"kubernetes.podspec-tolerations": "enabled"}),
        ({}, {}),
        ({"data": None}, {}),
        (None, None),
        (StatusError(403, "no"), None),
    ],
)
async def test_feature_flags_of_knative(found: Any, features: dict[str, str] | None) -> None:
    api = Answering({kinds.CONFIG_MAPS: found})
    assert (await facts(api, KNATIVE)).knative_features == features
    assert (kinds.CONFIG_MAPS, "config-features", "knative-serving") in api.asked
    assert (await facts(api, ADAPTERS)).knative_features is None  # in another mode
