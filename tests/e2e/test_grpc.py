"""A stock gRPC client behind the gateway: the registry, its errors and its paging."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct
from grpc import StatusCode
from tests.e2e.api import Api
from tests.e2e.builders import an_id, fresh
from tests.e2e.rpc import Rpc

from modelregistry.v1 import (
    deployment_pb2,
    inference_service_pb2,
    model_artifact_pb2,
    model_version_pb2,
    registered_model_pb2,
    serve_model_pb2,
    serving_environment_pb2,
)

M, V, A = registered_model_pb2, model_version_pb2, model_artifact_pb2
E, S, L = serving_environment_pb2, inference_service_pb2, serve_model_pb2


@pytest.fixture
def rpc(channel: grpc.Channel) -> Rpc:
    return Rpc(channel)


def new_model(rpc: Rpc, name: str | None = None, **fields: Any) -> Any:
    new = M.NewRegisteredModel(name=name or fresh("model"), **fields)
    request = M.CreateRegisteredModelRequest(registered_model=new)
    return rpc.call(rpc.models.CreateRegisteredModel, request).registered_model


def new_version(rpc: Rpc, model_id: str, name: str | None = None, **fields: Any) -> Any:
    required = {"model_framework": "sklearn", "model_framework_version": "1", "uri": "s3://b/k"}
    new = V.NewModelVersion(name=name or fresh("v"), **required | fields)
    request = V.CreateModelVersionRequest(registered_model_id=model_id, model_version=new)
    return rpc.call(rpc.versions.CreateModelVersion, request).model_version


class Everything:
    """A model with a version, an environment, a service and a serve model."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.model = new_model(rpc)
        self.version = new_version(rpc, self.model.id)
        self.environment = self.add_environment()
        self.service = self.add_service()
        self.serve_model = self.add_serve_model(self.version)

    def add_environment(self) -> Any:
        new = E.NewServingEnvironment(name=fresh("env"))
        request = E.CreateServingEnvironmentRequest(serving_environment=new)
        return self.rpc.call(self.rpc.environments.CreateServingEnvironment, request).serving_environment

    def add_service(self) -> Any:
        ids = {"serving_environment_id": self.environment.id, "registered_model_id": self.model.id}
        new = S.NewInferenceService(name=fresh("svc"), **ids)
        request = S.CreateInferenceServiceRequest(inference_service=new)
        return self.rpc.call(self.rpc.services.CreateInferenceService, request).inference_service

    def add_serve_model(self, version: Any) -> Any:
        new = L.NewServeModel(inference_service_id=self.service.id, model_version_id=version.id)
        request = L.CreateServeModelRequest(serve_model=new)
        return self.rpc.call(self.rpc.serve_models.CreateServeModel, request).serve_model


def test_a_model_and_its_version_have_real_types(rpc: Rpc) -> None:
    model = new_model(rpc, "My Model", labels={"a": "b"}, tags=M.Tags(tasks=["t"]), owner_email="a@b.c")
    assert (model.project_id, model.slug, model.state, model.model_size) == (rpc.project_id, "my-model", "LIVE", 0)
    assert dict(model.labels) == {"a": "b"}
    assert list(model.tags.tasks) == ["t"]
    age = datetime.now(UTC) - model.created_at.ToDatetime(UTC)
    assert abs(age.total_seconds()) < 60
    assert not model.HasField("parent_model_id")
    version = new_version(rpc, model.id, is_default=True, access_key="secret", secret_key="secret")
    assert "secret" not in str(version)
    read = rpc.call(rpc.models.GetRegisteredModel, M.GetRegisteredModelRequest(id=model.id)).registered_model
    assert (read.version_count, read.latest_version, read.default_version) == (1, version, version)
    patch = M.RegisteredModelPatch(model_size=2**63 - 1)
    request = M.UpdateRegisteredModelRequest(id=model.id, registered_model=patch)
    assert rpc.call(rpc.models.UpdateRegisteredModel, request).registered_model.model_size == 2**63 - 1


def test_grpc_and_rest_see_the_same(rpc: Rpc, api: Api) -> None:
    model = new_model(rpc)
    seen = Api(api.http, rpc.project_id).read(f"/models/{model.id}")
    assert (seen["name"], seen["id"]) == (model.name, model.id)


# --- paging ------------------------------------------------------------------------------------------------------

