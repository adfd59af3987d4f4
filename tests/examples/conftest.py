"""Fixtures of the examples: the service that they call, and the clients as programs."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.stack import Addresses, Stack
from tests.examples.builds import GO, TYPESCRIPT

_SECONDS = 60  # a deployment in the simulated cluster takes about one


@dataclass(frozen=True)
class Client:
    """A client of examples/, built."""

    command: tuple[str, ...]
    address: str

    def run(self, *, project: str, **options: str) -> subprocess.CompletedProcess[str]:
        given = {"address": self.address, "project": project, **options}
        arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
        command = [*self.command, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)


@pytest.fixture(scope="session")
def stack() -> Iterator[Addresses]:
    """A service with the simulated cluster."""
    service = Stack(REGISTRY_CLUSTER="simulated")
    try:
        yield service.start()
    finally:
        service.stop()
        service.remove()


@pytest.fixture
def api(stack: Addresses) -> Iterator[Api]:
    """The REST API as a new project sees it."""
    with httpx.Client(base_url=stack.base_url, timeout=30) as http:
        yield Api(http, str(uuid.uuid4()))


@pytest.fixture(scope="session")
def go_command() -> tuple[str, ...]:
    return (str(GO.build() / "examples" / "go" / "client"),)


@pytest.fixture(scope="session")
def typescript_command() -> tuple[str, ...]:
    return ("node", str(TYPESCRIPT.build() / "examples" / "typescript" / "dist" / "main.js"))


@pytest.fixture(
    params=[
        pytest.param("go_command", id="go", marks=pytest.mark.golang),
        pytest.param("typescript_command", id="typescript", marks=pytest.mark.node),
    ]
)
def client(request: pytest.FixtureRequest, stack: Addresses) -> Client:
    return Client(request.getfixturevalue(request.param), stack.target)
