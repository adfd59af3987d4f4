"""How calls are handled for gRPC and REST clients: caller, project, request, use case, answer, log line."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NoReturn
from uuid import UUID, uuid4

import grpc
import orjson
import pytest
import structlog
from google.api import annotations_pb2
from google.api.httpbody_pb2 import HttpBody
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from structlog.testing import capture_logs
from tests.fakes.audit import auditing
from tests.fakes.requests import InMemoryRequests
from tests.unit.conftest import Registry
from tests.unit.test_every_field_arrives import SERVICERS

from modelregistry.v1 import deployment_pb2, registered_model_pb2, transfer_pb2
from registry_grpc.adapters.grpc import handlers, servicers
from registry_grpc.adapters.grpc.call import Call, metadata_of
from registry_grpc.adapters.grpc.handlers import LONGEST_SECONDS, handlers_of
from registry_grpc.adapters.grpc.rpc import nothing, only_grpc, rpc, stream_rpc
from registry_grpc.adapters.grpc.servicers.registered_models import RegisteredModelServicer
from registry_grpc.adapters.grpc.servicers.transfer import MOST_IMPORTS, TransferServicer
from registry_grpc.adapters.rest.descriptor import REST_PACKAGE
from registry_grpc.domain.access import Role
from registry_grpc.domain.errors import ClusterReadFailed, NotFound, Overloaded, Reason, Unauthenticated, Unavailable
from registry_grpc.domain.model_version import NewModelVersion
from registry_grpc.domain.paging import View
from registry_grpc.domain.transfer import Imported, Record, Trailer
from registry_grpc.services.access import OpenGate
from registry_grpc.services.projects import OpenTenancy
from registry_grpc.services.transfer import Line

API = "/api/v1/model-registry"
ANSWER = re.compile(r'application/json; charset=utf-8(; etag=(?P<tag>"[^" ]+"))?(; status=(?P<status>\d+))?')
SERVICE = registered_model_pb2.DESCRIPTOR.services_by_name["RegisteredModelService"]
SECRET = "the password is secret"

Pairs = tuple[tuple[str, str], ...]


OPEN = OpenGate(OpenTenancy())


class AbortedError(BaseException):
    """The exception of grpc.aio, which nothing may catch."""


class FakeContext:
    """The part of the context that a handler uses."""

    def __init__(self, metadata: Pairs = (), remaining: float | None = None) -> None:
        self._metadata = metadata
        self._remaining = remaining
        self.aborted: tuple[grpc.StatusCode, str, Any] | None = None
        self.written: list[bytes] = []
        self.has_begun = False

    def peer(self) -> str:
        return "ipv4:127.0.0.1:50000"

    def invocation_metadata(self) -> Pairs:
        return self._metadata

    def time_remaining(self) -> float | None:
        return self._remaining

    async def send_initial_metadata(self, metadata: Pairs) -> None:
        self.has_begun = True

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    async def abort(self, code: grpc.StatusCode, text: str, trailers: Any = ()) -> NoReturn:
        self.aborted = (code, text, trailers)
        raise AbortedError


def handler(servicer: Any, path: str) -> Any:
    details: Any = SimpleNamespace(method=path, invocation_metadata=())
    found = [
        one
        for generic in handlers_of([servicer], InMemoryRequests(), OPEN, auditing())
        if (one := generic.service(details))
    ]
    assert len(found) == 1, path
    return found[0]


def servicer_with(**use_cases: Any) -> RegisteredModelServicer:
    models: Any = SimpleNamespace(**use_cases)
    return RegisteredModelServicer(models)


def failing(error: BaseException) -> RegisteredModelServicer:
    async def get(_project: UUID, _id: UUID, _view: View) -> NoReturn:
        raise error

    return servicer_with(get=get)


async def rest(
    servicer: Any, method: str, target: str, body: bytes = b"", metadata: Pairs | None = None
) -> tuple[int, Any]:
    """Status and JSON of the answer to a REST request."""
    if metadata is None:
        metadata = (("project-id", str(UUID(int=1))),)
    call = handler(servicer, f"/{REST_PACKAGE}.{servicer.SERVICE.name}/{method}").unary_unary
    context = FakeContext((*metadata, ("x-envoy-original-path", target)))
    answer = HttpBody.FromString(await call(HttpBody(data=body).SerializeToString(), context))
    found = ANSWER.fullmatch(answer.content_type)
    assert found, answer.content_type
    return int(found["status"] or 200), orjson.loads(answer.data) if answer.data else found["tag"]


async def native(servicer: Any, method: str, request: bytes, context: FakeContext) -> bytes:
    answer: bytes = await handler(servicer, f"/{servicer.SERVICE.full_name}/{method}").unary_unary(request, context)
    return answer


async def refused(servicer: Any, method: str, request: bytes, context: FakeContext) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(AbortedError):
        await native(servicer, method, request, context)
    assert context.aborted is not None
    return context.aborted[:2]


GET = registered_model_pb2.GetRegisteredModelRequest(id=str(UUID(int=7))).SerializeToString()
GET_TARGET = f"{API}/models/{UUID(int=7)}"
PROJECT: Pairs = (("project-id", str(UUID(int=1))),)


# --- declarations ------------------------------------------------------------------------------------------------


def declared(**more: Any) -> type:
    """A servicer of registered models with the declarations of the real one, except for `more`."""
    real = {name: value for name, value in vars(RegisteredModelServicer).items() if name[0].isupper()}
    return type("Servicer", (), real | more)


def test_all_methods_are_served_natively_and_those_with_a_route_by_rest(registry: Registry) -> None:
    servicer = RegisteredModelServicer(registry.models)
    for name, method in SERVICE.methods_by_name.items():
        assert handler(servicer, f"/modelregistry.v1.RegisteredModelService/{name}").unary_unary
        if method.GetOptions().HasExtension(annotations_pb2.http):
            assert handler(servicer, f"/modelregistry.v1.rest.RegisteredModelService/{name}").unary_unary


def test_a_missing_and_an_unknown_method_are_noticed() -> None:
    handlers_of([declared()()], InMemoryRequests(), OPEN, auditing())
    undeclared = declared()
    del undeclared.GetRegisteredModel  # type: ignore[attr-defined]
    for kind in (undeclared, declared(Unknown=RegisteredModelServicer.GetRegisteredModel)):
        with pytest.raises(TypeError, match=r"Servicer does not declare the methods of modelregistry\.v1\.Registered"):
            handlers_of([kind()], InMemoryRequests(), OPEN, auditing())


async def _of_another_request(
    _self: object, request: registered_model_pb2.FindRegisteredModelRequest, call: Call
) -> None: ...


async def _of_this_request(
    _self: object, request: registered_model_pb2.DeleteRegisteredModelRequest, call: Call
) -> None: ...


async def _stream_of_it(
    _self: object, request: registered_model_pb2.DeleteRegisteredModelRequest, call: Call
) -> AsyncIterator[None]:
    yield None


DELETED: Callable[..., Any] = registered_model_pb2.DeleteRegisteredModelResponse


@pytest.mark.parametrize(
    "declaration",
    [
        rpc(nothing(DELETED), Role.EDITOR)(_of_another_request),
        rpc(only_grpc(DELETED), Role.EDITOR)(_of_this_request),
        stream_rpc(nothing(DELETED), Role.EDITOR)(_stream_of_it),
    ],
    ids=["another-request", "no-status-though-it-has-a-route", "a-stream-that-is-none"],
)
def test_a_declaration_that_does_not_fit_the_proto_is_noticed(declaration: Any) -> None:
    with pytest.raises(TypeError, match=r"declaration of modelregistry\.v1\.\w+\.DeleteRegisteredModel does not fit"):
        handlers_of([declared(DeleteRegisteredModel=declaration)()], InMemoryRequests(), OPEN, auditing())


def test_a_method_without_a_route_has_no_status() -> None:
    async def plan(_self: object, request: deployment_pb2.PlanDeploymentRequest, call: Call) -> None: ...

    plan.__annotations__ = {"request": deployment_pb2.PlanDeploymentRequest}
    method = deployment_pb2.DESCRIPTOR.services_by_name["DeploymentService"].methods_by_name["PlanDeployment"]
    response: Callable[..., Any] = deployment_pb2.PlanDeploymentResponse
    handlers._check_declaration(rpc(only_grpc(response), Role.EDITOR)(plan), method)
    with pytest.raises(TypeError, match="PlanDeployment does not fit its proto"):
        handlers._check_declaration(rpc(nothing(response), Role.EDITOR)(plan), method)


# --- REST --------------------------------------------------------------------------------------------------------


async def test_a_rest_success_is_its_json_and_status(registry: Registry) -> None:
    servicer = RegisteredModelServicer(registry.models)
    status, model = await rest(servicer, "CreateRegisteredModel", f"{API}/models", b'{"name":"n"}')
    assert (status, model["name"], model["project_id"]) == (201, "n", str(UUID(int=1)))
    path = f"{API}/models/{model['id']}"
    assert await rest(servicer, "GetRegisteredModel", path) == (200, model)
    page = await rest(servicer, "ListRegisteredModels", f"{API}/models?limit=abc")
    assert page == (200, {"items": [model], "total": 1, "page_size": 0, "next_offset": 1})


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (NotFound(Reason.REGISTERED_MODEL_NOT_FOUND), 404, "registered model not found"),
        (Overloaded(), 429, "too many requests at once; try again in a second"),
        (RuntimeError(SECRET), 500, "internal server error"),
        (TimeoutError(SECRET), 504, "the request took too long"),
    ],
)
async def test_a_rest_error_is_a_body_with_its_status(error: Exception, status: int, text: str) -> None:
    answer = await rest(failing(error), "GetRegisteredModel", GET_TARGET)
    assert answer == (status, {"error": text})


async def test_a_read_is_answered_with_its_tag_or_with_304(registry: Registry) -> None:
    servicer = RegisteredModelServicer(registry.models)
    _, model = await rest(servicer, "CreateRegisteredModel", f"{API}/models", b'{"name":"n"}')
    path = f"{API}/models/{model['id']}"

    async def get(*conditions: tuple[str, str]) -> tuple[int, Any]:
        return await rest(servicer, "GetRegisteredModel", path, metadata=(*PROJECT, *conditions))

    status, tag = await get(("if-none-match", "*"))
    assert status == 304
    for known in (tag, f"W/{tag}", f'"another", W/{tag}'):
        assert await get(("if-none-match", known)) == (304, tag)
    for unknown in ('"another"', tag.strip('"'), ""):
        assert await get(("if-none-match", unknown)) == (200, model)
    for right in (tag, f"W/{tag}", '"x", ' + tag, "*", tag.partition(".")[0] + '"'):
        assert await get(("if-match", right)) == (200, model)
    assert (await get(("if-match", '"another"')))[0] == 412


async def test_a_write_is_bound_to_the_tag_but_not_to_the_rest_of_the_body(registry: Registry) -> None:
    servicer = RegisteredModelServicer(registry.models)
    _, model = await rest(servicer, "CreateRegisteredModel", f"{API}/models", b'{"name":"n"}')
    path = f"{API}/models/{model['id']}"
    _, tag = await rest(servicer, "GetRegisteredModel", path, metadata=(*PROJECT, ("if-none-match", "*")))
    version = NewModelVersion(name="v", model_framework="f", model_framework_version="1", uri="s3://b/k")
    await registry.versions.create(UUID(int=1), UUID(model["id"]), version)
    status, new_tag = await rest(servicer, "GetRegisteredModel", path, metadata=(*PROJECT, ("if-none-match", "*")))
    assert (status, new_tag == tag, new_tag.partition(".")[0]) == (304, False, tag.partition(".")[0])

    async def patch(if_match: str) -> int:
        metadata = (*PROJECT, ("if-match", if_match))
        return (await rest(servicer, "UpdateRegisteredModel", path, b"{}", metadata))[0]

    assert [await patch(tag), await patch(tag), await patch('""'), await patch("*")] == [200, 412, 412, 200]


async def test_a_path_with_an_escaped_slash_is_not_found() -> None:
    answer = await rest(servicer_with(), "GetRegisteredModel", f"{API}/models/{UUID(int=7)}%2F")
    assert answer == (404, {"error": "not found"})


async def test_project_then_ids_then_body(registry: Registry) -> None:
    servicer = RegisteredModelServicer(registry.models)
    no_project = (400, {"error": "project ID is required (Project-ID header)"})
    for target, body in ((f"{API}/models/abc", b"no JSON"), (GET_TARGET, b"no JSON"), (f"{API}/models/a%2F", b"")):
        assert await rest(servicer, "UpdateRegisteredModel", target, body, metadata=()) == no_project
    invalid_id = (400, {"error": "invalid model id"})
    assert await rest(servicer, "UpdateRegisteredModel", f"{API}/models/abc", b"no JSON") == invalid_id
    assert await rest(servicer, "UpdateRegisteredModel", GET_TARGET, b"") == (400, {"error": "EOF"})
    not_found = (404, {"error": "registered model not found"})
    assert await rest(servicer, "UpdateRegisteredModel", GET_TARGET, b"{}") == not_found


@pytest.mark.parametrize("metadata", [(), PROJECT])
async def test_a_native_call_of_a_rest_method_is_unimplemented_and_not_logged(metadata: Pairs) -> None:
    call = handler(servicer_with(), "/modelregistry.v1.rest.RegisteredModelService/GetRegisteredModel").unary_unary
    context = FakeContext(metadata)
    with capture_logs() as logs, pytest.raises(AbortedError):
        await call(GET, context)
    assert context.aborted == (
        grpc.StatusCode.UNIMPLEMENTED,
        "only the gateway calls this method, for REST clients",
        (),
    )
    assert logs == []


# --- gRPC --------------------------------------------------------------------------------------------------------


async def test_a_native_success_is_its_message(registry: Registry) -> None:
    servicer = RegisteredModelServicer(registry.models)
    new = registered_model_pb2.CreateRegisteredModelRequest(registered_model={"name": "n"}).SerializeToString()
    data = await native(servicer, "CreateRegisteredModel", new, FakeContext(PROJECT))
    created = registered_model_pb2.CreateRegisteredModelResponse.FromString(data).registered_model
    assert (created.name, created.project_id) == ("n", str(UUID(int=1)))


async def test_a_native_error_has_its_details() -> None:
    context = FakeContext(PROJECT)
    answer = await refused(failing(NotFound(Reason.REGISTERED_MODEL_NOT_FOUND)), "GetRegisteredModel", GET, context)
    assert answer == (grpc.StatusCode.NOT_FOUND, "registered model not found")
    assert context.aborted is not None
    ((key, value),) = context.aborted[2]
    status, info = Status.FromString(value), ErrorInfo()
    assert (key, status.details[0].Unpack(info), info.reason) == (
        "grpc-status-details-bin",
        True,
        "REGISTERED_MODEL_NOT_FOUND",
    )


async def test_an_unexpected_error_is_internal_and_only_the_log_has_the_traceback() -> None:
    error = RuntimeError(SECRET)
    context = FakeContext(PROJECT)
    with capture_logs() as logs:
        answer = await refused(failing(error), "GetRegisteredModel", GET, context)
        assert await rest(failing(error), "GetRegisteredModel", GET_TARGET) == (500, {"error": "internal server error"})
    assert answer == (grpc.StatusCode.INTERNAL, "internal server error")
    assert SECRET not in str(context.aborted)
    assert [line.pop("exc_info") for line in logs] == [error, error]
    assert [(line["event"], line["code"], line["log_level"]) for line in logs] == [
        ("rpc.failed", "INTERNAL", "error")
    ] * 2
    assert SECRET not in str(logs)


async def test_a_refused_read_of_the_cluster_has_its_cause_in_the_log_only() -> None:
    with capture_logs() as logs:
        answer = await refused(failing(ClusterReadFailed("forbidden")), "GetRegisteredModel", GET, FakeContext(PROJECT))
    assert answer == (grpc.StatusCode.INTERNAL, "internal server error")
    assert [(line["event"], line["text"], line["log_level"]) for line in logs] == [("rpc.failed", "forbidden", "error")]


@pytest.mark.parametrize(
    ("error", "level", "event", "reason"),
    [
        (Unavailable(Reason.DATABASE_UNAVAILABLE), "warning", "rpc.unavailable", "DATABASE_UNAVAILABLE"),
        (Overloaded(), "warning", "rpc.unavailable", "OVERLOADED"),
        (TimeoutError(), "warning", "rpc.unavailable", "DEADLINE_EXCEEDED"),
        (Unavailable(Reason.SHUTTING_DOWN), "debug", "rpc.ended", None),
        (NotFound(Reason.REGISTERED_MODEL_NOT_FOUND), "debug", "rpc.ended", None),
        (Unauthenticated("no token"), "debug", "rpc.ended", None),
    ],
)
async def test_only_what_clients_cannot_help_is_a_warning(
    error: Exception, level: str, event: str, reason: str | None
) -> None:
    with capture_logs() as logs:
        await refused(failing(error), "GetRegisteredModel", GET, FakeContext(PROJECT))
    assert [(line["log_level"], line["event"], line.get("reason")) for line in logs] == [(level, event, reason)]


async def test_a_call_does_not_keep_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its traceback refers to the call, and the garbage collector seldom runs."""
    calls = []

    def noted(**fields: Any) -> Call:
        calls.append(Call(**fields))
        return calls[-1]

    monkeypatch.setattr(handlers, "Call", noted)
    servicer = failing(NotFound(Reason.REGISTERED_MODEL_NOT_FOUND))
    await rest(servicer, "GetRegisteredModel", GET_TARGET)
    await refused(servicer, "GetRegisteredModel", GET, FakeContext(PROJECT))
    assert [(call.code, call.error) for call in calls] == [(grpc.StatusCode.NOT_FOUND, None)] * 2


