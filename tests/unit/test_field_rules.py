"""Required fields, lengths and names: every field that a client can send, at its limit and one above (contract 0.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any
from uuid import uuid4

import pytest
from tests.fakes.builders import a_new_version

from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.inference_service import InferenceServicePatch, NewInferenceService
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.patch import changes
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModelPatch
from registry_grpc.domain.serving_environment import NewServingEnvironment, ServingEnvironmentPatch


def a_new_model(**fields: Any) -> NewRegisteredModel:
    return NewRegisteredModel(**{"name": "m"} | fields)


def a_new_environment(**fields: Any) -> NewServingEnvironment:
    return NewServingEnvironment(**{"name": "e"} | fields)


def a_new_service(**fields: Any) -> NewInferenceService:
    required: dict[str, Any] = {"name": "s", "serving_environment_id": uuid4(), "registered_model_id": uuid4()}
    return NewInferenceService(**required | fields)


Make = Callable[..., object]

LIMITS: dict[Make, dict[str, int]] = {
    a_new_model: {"name": 100, "owner_email": 255, "model_type": 50},
    RegisteredModelPatch: {"name": 100, "model_type": 50, "state": 50, "deployment_status": 50},
    a_new_version: {
        "name": 100,
        "artifact_type": 50,
        "model_framework": 100,
        "model_framework_version": 50,
        "container_image": 500,
        "model_catalog_name": 200,
        "uri": 500,
        "access_key": 500,
        "secret_key": 500,
        "created_by_email": 255,
        "updated_by_email": 255,
    },
    ModelVersionPatch: {
        "name": 100,
        "state": 50,
        "status": 50,
        "artifact_type": 50,
        "model_framework": 100,
        "model_framework_version": 50,
        "container_image": 500,
        "uri": 500,
    },
    a_new_environment: {"name": 100, "external_id": 255},
    ServingEnvironmentPatch: {"name": 100, "external_id": 255},
    a_new_service: {"name": 100, "runtime": 50},
    InferenceServicePatch: {"name": 100, "external_id": 255, "url": 500},
}
LIMIT_CASES = [(make, field, limit) for make, limits in LIMITS.items() for field, limit in limits.items()]
UNLIMITED = [
    (a_new_model, "description"),
    (RegisteredModelPatch, "description"),
    (a_new_version, "description"),
    (ModelVersionPatch, "description"),
    (a_new_environment, "description"),
    (ServingEnvironmentPatch, "description"),
    (InferenceServicePatch, "last_error"),
]
REQUIRED: dict[Make, tuple[str, ...]] = {
    a_new_model: ("name",),
    a_new_version: ("name", "model_framework", "model_framework_version", "uri"),
    a_new_environment: ("name",),
    a_new_service: ("name",),
}
REQUIRED_CASES = [(make, field) for make, names in REQUIRED.items() for field in names]


def refusal_of(make: Make, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        make(**fields)
    return refusal.value


@pytest.mark.parametrize("character", ["a", "é", "\U0001f916"])
@pytest.mark.parametrize(("make", "field", "limit"), LIMIT_CASES)
def test_a_text_may_have_as_many_characters_as_its_limit(make: Make, field: str, limit: int, character: str) -> None:
    assert getattr(make(**{field: character * limit}), field) == character * limit

    error = refusal_of(make, **{field: character * (limit + 1)})
    assert [(v.field, v.description) for v in error.violations] == [(field, f"must be at most {limit} characters")]


@pytest.mark.parametrize(("make", "field"), UNLIMITED)
def test_descriptions_have_no_limit(make: Make, field: str) -> None:
    assert getattr(make(**{field: "x" * 100_000}), field) == "x" * 100_000


@pytest.mark.parametrize(("make", "field"), REQUIRED_CASES)
def test_a_required_text_must_not_be_empty(make: Make, field: str) -> None:
    error = refusal_of(make, **{field: ""})

    assert [(v.field, v.description) for v in error.violations] == [(field, "is required")]
    assert getattr(make(**{field: " "}), field) == " "


def test_all_violations_are_told_at_once_required_ones_first() -> None:
    error = refusal_of(
        a_new_version, name="n" * 101, model_framework="", model_framework_version="", uri="", artifact_type="a" * 51
    )

    assert [violation.field for violation in error.violations] == [
        "model_framework",
        "model_framework_version",
        "uri",
        "name",
        "artifact_type",
    ]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (RegisteredModelPatch, "model name is required"),
        (ModelVersionPatch, "version name is required"),
        (ServingEnvironmentPatch, "serving environment name is required"),
        (InferenceServicePatch, "inference service name is required"),
    ],
)
def test_a_patch_cannot_take_the_name_away(make: Make, text: str) -> None:
    error = refusal_of(make, name="")

    assert error.message == text
    assert [violation.field for violation in error.violations] == ["name"]
    assert changes(make(name=" ")) == {"name": " "}


@pytest.mark.parametrize(
    "make", [RegisteredModelPatch, ModelVersionPatch, ServingEnvironmentPatch, InferenceServicePatch]
)
def test_a_patch_may_be_empty(make: Make) -> None:
    assert make() == make()


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (
            RegisteredModelPatch,
            {"name", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels"},
        ),
        (
            ModelVersionPatch,
            {"name", "description", "is_default", "state", "status", "artifact_type", "model_framework",
             "model_framework_version", "container_image", "uri", "labels"},
        ),
        (ServingEnvironmentPatch, {"name", "description", "external_id", "drift_policy"}),
        (
            InferenceServicePatch,
            {"name", "desired_state", "current_state", "external_id", "url", "last_error", "labels",
             "model_version_id"},
        ),
    ],
)  # fmt: skip
def test_a_patch_changes_what_the_contract_lets_change(make: Any, names: set[str]) -> None:
    assert {field.name for field in fields(make)} == names


def test_the_text_of_a_refusal_does_not_repeat_what_was_sent() -> None:
    error = refusal_of(a_new_version, secret_key="s3cret" * 100, access_key="acc3ss" * 100)

    assert "s3cret" not in str(error)
    assert "acc3ss" not in str(error)
