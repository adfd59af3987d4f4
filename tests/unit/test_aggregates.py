"""The defaults of new objects, and their allowed states (contract, Parts 1 and 2)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.builders import a_model, a_new_version, a_version, an_environment

from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch, NewInferenceService
from registry_grpc.domain.model_version import Credentials, ModelVersion
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModel, Tags
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import (
    DriftPolicy,
    NewServingEnvironment,
    ServingEnvironment,
    ServingEnvironmentPatch,
)
from registry_grpc.domain.times import NOT_STORED

NOW = datetime(2026, 2, 11, 8, 0, 38, 346231, tzinfo=UTC)
ID, PROJECT_ID, OTHER_ID = UUID(int=1), UUID(int=2), UUID(int=3)


def test_a_new_model_is_live_and_undeployed() -> None:
    model = RegisteredModel.register(NewRegisteredModel(name="My Model"), id=ID, project_id=PROJECT_ID)

    assert model == RegisteredModel(
        id=ID,
        created_at=NOT_STORED,
        updated_at=NOT_STORED,
        project_id=PROJECT_ID,
        owner_email="",
        name="My Model",
        slug="my-model",
        description="",
        model_type="CUSTOMTRAIN",
        model_size=0,
        state="LIVE",
        deployment_status="UNDEPLOYED",
        tags=Tags(frameworks=(), architectures=(), tasks=(), subjects=()),
        labels={},
        parent_model_id=None,
    )


def test_a_new_model_has_the_values_of_the_request() -> None:
    new = NewRegisteredModel(
        name="n",
        description="d",
        owner_email="o@example.com",
        model_type="llm",
        tags=Tags(tasks=("qa",)),
        labels={"a": "1"},
        parent_model_id=OTHER_ID,
    )

    model = RegisteredModel.register(new, id=ID, project_id=PROJECT_ID)

    for field in ("name", "description", "owner_email", "model_type", "tags", "labels", "parent_model_id"):
        assert getattr(model, field) == getattr(new, field)


def test_a_new_version_is_live_and_pending() -> None:
    version = ModelVersion.create(a_new_version(), id=ID, registered_model_id=OTHER_ID)

    assert version == ModelVersion(
        id=ID,
        created_at=NOT_STORED,
        updated_at=NOT_STORED,
        registered_model_id=OTHER_ID,
        name="v1",
        description="",
        is_default=False,
        state="LIVE",
        status="PENDING",
        created_by_email="",
        updated_by_email="",
        artifact_type="model-artifact",
        model_framework="onnx",
        model_framework_version="1.17",
        container_image="",
        model_catalog_name="",
        uri="s3://bucket/key",
        labels={},
        prebuilt_container_id=None,
    )


def test_a_new_version_has_the_values_of_the_request() -> None:
    said: dict[str, Any] = {
        "description": "d",
        "is_default": True,
        "artifact_type": "doc-artifact",
        "container_image": "i",
        "model_catalog_name": "c",
        "labels": {"a": "1"},
        "prebuilt_container_id": uuid4(),
        "created_by_email": "c@example.com",
        "updated_by_email": "u@example.com",
    }

    version = ModelVersion.create(a_new_version(**said), id=ID, registered_model_id=OTHER_ID)

    assert {field: getattr(version, field) for field in said} == said


@pytest.mark.parametrize(
    ("status", "state", "is_ready"),
    [("READY", "LIVE", True), ("READY", "ARCHIVED", True), ("ready", "LIVE", False), ("PENDING", "LIVE", False),
     ("FAILED", "LIVE", False), ("", "LIVE", False)],
)  # fmt: skip
def test_only_the_status_makes_a_version_ready(status: str, state: str, is_ready: bool) -> None:
    assert a_version(a_model(PROJECT_ID), status=status, state=state).is_ready is is_ready


def test_a_new_environment_reports_drift() -> None:
    new = NewServingEnvironment(name="n", description="d", external_id="x")

    assert ServingEnvironment.create(new, id=ID, project_id=PROJECT_ID) == ServingEnvironment(
        id=ID,
        created_at=NOT_STORED,
        updated_at=NOT_STORED,
        project_id=PROJECT_ID,
        name="n",
        description="d",
        external_id="x",
        drift_policy=DriftPolicy.REPORT,
    )


@pytest.mark.parametrize(("external_id", "namespace"), [("", "name"), ("external", "external")])
def test_the_namespace_is_the_external_id_or_else_the_name(external_id: str, namespace: str) -> None:
    assert an_environment(PROJECT_ID, name="name", external_id=external_id).namespace == namespace


@pytest.mark.parametrize("policy", ["report", "enforce"])
def test_an_environment_takes_a_drift_policy(policy: str) -> None:
    new = NewServingEnvironment(name="n", drift_policy=policy)

    assert ServingEnvironment.create(new, id=ID, project_id=PROJECT_ID).drift_policy is DriftPolicy(policy)
    assert ServingEnvironmentPatch(drift_policy=policy).drift_policy == policy


@pytest.mark.parametrize("make", [lambda policy: NewServingEnvironment(name="n", drift_policy=policy),
                                  lambda policy: ServingEnvironmentPatch(drift_policy=policy)])  # fmt: skip
@pytest.mark.parametrize("policy", ["REPORT", "ignore", " "])
def test_an_environment_takes_no_other_drift_policy(make: Any, policy: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        make(policy)

    assert [violation.field for violation in refusal.value.violations] == ["drift_policy"]


def test_a_patch_cannot_empty_the_drift_policy() -> None:
    with pytest.raises(InvalidRequest):
        ServingEnvironmentPatch(drift_policy="")


@pytest.mark.parametrize("version_ids", [(), (UUID(int=7),), (UUID(int=8), UUID(int=7))])
def test_a_new_service_wants_to_be_deployed(version_ids: tuple[UUID, ...]) -> None:
    new = NewInferenceService(
        name="n", serving_environment_id=OTHER_ID, registered_model_id=UUID(int=4), model_version_ids=version_ids
    )

    assert InferenceService.create(new, id=ID, project_id=PROJECT_ID) == InferenceService(
        id=ID,
        created_at=NOT_STORED,
        updated_at=NOT_STORED,
        project_id=PROJECT_ID,
        name="n",
        external_id="",
        serving_environment_id=OTHER_ID,
        registered_model_id=UUID(int=4),
        model_version_id=version_ids[0] if version_ids else None,
        desired_state="DEPLOYED",
        current_state="UNDEPLOYED",
        runtime="kserve",
        url="",
        last_error="",
        labels={},
    )


@pytest.mark.parametrize("field", ["desired_state", "current_state"])
@pytest.mark.parametrize("state", ["", "deployed", "PENDING", "DEPLOYED "])
def test_a_service_takes_two_states_only(field: str, state: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        InferenceServicePatch(**{field: state})  # type: ignore[arg-type]

    assert refusal.value.message == "invalid state"
    assert [violation.field for violation in refusal.value.violations] == [field]
    for known in ("DEPLOYED", "UNDEPLOYED"):
        assert getattr(InferenceServicePatch(**{field: known}), field) == known  # type: ignore[arg-type]


def test_a_new_serve_model_is_pending() -> None:
    serve_model = ServeModel(id=ID, project_id=PROJECT_ID, inference_service_id=OTHER_ID, model_version_id=UUID(int=4))

    assert serve_model == ServeModel(
        id=ID,
        created_at=NOT_STORED,
        updated_at=NOT_STORED,
        project_id=PROJECT_ID,
        inference_service_id=OTHER_ID,
        inference_service_name="",
        model_version_id=UUID(int=4),
        model_version_name="",
        last_known_state="PENDING",
    )


def test_secrets_show_up_nowhere() -> None:
    credentials = Credentials("acc3ss", "s3cret")
    new = a_new_version(access_key="acc3ss", secret_key="s3cret")
    version = ModelVersion.create(new, id=ID, registered_model_id=OTHER_ID)

    for shown in (repr(credentials), str(credentials), f"{new}", f"{[new, credentials]!r}", repr(version)):
        assert "acc3ss" not in shown
        assert "s3cret" not in shown
    assert (credentials.access_key, credentials.secret_key) == (new.access_key, new.secret_key)


@pytest.mark.parametrize(
    ("credentials", "has_any"),
    [(Credentials(), False), (Credentials("a", ""), True), (Credentials("", "s"), True), (Credentials("a", "s"), True)],
)
def test_credentials_are_true_when_there_are_any(credentials: Credentials, has_any: bool) -> None:
    assert bool(credentials) is has_any


def test_objects_do_not_change() -> None:
    with pytest.raises(AttributeError, match="can't set attribute"):
        a_model(PROJECT_ID).name = "other"  # type: ignore[misc]
