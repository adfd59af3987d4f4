"""gateway/web/openapi.json: valid, up to date, and with exactly the routes of the gateway."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from openapi_spec_validator import validate
from scripts.openapi.document import document
from tests.e2e import routes
from tests.e2e.api import PREFIX
from tests.e2e.documented import DOCUMENT

from registry_grpc.adapters.rest import encoders
from registry_grpc.adapters.rest.descriptor import gateway_descriptor_set
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment

OPERATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (verb, path, operation) for path, found in DOCUMENT["paths"].items() for verb, operation in found.items()
]


def test_it_is_valid_and_up_to_date() -> None:
    validate(DOCUMENT)
    assert document() == DOCUMENT, "run `make generate`"


def routes_of_the_gateway() -> Iterator[tuple[str, str]]:
    files = FileDescriptorSet.FromString(gateway_descriptor_set()).file
    for service in files[-1].service:
        for method in service.method:
            rule = method.options.Extensions[annotations_pb2.http]
            for each in (rule, *rule.additional_bindings):
                if each.WhichOneof("pattern") == "custom":
                    yield each.custom.kind.lower(), each.custom.path
                else:
                    verb = each.WhichOneof("pattern") or ""
                    yield verb, getattr(each, verb)


def test_it_has_the_routes_of_the_gateway_and_no_others() -> None:
    documented = [(verb, re.sub(r"{\w+}", "*", path)) for verb, path, _ in OPERATIONS]
    assert sorted(documented) == sorted(routes_of_the_gateway())


def test_it_has_the_routes_of_the_contract() -> None:
    documented = {(verb.upper(), re.sub(r"{\w+}", "*", path)) for verb, path, _ in OPERATIONS}
    contract = {(route.method, PREFIX + re.sub(r"{\w+}", "*", route.path)) for route in routes.ALL}
    assert documented - contract == {("GET", "/healthz"), ("HEAD", "/healthz")}
    assert contract <= documented


def test_generated_clients_get_one_name_for_each_operation() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch("[a-z][A-Za-z]+", name) for name in names)


def test_numbers_of_seconds_are_those_that_a_duration_can_have() -> None:
    fields = {name: each for kind in DOCUMENT["components"]["schemas"].values() for name, each in _seconds_in(kind)}
    assert len(fields) > 3
    assert all({"minimum", "maximum"} <= field.keys() for field in fields.values())
    assert fields["toleration_seconds"]["minimum"] < 0, "Kubernetes allows it"


def _seconds_in(kind: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The fields that clients send."""
    for name, field in kind.get("properties", {}).items():
        if name.endswith("_seconds") and "null" in field["type"]:
            yield name, field


def test_every_text_is_about_rest() -> None:
    texts = list(descriptions(DOCUMENT))
    assert len(texts) > 300
    others = re.compile(r"gRPC only|\(REST|view BASIC|[A-Z]{4,}_[A-Z]")
    wrong = [text for text in texts if not text.strip() or text.endswith(":") or others.search(text)]
    assert wrong == []


def descriptions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("description"), str):
            yield part["description"]
        for key, each in part.items():
            if key != "example":
                yield from descriptions(each)
    elif isinstance(part, list):
        for each in part:
            yield from descriptions(each)


@pytest.mark.parametrize(
    ("shape", "kind"),
    [
        (encoders.RegisteredModelJson, RegisteredModel),
        (encoders.ModelVersionJson, ModelVersion),
        (encoders.ModelArtifactJson, ModelVersion),
        (encoders.ServingEnvironmentJson, ServingEnvironment),
        (encoders.InferenceServiceJson, InferenceService),
        (encoders.ServeModelJson, ServeModel),
    ],
)
def test_the_types_of_answers_are_those_of_their_objects(shape: type, kind: type) -> None:
    """Encoders take the values of attributes as they are, so the types must be the same, but for what they convert."""
    declared, held = get_type_hints(shape), get_type_hints(kind)
    converted = {"created_at", "updated_at", "tags", "labels", "latest_version", "default_version", "served_models"}
    for key in declared.keys() & held.keys() - converted:
        assert plain(declared[key]) == plain(held[key]), key
    assert declared.keys() - held.keys() <= {"owner_id", "created_by_id", "updated_by_id"}


def plain(kind: Any) -> set[type]:
    """The types that a value may have, where a word is a text. An empty value is omitted, so None may be missing."""
    kinds = get_args(kind) if get_origin(kind) is not None else (kind,)
    return {str if issubclass(each, str) else each for each in kinds} - {type(None)}
