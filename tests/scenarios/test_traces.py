"""Traces of calls and passes, as a receiver of OTLP gets them from a worker and a controller."""

from __future__ import annotations

import logging
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.api.httpbody_pb2 import HttpBody
from structlog.testing import capture_logs
from tests.integration.commands import command
from tests.otlp import PARENT, SAMPLED, TRACE, UNSAMPLED, Received, SpanReceiver, receiving_spans
from tests.scenarios.test_metrics import app_on, running, until
from tests.scenarios.world import KEYS, MODEL, World

from modelregistry.v1 import deployment_pb2, deployment_pb2_grpc, registered_model_pb2, registered_model_pb2_grpc
from registry_grpc.adapters import otlp, spans
from registry_grpc.adapters.otlp import sending_spans
from registry_grpc.bootstrap import App
from registry_grpc.server import Worker
from registry_grpc.settings import Settings

pytestmark = pytest.mark.slow

_MODELS: Any = registered_model_pb2_grpc.RegisteredModelServiceStub
_DEPLOYMENTS: Any = deployment_pb2_grpc.DeploymentServiceStub
_GET = "RegisteredModelService/GetRegisteredModel"
_SECRET = "s3cr3t-hunter2"


@dataclass
class Calls:
    """A worker on the database and the cluster of a world, with a client."""

    app: App
    world: World
    channel: grpc.aio.Channel

    def metadata(self, *more: tuple[str, str]) -> list[tuple[str, str]]:
        return [("project-id", str(self.world.project_id)), *more]

    async def get(self, *more: tuple[str, str], id: str = "") -> Any:
        request = registered_model_pb2.GetRegisteredModelRequest(id=id or str(self.world.model.id))
        return await _MODELS(self.channel).GetRegisteredModel(request, metadata=self.metadata(*more))


