"""At most one default version per model, also under concurrency; the latest version (contract 1.6; Q20, decision 1)."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_version, fresh, version_body
from tests.e2e.checks import json_of


def defaults(api: Api, model: JSON) -> list[str]:
    """The ids of the model's default versions. The model itself must have the same one."""
    versions = api.read(f"/models/{model['id']}/versions", limit="100")["items"]
    flagged = [version["id"] for version in versions if version["is_default"]]
    default = api.read(f"/models/{model['id']}").get("default_version")
    assert [default["id"]] * bool(default) == flagged if default else flagged == []
    return flagged


def set_default(api: Api, version: JSON, *, to: bool = True) -> None:
    json_of(api.patch(f"/model_versions/{version['id']}", {"is_default": to}))


def test_no_version_becomes_default_by_itself(api: Api) -> None:
    model = a_model(api)
    a_version(api, model["id"])
    assert defaults(api, model) == []


def test_setting_a_default_takes_it_from_the_one_before(api: Api) -> None:
    model = a_model(api)
    first, second = (a_version(api, model["id"]) for _ in range(2))
    for version in (first, second, first, first):
        set_default(api, version)
        assert defaults(api, model) == [version["id"]]


def test_creating_a_default_takes_it_from_the_one_before(api: Api) -> None:
    model = a_model(api)
    for _ in range(3):
        version = a_version(api, model["id"], is_default=True)
        assert version["is_default"] is True
        assert defaults(api, model) == [version["id"]]


def test_the_nested_route_does_the_same(api: Api) -> None:
    model = a_model(api)
    first, second = (a_version(api, model["id"], is_default=True) for _ in range(2))
    answer = api.patch(f"/models/{model['id']}/versions/{first['id']}", {"is_default": True})
    assert json_of(answer)["is_default"] is True
    assert json_of(api.get(f"/model_versions/{second['id']}"))["is_default"] is False


def test_clearing_the_default_leaves_no_default(api: Api) -> None:
    model = a_model(api)
    version = a_version(api, model["id"], is_default=True)
    set_default(api, version, to=False)
    assert defaults(api, model) == []


def test_clearing_another_version_leaves_the_default(api: Api) -> None:
    model = a_model(api)
    default, other = a_version(api, model["id"], is_default=True), a_version(api, model["id"])
    set_default(api, other, to=False)
    json_of(api.patch(f"/model_versions/{other['id']}", {"description": "x", "is_default": None}))
    assert defaults(api, model) == [default["id"]]


def test_other_models_keep_their_default(api: Api) -> None:
    model, other = a_model(api), a_model(api)
    theirs = a_version(api, other["id"], is_default=True)
    a_version(api, model["id"], is_default=True)
    assert defaults(api, other) == [theirs["id"]]


def test_losing_the_default_is_no_update(api: Api) -> None:
    model = a_model(api)
    loser = a_version(api, model["id"], is_default=True)
    time.sleep(1.1)
    a_version(api, model["id"], is_default=True)
    assert json_of(api.get(f"/model_versions/{loser['id']}")) == {**loser, "is_default": False}


def test_a_refused_version_takes_nothing_away(api: Api) -> None:
    model = a_model(api)
    default = a_version(api, model["id"], "v1", is_default=True)
    other = a_version(api, model["id"], "v2")
    taken = version_body("v1", is_default=True)
    assert api.post(f"/models/{model['id']}/versions", taken).status_code == 409
    answer = api.patch(f"/model_versions/{other['id']}", {"is_default": True, "name": "v1"})
    assert answer.status_code == 409
    assert defaults(api, model) == [default["id"]]


def test_an_artifact_cannot_be_made_default_by_its_own_routes(api: Api) -> None:
    model = a_model(api)
    body = version_body(registered_model_id=model["id"], is_default=True)
    artifact = json_of(api.post("/model_artifacts", body), 201)
    json_of(api.patch(f"/model_artifacts/{artifact['id']}", {"is_default": True}))
    assert defaults(api, model) == []


@pytest.mark.parametrize("attempt", range(3))
def test_concurrent_requests_leave_exactly_one_default(api: Api, attempt: int) -> None:
    model = a_model(api)
    versions = [a_version(api, model["id"]) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: set_default(api, version), versions * 3))
    assert len(defaults(api, model)) == 1


def test_concurrent_creations_leave_exactly_one_default(api: Api) -> None:
    model = a_model(api)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: a_version(api, model["id"], is_default=True), range(16)))
    (default,) = defaults(api, model)
    assert default in {version["id"] for version in made}
    assert api.read(f"/models/{model['id']}")["version_count"] == 16


def test_concurrent_creations_of_one_name_make_one(api: Api) -> None:
    name = fresh("model")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post("/models", {"name": name}), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
    model = next(answer.json() for answer in answers if answer.status_code == 201)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: api.post(f"/models/{model['id']}/versions", version_body("v")), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]


def test_the_latest_version_is_the_newest_in_any_state(api: Api) -> None:
    model = a_model(api)
    for fields in ({"status": "READY"}, {"state": "ARCHIVED"}, {"status": "FAILED"}):
        version = a_version(api, model["id"], **fields)
        read = api.read(f"/models/{model['id']}")
        assert read["latest_version"]["id"] == version["id"]
    assert read["version_count"] == 3
