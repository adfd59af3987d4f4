"""The process of the controller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest

from registry_grpc import server
from registry_grpc.settings import Settings


class _Ends:
    """A part of the process that ends with a fault."""

    async def run(self) -> NoReturn:
        raise LookupError("a fault of the code")


def test_a_fault_of_a_part_ends_the_process_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def app(_settings: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(courier=_Ends(), controller=None)

    monkeypatch.setattr(server, "_app", app)
    settings = Settings()
    with pytest.raises(LookupError):
        server.run_controller(settings)