async def test_bytes_that_are_no_message_are_refused_after_the_project() -> None:
    code = grpc.StatusCode.INVALID_ARGUMENT
    text = (
        "the request cannot be decoded as GetRegisteredModelRequest: its bytes are malformed or a string is not UTF-8"
    )
    for request in (b"nonsense", b"\n\x01\xff"):
        assert await refused(servicer_with(), "GetRegisteredModel", request, FakeContext(PROJECT)) == (code, text)
    text = "project ID is required (Project-ID header): the metadata key `project-id` is missing or empty"
    assert await refused(servicer_with(), "GetRegisteredModel", b"nonsense", FakeContext()) == (code, text)


async def test_no_native_call_takes_longer_than_the_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(_project: UUID, _id: UUID, _view: View) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(handlers, "LONGEST_SECONDS", 0.01)
    for remaining in (None, 1.0):
        answer = await refused(servicer_with(get=get), "GetRegisteredModel", GET, FakeContext(PROJECT, remaining))
        assert answer == (grpc.StatusCode.DEADLINE_EXCEEDED, "the request took too long")


def test_a_callers_own_deadline_is_kept_by_grpc() -> None:
    def longest(remaining: float | None) -> float | None:
        context: Any = FakeContext(remaining=remaining)
        return handlers._longest(context)

    assert longest(5.0) is None
    assert longest(LONGEST_SECONDS) is None
    assert longest(LONGEST_SECONDS + 1) == longest(None) == LONGEST_SECONDS


