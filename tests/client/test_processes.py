"""Processes that are interrupted, or forked, while they call a registry."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from tests.client.fake_registry import FakeRegistry
from tests.client.test_waiting import ID, change, state

from modelregistry.v1 import registered_model_pb2
from registry_client.errors import DeploymentFailed, NotFound, WaitTimeout

pytestmark = pytest.mark.slow

# Python has no handler in processes that a shell started in the background.
BEGIN = """
import asyncio, os, signal, sys, threading
import grpc._channel
from registry_client import AsyncClient, Client, Error
signal.signal(signal.SIGINT, signal.default_int_handler)
url, deployment_id = sys.argv[1:]
"""
BLOCKING = """
client = Client(url)
try:
    {call}
except KeyboardInterrupt:
    print("interrupted")
{end}
"""
ASYNCHRONOUS = """
async def main():
    async with AsyncClient(url) as client:
        deployment = await client.deployments.get(deployment_id)
        {call}

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted")
"""
TELL = 'print("begun", flush=True)'
WAIT = f"client.deployments.get(deployment_id).wait(progress=lambda _: {TELL})"
WATCH = f"for _ in client.deployments.get(deployment_id).watch(): {TELL}"
# The signal comes while gRPC begins the stream: it has sent the call, but no thread reads its answers yet.
AT_ONCE = """
begins = grpc._channel._run_channel_spin_thread

def interrupted(state):
    os.kill(os.getpid(), signal.SIGINT)
    begins(state)

grpc._channel._run_channel_spin_thread = interrupted
"""


@pytest.fixture
def registry(registry: FakeRegistry) -> Iterator[FakeRegistry]:
    """Of a deployment that never serves."""
    ended = threading.Event()
    registry.answer("WatchDeployment", [change("PENDING"), ended.wait])
    registry.answer("GetDeployment", state("PENDING"))
    registry.answer("FindRegisteredModel", registered_model_pb2.FindRegisteredModelResponse(registered_model={}))
    yield registry
    ended.set()


def started(registry: FakeRegistry, script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + script, registry.url, ID],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> tuple[str, str]:
    try:
        return process.communicate(timeout=60)
    finally:
        process.kill()


@pytest.mark.parametrize(
    "script",
    [
        BLOCKING.format(call=WAIT, end="client.close()"),
        BLOCKING.format(call=WAIT, end=""),
        BLOCKING.format(call=WATCH, end="client.close()"),
        ASYNCHRONOUS.format(call=f"await deployment.wait(progress=lambda _: {TELL})"),
        ASYNCHRONOUS.format(call=f"async for _ in deployment.watch(): {TELL}"),
    ],
    ids=["wait", "wait and no close", "watch", "asynchronous wait", "asynchronous watch"],
)
def test_an_interrupt_ends_at_once_and_without_noise(registry: FakeRegistry, script: str) -> None:
    process = started(registry, script)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    assert output(process) == ("interrupted\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize("end", ["client.close()", "del client"])
def test_an_interrupt_at_the_beginning_of_a_stream_does_not_keep_the_client_from_closing(
    registry: FakeRegistry, end: str
) -> None:
    assert output(started(registry, AT_ONCE + BLOCKING.format(call=WATCH, end=end))) == ("interrupted\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs forks")
@pytest.mark.parametrize(("end", "printed"), [("", "This process was forked"), ("client.close()", "Model(")])
def test_a_forked_process_is_told_what_it_cannot_do(registry: FakeRegistry, end: str, printed: str) -> None:
    """Its calls would wait for ever."""
    script = f"""
client = Client(url)
client.models.get("iris")
{end}
if os.fork() == 0:
    try:
        print(Client(url).models.get("iris"))
    except Error as error:
        print(error)
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""
    told, noise = output(started(registry, script))
    assert told.startswith(printed)
    assert noise == ""


@pytest.mark.parametrize(
    "error",
    [
        DeploymentFailed("iris", "FAILED", "MODEL_LOAD", "no such file", "Upload it."),
        NotFound("no model", reason="REGISTERED_MODEL_NOT_FOUND", metadata={"id": "7"}, hint="Create it."),
        WaitTimeout("too late", "Wait."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_come_from_another_process(error: Exception) -> None:
    """As from a pool of processes."""
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
