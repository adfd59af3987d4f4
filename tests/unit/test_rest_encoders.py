"""The bytes of REST answers: the order of keys, nulls, times and omitted keys (contract 0.11, 0.12)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest
from tests.fakes.builders import a_model, a_serve_model, a_service, a_version, an_environment

from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.registered_model import RegisteredModel, Tags

PROJECT = UUID(int=1)
TIME = datetime(2026, 2, 11, 8, 0, 38, 999_990, tzinfo=UTC)


def text_of(encoded: Any) -> str:
    return encoders.json_bytes(encoded).decode()


def model(**fields: Any) -> RegisteredModel:
    fields = {"id": UUID(int=2), "created_at": TIME, "updated_at": TIME, "name": "m", "slug": "m"} | fields
    return a_model(PROJECT, **fields)


def test_a_model_is_these_bytes() -> None:
    plain = model(owner_email="", description="<é>", labels={"b": "2", "a": "1"}, tags=Tags(tasks=("x",)), model_size=5)
    assert text_of(encoders.model(plain)) == (
        '{"id":"00000000-0000-0000-0000-000000000002","created_at":"2026-02-11T08:00:38Z",'
        '"updated_at":"2026-02-11T08:00:38Z","project_id":"00000000-0000-0000-0000-000000000001","owner_id":null,'
        f'"name":"m","slug":"m","description":"\\u003cé\\u003e","model_type":"{plain.model_type}","model_size":5,'
        f'"state":"{plain.state}","deployment_status":"{plain.deployment_status}",'
        '"tags":{"frameworks":[],"architectures":[],"tasks":["x"],"subjects":[]},"labels":{"a":"1","b":"2"},'
        '"parent_model_id":null,"version_count":0}'
    )


def test_a_model_only_shows_keys_with_values() -> None:
    version = a_version(model(), created_by_email="a@b.c", updated_by_email="d@e.f")
    whole = model(owner_email="o@b.c", parent_model_id=UUID(int=9), latest_version=version, default_version=version)
    encoded = orjson.loads(text_of(encoders.model(whole)))
    assert list(encoded)[4:7] == ["owner_id", "owner_email", "name"]
    assert list(encoded)[-3:] == ["version_count", "latest_version", "default_version"]
    assert (encoded["owner_email"], encoded["parent_model_id"]) == ("o@b.c", str(UUID(int=9)))
    # The versions of a model have no emails, but the version itself has (quirk Q51).
    alone = orjson.loads(text_of(encoders.version(version)))
    assert (alone.pop("created_by_email"), alone.pop("updated_by_email")) == ("a@b.c", "d@e.f")
    assert encoded["latest_version"] == encoded["default_version"] == alone


def test_a_version_and_an_artifact_have_their_keys_in_order() -> None:
    version = a_version(model(), labels={"b": "2", "a": "1"}, prebuilt_container_id=UUID(int=8))
    assert list(encoders.version(version._replace(created_by_email="a", updated_by_email="b"))) == [
        *("id", "created_at", "updated_at", "registered_model_id", "name", "description", "is_default", "state"),
        *("status", "created_by_id", "updated_by_id", "created_by_email", "updated_by_email", "artifact_type"),
        *("model_framework", "model_framework_version", "container_image", "model_catalog_name", "uri", "labels"),
        "prebuilt_container_id",
    ]
    artifact = encoders.artifact(version)
    assert list(artifact) == [
        *("id", "created_at", "updated_at", "registered_model_id", "name", "artifact_type", "model_framework"),
        *("model_framework_version", "container_image", "uri", "labels", "prebuilt_container_id"),
    ]
    assert (list(artifact["labels"]), artifact["prebuilt_container_id"]) == (["a", "b"], UUID(int=8))


@pytest.mark.parametrize(
    ("microsecond", "text"),
    [(0, ""), (1, ".000001"), (10, ".00001"), (346_230, ".34623"), (500_000, ".5"), (999_999, ".999999")],
)
def test_times_of_serving_objects_have_microseconds_without_trailing_zeros(microsecond: int, text: str) -> None:
    time = TIME.replace(second=30, microsecond=microsecond)
    environment = an_environment(PROJECT, created_at=time, updated_at=TIME)
    service = a_service(environment, model(), created_at=time, updated_at=TIME)
    served = a_serve_model(service, a_version(model()), created_at=time, updated_at=TIME)
    encoded: list[Any] = [
        encoders.environment(environment),
        encoders.service(service),
        encoders.serve_model(served),
    ]
    for one in encoded:
        assert one["created_at"] == f"2026-02-11T08:00:30{text}Z"
        assert one["updated_at"] == "2026-02-11T08:00:38.99999Z"


def test_empty_texts_of_serving_objects_are_omitted() -> None:
    environment = an_environment(PROJECT, external_id="")
    service = a_service(
        environment,
        model(),
        external_id="",
        serving_environment_name="",
        registered_model_name="",
        url="",
        last_error="",
        labels={"b": "", "a": ""},
        served_models=(),
        model_version_id=None,
    )
    assert "external_id" not in encoders.environment(environment)
    assert list(encoders.environment(replace(environment, external_id="x")))[-2:] == ["external_id", "drift_policy"]
    assert list(encoders.service(service)) == [
        *("id", "created_at", "updated_at", "name", "serving_environment_id", "registered_model_id", "desired_state"),
        *("current_state", "runtime", "labels"),
    ]
    assert list(encoders.service(service)["labels"]) == ["a", "b"]
    served = a_serve_model(service, a_version(model()), inference_service_name="", model_version_name="")
    assert list(encoders.serve_model(served)) == [
        *("id", "created_at", "updated_at", "inference_service_id", "model_version_id", "last_known_state"),
    ]


def test_a_service_only_shows_keys_with_values_in_order() -> None:
    service = a_service(an_environment(PROJECT), model())
    served = a_serve_model(service, a_version(model()))
    whole = replace(
        service,
        external_id="x",
        serving_environment_name="e",
        registered_model_name="m",
        model_version_id=UUID(int=5),
        url="u",
        last_error="l",
        served_models=(served,),
    )
    encoded = encoders.service(whole)
    assert list(encoded) == [
        *("id", "created_at", "updated_at", "name", "external_id", "serving_environment_id"),
        *("serving_environment_name", "registered_model_id", "registered_model_name", "model_version_id"),
        *("desired_state", "current_state", "runtime", "url", "last_error", "labels", "served_models"),
    ]
    assert encoded["served_models"] == [encoders.serve_model(served)]