# --- requests with an id -----------------------------------------------------------------------------------------


class Registrations:
    """One service for several calls, with the answers that it remembers."""

    def __init__(self, registry: Registry) -> None:
        self.handlers = handlers_of([RegisteredModelServicer(registry.models)], InMemoryRequests(), OPEN, auditing())

    def _method(self, path: str) -> Any:
        details: Any = SimpleNamespace(method=f"/{path}.RegisteredModelService/CreateRegisteredModel")
        return next(one for each in self.handlers if (one := each.service(details))).unary_unary

    async def native(self, id: str, **fields: Any) -> str:
        new = registered_model_pb2.CreateRegisteredModelRequest(registered_model=fields, request_id=id)
        context = FakeContext(PROJECT)
        try:
            data = await self._method("modelregistry.v1")(new.SerializeToString(), context)
        except AbortedError:
            assert context.aborted is not None
            return f"{context.aborted[0].name}: {context.aborted[1]}"
        return str(registered_model_pb2.CreateRegisteredModelResponse.FromString(data).registered_model.id)

    async def rest(self, id: str, body: bytes) -> tuple[str, Any]:
        pairs = (*PROJECT, ("x-envoy-original-path", f"{API}/models"), ("idempotency-key", id))
        data = await self._method(REST_PACKAGE)(HttpBody(data=body).SerializeToString(), FakeContext(pairs))
        answer = HttpBody.FromString(data)
        return answer.content_type.rpartition("=")[2], orjson.loads(answer.data)