@asynccontextmanager
async def _calls_on(world: World) -> AsyncIterator[Calls]:
    async with app_on(world) as app:
        worker = Worker(Settings.model_validate({"shutdown_grace": 5, "drain_delay": 0}), app)
        port = worker.listen("127.0.0.1:0")
        await worker.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Calls(app, world, channel)
        await worker.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def calls(world: World) -> AsyncIterator[Calls]:
    async with _calls_on(world) as calls:
        yield calls


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without the settings of the developer."""
    import os

    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    return monkeypatch


@pytest.fixture
def lines_of_libraries() -> Iterator[list[str]]:
    """What would come into the log (`observability.configure_logging`)."""
    lines: list[str] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    handler = Handler()
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def receiver() -> Iterator[SpanReceiver]:
    with receiving_spans() as receiver:
        yield receiver


async def until_ended(receiver: SpanReceiver) -> None:
    """An error reaches the client before the call has ended."""
    await until(lambda: any(span.is_server for span in receiver.spans))


def server_span(found: list[Received]) -> Received:
    (span,) = [span for span in found if span.is_server]
    return span


def beneath(found: list[Received], parent: Received, system: str) -> list[Received]:
    """Those of statements, or of requests to Kubernetes, all of them beneath the parent and within its time."""
    spans = [span for span in found if any(name.startswith(system) for name in span.attributes)]
    assert spans
    assert {(span.trace, span.parent, span.is_client) for span in spans} == {(parent.trace, parent.id, True)}
    # A span that is noted when it has ended is placed by another clock.
    assert all(parent.began - 10_000_000 <= span.began <= span.ended <= parent.ended for span in spans)
    return spans


async def test_a_call_and_its_statements_are_in_the_trace_of_the_caller(calls: Calls, receiver: SpanReceiver) -> None:
    async with sending_spans(receiver.url):
        await calls.get(("traceparent", SAMPLED))
    call = server_span(receiver.spans)
    assert (call.name, call.trace, call.parent, call.service) == (_GET, TRACE, PARENT, "registry-grpc")
    assert call.attributes == {
        "rpc.system.name": "grpc", "rpc.method": _GET, "registry.front_end": "grpc", "rpc.response.status_code": "OK"
    }  # fmt: skip
    (statement,) = beneath(receiver.spans, call, "db.")
    assert statement.name == "PostgresRegisteredModelRepository.get"
    assert statement.attributes == {"db.system.name": "postgresql"}
    ((path, headers),) = receiver.requests
    assert (path, headers["content-type"]) == ("/v1/traces", "application/x-protobuf")


async def test_a_call_of_a_rest_client(calls: Calls, receiver: SpanReceiver) -> None:
    rest: Any = calls.channel.unary_unary(
        "/modelregistry.v1.rest.RegisteredModelService/GetRegisteredModel",
        request_serializer=HttpBody.SerializeToString,
    )
    target = ("x-envoy-original-path", f"/api/v1/model-registry/models/{uuid.uuid4()}")
    async with sending_spans(receiver.url):
        await rest(HttpBody(), metadata=calls.metadata(("traceparent", SAMPLED), target))
    call = server_span(receiver.spans)
    assert call.attributes["registry.front_end"] == "rest"
    assert (call.attributes["rpc.response.status_code"], call.is_error) == ("NOT_FOUND", False)


async def test_a_fault_of_the_service_is_an_error(
    calls: Calls, receiver: SpanReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise OSError(_SECRET)

    (models,) = [each for each in calls.app.servicers if type(each).__name__ == "RegisteredModelServicer"]
    monkeypatch.setattr(type(vars(models)["_models"]), "get", fail)
    async with sending_spans(receiver.url):
        with pytest.raises(grpc.aio.AioRpcError):
            await calls.get(("traceparent", SAMPLED))
        await until_ended(receiver)
    call = server_span(receiver.spans)
    assert (call.is_error, call.attributes["error.type"]) == (True, "INTERNAL")
    assert _SECRET.encode() not in b"".join(receiver.bodies)


async def test_the_statements_of_a_transaction(calls: Calls, receiver: SpanReceiver) -> None:
    create = registered_model_pb2.CreateRegisteredModelRequest(
        registered_model={"name": f"made-{_SECRET}"}, request_id=f"id-{_SECRET}"
    )
    async with sending_spans(receiver.url):
        await _MODELS(calls.channel).CreateRegisteredModel(create, metadata=calls.metadata(("traceparent", SAMPLED)))
    names = [span.name for span in beneath(receiver.spans, server_span(receiver.spans), "db.")]
    assert names[0].startswith("PostgresRequests.")
    assert "PostgresRegisteredModelRepository.create" in names
    assert (names.count("BEGIN"), names[-1]) == (1, "COMMIT")
    assert _SECRET.encode() not in b"".join(receiver.bodies)


async def test_the_statements_of_a_list_have_the_name_of_who_lists(calls: Calls, receiver: SpanReceiver) -> None:
    request = registered_model_pb2.ListRegisteredModelsRequest(search="a")
    async with sending_spans(receiver.url):
        await _MODELS(calls.channel).ListRegisteredModels(request, metadata=calls.metadata(("traceparent", SAMPLED)))
    names = {span.name for span in beneath(receiver.spans, server_span(receiver.spans), "db.")}
    assert names == {"PostgresRegisteredModelRepository.list"}


async def test_a_statement_that_fails(calls: Calls, receiver: SpanReceiver) -> None:
    create = registered_model_pb2.CreateRegisteredModelRequest(registered_model={"name": calls.world.model.name})
    async with sending_spans(receiver.url):
        with pytest.raises(grpc.aio.AioRpcError):
            await _MODELS(calls.channel).CreateRegisteredModel(
                create, metadata=calls.metadata(("traceparent", SAMPLED))
            )
        await until_ended(receiver)
    (failed,) = [span for span in receiver.spans if span.is_error]
    assert failed.name == "PostgresRegisteredModelRepository.create"
    assert failed.attributes["error.type"] == "UniqueViolationError"
    assert calls.world.model.name.encode() not in b"".join(receiver.bodies), "the text of the error has the value"


async def test_a_deploy_request_and_the_cluster(calls: Calls, receiver: SpanReceiver) -> None:
    world = calls.world
    version = await world.version()
    new = {"registered_model_id": str(world.model.id), "serving_environment_id": str(world.environment.id)}
    request = deployment_pb2.DeployModelRequest(deployment={**new, "model_version_ids": [str(version.id)]})
    async with sending_spans(receiver.url):
        answer = await _DEPLOYMENTS(calls.channel).DeployModel(
            request, metadata=calls.metadata(("traceparent", SAMPLED), ("authorization", f"Bearer {_SECRET}"))
        )
    call = server_span(receiver.spans)
    requests = {span.name: span for span in beneath(receiver.spans, call, "kubernetes.")}
    assert requests["patch inferenceservices"].attributes == {
        "kubernetes.verb": "patch", "kubernetes.kind": "inferenceservices", "kubernetes.code": "201"
    }  # fmt: skip
    read = [span for span in receiver.spans if span.name == "get inferenceservices"]
    assert {span.attributes["kubernetes.code"] for span in read} == {"404", "200"}
    assert not any(span.is_error for span in read), "that it is not there yet is no error"
    assert "PostgresDeploymentRepository.deploy" in {span.name for span in beneath(receiver.spans, call, "db.")}
    assert call.attributes["registry.deployment.id"] == answer.deployment.id
    assert call.attributes["registry.pass.outcome"]
    told = b"".join(receiver.bodies)
    for secret in (KEYS.access_key, KEYS.secret_key, MODEL, _SECRET, world.model.name, world.kube.namespace):
        assert secret.encode() not in told


async def test_a_pass_of_a_controller_has_a_trace_of_its_own(world: World, receiver: SpanReceiver) -> None:
    id_ = await world.intent()
    async with sending_spans(receiver.url), app_on(world) as app:
        assert app.controller is not None
        async with running(app.controller.run):
            await world.until_deployed(id_)
    passes = [span for span in receiver.spans if span.name == "pass"]
    assert {span.attributes["registry.deployment.id"] for span in passes} == {str(id_)}
    assert "DEPLOYED" in {span.attributes["registry.pass.outcome"] for span in passes}
    assert {span.parent for span in passes} == {""}
    assert len({span.trace for span in passes}) == len(passes)
    first = min(passes, key=lambda span: span.began)
    assert "patch inferenceservices" in {s.name for s in beneath(receiver.of(first.trace), first, "kubernetes.")}
    assert "PostgresDeploymentQueue.record" in {s.name for s in beneath(receiver.of(first.trace), first, "db.")}
    assert {span.trace for span in receiver.spans} == {span.trace for span in passes}, "other work has no traces"


async def test_the_sampler_of_the_operator_takes_passes(
    world: World, receiver: SpanReceiver, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    async with sending_spans(receiver.url), _calls_on(world) as calls:
        await calls.get(("traceparent", SAMPLED))
        id_ = await world.intent()
        assert calls.app.controller is not None
        async with running(calls.app.controller.run):
            await world.until_deployed(id_)
    assert {span.trace for span in receiver.spans} == {TRACE}, "a caller has decided already"


@pytest.mark.parametrize(
    "header",
    [
        None,
        UNSAMPLED,
        "",
        "nonsense",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        SAMPLED.upper(),
    ],
)
async def test_nothing_is_made_without_a_sampled_parent(
    calls: Calls, receiver: SpanReceiver, header: str | None
) -> None:
    async with sending_spans(receiver.url):
        await calls.get(*([("traceparent", header)] if header is not None else []))
    assert receiver.requests == []


@pytest.mark.parametrize("header", ["", UNSAMPLED])
async def test_nothing_is_spent_on_a_call_that_is_not_sampled(
    calls: Calls, receiver: SpanReceiver, header: str
) -> None:
    def fail(*_: object) -> Any:
        raise AssertionError("the SDK is asked")

    async with sending_spans(receiver.url):
        assert spans.tracer is not None
        for name in ("of_call", "beneath"):
            setattr(spans.tracer, name, fail)
        await calls.get(("traceparent", header))


async def test_the_headers_and_the_resource_of_the_operator(
    calls: Calls, receiver: SpanReceiver, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-token=abc")
    environment.setenv("OTEL_SERVICE_NAME", "models")
    async with sending_spans(f"{receiver.url}/v1/traces"):
        await calls.get(("traceparent", SAMPLED), ("tracestate", "vendor=1"))
    assert server_span(receiver.spans).service == "models"
    ((path, headers),) = receiver.requests
    assert (path, headers["x-token"]) == ("/v1/traces", "abc")
    assert b"vendor=1" in receiver.bodies[0]


async def test_calls_do_not_wait_for_a_receiver_that_hangs(
    calls: Calls, receiver: SpanReceiver, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    environment.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    environment.setattr(otlp, "_LAST_SECONDS", 0.1)
    receiver.answers.clear()
    with capture_logs() as lines:
        async with sending_spans(receiver.url):
            for _ in range(20):
                await calls.get(("traceparent", SAMPLED))
            assert len(receiver.requests) <= 1, "the receiver has not answered the first one yet"
    assert [line for line in lines if line["log_level"] != "debug"] == []


async def test_a_receiver_that_refuses_is_told_once(
    calls: Calls, receiver: SpanReceiver, lines_of_libraries: list[str]
) -> None:
    receiver.status = 400
    with capture_logs() as lines:
        async with sending_spans(receiver.url):
            while len(receiver.requests) < 3:
                await calls.get(("traceparent", SAMPLED))
            receiver.status = 200
            while not receiver.spans:
                await calls.get(("traceparent", SAMPLED))
            await until(lambda: any(line["event"] == "traces.delivered_again" for line in lines))
    told = [line for line in lines if line["event"].startswith("traces.")]
    assert [(line["event"], line["log_level"]) for line in told] == [
        ("traces.not_delivered", "warning"),
        ("traces.delivered_again", "info"),
    ]
    assert told[0]["url"] == f"{receiver.url}/v1/traces"
    assert "400" in told[0]["text"]
    assert lines_of_libraries == []


async def test_a_dead_receiver(calls: Calls, environment: pytest.MonkeyPatch, lines_of_libraries: list[str]) -> None:
    environment.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    with capture_logs() as lines:
        async with sending_spans("http://127.0.0.1:1"):
            await calls.get(("traceparent", SAMPLED))
            await until(lambda: any(line["event"].startswith("traces.") for line in lines))
    (told,) = [line for line in lines if line["event"].startswith("traces.")]
    assert (told["event"], "refused" in told["text"]) == ("traces.not_delivered", True)
    assert lines_of_libraries == []


async def test_a_variable_of_the_sdk_that_is_wrong(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "9999")
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    failed = await command("controller", database_url=nowhere, traces_endpoint="http://127.0.0.1:1", log_format="text")
    assert failed.status == 1
    assert "one of the variables OTEL_… of docs/traces.md is wrong" in failed.err
    assert "Traceback" not in failed.err


async def test_what_outlives_a_call_is_not_traced(calls: Calls, receiver: SpanReceiver) -> None:
    """A listener that the first watch has started, for example."""
    async with sending_spans(receiver.url):
        span = spans.begin_call({"traceparent": SAMPLED}, _GET, "grpc")
        assert span is not None
        assert spans.current() is span
        spans.add(span, "slept", 1.5, {}, "")
        spans.end_call(span, "OK")
        assert spans.current() is None
        await calls.world.database.fetchrow("SELECT 1")
    assert [span.name for span in receiver.spans] == ["slept", _GET]
    assert receiver.spans[0].ended - receiver.spans[0].began >= 1.5e9


async def test_without_an_endpoint_no_span_is_made(calls: Calls) -> None:
    assert spans.begin_call({"traceparent": SAMPLED}, _GET, "grpc") is None
    await calls.get(("traceparent", SAMPLED))