LISTS: dict[str, tuple[Callable[[Rpc], Any], Callable[[Everything], Any], str, Callable[[Everything], Any]]] = {
    "models": (
        lambda rpc: rpc.models.ListRegisteredModels,
        lambda _: M.ListRegisteredModelsRequest(),
        "registered_models",
        lambda all_: new_model(all_.rpc),
    ),
    "versions": (
        lambda rpc: rpc.versions.ListModelVersions,
        lambda all_: V.ListModelVersionsRequest(registered_model_id=all_.model.id),
        "model_versions",
        lambda all_: new_version(all_.rpc, all_.model.id),
    ),
    "project versions": (
        lambda rpc: rpc.versions.ListProjectModelVersions,
        lambda _: V.ListProjectModelVersionsRequest(),
        "model_versions",
        lambda all_: new_version(all_.rpc, all_.model.id),
    ),
    "artifacts": (
        lambda rpc: rpc.artifacts.ListModelArtifacts,
        lambda _: A.ListModelArtifactsRequest(),
        "model_artifacts",
        lambda all_: new_version(all_.rpc, all_.model.id),
    ),
    "environments": (
        lambda rpc: rpc.environments.ListServingEnvironments,
        lambda _: E.ListServingEnvironmentsRequest(),
        "serving_environments",
        Everything.add_environment,
    ),
    "services": (
        lambda rpc: rpc.services.ListInferenceServices,
        lambda _: S.ListInferenceServicesRequest(),
        "inference_services",
        Everything.add_service,
    ),
    "serve models": (
        lambda rpc: rpc.serve_models.ListServeModels,
        lambda _: L.ListServeModelsRequest(),
        "serve_models",
        lambda all_: all_.add_serve_model(new_version(all_.rpc, all_.model.id)),
    ),
}
every_list = pytest.mark.parametrize("kind", LISTS)


def pages(rpc: Rpc, method: Any, request: Any, items: str) -> Iterator[list[Any]]:
    """All pages, by following the tokens."""
    for _ in range(50):
        answer = rpc.call(method, request)
        yield list(getattr(answer, items))
        if not answer.next_page_token:
            return
        request.page_token = answer.next_page_token
    pytest.fail("the pages have no end")


