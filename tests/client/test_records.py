"""Objects of the client: they have all fields of their messages, and people can read them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from google.protobuf.json_format import MessageToDict
from tests.client.fake_registry import FakeRegistry

from modelregistry.v1 import deployment_pb2, model_version_pb2, registered_model_pb2
from registry_client import AsyncClient, Client, Rows, deploying, options, resources
from registry_client.options import options_message, options_of
from registry_client.patches import filled, mask
from registry_client.records import Record
from registry_client.resources import ModelRecord, VersionRecord
from registry_client.values import property_message, property_of

MODEL = registered_model_pb2.RegisteredModel(
    name="<b>iris</b>",
    labels={"team": "flowers"},
    tags={"frameworks": ["sklearn"]},
    properties={"accuracy": property_message(0.9)},
    latest_version={"name": "v1", "number": 1},
    version_count=1,
)
MODEL.created_at.FromDatetime(datetime(2026, 1, 31, 12, tzinfo=UTC))


def _kinds() -> list[type[Record[Any]]]:
    modules = (resources, deploying)
    found = {each for module in modules for each in vars(module).values() if isinstance(each, type)}
    return sorted((each for each in found if issubclass(each, Record) and each is not Record), key=lambda k: k.__name__)


@pytest.mark.parametrize("kind", _kinds(), ids=lambda kind: kind.__name__)
def test_every_field_of_the_api_can_be_read(kind: type[Record[Any]]) -> None:
    (base,) = kind.__orig_bases__  # type: ignore[attr-defined] # of Generic
    (message,) = base.__args__
    names = {field.name for field in message.DESCRIPTOR.fields if not field.name.startswith("unknown_")}
    has_properties_instead = {"DeletedVersion": {"model_version"}, "ChainLink": set[str]()}
    assert set(kind.field_names()) == names - has_properties_instead.get(kind.__name__, set())
    record = kind(message())
    assert set(record.to_dict()) == set(kind.field_names())
    assert repr(record).startswith(kind.__name__)
    assert record._repr_html_()
    assert all(hasattr(record, name) for name in kind.shown)


def test_values_are_those_of_python() -> None:
    model = ModelRecord(MODEL)
    assert model.labels == {"team": "flowers"}
    assert model.tags == {"frameworks": ["sklearn"]}
    assert model.properties == {"accuracy": 0.9}
    assert model.created_at == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert (model.updated_at, model.parent_model_id, model.default_version) == (None, None, None)
    assert model.latest_version == VersionRecord(model_version_pb2.ModelVersion(name="v1", number=1))


def test_words_have_no_prefix_and_may_be_newer_than_the_client() -> None:
    message = deployment_pb2.Deployment(phase="DEPLOYMENT_PHASE_FAILED", unknown_reason="SOMETHING_NEW")
    deployment = deploying.DeploymentRecord(message)
    assert (deployment.phase, deployment.reason) == ("FAILED", "SOMETHING_NEW")
    assert deploying.DeploymentRecord(deployment_pb2.Deployment(phase=77)).phase == "77"  # type: ignore[arg-type]


def test_an_object_is_readable() -> None:
    model = ModelRecord(MODEL)
    assert repr(model) == (
        "ModelRecord(name='<b>iris</b>', state='', version_count=1, labels={'team': 'flowers'}, "
        "created_at=2026-01-31 12:00:00)"
    )
    html = model._repr_html_()
    assert "&lt;b&gt;iris&lt;/b&gt;" in html
    assert "<b>iris" not in html
    assert "owner_email" not in html, "what is empty is not shown"


def test_rows_are_a_table() -> None:
    rows = Rows([ModelRecord(MODEL), ModelRecord(MODEL)])
    table = rows.to_pandas()
    assert [name for name in table.columns if "." not in name] == [
        name for name in ModelRecord.field_names() if name not in {"labels", "properties"}
    ]
    assert list(table["version_count"]) == [1, 1]
    assert isinstance(table["created_at"].dtype, pd.DatetimeTZDtype)
    assert rows._repr_html_().count("<tr>") == 3
    assert "&lt;b&gt;iris" in rows._repr_html_()
    empty: Rows[ModelRecord] = Rows()
    assert (len(empty.to_pandas()), empty._repr_html_()) == (0, "<p>There are none.</p>")


def test_labels_and_properties_are_columns_as_filters_call_them() -> None:
    versions: list[dict[str, Any]] = [
        {"name": "v1", "labels": {"stage": "trial"}, "properties": {"f1": property_message(0.5)}},
        {"name": "v2", "properties": {"f1": property_message(0.75), "epochs": property_message(3)}},
        {"name": "v3"},
    ]
    table = Rows(VersionRecord(model_version_pb2.ModelVersion(**each)) for each in versions).to_pandas()
    columns = [name for name in table.columns if name.startswith(("labels", "properties"))]
    assert columns == ["labels.stage", "properties.epochs", "properties.f1"]
    assert list(table["properties.f1"].dropna()) == [0.5, 0.75]
    assert table.sort_values("properties.f1", ascending=False)["name"].iloc[0] == "v2"
    assert list(table["labels.stage"].fillna("none")) == ["trial", "none", "none"]


def test_a_field_cannot_be_set_because_that_would_change_nothing() -> None:
    model = ModelRecord(MODEL)
    with pytest.raises(AttributeError, match=r"^description cannot be set: it is what the registry answered\."):
        model.description = "new"  # type: ignore[assignment] # what is tested


def test_a_deployment_and_its_revisions_tell_what_they_serve() -> None:
    snapshot = deployment_pb2.DeploymentSnapshot(uri="s3://models/iris/1")
    deployment = deploying.DeploymentRecord(deployment_pb2.Deployment(name="iris", snapshot=snapshot))
    revision = deploying.Revision(deployment_pb2.DeploymentRevision(revision=1, snapshot=snapshot))
    for record in (deployment, revision):
        assert record.model_uri == "s3://models/iris/1"
        assert "model_uri='s3://models/iris/1'" in repr(record)
    assert "model_uri=''" in repr(deploying.DeploymentRecord(deployment_pb2.Deployment()))


def test_a_plan_is_readable() -> None:
    finding = deployment_pb2.Finding(message="no runtime", blocking=True)
    plan = deploying.Plan.of(deployment_pb2.PlanDeploymentResponse(manifest='{"kind": "X"}', findings=[finding]))
    assert plan.manifest == {"kind": "X"}
    assert "no runtime" in repr(plan)
    assert "kind" not in repr(plan), "the manifest would hide the findings"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"model_framework_version": 1.4}, "model_framework_version must be a text, but this is a float."),
        ({"labels": {"seed": 1}}, "The keys and values of labels must be texts, but the value of 'seed' is an int."),
        ({"labels": {1: "seed"}}, "The keys and values of labels must be texts, but the key 1 is an int."),
        (
            {"properties": {"f1": [1]}},
            "properties: A property is a bool, int, float, str or datetime, but f1 is a list.",
        ),
        ({"size_bytes": "many"}, "size_bytes: "),
    ],
    ids=["text", "value", "key", "property", "number"],
)
def test_a_value_of_a_wrong_type_is_named(given: dict[str, Any], text: str) -> None:
    with pytest.raises(TypeError) as raised:
        filled(model_version_pb2.NewModelVersion, {"name": "v1", **given})
    assert str(raised.value).startswith(text)


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'registry-grpc-client\[pandas\]'"):
        Rows([ModelRecord(MODEL)]).to_pandas()


def test_a_list_in_a_notebook_shows_its_beginning(registry: FakeRegistry, client: Client) -> None:
    page = registered_model_pb2.ListRegisteredModelsResponse(registered_models=[MODEL] * 15, next_page_token="2")
    registry.answer("ListRegisteredModels", page)
    models = client.models.list(filter="x", order_by="name")
    assert repr(models) == "<list of registered_models: iterate over it, or use all() or to_pandas()>"
    assert registry.asked == []
    html = models._repr_html_()
    assert (html.count("<tr>"), "These are the first 20." in html) == (21, True)
    assert [each.page_token for each in registry.requests("ListRegisteredModels")] == ["", "2"]


def test_pages_are_read_when_they_are_needed(registry: FakeRegistry, client: Client) -> None:
    pages = [
        registered_model_pb2.ListRegisteredModelsResponse(registered_models=[{"name": name}], next_page_token=token)
        for name, token in (("a", "1"), ("b", "2"), ("c", ""))
    ]
    registry.answer("ListRegisteredModels", *pages, pages[0])
    models = client.models.list(filter="x")
    iterator = iter(models)
    assert next(iterator).name == "a"
    assert len(registry.asked) == 1
    assert [each.name for each in iterator] == ["b", "c"]
    assert {each.filter for each in registry.requests("ListRegisteredModels")} == {"x"}
    first = models.first()
    assert first is not None
    assert first.name == "a", "it can be read again from its beginning"
    assert registry.requests("ListRegisteredModels")[-1].page_token == ""


async def test_what_has_a_list_can_be_iterated_over(registry: FakeRegistry, client: Client) -> None:
    page = registered_model_pb2.ListRegisteredModelsResponse(registered_models=[MODEL] * 2)
    registry.answer("ListRegisteredModels", page)
    assert [each.name for each in client.models] == ["<b>iris</b>"] * 2
    assert list(client.models) == list(client.models.list())
    assert repr(client.models) == repr(client.models.list())
    assert client.models._repr_html_() == client.models.list()._repr_html_(), "in a notebook"
    async with AsyncClient(registry.url) as other:
        assert [each.name async for each in other.models] == ["<b>iris</b>"] * 2


@pytest.mark.parametrize(
    ("expression", "advice"),
    [
        ("len(client.models)", r"use the len\(\) of list\(\)\.all\(\)"),
        ("len(client.models.list())", r"use the len\(\) of all\(\)"),
        ("client.models[0]", r"or use list\(\)\.all\(\), which is a list"),
        ("client.models.list()[:3]", r"or use all\(\), which is a list"),
        ("bool(client.models.list())", r"use the len\(\) of all\(\)"),
    ],
)
def test_what_is_not_read_yet_says_how_to_read_it(client: Client, expression: str, advice: str) -> None:
    with pytest.raises(TypeError, match=advice):
        eval(expression)


@pytest.mark.parametrize(
    "value", [True, False, 0, 7, 0.5, "x", "", datetime(2026, 1, 31, 12, 0, 0, 7, tzinfo=UTC)], ids=repr
)
def test_properties_keep_their_types(value: Any) -> None:
    assert property_of(property_message(value)) == value
    assert type(property_of(property_message(value))) is type(value)


def test_numbers_of_numpy_are_properties() -> None:
    numbers: Any = [np.float32(0.5), np.int64(7), np.bool_(True)]
    assert [property_of(property_message(each)) for each in numbers] == [0.5, 7, True]
    with pytest.raises(TypeError, match="this is a list"):
        property_message([1])  # type: ignore[arg-type]


def test_only_what_is_given_is_changed() -> None:
    given = {"name": "", "labels": {}, "properties": {}, "model_size": 0, "description": None}
    patch = filled(registered_model_pb2.RegisteredModelPatch, given)
    assert {field.name for field, _ in patch.ListFields()} == {"name", "labels", "properties", "model_size"}
    assert mask(given, ()) is None
    cleared = mask(given, ["parent_model_id"])
    assert cleared is not None
    assert list(cleared.paths) == ["name", "labels", "properties", "model_size", "parent_model_id"]


OPTIONS: options.Options = {
    "runtime": "kserve-sklearnserver",
    "service_account": "models",
    "deployment_mode": "KNATIVE",
    "min_replicas": 0,
    "max_replicas": 3,
    "scale_metric": "RPS",
    "scale_target": 7,
    "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}},
    "env": {"A": "b"},
    "timeout": 30.0,
    "deadline": 60.0,
    "storage": {"endpoint": "minio:9000", "region": "eu", "anonymous": True, "ca_bundle": "ca", "verify_ssl": False},
    "protocol_version": "GRPC_V2",
    "args": ["--x"],
    "node_selector": {"gpu": "yes"},
    "tolerations": [
        {"key": "gpu", "operator": "EQUAL", "value": "yes", "effect": "NO_EXECUTE", "toleration_period": 5.0}
    ],
    "priority_class_name": "high",
    "shared_memory": "1Gi",
    "image_pull_secrets": ["pull"],
    "storage_uris": [{"uri": "s3://a", "mount_path": "/mnt/a"}],
    "probes": {"startup": 60.0, "timeout": 1.0},
}


def test_every_option_of_the_api_is_an_argument_and_comes_back() -> None:
    message = options_message(OPTIONS)
    assert options_of(message) == OPTIONS
    expected = MessageToDict(message, preserving_proto_field_name=True)
    assert set(expected) == {field.name for field in deployment_pb2.DeploymentOptions.DESCRIPTOR.fields}
    assert set(options.Options.__annotations__) == set(expected)
    for name, kind in (
        ("storage", options.Storage),
        ("probes", options.Probes),
        ("tolerations", options.Toleration),
        ("storage_uris", options.StorageUri),
        ("resources", options.Resources),
    ):
        inner = deployment_pb2.DeploymentOptions.DESCRIPTOR.fields_by_name[name].message_type
        assert inner is not None
        assert set(kind.__annotations__) == {field.name for field in inner.fields}
    assert options_message({"timeout": timedelta(minutes=2)}).timeout.seconds == 120


@pytest.mark.parametrize(
    ("wrong", "error", "complaint"),
    [
        ({"replicas": 1}, TypeError, "DeploymentOptions has no field 'replicas'; there are: runtime, "),
        ({"storage": {"bucket": "x"}}, TypeError, "StorageOptions has no field 'bucket'"),
        ({"deployment_mode": "RAW"}, ValueError, "RAW"),
    ],
)
def test_wrong_options_are_refused(wrong: Any, error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        options_message(wrong)
