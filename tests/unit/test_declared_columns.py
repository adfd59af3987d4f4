"""Every field of a domain object has a column, and is found by its name at any index."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields
from typing import Any, NamedTuple

import pytest

from registry_grpc.adapters.postgres import (
    artifacts,
    deployment_rows,
    inference_services,
    model_versions,
    registered_models,
    serve_models,
    serving_environments,
)
from registry_grpc.adapters.postgres.columns import in_order_of
from registry_grpc.domain.artifact import Artifact, ArtifactPatch
from registry_grpc.domain.deployment import Deployment, DeploymentEvent, DeploymentRevision
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersion, ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModel, RegisteredModelPatch
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment, ServingEnvironmentPatch


def fields_of(kind: Any) -> set[str]:
    return set(kind._fields) if hasattr(kind, "_fields") else {field.name for field in fields(kind)}


NAMES = {"inference_service_name", "model_version_name", "serving_environment_name", "registered_model_name"}
VERSIONS = {"version_count", "latest_version", "default_version"}


@pytest.mark.parametrize(
    ("kind", "columns", "not_among_them"),
    [
        (RegisteredModel, registered_models.READ, set()),
        (RegisteredModel, registered_models.STORED, {"etag", *VERSIONS}),
        (ModelVersion, model_versions.COLUMNS, set()),
        (Artifact, artifacts.READ, set()),
        (Artifact, artifacts.STORED, {"etag"}),
        (ArtifactPatch, artifacts.PATCHED, set()),
        (ServingEnvironment, serving_environments.READ, set()),
        (InferenceService, inference_services.READ, {"served_models"}),
        (InferenceService, inference_services.STORED, {"served_models", "etag", *NAMES}),
        (ServeModel, serve_models.READ, set()),
        (ServeModel, serve_models.STORED, {"etag", *NAMES}),
        (Deployment, deployment_rows.DEPLOYMENT_READ.keys() - {"versions_now"}, {"edited_version_fields"}),
        (DeploymentRevision, deployment_rows.REVISION_FIELDS, set()),
        (DeploymentEvent, deployment_rows.EVENT_FIELDS, set()),
        (RegisteredModelPatch, registered_models.PATCHED, set()),
        (ModelVersionPatch, model_versions.PATCHED, {"access_key", "secret_key"}),
        (ServingEnvironmentPatch, serving_environments.PATCHED, set()),
        (InferenceServicePatch, inference_services.PATCHED, set()),
    ],
)
def test_every_field_has_a_column(kind: Any, columns: Collection[str], not_among_them: set[str]) -> None:
    assert len(columns) == len(set(columns))
    assert set(columns) == fields_of(kind) - not_among_them


class Grown(NamedTuple):
    """An object with one new field at the beginning and one at the end."""

    newest: int
    id: int
    name: str
    newer: int


@pytest.mark.parametrize("columns", [("id", "name", "newer", "newest"), Grown._fields])
@pytest.mark.parametrize("first", [0, 2])
def test_fields_are_found_by_their_names(columns: tuple[str, ...], first: int) -> None:
    values: dict[str, Any] = {"id": 1, "name": "a", "newer": 2, "newest": 3}
    row = [*range(first), *(values[name] for name in columns), "of another table"]

    assert Grown._make(in_order_of(Grown._fields, columns, first)(row)) == Grown(**values)


def test_a_field_without_a_column_fails_at_once() -> None:
    with pytest.raises(ValueError, match="no column is declared for newest, newer"):
        in_order_of(Grown._fields, ("id", "name"))