@every_list
@pytest.mark.parametrize("sort_by", ["", "created_at", "updated_at", "id"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_tokens_lead_through_every_row_once(rpc: Rpc, kind: str, sort_by: str, order: str) -> None:
    everything = Everything(rpc)
    method, request_for, items, add = LISTS[kind]
    ids = {item.id for item in next(pages(rpc, method(rpc), request_for(everything), items))}
    ids |= {add(everything).id for _ in range(6)}
    request = request_for(everything)
    request.page_size, request.sort_by, request.order = 3, sort_by, order
    seen = list(pages(rpc, method(rpc), request, items))
    assert [len(page) for page in seen] == [3, 3, 1]
    assert {item.id for page in seen for item in page} == ids
    whole = request_for(everything)
    whole.sort_by, whole.order = sort_by, order
    assert [item for page in seen for item in page] == [
        item for page in pages(rpc, method(rpc), whole, items) for item in page
    ]


def test_rows_that_come_and_go_do_not_shift_the_pages(rpc: Rpc) -> None:
    models = [new_model(rpc) for _ in range(6)]
    first = rpc.call(rpc.models.ListRegisteredModels, M.ListRegisteredModelsRequest(page_size=3))
    new_model(rpc)
    rest = M.ListRegisteredModelsRequest(page_size=3, page_token=first.next_page_token)
    second = rpc.call(rpc.models.ListRegisteredModels, rest)
    seen = [model.id for answer in (first, second) for model in answer.registered_models]
    assert seen == [model.id for model in reversed(models)]


@every_list
def test_an_exactly_full_last_page_has_no_token(rpc: Rpc, kind: str) -> None:
    everything = Everything(rpc)
    method, request_for, _, _ = LISTS[kind]
    request = request_for(everything)
    request.page_size = 1
    assert rpc.call(method(rpc), request).next_page_token == ""


@every_list
@pytest.mark.parametrize("token", ["nonsense", "AAAA", "é", "x" * 5000])
def test_a_made_up_token_is_refused(rpc: Rpc, kind: str, token: str) -> None:
    everything = Everything(rpc)
    method, request_for, _, _ = LISTS[kind]
    request = request_for(everything)
    request.page_token = token
    refusal = rpc.refused(method(rpc), request)
    assert (refusal.code, refusal.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")


def test_a_token_is_bound_to_its_query(rpc: Rpc) -> None:
    for _ in range(3):
        new_model(rpc)
    list_models = rpc.models.ListRegisteredModels
    token = rpc.call(list_models, M.ListRegisteredModelsRequest(page_size=1)).next_page_token
    for other in (
        M.ListRegisteredModelsRequest(state="LIVE"),
        M.ListRegisteredModelsRequest(search="m"),
        M.ListRegisteredModelsRequest(sort_by="name", order="asc"),
    ):
        other.page_size, other.page_token = 1, token
        assert rpc.refused(list_models, other).reason == "INVALID_PAGE_TOKEN"
    stranger = rpc.of_another_project()
    stolen = M.ListRegisteredModelsRequest(page_size=1, page_token=token)
    assert stranger.refused(list_models, stolen).reason == "INVALID_PAGE_TOKEN"
    versions = V.ListProjectModelVersionsRequest(page_size=1, page_token=token)
    assert rpc.refused(rpc.versions.ListProjectModelVersions, versions).reason == "INVALID_PAGE_TOKEN"


@pytest.mark.parametrize(("page_size", "rows"), [(0, 20), (1, 1), (100, 100), (1000, 100)])
def test_page_sizes(rpc: Rpc, page_size: int, rows: int) -> None:
    model = new_model(rpc)
    for _ in range(101 if page_size > 1 else 21):
        new_version(rpc, model.id)
    request = V.ListModelVersionsRequest(registered_model_id=model.id, page_size=page_size)
    assert len(rpc.call(rpc.versions.ListModelVersions, request).model_versions) == rows


def test_a_negative_page_size_is_refused(rpc: Rpc) -> None:
    refusal = rpc.refused(rpc.models.ListRegisteredModels, M.ListRegisteredModelsRequest(page_size=-1))
    assert refusal.code == StatusCode.INVALID_ARGUMENT
    assert "page_size" in refusal.violations


def test_limit_and_offset_work_too(rpc: Rpc) -> None:
    for _ in range(3):
        new_model(rpc)
    answer = rpc.call(rpc.models.ListRegisteredModels, M.ListRegisteredModelsRequest(limit=2, offset=1))
    assert (len(answer.registered_models), answer.total_size, answer.next_offset) == (2, 3, 3)


def test_an_id_that_nothing_has_is_an_empty_list(rpc: Rpc) -> None:
    answer = rpc.call(rpc.versions.ListModelVersions, V.ListModelVersionsRequest(registered_model_id=an_id()))
    assert (len(answer.model_versions), answer.next_page_token) == (0, "")


def test_pages_fit_into_the_messages_that_clients_take(rpc: Rpc) -> None:
    """Clients accept 4 MiB by default."""
    full: dict[str, Any] = {
        "description": "x" * (3 << 20),
        "labels": {f"key{number:05}": "value" * 4 for number in range(20_000)},
        "tags": M.Tags(tasks=[f"task{number}" for number in range(20_000)]),
    }
    for fields in (full, full, *({"description": "x" * (1 << 20)} for _ in range(4))):
        new_model(rpc, **fields)

    counts, request = [], M.ListRegisteredModelsRequest(sort_by="description", order="desc")
    while page := rpc.call(rpc.models.ListRegisteredModels, request):
        counts.append(len(page.registered_models))
        assert len(page.next_page_token) < 2000
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert sorted(counts) in ([1, 1, 1, 3], [1, 1, 2, 2], [1, 1, 1, 1, 2])
    assert sum(counts) == 6

    counts, offset = [], 0
    while offset < 6:
        page = rpc.call(rpc.models.ListRegisteredModels, M.ListRegisteredModelsRequest(limit=20, offset=offset))
        counts.append(len(page.registered_models))
        assert (page.total_size, page.next_offset) == (6, offset + counts[-1])
        offset = page.next_offset
    assert counts == [3, 1, 1, 1]


def test_a_batch_has_all_objects_in_the_order_of_their_ids(rpc: Rpc) -> None:
    first, second, gone = new_model(rpc), new_model(rpc), an_id()
    get = rpc.models.BatchGetRegisteredModels
    answer = rpc.call(get, M.BatchGetRegisteredModelsRequest(ids=[second.id, first.id]))
    assert [model.id for model in answer.registered_models] == [second.id, first.id]
    refusal = rpc.refused(get, M.BatchGetRegisteredModelsRequest(ids=[gone, first.id]))
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "REGISTERED_MODEL_NOT_FOUND")
    assert (refusal.metadata, refusal.text) == ({"ids": gone}, f"registered model not found: {gone}")
    for ids in ([], ["x"], [first.id] * 101):
        refusal = rpc.refused(get, M.BatchGetRegisteredModelsRequest(ids=ids))
        assert (refusal.code, set(refusal.violations)) == (StatusCode.INVALID_ARGUMENT, {"ids"})
    deployments = rpc.refused(
        rpc.deployments.BatchGetDeployments, deployment_pb2.BatchGetDeploymentsRequest(ids=[gone])
    )
    assert deployments.reason == "DEPLOYMENT_NOT_FOUND"


# --- views -------------------------------------------------------------------------------------------------------


def test_a_view_chooses_the_fields_of_models(rpc: Rpc, api: Api) -> None:
    """FULL is the default of all methods but lists."""
    model = new_model(rpc)
    version = new_version(rpc, model.id, is_default=True, readme="# Iris", metadata=struct(a=1))
    models = rpc.models
    whole = rpc.call(models.GetRegisteredModel, M.GetRegisteredModelRequest(id=model.id)).registered_model
    assert (whole.latest_version, whole.default_version) == (version, version)
    bare = M.RegisteredModel.FromString(whole.SerializeToString())
    bare.ClearField("latest_version")
    bare.ClearField("default_version")

    def read(view: Any) -> list[Any]:
        get = M.GetRegisteredModelRequest(id=model.id, view=view)
        find = M.FindRegisteredModelRequest(name=model.name, view=view)
        batch = M.BatchGetRegisteredModelsRequest(ids=[model.id], view=view)
        return [
            rpc.call(models.GetRegisteredModel, get).registered_model,
            rpc.call(models.FindRegisteredModel, find).registered_model,
            *rpc.call(models.BatchGetRegisteredModels, batch).registered_models,
        ]

    def listed(**fields: Any) -> list[Any]:
        return list(rpc.call(models.ListRegisteredModels, M.ListRegisteredModelsRequest(**fields)).registered_models)

    full, basic = M.REGISTERED_MODEL_VIEW_FULL, M.REGISTERED_MODEL_VIEW_BASIC
    assert read(full) == read(M.REGISTERED_MODEL_VIEW_UNSPECIFIED) == [whole] * 3
    assert read(basic) == [bare] * 3
    for page in ({}, {"limit": 5}):
        assert listed(view=full, **page) == [whole]
        assert listed(view=basic, **page) == listed(**page) == [bare]
    rest = Api(api.http, rpc.project_id)
    assert rest.read(f"/models/{model.id}?view=1") == rest.read(f"/models/{model.id}")
    assert rest.read("/models?view=REGISTERED_MODEL_VIEW_FULL") == rest.read("/models")


def test_a_view_chooses_the_fields_of_versions(rpc: Rpc) -> None:
    model = new_model(rpc)
    whole = new_version(rpc, model.id, readme="# Iris", metadata=struct(a=1))
    assert (whole.readme, dict(whole.metadata)) == ("# Iris", {"a": 1})
    bare = V.ModelVersion.FromString(whole.SerializeToString())
    bare.ClearField("readme")
    bare.ClearField("metadata")
    versions = rpc.versions

    def read(view: Any) -> list[Any]:
        by_name = V.GetModelVersionRequest(registered_model_id=model.id, version="1", view=view)
        find = V.FindModelVersionRequest(registered_model_id=model.id, name=whole.name, view=view)
        batch = V.BatchGetModelVersionsRequest(ids=[whole.id], view=view)
        return [
            rpc.call(versions.GetModelVersion, V.GetModelVersionRequest(id=whole.id, view=view)).model_version,
            rpc.call(versions.GetModelVersion, by_name).model_version,
            rpc.call(versions.FindModelVersion, find).model_version,
            *rpc.call(versions.BatchGetModelVersions, batch).model_versions,
        ]

    def listed(**fields: Any) -> list[Any]:
        of_model = V.ListModelVersionsRequest(registered_model_id=model.id, **fields)
        of_project = V.ListProjectModelVersionsRequest(**fields)
        return [
            *rpc.call(versions.ListModelVersions, of_model).model_versions,
            *rpc.call(versions.ListProjectModelVersions, of_project).model_versions,
        ]

    full, basic = V.MODEL_VERSION_VIEW_FULL, V.MODEL_VERSION_VIEW_BASIC
    assert read(full) == read(V.MODEL_VERSION_VIEW_UNSPECIFIED) == [whole] * 4
    assert read(basic) == [bare] * 4
    assert listed(view=full) == [whole] * 2
    assert listed(view=basic) == listed() == [bare] * 2


def struct(**values: Any) -> Struct:
    made = Struct()
    made.update(values)
    return made
