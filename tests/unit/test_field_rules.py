"""Required fields, lengths and names: every field of a client at its limit and one above (contract 0.7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any
from uuid import uuid4

import pytest
from tests.fakes.builders import a_new_version

from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment_options import DeploymentOptions, StorageUri, Toleration
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.inference_service import (
    InferenceServiceFilter,
    InferenceServicePatch,
    NewInferenceService,
    fitting_error,
)
from registry_grpc.domain.model_version import (
    ModelFiles,
    ModelVersionFilter,
    ModelVersionKey,
    ModelVersionPatch,
    NewModelVersion,
)
from registry_grpc.domain.patch import changes
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModelFilter, RegisteredModelPatch, Tags
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.domain.serving_environment import (
    NewServingEnvironment,
    ServingEnvironmentFilter,
    ServingEnvironmentPatch,
)


def a_new_model(**fields: Any) -> NewRegisteredModel:
    return NewRegisteredModel(**{"name": "m"} | fields)


def a_version_without_files(**fields: Any) -> NewModelVersion:
    return NewModelVersion(**{"name": "v"} | fields)


def files(**fields: Any) -> ModelFiles:
    required = {"model_framework": "onnx", "model_framework_version": "1.17", "uri": "s3://bucket/key"}
    return ModelFiles(**required | fields)


def a_new_environment(**fields: Any) -> NewServingEnvironment:
    return NewServingEnvironment(**{"name": "e"} | fields)


def a_new_service(**fields: Any) -> NewInferenceService:
    required: dict[str, Any] = {"name": "s", "serving_environment_id": uuid4(), "registered_model_id": uuid4()}
    return NewInferenceService(**required | fields)


def a_new_deployment(**fields: Any) -> NewDeployment:
    return NewDeployment(**{"registered_model_id": uuid4(), "serving_environment_id": uuid4()} | fields)


Make = Callable[..., object]

LIMITS: dict[Make, dict[str, int]] = {
    a_new_model: {"name": 250, "owner_email": 255, "model_type": 50, "external_id": 255},
    RegisteredModelPatch: {"name": 250, "model_type": 50, "state": 50, "deployment_status": 50, "external_id": 255},
    a_new_version: {
        "name": 250,
        "artifact_type": 50,
        "model_framework": 100,
        "model_framework_version": 50,
        "container_image": 500,
        "model_catalog_name": 200,
        "uri": 2000,
        "access_key": 500,
        "secret_key": 500,
        "created_by_email": 255,
        "updated_by_email": 255,
        "external_id": 255,
    },
    ModelVersionPatch: {
        "name": 250,
        "state": 50,
        "status": 50,
        "artifact_type": 50,
        "model_framework": 100,
        "model_framework_version": 50,
        "container_image": 500,
        "uri": 2000,
        "external_id": 255,
    },
    files: {
        "uri": 2000,
        "model_framework": 100,
        "model_framework_version": 50,
        "container_image": 500,
        "access_key": 500,
        "secret_key": 500,
    },
    a_new_environment: {"name": 100, "external_id": 255},
    ServingEnvironmentPatch: {"name": 100, "external_id": 255},
    a_new_service: {"name": 100, "runtime": 50},
    InferenceServicePatch: {"name": 100, "external_id": 255, "url": 500},
}
BY_CONTRACT: list[tuple[Make, str, int]] = [
    *((make, "name", 100) for make in (a_new_model, RegisteredModelPatch, a_new_version, ModelVersionPatch)),
    *((make, "uri", 500) for make in (a_new_version, ModelVersionPatch)),
]
LIMIT_CASES = [(make, field, limit) for make, limits in LIMITS.items() for field, limit in limits.items()]
MIB, KIB = 1 << 20, 1 << 10
TAINT = Toleration(key="spot")


def labels_of(size: int) -> dict[str, str]:
    """Two labels with this many bytes by the rule."""
    return {"é": "", "k": "x" * (size - 2 - 8 - 1 - 8)}


def tags_of(size: int) -> Tags:
    return Tags(tasks=("é",), subjects=("x" * (size - 2 - 4 - 4),))


def text_of(size: int) -> str:
    return "é" + "x" * (size - 2)


def json_of(size: int) -> dict[str, Any]:
    """Metadata with this many bytes by the rule: those of five values, two keys and a string."""
    return {"é": [1.5, None], "k": "x" * (size - 5 * 16 - 2 - 1)}


SIZES: list[tuple[Make, str, int, Callable[[int], object]]] = [
    *((make, "description", 3 * MIB, text_of) for make in (a_new_model, RegisteredModelPatch)),
    *((make, "description", 3 * MIB, text_of) for make in (a_new_version, ModelVersionPatch)),
    *((make, "description", 3 * MIB, text_of) for make in (a_new_environment, ServingEnvironmentPatch)),
    *((make, "labels", 704 * KIB, labels_of) for make in (a_new_model, RegisteredModelPatch)),
    *((make, "labels", 704 * KIB, labels_of) for make in (a_new_version, ModelVersionPatch)),
    *((make, "labels", 704 * KIB, labels_of) for make in (a_new_service, InferenceServicePatch, a_new_deployment)),
    *((make, "tags", 256 * KIB, tags_of) for make in (a_new_model, RegisteredModelPatch)),
    (InferenceServicePatch, "last_error", 64 * KIB, text_of),
    *((make, "readme", 128 * KIB, text_of) for make in (a_new_version, ModelVersionPatch)),
    *((make, "metadata", 128 * KIB, json_of) for make in (a_new_version, ModelVersionPatch)),
]
CONDITIONS: list[tuple[Make, tuple[str, ...]]] = [
    (RegisteredModelFilter, ("state", "model_type", "search")),
    (ModelVersionFilter, ("state", "status")),
    (ModelVersionKey, ("name",)),
    (ServingEnvironmentFilter, ("search",)),
    (InferenceServiceFilter, ("desired_state", "current_state")),
    (ServeModelFilter, ("state",)),
]
REQUIRED: dict[Make, tuple[str, ...]] = {
    a_new_model: ("name",),
    a_new_version: ("name", "model_framework", "model_framework_version", "uri"),
    a_version_without_files: ("name",),
    files: ("model_framework", "model_framework_version", "uri"),
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


@pytest.mark.parametrize(("make", "field", "limit"), BY_CONTRACT)
def test_rest_has_the_narrower_limits_of_the_contract(make: Make, field: str, limit: int) -> None:
    assert getattr(make(**{field: "x" * limit}, by_contract=True), field) == "x" * limit

    error = refusal_of(make, **{field: "x" * (limit + 1)}, by_contract=True)
    assert error.message == f"{field} must be at most {limit} characters"


@pytest.mark.parametrize(
    "said",
    [{"uri": "s3://b/k"}, {"model_framework": "onnx"}, {"secret_key": "k"}, {"size_bytes": 1}, {"by_contract": True}],
)
def test_a_version_has_all_of_its_files_or_none(said: dict[str, Any]) -> None:
    assert a_version_without_files().uri == ""

    error = refusal_of(a_version_without_files, **said)
    needed = [name for name in ("model_framework", "model_framework_version", "uri") if name not in said]
    assert [(v.field, v.description) for v in error.violations] == [(name, "is required") for name in needed]


@pytest.mark.parametrize("make", [a_new_version, ModelVersionPatch, files])
def test_digest_and_size_are_checked(make: Make) -> None:
    digest = "sha256:" + "0123456789abcdef" * 4
    assert make(digest=digest, size_bytes=2**63 - 1)
    assert make(digest="", size_bytes=0)
    for wrong in ("sha256:" + "A" * 64, "sha256:" + "a" * 63, digest + "\n", digest[7:], "md5:" + "0" * 32):
        error = refusal_of(make, digest=wrong, size_bytes=-1)
        assert error.message == (
            "digest must be `sha256:` and 64 lower-case hexadecimal digits; size_bytes must not be negative"
        )


@pytest.mark.parametrize(("make", "field", "limit", "value_of"), SIZES)
def test_a_field_may_have_as_many_bytes_as_its_size(
    make: Make, field: str, limit: int, value_of: Callable[[int], object]
) -> None:
    assert getattr(make(**{field: value_of(limit)}), field) == value_of(limit)

    error = refusal_of(make, **{field: value_of(limit + 1)})
    assert [violation.field for violation in error.violations] == [field]
    assert f"must be at most {limit // MIB} MiB" in error.message or f"at most {limit // KIB} KiB" in error.message


@pytest.mark.parametrize("make", [a_new_model, a_new_version, a_new_service, a_new_deployment])
def test_twenty_thousand_labels_are_few_enough(make: Make) -> None:
    assert make(labels={f"key{number:05}": "value" * 4 for number in range(20_000)})


def test_twenty_thousand_tags_are_few_enough() -> None:
    assert a_new_model(tags=Tags(tasks=tuple(f"task{number}" for number in range(20_000))))


def test_a_text_of_the_cluster_is_cut_to_the_limit_of_last_error() -> None:
    text = "éx" * 30_000
    cut = fitting_error(text)

    assert text.startswith(cut)
    assert len(cut.encode()) == 64 * KIB - 1
    assert InferenceServicePatch(last_error=cut)
    assert fitting_error("short") == "short"


@pytest.mark.parametrize("make", [a_new_service, a_new_deployment])
def test_a_request_names_a_hundred_versions_at_most(make: Make) -> None:
    assert make(model_version_ids=tuple(uuid4() for _ in range(100)))

    error = refusal_of(make, model_version_ids=tuple(uuid4() for _ in range(101)))
    assert error.message == "model_version_ids must be at most 100 versions"


def _option(name: str, value: object) -> dict[str, object]:
    return {"options": DeploymentOptions(**{name: value})}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "longest", "too_long", "message"),
    [
        ("runtime", "é" * 253, "é" * 254, "options.runtime must be at most 253 characters"),
        ("service_account", "a" * 253, "a" * 254, "options.service_account must be at most 253 characters"),
        ("storage_endpoint", "a" * 500, "a" * 501, "options.storage.endpoint must be at most 500 characters"),
        ("storage_region", "a" * 100, "a" * 101, "options.storage.region must be at most 100 characters"),
        ("storage_ca_bundle", "a" * 253, "a" * 254, "options.storage.ca_bundle must be at most 253 characters"),
        ("priority_class_name", "a" * 253, "a" * 254, "options.priority_class_name must be at most 253 characters"),
        ("args", ("a",) * 64, ("a",) * 65, "options.args must be at most 64 items"),
        ("args", ("é" * 1024,), ("é" * 1024 + "a",), "options.args must have texts of at most 2048 bytes in UTF-8"),
        ("image_pull_secrets", ("a",) * 16, ("a",) * 17, "options.image_pull_secrets must be at most 16 items"),
        ("tolerations", (TAINT,) * 32, (TAINT,) * 33, "options.tolerations must be at most 32 items"),
        (
            "tolerations",
            (replace(TAINT, value="a" * 253),),
            (replace(TAINT, value="a" * 254),),
            "options.tolerations must have texts of at most 253 bytes in UTF-8",
        ),
        (
            "storage_uris",
            (StorageUri(uri="a" * 500, mount_path="/mnt/a"),),
            (StorageUri(uri="a" * 501, mount_path="/mnt/a"),),
            "options.storage_uris must have texts of at most 500 bytes in UTF-8",
        ),
        *(
            case
            for name, place, value, longest, most in (
                ("env", "env", "x", 4096, 256),
                ("requests", "resources.requests", "1", 64, 256),
                ("limits", "resources.limits", "1", 64, 256),
                ("node_selector", "node_selector", "x", 63, 32),
            )
            for case in (
                (
                    name,
                    {f"k{number}": value for number in range(most)},
                    {f"k{number}": value for number in range(most + 1)},
                    f"options.{place} must be at most {most} entries",
                ),
                (
                    name,
                    {"k" * 253: value},
                    {"k" * 254: value},
                    f"options.{place} must have keys of at most 253 characters",
                ),
                (
                    name,
                    {"k": value * longest},
                    {"k": value * (longest + 1)},
                    f"options.{place} must have values of at most {longest} bytes in UTF-8",
                ),
            )
        ),
    ],
)
def test_options_have_limits(name: str, longest: object, too_long: object, message: str) -> None:
    assert a_new_deployment(**_option(name, longest))

    assert refusal_of(a_new_deployment, **_option(name, too_long)).message == message


@pytest.mark.parametrize(("make", "field"), REQUIRED_CASES)
def test_a_required_text_must_not_be_empty(make: Make, field: str) -> None:
    error = refusal_of(make, **{field: ""})

    assert [(v.field, v.description) for v in error.violations] == [(field, "is required")]
    assert getattr(make(**{field: " "}), field) == " "


def test_all_violations_are_reported_together_with_missing_fields_first() -> None:
    error = refusal_of(
        a_new_version,
        name="n" * 101,
        model_framework="",
        model_framework_version="",
        uri="",
        artifact_type="a" * 51,
        by_contract=True,
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
            {"name", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels",
             "owner_email", "parent_model_id", "external_id", "properties"},
        ),
        (
            ModelVersionPatch,
            {"name", "description", "is_default", "state", "status", "artifact_type", "model_framework",
             "model_framework_version", "container_image", "uri", "labels", "access_key", "secret_key",
             "model_catalog_name", "prebuilt_container_id", "external_id", "properties",
             "readme", "metadata", "digest", "size_bytes"},
        ),
        (ServingEnvironmentPatch, {"name", "description", "external_id", "drift_policy", "properties"}),
        (
            InferenceServicePatch,
            {"name", "desired_state", "current_state", "external_id", "url", "last_error", "labels",
             "model_version_id", "properties"},
        ),
    ],
)  # fmt: skip
def test_fields_that_a_patch_can_change(make: Any, names: set[str]) -> None:
    assert {field.name for field in fields(make)} == names


def test_the_text_of_a_refusal_does_not_repeat_the_value() -> None:
    error = refusal_of(a_new_version, secret_key="s3cret" * 100, access_key="acc3ss" * 100)

    assert "s3cret" not in str(error)
    assert "acc3ss" not in str(error)
