"""Requests that are sent again with their id, over REST and gRPC."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import World, a_version, version_body
from tests.e2e.checks import json_of
from tests.e2e.routes import CREATES, DELETES, PATCHES, Route
from tests.e2e.rpc import Rpc

from modelregistry.v1 import model_version_pb2 as vb
from modelregistry.v1 import registered_model_pb2 as pb


def keyed(api: Api, method: str, path: str, body: Any = None, key: str = "") -> Any:
    headers = {"Idempotency-Key": key or f'"{uuid.uuid4()}"'}
    return api.request(method, path, headers=headers, **({} if body is None else {"body": body}))


def seen(answer: Any) -> tuple[int, bytes, str | None]:
    return answer.status_code, answer.content, answer.headers.get("etag")


@pytest.mark.parametrize("route", CREATES, ids=str)
def test_a_repeated_creation_is_answered_like_the_first(world: World, route: Route) -> None:
    body = version_body() | {
        "registered_model_id": world.model["id"],
        "serving_environment_id": world.environment["id"],
        "inference_service_id": world.service["id"],
        "model_version_id": a_version(world.api, world.model["id"], status="READY")["id"],
    }
    key = str(uuid.uuid4())
    first = keyed(world.api, "POST", world.path(route.path), body, key)
    assert first.status_code in {201, 202}, first.text
    for _ in range(2):
        assert seen(keyed(world.api, "POST", world.path(route.path), body, key)) == seen(first)
    other = keyed(world.api, "POST", world.path(route.path), body | {"name": "another", "labels": {"a": "b"}}, key)
    if route.path != "/serve_models":  # it takes neither
        text = "request_id (REST: Idempotency-Key) was used for another request: use a new one per request"
        assert (other.status_code, other.json()) == (422, {"error": text})


@pytest.mark.parametrize("route", PATCHES, ids=str)
def test_a_repeated_change_is_made_once(world: World, route: Route) -> None:
    key, path = str(uuid.uuid4()), world.path(route.path)
    first = keyed(world.api, "PATCH", path, {"labels": {"a": "1"}}, key)
    json_of(world.api.patch(path, {"labels": {"a": "2"}}))
    again = keyed(world.api, "PATCH", path, {"labels": {"a": "1"}}, key)
    assert (first.status_code, seen(again)) == (200, seen(first))
    assert world.api.read(path).get("labels", {"a": "2"}) == {"a": "2"}


@pytest.mark.parametrize("route", DELETES, ids=str)
def test_a_repeated_deletion_succeeds(world: World, route: Route) -> None:
    path, key = world.path(route.path), str(uuid.uuid4())
    for blocker in (f"/serve_models/{world.serve_model['id']}", f"/inference_services/{world.service['id']}"):
        if path.startswith(("/models", "/serving_environments")):
            assert world.api.delete(blocker).status_code == 204
    if path.startswith("/models"):
        json_of(world.api.patch(path, {"state": "ARCHIVED"}))
    first = keyed(world.api, "DELETE", path, key=key)
    assert first.status_code in {200, 204}, first.text
    assert seen(keyed(world.api, "DELETE", path, key=key)) == seen(first)
    if not path.endswith("/undeploy"):
        assert keyed(world.api, "DELETE", path).status_code == 404


def test_a_refused_request_can_be_corrected_under_its_key(api: Api) -> None:
    key = str(uuid.uuid4())
    assert keyed(api, "POST", "/models", {}, key).status_code == 400
    created = keyed(api, "POST", "/models", {"name": "m"}, key)
    assert created.status_code == 201
    assert keyed(api, "POST", "/models", {"name": "m"}).status_code == 409
    elsewhere = api.of_another_project()
    assert keyed(elsewhere, "POST", "/models", {"name": "m"}, key).json()["id"] != created.json()["id"]


def test_concurrent_repetitions_wait_for_the_first(api: Api) -> None:
    key = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: keyed(api, "POST", "/models", {"name": "m"}, key), range(16)))
    assert {seen(answer) for answer in answers} == {seen(answers[0])}
    assert answers[0].status_code == 201
    assert api.read("/models")["total"] == 1


def test_grpc_requests_are_carried_out_once(rpc: Rpc) -> None:
    new = pb.CreateRegisteredModelRequest(registered_model={"name": "m"}, request_id=str(uuid.uuid4()))
    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: rpc.call(rpc.models.CreateRegisteredModel, new), range(16)))
    assert all(answer == answers[0] for answer in answers)
    other = pb.CreateRegisteredModelRequest(registered_model={"name": "other"}, request_id=new.request_id)
    refusal = rpc.refused(rpc.models.CreateRegisteredModel, other)
    assert (refusal.code, set(refusal.violations)) == (grpc.StatusCode.INVALID_ARGUMENT, {"request_id"})


def test_keys_of_storage_may_be_in_a_repeated_request(rpc: Rpc) -> None:
    new = pb.CreateRegisteredModelRequest(registered_model={"name": "m"})
    model = rpc.call(rpc.models.CreateRegisteredModel, new).registered_model
    version = vb.NewModelVersion(**version_body(access_key="AKIA", secret_key="s3cret"))
    create = vb.CreateModelVersionRequest(
        registered_model_id=model.id, model_version=version, request_id=str(uuid.uuid4())
    )
    first = rpc.call(rpc.versions.CreateModelVersion, create)
    assert rpc.call(rpc.versions.CreateModelVersion, create) == first
    create.model_version.secret_key = "another"
    assert rpc.refused(rpc.versions.CreateModelVersion, create).code == grpc.StatusCode.INVALID_ARGUMENT
