"""A raw REST request becomes the typed request of its RPC."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.json_format import MessageToDict

from modelregistry.v1 import (
    deployment_pb2,
    inference_service_pb2,
    model_version_pb2,
    registered_model_pb2,
    serving_environment_pb2,
)
from registry_grpc.adapters.rest.requests import NoSuchRouteError, RequestReader
from registry_grpc.adapters.rest.target import UNREADABLE
from registry_grpc.domain.errors import InvalidRequest

API = "/api/v1/model-registry"
A, B = str(UUID(int=1)), str(UUID(int=2))


def method(name: str) -> MethodDescriptor:
    for file in (
        deployment_pb2,
        inference_service_pb2,
        model_version_pb2,
        registered_model_pb2,
        serving_environment_pb2,
    ):
        for service in file.DESCRIPTOR.services_by_name.values():
            if name in service.methods_by_name:
                found: MethodDescriptor = service.methods_by_name[name]
                return found
    raise KeyError(name)


def read(name: str, target: str, body: bytes = b"") -> Any:
    message = RequestReader(method(name)).read(API + target, body)
    assert type(message).DESCRIPTOR is method(name).input_type
    return MessageToDict(message, preserving_proto_field_name=True)


def refusal_of(name: str, target: str, body: bytes = b"") -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        read(name, target, body)
    return refusal.value


# --- the path ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "target", "fields"),
    [
        ("GetRegisteredModel", f"/models/{A}", {"id": A}),
        ("GetRegisteredModel", f"/models/{A}//", {"id": A}),
        ("GetRegisteredModel", f"/models/{A.replace('-', '%2d')}", {"id": A}),
        ("GetRegisteredModel", "/models/abc", {"id": "abc"}),
        ("GetRegisteredModel", "/models/%00", {"id": "\0"}),
        ("GetRegisteredModel", "/models/%ff", {"id": "\ufffd"}),
        ("GetRegisteredModel", "/models/%zz", {"id": UNREADABLE}),
        ("GetRegisteredModel", f"/models/{A}?id={B}&model_id={B}", {"id": A}),
        ("ListModelVersions", "/models//versions", {"registered_model_id": UNREADABLE}),
        ("ListModelVersions", f"/models/{A}/versions?registered_model_id={B}&id={B}", {"registered_model_id": A}),
        ("GetModelVersion", f"/model_versions/{A}", {"id": A}),
        ("GetModelVersion", f"/models/{A}/versions/{B}", {"registered_model_id": A, "id": B}),
        ("UndeployModel", f"/inference_services/{A}/undeploy", {"id": A}),
        ("ListRegisteredModels", "/models", {}),
        ("ListRegisteredModels", "/models/", {}),
    ],
)
def test_ids_of_the_path(name: str, target: str, fields: dict[str, str]) -> None:
    assert read(name, target) == fields


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("GetRegisteredModel", "/models/a%2Fb"),
        ("GetRegisteredModel", f"/models/{A}%2f"),
        ("GetModelVersion", f"/models/{A}%2Fx/versions/{B}"),
        ("GetModelVersion", f"/models/{A}/versions/%2F"),
        ("GetRegisteredModel", f"/models/{A}/versions"),
        ("GetRegisteredModel", f"/model/{A}"),
        ("GetRegisteredModel", "/models"),
        ("GetModelVersion", f"/models/{A}/version/{B}"),
        ("ListRegisteredModels", "//models"),
    ],
)
def test_another_path_is_no_route(name: str, target: str) -> None:
    with pytest.raises(NoSuchRouteError):
        read(name, target)


# --- the body ----------------------------------------------------------------------------------------------------


def test_the_body_fills_its_field_and_nothing_else() -> None:
    body = b'{"name":"n","id":"x","registered_model_id":"y","project_id":"z"}'
    assert read("CreateModelVersion", f"/models/{A}/versions", body) == {
        "registered_model_id": A,
        "model_version": {"name": "n"},
    }
    body = b'{"name":"n","id":"x","registered_model":{"name":"o"}}'
    assert read("UpdateRegisteredModel", f"/models/{A}", body) == {"id": A, "registered_model": {"name": "n"}}


@pytest.mark.parametrize("body", [b"{}", b"null", b'{"unknown":1}'])
def test_an_empty_body_is_present(body: bytes) -> None:
    assert read("UpdateRegisteredModel", f"/models/{A}", body) == {"id": A, "registered_model": {}}
    assert read("CreateRegisteredModel", "/models", body) == {"registered_model": {}}


def test_no_body_is_eof_where_one_is_read() -> None:
    assert refusal_of("CreateRegisteredModel", "/models").message == "EOF"
    assert refusal_of("UpdateRegisteredModel", f"/models/{A}", b" ").message == "EOF"


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"no JSON", b'{"id":"x"}', b"\xff"])
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("GetRegisteredModel", f"/models/{A}"),
        ("DeleteRegisteredModel", f"/models/{A}"),
        ("UndeployModel", f"/inference_services/{A}/undeploy"),
        ("SyncInferenceService", f"/inference_services/{A}/sync"),
    ],
)
def test_a_body_that_no_rule_reads_is_ignored(name: str, target: str, body: bytes) -> None:
    assert read(name, target, body) == {"id": A}


@pytest.mark.parametrize("id_", ["abc", "%00", "%ff", "%zz", f"{A}0", ""])
def test_the_body_is_not_looked_at_when_an_id_is_no_uuid(id_: str) -> None:
    for body in (b"", b"no JSON", b'{"name":1}', b"[" * 5000):
        message = read("CreateModelVersion", f"/models/{id_}/versions", body)
        assert message.keys() == {"registered_model_id"}
        for left, right in ((id_, A), (A, id_ or "x")):
            message = read("UpdateModelVersion", f"/models/{left}/versions/{right}", body)
            assert message.keys() == {"registered_model_id", "id"}


@pytest.mark.parametrize("id_", [A, A.upper(), A.replace("-", ""), "0" * 32])
def test_the_body_is_read_when_all_ids_are_uuids(id_: str) -> None:
    assert refusal_of("CreateModelVersion", f"/models/{id_}/versions", b"no").message.startswith("invalid JSON")
    assert refusal_of("UpdateModelVersion", f"/models/{id_}/versions/{id_}").message == "EOF"


def test_a_bad_body_is_refused_before_a_query_is_read() -> None:
    assert refusal_of("CreateRegisteredModel", "/models?name=%00", b"").message == "EOF"


# --- the query ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("state=LIVE&limit=5&offset=-1", {"state": "LIVE", "limit": "5", "offset": "-1"}),
        ("limit=%2B5&offset=+5", {"limit": "5", "offset": "0"}),
        ("limit=abc&offset=", {"limit": "0", "offset": "0"}),
        ("limit=99999999999999999999&offset=-99999999999999999999", {"limit": str(2**63 - 1), "offset": str(-(2**63))}),
        ("limit=2&limit=3&state=a&state=b", {"limit": "2", "state": "a"}),
        ("limit=&limit=3", {"limit": "0"}),
        ("limit=%zz&limit=3;&limit=4", {"limit": "4"}),
        ("search=a+b%2Bc%20%C3%A9%25", {"search": "a b+c é%"}),
        ("search=%zz&state=x;y", {}),
        ("state=&state=LIVE", {}),
        ("sortBy=name&modelType=x&Limit=5&LIMIT=5", {}),
        ("page_size=x&page_token=x&pageSize=-1&pageToken=", {}),
        ("unknown=%ff&%ff=1&un.known=%00&=3&&=", {}),
        ("%73tate=LIVE", {"state": "LIVE"}),
        ("state[]=LIVE&state.x=1", {}),
    ],
)
def test_the_query_of_a_list(query: str, fields: dict[str, str]) -> None:
    assert read("ListRegisteredModels", f"/models?{query}") == fields


def test_the_query_of_a_find_has_the_contracts_names() -> None:
    query = "externalId=e&parentResourceId=p&name=n&registered_model_id=m"
    assert read("FindModelVersion", f"/model_version?{query}") == {
        "external_id": "e",
        "parent_resource_id": "p",
        "name": "n",
        "registered_model_id": "m",
    }
    assert read("FindModelVersion", "/model_version?external_id=e&parent_resource_id=p&registeredModelId=m") == {}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("search=%ff", "search must be UTF-8"),
        ("search=a%00b", "search must not hold NUL characters"),
        ("limit=%00", "limit must not hold NUL characters"),
        ("limit=%ff", "limit must be UTF-8"),
        ("search=%ff&state=%00&sort_by=x", "search must be UTF-8; state must not hold NUL characters"),
    ],
)
def test_a_parameter_that_is_no_text_is_named(query: str, text: str) -> None:
    assert refusal_of("ListRegisteredModels", f"/models?{query}").message == text


def test_the_second_of_equal_parameters_is_not_looked_at() -> None:
    assert read("ListRegisteredModels", "/models?search=a&search=%ff&search=%00") == {"search": "a"}


def test_a_parameter_is_named_as_the_client_wrote_it() -> None:
    assert refusal_of("FindModelVersion", "/model_version?externalId=%00").message == (
        "externalId must not hold NUL characters"
    )


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("DeleteRegisteredModel", f"/models/{A}?id={B}"),
        ("SyncInferenceService", f"/inference_services/{A}/sync?id={B}&id=%00"),
        ("GetModelVersion", f"/model_versions/{A}?registered_model_id={B}&id={B}&registered_model_id=%ff"),
    ],
)
def test_only_lists_and_finds_have_a_query(name: str, target: str) -> None:
    assert read(name, target) == {"id": A}


def test_a_query_never_sets_fields_of_the_body() -> None:
    target = f"/models/{A}?registered_model.name=x&name=x&registered_model=x"
    assert read("UpdateRegisteredModel", target, b"{}") == {"id": A, "registered_model": {}}


# --- at the start ------------------------------------------------------------------------------------------------


def a_method(*paths: str, body: str = "", kind: str = "string") -> MethodDescriptor:
    """A method with these paths, whose request has the fields `id`, `other_id` and `value`."""
    file = FileDescriptorProto(name="t.proto", package="t", syntax="proto3")
    file.message_type.add(name="Empty")
    request = file.message_type.add(name="Request")
    for number, name in enumerate(("id", "other_id"), 1):
        request.field.add(name=name, number=number, type="TYPE_STRING", label="LABEL_OPTIONAL")
    if kind == "string":
        request.field.add(name="value", number=3, type="TYPE_STRING", label="LABEL_OPTIONAL")
    else:
        request.field.add(name="value", number=3, type="TYPE_MESSAGE", type_name=kind, label="LABEL_OPTIONAL")
    made = file.service.add(name="Service").method.add(name="Do", input_type=".t.Request", output_type=".t.Empty")
    rule = made.options.Extensions[annotations_pb2.http]
    rule.post, rule.body = paths[0], body
    for path in paths[1:]:
        rule.additional_bindings.add(post=path, body=body)
    file.dependency.append(annotations_pb2.DESCRIPTOR.name)
    pool = descriptor_pool.DescriptorPool()
    for needed in ("google/protobuf/descriptor.proto", "google/api/http.proto", "google/api/annotations.proto"):
        proto = FileDescriptorProto()
        descriptor_pool.Default().FindFileByName(needed).CopyToProto(proto)
        pool.Add(proto)
    pool.Add(file)
    return pool.FindServiceByName("t.Service").methods_by_name["Do"]


@pytest.mark.parametrize("paths", [("/a/{id}", "/b/{id}"), ("/a/{id}", "/a/{id}/x", "/{other_id}/b")])
def test_ambiguous_paths_are_refused(paths: tuple[str, ...]) -> None:
    with pytest.raises(TypeError, match=r"the paths of t\.Service\.Do cannot be told apart by their length"):
        RequestReader(a_method(*paths))


def test_a_body_that_is_no_message_is_noticed() -> None:
    with pytest.raises(TypeError, match=r"the body of t\.Service\.Do is not a message"):
        RequestReader(a_method("/a/{id}", body="value"))


def test_paths_of_different_lengths_are_distinct() -> None:
    reader = RequestReader(a_method("/a/{id}", "/a/{id}/b/{other_id}"))
    assert MessageToDict(reader.read(f"/a/{A}", b""), preserving_proto_field_name=True) == {"id": A}
    message = reader.read(f"/a/{A}/b/{B}", b"")
    assert MessageToDict(message, preserving_proto_field_name=True) == {"id": A, "other_id": B}
