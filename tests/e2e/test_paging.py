"""`limit`, `offset` and the list envelope on every list route (contract 0.9; Q4, Q21, Q22)."""

from __future__ import annotations

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import World, a_model, a_serve_model, a_service, a_version, an_artifact, an_environment
from tests.e2e.checks import assert_page
from tests.e2e.routes import LISTS, Route

MAX = 9223372036854775807
NO_INTEGERS = ["", "abc", "1.5", "%202", "2%20", "0x10", "1e2", "null", "1_0", "%D9%A2"]

every_list = pytest.mark.parametrize("route", LISTS, ids=str)


@pytest.fixture(scope="module")
def five(http: httpx.Client) -> World:
    """A project with five objects of every kind, which no test changes."""
    world = World(Api(http))
    for _ in range(4):
        a_model(world.api)
        an_environment(world.api)
        a_service(world.api, world.environment, world.model)
    for create in (a_version, an_artifact) * 2:
        a_serve_model(world.api, world.service, create(world.api, world.model["id"]))
    return world


def ids_of(world: World, route: Route) -> list[str]:
    """The ids of all five, newest first."""
    items = assert_page(world.api.get(world.path(route.path)), total=5)
    return [item["id"] for item in items]


@every_list
def test_an_empty_list(api: Api, route: Route) -> None:
    path = route.path.format(model=api.project_id)
    assert assert_page(api.get(path), total=0) == []


@every_list
@pytest.mark.parametrize(
    ("query", "rows", "page_size"),
    [
        ("", slice(0, 5), 20),
        ("?limit=2", slice(0, 2), 2),
        ("?limit=2&offset=2", slice(2, 4), 2),
        ("?limit=2&offset=4", slice(4, 5), 2),
        ("?offset=3", slice(3, 5), 20),
        ("?limit=5", slice(0, 5), 5),
        ("?limit=1000", slice(0, 5), 1000),
        ("?limit=0", slice(0, 5), 0),
        ("?limit=-1", slice(0, 5), -1),
        ("?limit=-1000", slice(0, 5), -1000),
        (f"?limit={MAX}", slice(0, 5), MAX),
        ("?limit=%2B2", slice(0, 2), 2),
        ("?offset=-1", slice(0, 5), 20),
        ("?offset=-9223372036854775808", slice(0, 5), 20),
        ("?offset=%2B1", slice(1, 5), 20),
        ("?limit=03", slice(0, 3), 3),
        ("?limit=99999999999999999999", slice(0, 5), MAX),
        ("?limit=-99999999999999999999", slice(0, 5), -MAX - 1),
        ("?offset=-99999999999999999999", slice(0, 5), 20),
        (f"?limit=-{'0' * 30}", slice(0, 5), 0),
        *((f"?limit={text}", slice(0, 5), 0) for text in NO_INTEGERS),
        *((f"?limit=2&offset={text}", slice(0, 2), 2) for text in NO_INTEGERS),
        ("?limit=2&limit=3", slice(0, 2), 2),
        ("?limit=&limit=3", slice(0, 5), 0),
        ("?offset=3&offset=0", slice(3, 5), 20),
        ("?limit=%zz&limit=2", slice(0, 2), 2),
        ("?limit=1;offset=1&limit=2", slice(0, 2), 2),
        ("?Limit=1&LIMIT=1&page_size=1&pageSize=1&limit[]=1", slice(0, 5), 20),
    ],
)
def test_limit_and_offset(five: World, route: Route, query: str, rows: slice, page_size: int) -> None:
    ids = ids_of(five, route)
    response = five.api.get(five.path(route.path) + query)
    items = assert_page(response, total=5, page_size=page_size, next_offset=rows.stop)
    assert [item["id"] for item in items] == ids[rows]


@every_list
@pytest.mark.parametrize("offset", [5, 6, 1000, MAX, 99999999999999999999])
def test_beyond_the_end_the_list_is_empty_and_repeats_the_offset(five: World, route: Route, offset: int) -> None:
    ids_of(five, route)
    response = five.api.get(five.path(route.path), offset=str(offset))
    assert assert_page(response, total=5, next_offset=min(offset, MAX)) == []


@pytest.mark.slow
def test_twenty_rows_are_the_default_and_a_hundred_the_most(api: Api) -> None:
    names = [a_model(api, f"model-{number:03}")["name"] for number in range(103)]
    names.reverse()
    for query, rows, page_size in [
        ("", 20, 20),
        ("?limit=0", 20, 0),
        ("?limit=-5", 20, -5),
        ("?limit=100", 100, 100),
        ("?limit=101", 100, 101),
        ("?limit=1000", 100, 1000),
        (f"?limit={MAX}", 100, MAX),
    ]:
        items = assert_page(api.get(f"/models{query}"), total=103, page_size=page_size)
        assert [item["name"] for item in items] == names[:rows]
    items = assert_page(api.get("/models?limit=1000&offset=100"), total=103, page_size=1000, next_offset=103)
    assert [item["name"] for item in items] == names[100:]


def test_total_counts_the_matches_of_the_filters(api: Api) -> None:
    for number in range(3):
        a_model(api, model_type="PRETRAIN" if number else "CUSTOMTRAIN")
    items = assert_page(api.get("/models?model_type=PRETRAIN&limit=1"), total=2, page_size=1)
    assert len(items) == 1


def test_walking_with_next_offset_sees_every_row_once(five: World) -> None:
    expected = ids_of(five, LISTS[0])
    seen: list[str] = []
    offset = 0
    while page := five.api.read("/models", limit="2", offset=str(offset))["items"]:
        seen += [item["id"] for item in page]
        offset = five.api.read("/models", limit="2", offset=str(offset))["next_offset"]
    assert seen == expected
