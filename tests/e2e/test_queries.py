"""Queries are read as by the Go service (contract 0.9, 0.10; decisions 4 and 5). `test_paging.py` has the pages."""

from __future__ import annotations

import pytest
from tests.e2e.api import Api
from tests.e2e.builders import World, a_model
from tests.e2e.checks import assert_error, json_of
from tests.e2e.routes import MODEL, VERSION


@pytest.mark.parametrize(
    ("query", "same_as"),
    [
        ("sort_by=name&sort_by=id", "sort_by=name"),
        ("sort_by=name&order=asc&order=desc", "sort_by=name&order=asc"),
        ("model_type=PRETRAIN&model_type=llm", "model_type=PRETRAIN"),
        ("model_type=&model_type=PRETRAIN", ""),
        ("sortBy=name&modelType=PRETRAIN&Search=a&SORT_BY=name", ""),
        ("search=%zz", ""),
        ("model_type=%zz&model_type=PRETRAIN", "model_type=PRETRAIN"),
        ("model_type=PRETRAIN;x&sort_by=name", "sort_by=name"),
        ("%73ort_by=name", "sort_by=name"),
        ("page_token=nonsense&page_size=-1", ""),
    ],
)
def test_a_query_is_read_as_the_go_service_read_it(api: Api, query: str, same_as: str) -> None:
    for name in ("b", "a", "c"):
        a_model(api, name, model_type="PRETRAIN" if name == "a" else "llm")
    assert json_of(api.get(f"/models?{query}")) == api.read(f"/models?{same_as}")


def test_a_find_knows_the_names_of_the_contract_only(world: World) -> None:
    id_ = world.model["id"]
    assert json_of(world.api.get("/model", externalId=id_)) == world.api.read(f"/models/{id_}")
    for name in ("parentResourceId", "registered_model_id"):
        assert json_of(world.api.get("/model_version", **{name: id_})) == world.version
    for path, name in (
        ("/model", "external_id"),
        ("/model_version", "parent_resource_id"),
        ("/model_version", "registeredModelId"),
    ):
        assert_error(world.api.get(path, **{name: id_}), 404, MODEL if path == "/model" else VERSION)
