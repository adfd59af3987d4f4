"""`filter` and `order_by` as a stock gRPC client uses them, and as REST clients cannot."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.builders import fresh
from tests.e2e.rpc import Rpc
from tests.e2e.test_grpc import M, V, new_model, new_version

from modelregistry.v1 import artifact_pb2, model_alias_pb2
from modelregistry.v1.property_pb2 import PropertyValue


@pytest.fixture
def rpc(channel: grpc.Channel) -> Rpc:
    return Rpc(channel)


def names(rpc: Rpc, **fields: Any) -> list[str]:
    answer = rpc.call(rpc.models.ListRegisteredModels, M.ListRegisteredModelsRequest(**fields))
    return [model.name for model in answer.registered_models]


def test_finds_models_by_labels_tags_and_times(rpc: Rpc) -> None:
    team = fresh("team")
    first = new_model(rpc, fresh("a"), labels={"team": team, "app.kubernetes.io/name": "iris"})
    second = new_model(rpc, fresh("b"), labels={"team": team}, tags=M.Tags(tasks=["qa"]))
    new_model(rpc, fresh("c"))

    mine = f'labels.team = "{team}"'
    assert names(rpc, filter=mine, order_by="name") == [first.name, second.name]
    assert names(rpc, filter=mine, order_by="name desc") == [second.name, first.name]
    assert names(rpc, filter=mine) == [second.name, first.name]
    assert names(rpc, filter=f"{mine} labels.app.kubernetes.io/name = iris") == [first.name]
    assert names(rpc, filter=f"{mine} AND tags.tasks:qa") == [second.name]
    assert names(rpc, filter=f"{mine} NOT tags.tasks:qa") == [first.name]
    assert names(rpc, filter=f'{mine} created_at > "{second.created_at.ToJsonString()}"') == []
    assert names(rpc, filter=f"id = {first.id} OR id = {second.id}", limit=1) == [second.name]


def test_finds_versions_by_properties_and_aliases(rpc: Rpc) -> None:
    model = new_model(rpc)
    for name, accuracy in [("v1", 0.5), ("v2", 0.95), ("v3", 0.99)]:
        new_version(rpc, model.id, name, properties={"accuracy": PropertyValue(double_value=accuracy)})
    alias = model_alias_pb2.SetModelAliasRequest(registered_model_id=model.id, name="champion", version="2")
    rpc.call(rpc.aliases.SetModelAlias, alias)

    def found(filter: str) -> list[str]:
        request = V.ListProjectModelVersionsRequest(filter=f"registered_model_id = {model.id} AND ({filter})")
        request.order_by = "name"
        return [each.name for each in rpc.call(rpc.versions.ListProjectModelVersions, request).model_versions]

    assert found("properties.accuracy > 0.9") == ["v2", "v3"]
    assert found("properties.accuracy > 0.9 AND aliases:champion") == ["v2"]
    assert found("aliases:*") == ["v2"]
    assert found('number != 2 properties.accuracy != "0.5"') == []
    assert found("number = 3 OR properties.accuracy = 0.5") == ["v1", "v3"]
    moves = model_alias_pb2.ListModelAliasMovesRequest(
        registered_model_id=model.id, filter="version_number > 1", order_by="moved_at"
    )
    assert [each.name for each in rpc.call(rpc.aliases.ListModelAliasMoves, moves).model_alias_moves] == ["champion"]


def test_an_unknown_number_of_an_enum_is_refused(rpc: Rpc) -> None:
    request = artifact_pb2.ListArtifactsRequest(kind=99)  # type: ignore[arg-type]
    refusal = rpc.refused(rpc.things.ListArtifacts, request)
    assert refusal.code is StatusCode.INVALID_ARGUMENT
    assert refusal.text.startswith("kind has the unknown number 99: it must be one of MODEL, ")


def test_pages_of_a_filter(rpc: Rpc) -> None:
    model = new_model(rpc)
    for number in range(5):
        new_version(rpc, model.id, f"v{number}", labels={"even": "yes"} if number % 2 == 0 else {})

    request = V.ListModelVersionsRequest(registered_model_id=model.id, filter="labels:even", page_size=2)
    first = rpc.call(rpc.versions.ListModelVersions, request)
    request.page_token = first.next_page_token
    second = rpc.call(rpc.versions.ListModelVersions, request)
    assert [[it.name for it in page.model_versions] for page in (first, second)] == [["v4", "v2"], ["v0"]]
    assert not second.next_page_token
    request.filter = "labels:odd"
    assert rpc.refused(rpc.versions.ListModelVersions, request).reason == "INVALID_PAGE_TOKEN"

    counted = V.ListModelVersionsRequest(registered_model_id=model.id, filter="labels:even", limit=1)
    answer = rpc.call(rpc.versions.ListModelVersions, counted)
    assert (answer.total_size, answer.next_offset) == (3, 1)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"filter": "nam = x"}, 'filter at character 1: unknown field "nam": did you mean "name"? Fields: '),
        ({"filter": "name = x AND 🙂"}, 'filter at character 14: "🙂" is not a condition: '),
        ({"filter": "name = " + "é" * 4000}, "filter must be at most 4000 characters"),
        ({"filter": "é" * 3999}, 'filter at character 1: "éééé'),
        ({"order_by": "nam"}, "order_by must be one field, with ` desc` for the descending order; the fields are "),
    ],
)
def test_says_what_is_wrong(rpc: Rpc, fields: dict[str, Any], text: str) -> None:
    request = M.ListRegisteredModelsRequest(**fields)
    refusal = rpc.refused(rpc.models.ListRegisteredModels, request)
    assert refusal.code is StatusCode.INVALID_ARGUMENT
    assert refusal.text.startswith(text)


def test_rest_clients_cannot_filter(api: Api) -> None:
    """The contract ignores parameters that it does not know."""
    model = api.post("/models", {"name": fresh("model")}).json()
    answer = api.get("/models?limit=1&filter=name%20%3D%20nothing&order_by=bogus")
    assert answer.status_code == 200
    assert [item["id"] for item in answer.json()["items"]] == [model["id"]]
