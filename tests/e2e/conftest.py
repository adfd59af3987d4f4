"""Fixtures of the black-box tests: the real service behind its gateway, on real PostgreSQL.

`REGISTRY_TEST_BASE_URL` (cluster switched off) and `REGISTRY_TEST_SIMULATED_BASE_URL` (simulated cluster) make the
tests use services that run already instead of starting them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import World
from tests.e2e.rpc import Rpc
from tests.e2e.stack import Addresses, SharedStack

_STACKS = pytest.StashKey[list[SharedStack]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_STACKS] = []


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Release the shared stacks. Not in a fixture, because waiting for other workers must not time out a test."""
    stacks = session.config.stash[_STACKS]
    for stack in stacks:
        stack.release()
    for stack in stacks:
        stack.stop()


def _shared(
    request: pytest.FixtureRequest, factory: pytest.TempPathFactory, name: str, **environment: str
) -> Addresses:
    folder = factory.getbasetemp()
    if hasattr(request.config, "workerinput"):
        folder = folder.parent
    # Everything that can be logged is, so that tests see that no secret is in it.
    stack = SharedStack(Path(folder), name, REGISTRY_LOG_LEVEL="debug", **environment)
    request.config.stash[_STACKS].append(stack)
    return stack.acquire()


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Addresses:
    """A service without a cluster."""
    if running := os.environ.get("REGISTRY_TEST_BASE_URL"):
        return Addresses(base_url=running)
    return _shared(request, tmp_path_factory, "disabled", REGISTRY_CLUSTER="none")


@pytest.fixture(scope="session")
def simulated_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Addresses:
    """A service with the simulated cluster."""
    if running := os.environ.get("REGISTRY_TEST_SIMULATED_BASE_URL"):
        return Addresses(base_url=running)
    # These tests are not about the rate limit of the Kubernetes client, so nothing should wait for it.
    settings = {"REGISTRY_CLUSTER": "simulated", "REGISTRY_KUBERNETES_REQUESTS_PER_SECOND": "1000"}
    return _shared(request, tmp_path_factory, "simulated", **settings)


@pytest.fixture(scope="session")
def http(stack: Addresses) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.base_url, timeout=30) as client:
        yield client


@pytest.fixture(scope="session")
def simulated_http(simulated_stack: Addresses) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=simulated_stack.base_url, timeout=30) as client:
        yield client


@pytest.fixture
def api(http: httpx.Client) -> Api:
    """The API as a new project sees it."""
    return Api(http)


@pytest.fixture(scope="module")
def channel(stack: Addresses) -> Iterator[grpc.Channel]:
    """A channel with gRPC's default limits, for example of trailers."""
    with grpc.insecure_channel(stack.target) as channel:
        yield channel


@pytest.fixture
def rpc(channel: grpc.Channel, api: Api) -> Rpc:
    """A gRPC client of the same project as `api`."""
    return Rpc(channel, api.project_id)


@pytest.fixture
def world(api: Api) -> World:
    """One object of every kind in the test's project."""
    return World(api)


@pytest.fixture
def other_world(api: Api) -> World:
    """One object of every kind in another project."""
    return World(api.of_another_project())