REUSED = "request_id (REST: Idempotency-Key) was used for another request: use a new one per request"
TOO_LONG = "request_id (REST: Idempotency-Key) must be 1 to 128 characters"


async def test_a_native_request_with_an_id_is_carried_out_once(registry: Registry) -> None:
    models = Registrations(registry)
    first = await models.native("é" * 128, name="m", labels={"a": "1", "b": "2"})
    assert await models.native("é" * 128, name="m", labels={"b": "2", "a": "1"}) == first
    assert await models.native("é" * 128, name="other") == f"INVALID_ARGUMENT: {REUSED}"
    assert (await models.native("", name="m")).startswith("ALREADY_EXISTS")
    assert await models.native("x" * 129, name="m") == f"INVALID_ARGUMENT: {TOO_LONG}"


async def test_a_rest_request_with_a_key_is_carried_out_once(registry: Registry) -> None:
    models = Registrations(registry)
    first = await models.rest("k", b'{"name":"m","description":"d"}')
    assert first[0] == "201"
    assert await models.rest("k", b'{"description": "d", "name": "m", "unknown": 1}') == first
    assert await models.rest("k", b'{"name":"other"}') == ("422", {"error": REUSED})
    assert await models.rest("x" * 129, b'{"name":"m"}') == ("400", {"error": TOO_LONG})
    assert await models.rest("", b'{"name":"m"}') == ("400", {"error": TOO_LONG})
    assert await models.native("k", name="m") == f"INVALID_ARGUMENT: {REUSED}"  # its answer has another format


