"""One trace from a client of the gateway to PostgreSQL and the cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.deployments import Place
from tests.e2e.stack import Addresses, Stack, free_port
from tests.otlp import PARENT, TRACE, Received, SpanReceiver, receiving_spans

from registry_grpc.shipped import PROJECT_ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_SECONDS = 30.0


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with receiving_spans() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def stack(receiver: SpanReceiver) -> Iterator[Addresses]:
    stack = Stack(REGISTRY_CLUSTER="simulated", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_BSP_SCHEDULE_DELAY="100")
    try:
        yield stack.start()
    finally:
        assert stack.stop() == 0
        stack.remove()


def sampled() -> tuple[str, dict[str, str]]:
    trace = os.urandom(16).hex()
    return trace, {"traceparent": f"00-{trace}-{PARENT}-01"}


def until_ended(receiver: SpanReceiver, trace: str) -> list[Received]:
    deadline = time.monotonic() + _SECONDS
    while not any(span.is_server for span in receiver.of(trace)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return receiver.of(trace)


def test_rest(stack: Addresses, receiver: SpanReceiver) -> None:
    with httpx.Client(base_url=stack.base_url, timeout=30) as http:
        place = Place(Api(http))
        trace, headers = sampled()
        http.headers.update(headers)
        place.deploy()
    found = until_ended(receiver, trace)
    (call,) = [span for span in found if span.is_server]
    assert (call.parent, call.attributes["registry.front_end"]) == (PARENT, "rest")
    assert {span.parent for span in found if span is not call} == {call.id}
    names = {span.name for span in found}
    assert {"PostgresDeploymentRepository.deploy", "patch inferenceservices", "COMMIT"} <= names


def test_grpc(stack: Addresses, receiver: SpanReceiver) -> None:
    trace, headers = sampled()
    with grpc.insecure_channel(stack.target) as channel:
        models: Any = channel.unary_unary("/modelregistry.v1.RegisteredModelService/ListRegisteredModels")
        project = ("project-id", "11111111-1111-4111-8111-111111111111")
        models(b"", metadata=[*headers.items(), project], timeout=_SECONDS)
    found = until_ended(receiver, trace)
    assert {(span.is_server, span.parent == PARENT) for span in found} == {(True, True), (False, False)}


def test_a_pass_of_the_controller(stack: Addresses, receiver: SpanReceiver) -> None:
    with httpx.Client(base_url=stack.base_url, timeout=30) as http:
        Place(Api(http)).deployed()
    deadline = time.monotonic() + _SECONDS
    while not any(span.name == "pass" for span in receiver.spans):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert {span.service for span in receiver.spans} == {"registry-grpc"}


def test_the_recipe(stack: Addresses, receiver: SpanReceiver) -> None:
    """The commands of docs/traces.md. Their receiver gets what ours has got, because a stack has only one."""
    text = (PROJECT_ROOT / "docs" / "traces.md").read_text()
    program, curl, printed = re.findall(r"^```\w*\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    subprocess.run(["sh", "-e"], input=curl.replace("127.0.0.1:8080", stack.target), text=True, check=True)
    until_ended(receiver, TRACE)
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(program.replace("4318", str(port)))
        process.stdin.close()
        (body,) = [body for body in receiver.bodies if bytes.fromhex(TRACE) in body]
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/traces", body).close()
                break
            time.sleep(0.05)
        process.terminate()
        got = process.stdout.read().splitlines()
    documented = printed.splitlines()
    names = [line.split(" ms ")[1] for line in got if line.startswith(TRACE)]
    assert names == [line.split(" ms ")[1] for line in documented]
    assert got[0].split()[:2] == documented[0].split()[:2] == [TRACE, PARENT]
