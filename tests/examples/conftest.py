"""Fixtures of the examples: the service that they call, and the clients as programs."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.stack import Addresses, Stack
from tests.examples.builds import EXAMPLES, Example

_SECONDS = 60  # a deployment in the simulated cluster takes about one


@dataclass(frozen=True)
class Client:
    """A client of examples/, built."""

    example: Example
    folder: Path
    address: str

    def run(
        self, *flags: str, project: str, environment: Mapping[str, str] | None = None, **options: str
    ) -> subprocess.CompletedProcess[str]:
        given = {"address": self.address, "project": project, **options}
        arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
        return subprocess.run(
            [*self.example.run, *arguments, *flags],
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )


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


# One worker of a parallel run builds an example, and runs all of its tests.
_PARAMETERS = [
    pytest.param(example, id=example.name, marks=pytest.mark.xdist_group(f"example-{example.name}"))
    for example in EXAMPLES
]


@pytest.fixture(params=_PARAMETERS)
def client(request: pytest.FixtureRequest, stack: Addresses) -> Client:
    return Client(request.param, request.param.built(), stack.target)