def test_every_rpc_that_writes_takes_an_id() -> None:
    """Those that only look are named like this. A synchronization, a test and an import may be repeated by their
    nature; the text of an API token is not stored for a repetition."""
    reads = re.compile("(Get|BatchGet|List|Find|Watch|Plan|Explain|Export|Sync|Test|Import|CreateApiToken).*")
    for servicer, _ in SERVICERS:
        for name, method in servicer.SERVICE.methods_by_name.items():
            has_id = "request_id" in method.input_type.fields_by_name
            assert has_id != bool(reads.fullmatch(name)), name


# --- the log -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [None, NotFound(Reason.REGISTERED_MODEL_NOT_FOUND)])
async def test_each_call_writes_one_line(registry: Registry, error: Exception | None) -> None:
    metadata = (*PROJECT, ("x-request-id", "r"), ("x-user", "u"))
    code = "NOT_FOUND" if error else "OK"
    servicer = failing(error) if error else RegisteredModelServicer(registry.models)
    with capture_logs() as logs:
        if error:
            await refused(servicer, "GetRegisteredModel", GET, FakeContext(metadata))
            await rest(servicer, "GetRegisteredModel", GET_TARGET, metadata=metadata)
        else:
            await native(servicer, "ListRegisteredModels", b"", FakeContext(metadata))
            await rest(servicer, "ListRegisteredModels", f"{API}/models?search=s3cret", metadata=metadata)
    assert [line.pop("method").rpartition(".")[0] for line in logs] == ["modelregistry.v1", "modelregistry.v1.rest"]
    for line in logs:
        assert 0 <= line.pop("duration_ms") < 10_000
        assert line == {
            "event": "rpc.ended",
            "log_level": "debug",
            "code": code,
            "project_id": UUID(int=1),
        }


