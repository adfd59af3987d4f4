"""Properties between messages and the domain: types, bounds, and every wrong value by its path."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from modelregistry.v1 import registered_model_pb2 as pb
from modelregistry.v1 import serving_environment_pb2
from modelregistry.v1.property_pb2 import PropertyValue
from registry_grpc.adapters.grpc.mapping.common import message_of
from registry_grpc.adapters.grpc.mapping.properties import properties_of, property_message
from registry_grpc.adapters.grpc.parsing import parse, path_of
from registry_grpc.adapters.grpc.request_fields import Reader
from registry_grpc.adapters.rest.body import BodyReader
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.properties import of_time
from registry_grpc.domain.registered_model import NewRegisteredModel, RegisteredModelPatch
from registry_grpc.domain.serving_environment import NewServingEnvironment, ServingEnvironment

VALUES: dict[str, tuple[PropertyValue, dict[str, Any]]] = {
    "int": (PropertyValue(int_value=-(2**63)), {"int": -(2**63)}),
    "zero": (PropertyValue(int_value=0), {"int": 0}),
    "double": (PropertyValue(double_value=0.97), {"double": 0.97}),
    "bool": (PropertyValue(bool_value=False), {"bool": False}),
    "string": (PropertyValue(string_value=""), {"string": ""}),
    "time": (
        PropertyValue(timestamp_value=Timestamp(seconds=1, nanos=5000)),
        {"time": "1970-01-01T00:00:01.000005Z"},
    ),
    "first time": (
        PropertyValue(timestamp_value=Timestamp(seconds=-62_135_596_800)),
        {"time": "0001-01-01T00:00:00.000000Z"},
    ),
    "last time": (
        PropertyValue(timestamp_value=Timestamp(seconds=253_402_300_799, nanos=999_999_000)),
        {"time": "9999-12-31T23:59:59.999999Z"},
    ),
}
WRONG: dict[str, tuple[PropertyValue, str]] = {
    "nothing": (PropertyValue(), "must have a value"),
    "nan": (PropertyValue(double_value=math.nan), "must be a finite number"),
    "infinity": (PropertyValue(double_value=-math.inf), "must be a finite number"),
    "too fine": (PropertyValue(timestamp_value=Timestamp(nanos=1)), "must be in whole microseconds"),
    "negative nanos": (
        PropertyValue(timestamp_value=Timestamp(nanos=-1000)),
        "must be a time from the year 1 to the year 9999",
    ),
    "too late": (
        PropertyValue(timestamp_value=Timestamp(seconds=253_402_300_800)),
        "must be a time from the year 1 to the year 9999",
    ),
    "too early": (
        PropertyValue(timestamp_value=Timestamp(seconds=-62_135_596_801)),
        "must be a time from the year 1 to the year 9999",
    ),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_keep_their_types_both_ways(name: str) -> None:
    message, value = VALUES[name]
    assert properties_of({"k": message}) == {"k": value}
    assert type(next(iter(properties_of({"k": message})["k"].values()))) is type(next(iter(value.values())))
    assert property_message(value) == message


def test_a_double_that_the_database_shows_as_an_integer_stays_a_double() -> None:
    assert property_message({"double": 10**16}) == PropertyValue(double_value=1e16)


def test_negative_zero_becomes_zero() -> None:
    assert str(properties_of({"k": PropertyValue(double_value=-0.0)})) == "{'k': {'double': 0.0}}"


def test_times_sort_as_texts() -> None:
    times = [datetime(999, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 1, 5, UTC)]
    assert sorted(of_time(time)["time"] for time in times) == [of_time(time)["time"] for time in times]


def test_all_wrong_values_are_named_by_their_paths() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        properties_of({name: message for name, (message, _) in WRONG.items()} | {"fine": PropertyValue(int_value=1)})
    assert {v.field: v.description for v in refusal.value.violations} == {
        f"properties.{name}": rule for name, (_, rule) in WRONG.items()
    }
    kind: Any = pb.CreateRegisteredModelRequest.DESCRIPTOR
    path = path_of(kind, "properties.nan")
    assert path == "registered_model.properties.nan"


def test_wrong_properties_are_named_together_with_other_faults() -> None:
    message = pb.NewRegisteredModel(properties={"a": PropertyValue()})
    with pytest.raises(InvalidRequest) as refusal:
        Reader(message).make(NewRegisteredModel)
    assert [violation.field for violation in refusal.value.violations] == ["properties.a", "name"]


def test_a_patch_tells_empty_from_absent() -> None:
    absent = Reader(pb.RegisteredModelPatch()).make(RegisteredModelPatch)
    empty = pb.RegisteredModelPatch()
    empty.properties.SetInParent()
    given = pb.RegisteredModelPatch()
    given.properties.values["a"].bool_value = True
    assert absent == RegisteredModelPatch()
    assert Reader(empty).make(RegisteredModelPatch) == RegisteredModelPatch(properties={})
    assert Reader(given).make(RegisteredModelPatch) == RegisteredModelPatch(properties={"a": {"bool": True}})


def test_properties_have_32_kib() -> None:
    fits = {"é": {"string": "x" * (32 * 1024 - 2 - 32)}}
    assert NewServingEnvironment(name="e", properties=fits).properties == fits
    assert NewServingEnvironment(name="e", properties={f"{n:02}": {"int": n} for n in range(10, 900)})
    for properties in (
        {"é": {"string": "x" * (32 * 1024 - 1 - 32)}},
        {f"{number:04}": {"int": number} for number in range(32 * 1024 // 36 + 1)},
    ):
        with pytest.raises(InvalidRequest, match="properties must be at most 32 KiB in UTF-8") as refusal:
            NewServingEnvironment(name="e", properties=properties)
        assert [violation.field for violation in refusal.value.violations] == ["properties"]


def test_the_size_of_properties_is_not_less_than_that_of_their_message() -> None:
    """So that an object with all its fields at their limits fits into a message."""
    most = {f"{number:04}": {"time": "9999-12-31T23:59:59.999999Z"} for number in range(32 * 1024 // 36)}
    environment = ServingEnvironment.create(
        NewServingEnvironment(name="e", properties=most),
        id=None,  # type: ignore[arg-type]
        project_id=None,  # type: ignore[arg-type]
    )
    message = message_of(serving_environment_pb2.ServingEnvironment, environment)
    assert len(message.properties) == len(most)
    assert message.ByteSize() <= 32 * 1024 + 20


def test_nul_characters_are_named_also_beside_values_without_json() -> None:
    model = pb.NewRegisteredModel(name="m")
    model.properties["time"].timestamp_value.seconds = 2**60
    model.properties["nan"].double_value = math.nan
    model.properties["text"].string_value = "a\x00"
    model.properties["zero\x00"].int_value = 1
    model.tags.tasks.extend(["a", "\x00"])
    request = pb.CreateRegisteredModelRequest(registered_model=model)
    kind: Any = pb.CreateRegisteredModelRequest.DESCRIPTOR
    with pytest.raises(InvalidRequest) as refusal:
        parse(kind, request.SerializeToString())
    assert {(v.field, v.description) for v in refusal.value.violations} == {
        (f"registered_model.{path}", "must not hold NUL characters")
        for path in ("tags.tasks", "properties", "properties.text.string_value")
    }


def test_rest_ignores_what_came_after_the_contract() -> None:
    message = pb.NewRegisteredModel()
    kind: Any = pb.NewRegisteredModel.DESCRIPTOR
    reader = BodyReader(kind)
    reader.read(b'{"name": "m", "properties": 5, "external_id": {"a": 1}}', message)
    assert message == pb.NewRegisteredModel(name="m")
