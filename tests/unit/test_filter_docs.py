"""docs/filters.md has the fields, orders and indexes of every list."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.test_filter_requests import LISTS, seen

from registry_grpc.adapters.postgres import (
    artifacts,
    inference_services,
    model_versions,
    registered_models,
    serving_environments,
)
from registry_grpc.adapters.postgres.filtering import FilterIndex
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.filter import fields as filter_fields
from registry_grpc.domain.filter.fields import Fields, Kind
from registry_grpc.shipped import PROJECT_ROOT

INDEXES: dict[str, FilterIndex] = {
    "ListRegisteredModels": registered_models._FILTER_INDEX,
    "ListModelVersions": model_versions.FILTER_INDEX,
    "ListProjectModelVersions": model_versions.FILTER_INDEX,
    "ListModelArtifacts": model_versions.FILTER_INDEX,
    "ListArtifacts": artifacts._FILTER_INDEX,
    "ListServingEnvironments": serving_environments._FILTER_INDEX,
    "ListInferenceServices": inference_services._FILTER_INDEX,
}
HEAD = "| list | fields (**bold**: with an index) | `order_by` |\n|---|---|---|\n"


class Caught(Exception):
    """Has the fields of a list."""

    def __init__(self, fields: Fields) -> None:
        self.fields = fields


async def fields_of(servicer: Any, use_cases: int, name: str, rpc: Any) -> Fields:
    try:
        await seen(servicer, use_cases, name, rpc, filter="a = 1")
    except Caught as caught:
        return caught.fields
    raise AssertionError(f"{name} does not check its filter")


async def orders_of(servicer: Any, use_cases: int, name: str, rpc: Any) -> list[str]:
    try:
        await seen(servicer, use_cases, name, rpc, order_by="bogus")
    except InvalidRequest as error:
        return error.message.partition("the fields are ")[2].split(", ")
    except AttributeError:
        return []  # the event log has one order
    raise AssertionError(f"{name} does not check its order")


def listed(name: str, fields: Fields) -> Iterator[str]:
    """The fields by kind. Those with an index are bold."""
    index = INDEXES.get(name)
    for kind in Kind:
        has_index = index and kind in {Kind.MAP, Kind.PROPERTIES, Kind.LIST}
        names = [
            f"**`{field}`**" if has_index or (index and field in {*index.words, *index.columns}) else f"`{field}`"
            for field, each in fields.items()
            if each.kind is kind
        ]
        if names:
            yield f"*{kind}* {' '.join(names)}"


async def test_the_table_of_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    def caught(_tree: object, fields: Fields) -> None:
        raise Caught(fields)

    monkeypatch.setattr(filter_fields, "checked", caught)
    rows: dict[str, list[str]] = {}
    for each in LISTS:
        orders = " ".join(f"`{order}`" for order in await orders_of(*each))
        cells = f"{'; '.join(listed(each[2], await fields_of(*each)))} | {orders}"
        rows.setdefault(cells, []).append(each[2])
    table = HEAD + "".join(f"| {', '.join(names)} | {cells} |\n" for cells, names in rows.items())
    page = (PROJECT_ROOT / "docs" / "filters.md").read_text(encoding="utf-8")
    assert table in page, f"docs/filters.md must have this table:\n{table}"