async def test_a_refused_request_is_logged_with_its_code() -> None:
    with capture_logs() as logs:
        await rest(servicer_with(), "GetRegisteredModel", GET_TARGET, metadata=())
        await rest(servicer_with(), "GetRegisteredModel", f"{API}/models/a%2Fb")
        await rest(servicer_with(), "CreateRegisteredModel", f"{API}/models", b"s3cret")
    assert [line["code"] for line in logs] == ["INVALID_ARGUMENT", "NOT_FOUND", "INVALID_ARGUMENT"]
    assert logs[0]["project_id"] == UUID(int=0)
    assert "s3cret" not in str(logs)


@pytest.mark.parametrize(("remaining", "code"), [(None, "CANCELLED"), (1.5, "CANCELLED"), (0, "DEADLINE_EXCEEDED")])
async def test_a_call_that_grpc_cancels_is_logged_and_stays_cancelled(remaining: float | None, code: str) -> None:
    context = FakeContext((*PROJECT, ("x-envoy-original-path", GET_TARGET)), remaining)
    servicer = failing(asyncio.CancelledError())
    with capture_logs() as logs:
        with pytest.raises(asyncio.CancelledError):
            await native(servicer, "GetRegisteredModel", GET, context)
        call = handler(servicer, "/modelregistry.v1.rest.RegisteredModelService/GetRegisteredModel").unary_unary
        with pytest.raises(asyncio.CancelledError):
            await call(b"", context)
    assert context.aborted is None
    assert [(line["event"], line["code"], line["log_level"]) for line in logs] == [("rpc.ended", code, "debug")] * 2


