"""Microseconds of what access adds to a call: `python -m tests.bench.access`.

Each figure is the least of many short runs, because other load only makes a run longer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from tests.fakes.access import InMemoryAccess

from registry_grpc.domain.access import Caller, MemberKind, NewMember, Role
from registry_grpc.services.access import Gatekeeper, OpenGate
from registry_grpc.services.projects import OpenTenancy

_CALLS, _RUNS, _MEMBERS = 500, 300, 100
_PROJECT = uuid4()
_ANN = Caller(name="ann", method="https://issuer", groups=frozenset({"a", "b", "c"}), expires_at=time.time() + 3600)


class _Issuers:
    """Knows one caller."""

    async def caller_of(self, token: str) -> Caller:
        return _ANN

    def close(self) -> None:
        pass


async def _least(call: Callable[[], Awaitable[object]]) -> float:
    runs = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        for _ in range(_CALLS):
            await call()
        runs.append(time.perf_counter() - started)
    return min(runs) / _CALLS * 1e6


async def _main() -> None:
    access, tenants = InMemoryAccess(), OpenTenancy()
    for number in range(_MEMBERS):
        await access.set_member(_PROJECT, NewMember(kind=MemberKind.USER, name=f"user-{number}", role=Role.VIEWER))
    await access.set_member(_PROJECT, NewMember(kind=MemberKind.GROUP, name="c", role=Role.EDITOR))
    gate = Gatekeeper(access=access, tenants=tenants, issuers=_Issuers(), operators=(), operator_groups=())
    opened = OpenGate(tenants)
    anybody = await opened.caller_of("", "ann")
    token = "x" * 800
    steps: dict[str, Callable[[], Awaitable[object]]] = {
        "look up a verified token": lambda: gate.caller_of("Bearer " + token, ""),
        "decide (a member by one of three groups)": lambda: gate.enter(_ANN, _PROJECT, Role.VIEWER, needs_object=True),
        "authentication off: the caller": lambda: opened.caller_of("", "ann"),
        "authentication off: decide": lambda: opened.enter(anybody, _PROJECT, Role.VIEWER, needs_object=True),
    }
    for name, call in steps.items():
        print(f"{await _least(call):5.2f} µs  {name}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_main())
