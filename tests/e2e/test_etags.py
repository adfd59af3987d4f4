"""Etags over REST and gRPC: nobody's change is lost, and what a client has is not sent again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import httpx
import pytest
from tests.e2e.api import PREFIX, Api
from tests.e2e.builders import World, a_model, a_version
from tests.e2e.checks import json_of
from tests.e2e.routes import GETS, PATCHES, Route
from tests.e2e.rpc import Rpc

from modelregistry.v1 import registered_model_pb2 as pb

EDITORS = 10


def conditional(api: Api, method: str, path: str, body: Any = None, **conditions: str) -> httpx.Response:
    headers = {name.replace("_", "-"): value for name, value in conditions.items()}
    return api.request(method, path, headers=headers, **({} if body is None else {"body": body}))


@pytest.mark.parametrize("route", GETS, ids=str)
def test_every_single_object_has_a_tag_that_saves_its_transfer(world: World, route: Route) -> None:
    path = world.path(route.path)
    first = world.api.get(path)
    tag = first.headers["etag"]
    assert "etag" not in first.json()
    for known in (tag, f'W/{tag}, "x"', "*"):
        answer = conditional(world.api, "GET", path, if_none_match=known)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    again = conditional(world.api, "GET", path, if_none_match='"another"')
    assert (again.status_code, again.json(), again.headers["etag"]) == (200, first.json(), tag)
    wanted = [conditional(world.api, "GET", path, if_match=state).status_code for state in (tag, "*", '"another"')]
    assert wanted == [200, 200, 412]


@pytest.mark.parametrize("route", PATCHES, ids=str)
def test_a_patch_is_bound_to_the_state_that_was_read(world: World, route: Route) -> None:
    path = world.path(route.path)
    tag = world.api.get(path).headers["etag"]
    changed = conditional(world.api, "PATCH", path, {}, if_match=tag)
    assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)
    refused = conditional(world.api, "PATCH", path, {"labels": {"a": "b"}}, if_match=tag)
    text = "it was changed since its etag was read: read it again, and make the change anew"
    assert (refused.status_code, refused.json()) == (412, {"error": text})
    assert conditional(world.api, "PATCH", path, {}, if_match=f'"x", {changed.headers["etag"]}').status_code == 200
    assert conditional(world.api, "PATCH", path, {}, if_match="*").status_code == 200


def test_a_created_object_has_its_tag(api: Api) -> None:
    created = api.post("/models", {"name": "m"})
    tag = created.headers["etag"]
    assert conditional(api, "GET", f"/models/{created.json()['id']}", if_none_match=tag).status_code == 304


def test_a_model_is_sent_again_when_it_shows_another_version(api: Api) -> None:
    model = a_model(api)
    path = f"/models/{model['id']}"
    tag = api.get(path).headers["etag"]
    version = a_version(api, model["id"])
    answer = conditional(api, "GET", path, if_none_match=tag)
    assert (answer.status_code, answer.json()["version_count"]) == (200, 1)
    json_of(api.patch(f"/model_versions/{version['id']}", {"description": "d"}))
    assert conditional(api, "GET", path, if_none_match=answer.headers["etag"]).status_code == 200
    # Nobody has written the model itself.
    assert conditional(api, "PATCH", path, {}, if_match=tag).status_code == 200


def test_a_deletion_is_bound_to_the_state_that_was_read(api: Api) -> None:
    path = f"/models/{a_model(api)['id']}"
    json_of(api.patch(path, {"state": "ARCHIVED"}))
    old = api.get(path).headers["etag"]
    json_of(api.patch(path, {"description": "still needed"}))
    assert conditional(api, "DELETE", path, if_match=old).status_code == 412
    assert conditional(api, "DELETE", path, if_match=api.get(path).headers["etag"]).status_code == 200
    assert conditional(api, "DELETE", path, if_match=old).status_code == 404


def test_the_tag_of_a_compressed_answer_is_good_for_a_write(api: Api) -> None:
    model = a_model(api, description="long " * 2000)
    answer = api.request("GET", f"/models/{model['id']}", headers={"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    tag = answer.headers["etag"]
    assert tag.startswith('W/"')
    assert conditional(api, "GET", f"/models/{model['id']}", if_none_match=tag).status_code == 304
    assert conditional(api, "PATCH", f"/models/{model['id']}", {}, if_match=tag).status_code == 200


def test_concurrent_editors_over_rest_keep_all_labels(http: httpx.Client, api: Api) -> None:
    path = f"{PREFIX}/models/{a_model(api)['id']}"
    project = {"Project-ID": api.project_id}

    def add(label: str) -> int:
        refused = 0
        while True:
            read = http.get(path, headers=project)
            labels = {**read.json()["labels"], label: "1"}
            answer = http.patch(path, headers=project | {"If-Match": read.headers["etag"]}, json={"labels": labels})
            if answer.status_code == 200:
                return refused
            assert answer.status_code == 412
            refused += 1

    with ThreadPoolExecutor(EDITORS) as editors:
        refused = sum(editors.map(add, map(str, range(EDITORS))))
    assert len(http.get(path, headers=project).json()["labels"]) == EDITORS
    assert refused > 0


def test_concurrent_editors_over_grpc_keep_all_labels(rpc: Rpc) -> None:
    model = rpc.call(rpc.models.CreateRegisteredModel, pb.CreateRegisteredModelRequest(registered_model={"name": "m"}))
    id_ = model.registered_model.id

    def add(label: str) -> None:
        while True:
            read = rpc.call(rpc.models.GetRegisteredModel, pb.GetRegisteredModelRequest(id=id_)).registered_model
            update = pb.UpdateRegisteredModelRequest(id=id_, etag=read.etag)
            update.registered_model.labels.update({**read.labels, label: "1"})
            try:
                rpc.call(rpc.models.UpdateRegisteredModel, update)
            except grpc.RpcError as error:
                assert error.code() == grpc.StatusCode.ABORTED  # noqa: PT017 - it is tried again
                continue
            return

    with ThreadPoolExecutor(EDITORS) as editors:
        list(editors.map(add, map(str, range(EDITORS))))
    read = rpc.call(rpc.models.GetRegisteredModel, pb.GetRegisteredModelRequest(id=id_))
    assert len(read.registered_model.labels) == EDITORS


def test_a_stale_etag_is_aborted_with_its_reason(rpc: Rpc) -> None:
    new = pb.CreateRegisteredModelRequest(registered_model={"name": "m"})
    model = rpc.call(rpc.models.CreateRegisteredModel, new).registered_model
    update = pb.UpdateRegisteredModelRequest(id=model.id, etag=model.etag, registered_model={"description": "d"})
    assert rpc.call(rpc.models.UpdateRegisteredModel, update).registered_model.etag != model.etag
    refusal = rpc.refused(rpc.models.UpdateRegisteredModel, update)
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert refusal.metadata == {"id": model.id}