# --- who calls ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "is_project"),
    [
        ((str(UUID(int=5)),), True),
        ((str(UUID(int=5)), str(UUID(int=5))), True),
        ((UUID(int=5).hex,), True),
        ((str(UUID(int=5)), str(UUID(int=6))), False),
        ((str(UUID(int=5)), str(UUID(int=6)), str(UUID(int=5))), False),
        ((str(UUID(int=5)), ""), False),
        (("", str(UUID(int=5))), False),
        ((), False),
        (("",), False),
        (("abc",), False),
        ((str(UUID(int=0)),), False),
        ((f"{UUID(int=5)},{UUID(int=5)}",), False),
    ],
)
async def test_one_project_id_counts_and_two_are_like_a_missing_one(
    values: tuple[str, ...], *, is_project: bool
) -> None:
    projects = []

    async def get(project: UUID, _id: UUID, _view: View) -> NoReturn:
        projects.append(project)
        raise NotFound(Reason.REGISTERED_MODEL_NOT_FOUND)

    metadata = tuple(("project-id", value) for value in values)
    status, _ = await rest(servicer_with(get=get), "GetRegisteredModel", GET_TARGET, metadata=metadata)
    await refused(servicer_with(get=get), "GetRegisteredModel", GET, FakeContext(metadata))
    assert (status, projects) == ((404, [UUID(int=5)] * 2) if is_project else (400, []))


def test_of_other_metadata_the_first_counts_and_only_some_are_read() -> None:
    pairs = (("x-user", "a"), ("x-user", "b"), ("x-request-id", "1"), ("x-request-id", "2"), ("cookie", "c"))
    assert metadata_of(pairs) == {"x-user": "a", "x-request-id": "1"}
    assert metadata_of(None) == {}
    conditions = [("if-match", '"1"'), ("if-match", '"2", "3"'), ("idempotency-key", "a"), ("idempotency-key", "a")]
    assert metadata_of(conditions) == {"if-match": '"1", "2", "3"', "idempotency-key": "a, a"}


@pytest.mark.parametrize("second", ["Bearer b", ""])
def test_two_different_tokens_are_no_token(second: str) -> None:
    """Somebody in between may have checked the other one."""
    for tokens in (("Bearer a", second), (second, "Bearer a"), ("Bearer a", second, "Bearer a")):
        assert metadata_of([("authorization", token) for token in tokens])["authorization"] not in tokens
    assert metadata_of([("authorization", "Bearer a")] * 2) == {"authorization": "Bearer a"}


async def test_a_call_without_a_request_id_gets_one_and_a_long_one_is_cut() -> None:
    made = set()
    project = {"project-id": str(UUID(int=1))}
    for metadata in (project, {"x-request-id": "", **project}):
        call = Call(method="m")
        await call.identify(metadata, OPEN, Role.VIEWER, needs_object=False)
        made.add(UUID(call.request_id))
    assert len(made) == 2
    call = Call(method="m")
    named = {"x-request-id": "x" * 500, "x-user": "u", **project}
    await call.identify(named, OPEN, Role.VIEWER, needs_object=False)
    assert (call.request_id, call.user) == ("x" * 128, "u")


# --- streams -----------------------------------------------------------------------------------------------------


def _event(number: int) -> deployment_pb2.WatchDeploymentResponse:
    return deployment_pb2.WatchDeploymentResponse(event={"sequence": number})


class WatchingServicer:
    """Streams numbers as events, then fails if it is told to."""

    SERVICE = deployment_pb2.DESCRIPTOR.services_by_name["DeploymentService"]

    def __init__(self, fault: BaseException | None) -> None:
        self._fault = fault

    @stream_rpc(only_grpc(_event), Role.VIEWER)
    async def watch(
        self,
        request: deployment_pb2.WatchDeploymentRequest,
        call: Call,
    ) -> AsyncIterator[int]:
        for number in (1, 2):
            yield number
        if self._fault:
            raise self._fault


@pytest.mark.parametrize(
    ("fault", "code"),
    [(None, "OK"), (RuntimeError(SECRET), "INTERNAL"), (asyncio.CancelledError(), "CANCELLED")],
)
async def test_a_stream_is_one_call_with_one_line(fault: BaseException | None, code: str) -> None:
    servicer = WatchingServicer(fault)
    method = servicer.SERVICE.methods_by_name["WatchDeployment"]
    call: Any = handlers._native(servicer, WatchingServicer.watch, method, InMemoryRequests(), OPEN, auditing())
    context = FakeContext((*PROJECT, ("x-request-id", str(uuid4()))))
    request = deployment_pb2.WatchDeploymentRequest(id=str(UUID(int=7))).SerializeToString()
    with capture_logs() as logs:
        if fault is None:
            await call.unary_stream(request, context)
        else:
            with pytest.raises((AbortedError, asyncio.CancelledError)):
                await call.unary_stream(request, context)
    events = [deployment_pb2.WatchDeploymentResponse.FromString(data).event.sequence for data in context.written]
    assert events == [1, 2]
    assert (context.aborted is not None) == (code == "INTERNAL")
    assert [line["code"] for line in logs] == [code]


@pytest.fixture(autouse=True)
def _default_logging() -> None:
    structlog.reset_defaults()


# --- streams of requests and long streams -------------------------------------------------------------------------


TRANSFER = "/modelregistry.v1.TransferService"


def transfers_with(**use_cases: Any) -> TransferServicer:
    transfers: Any = SimpleNamespace(**use_cases)
    return TransferServicer(transfers)


async def test_a_stream_of_requests_is_answered_once_and_begins_to_be_answered_at_once() -> None:
    context = FakeContext(PROJECT)

    async def parts() -> AsyncIterator[bytes]:
        assert context.has_begun  # the gateway would end the call after a minute
        for part in (b'{"trailer"', b":{}}\n", b'{"trailer":{}}'):
            yield transfer_pb2.ImportProjectRequest(ndjson=part).SerializeToString()

    async def take(_project: UUID, lines: AsyncIterator[Line], _user: str) -> Imported:
        return Imported(renumbered_versions=len([line async for line in lines]))

    answer = await handler(transfers_with(import_=take), f"{TRANSFER}/ImportProject").stream_unary(parts(), context)
    assert transfer_pb2.ImportProjectResponse.FromString(answer).renumbered_versions == 2


async def test_a_stream_that_takes_too_long_ends_and_is_closed() -> None:
    closed = asyncio.Event()

    async def export(_project: UUID) -> AsyncGenerator[Record, None]:
        try:
            await asyncio.Event().wait()
            yield Record(content=Trailer(record_count=1))
        finally:
            closed.set()

    short = {"ExportProject": replace(TransferServicer.ExportProject, longest=0.05)}
    servicer = type("Servicer", (), vars(TransferServicer) | short)(SimpleNamespace(export=export))
    context = FakeContext(PROJECT)
    with pytest.raises(AbortedError):
        await handler(servicer, f"{TRANSFER}/ExportProject").unary_stream(b"", context)
    assert context.aborted
    assert context.aborted[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert closed.is_set()


async def test_a_worker_takes_a_few_imports_at_a_time() -> None:
    go_on = asyncio.Event()

    async def take(*_: object) -> Imported:
        await go_on.wait()
        return Imported()

    async def no_parts() -> AsyncIterator[bytes]:
        return
        yield

    served = handler(transfers_with(import_=take), f"{TRANSFER}/ImportProject").stream_unary
    running = [asyncio.create_task(served(no_parts(), FakeContext(PROJECT))) for _ in range(MOST_IMPORTS)]
    await asyncio.sleep(0)
    context = FakeContext(PROJECT)
    with pytest.raises(AbortedError):
        await served(no_parts(), context)
    assert context.aborted
    assert context.aborted[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    go_on.set()
    await asyncio.gather(*running)
    await served(no_parts(), FakeContext(PROJECT))


async def test_an_import_that_pauses_for_too_long_gives_its_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servicers.transfer, "LONGEST_PAUSE", 0.05)

    async def parts() -> AsyncIterator[bytes]:
        yield transfer_pb2.ImportProjectRequest(ndjson=b"{").SerializeToString()
        await asyncio.Event().wait()

    async def take(_project: UUID, lines: AsyncIterator[Line], _user: str) -> Imported:
        return Imported(renumbered_versions=len([line async for line in lines]))

    servicer = transfers_with(import_=take)
    for _ in range(MOST_IMPORTS + 1):
        context = FakeContext(PROJECT)
        with pytest.raises(AbortedError):
            await handler(servicer, f"{TRANSFER}/ImportProject").stream_unary(parts(), context)
        assert context.aborted
        assert context.aborted[0] is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_stream_of_requests_is_declared() -> None:
    async def once(_self: object, request: transfer_pb2.ImportProjectRequest, call: Call) -> None: ...

    wrong = {"ImportProject": rpc(only_grpc(str), Role.EDITOR)(once)}  # type: ignore[type-var]
    servicer = type("Servicer", (), vars(TransferServicer) | wrong)(None)
    with pytest.raises(TypeError, match=r"TransferService\.ImportProject does not fit"):
        handlers_of([servicer], InMemoryRequests(), OPEN, auditing())
