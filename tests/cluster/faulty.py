"""The simulated cluster with additions for tests: failures on demand, missing rights, and counters."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from registry_grpc.devtools.simulated_cluster import SimulatedCluster
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import Resource
from registry_grpc.devtools.simulated_cluster.server.app import Api, Call
from registry_grpc.devtools.simulated_cluster.server.requests import Target


@dataclass
class Fault:
    """A fault of matching calls. `"*"` matches everything; the first `skip` calls are not affected.

    With `error`, the call is refused and not carried out; `delay` waits first; `drop` closes the connection without an
    answer, and `lose_response` does so after the call was carried out. `times` limits the number of affected calls.
    """

    verb: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    user: str = "*"
    skip: int = 0
    times: int | None = None
    error: ApiError | None = None
    delay: float = 0.0
    drop: bool = False
    lose_response: bool = False
    hits: int = field(default=0, init=False)
    """The number of calls that it has affected."""

    def matches(self, call: Call) -> bool:
        return all(getattr(self, key) in {"*", value} for key, value in call._asdict().items())


class Faults:
    """The present faults. The first match wins."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._forbidden: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def forbid(self, verb: str, resource: str, *, namespace: str = "*", user: str = "*") -> Fault:
        """Remove a right: the call gets a 403, and SelfSubjectAccessReview answers `no`."""
        fault = Fault(verb=verb, resource=resource, namespace=namespace, user=user)
        self._forbidden.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        for faults in (self._faults, self._forbidden):
            if fault in faults:
                faults.remove(fault)

    def clear(self) -> None:
        self._faults.clear()
        self._forbidden.clear()

    def forbids(self, call: Call) -> bool:
        return any(fault.matches(call) for fault in self._forbidden)

    def take(self, call: Call) -> Fault:
        """The fault of this call, whose hits it increases; without one, a fault that does nothing."""
        for fault in self._faults:
            if not fault.matches(call) or fault.hits == fault.times:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hits += 1
            return fault
        return Fault()


class _FaultyApi(Api):
    """The API server with faults between it and its clients."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.faults = Faults()
        self.uninstalled: set[Resource] = set()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.watches: list[web.Request] = []
        self.requests = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        return await super()._handle(request)

    def is_allowed(self, call: Call) -> bool:
        return not self.faults.forbids(call)

    def is_served(self, resource: Resource) -> bool:
        return resource not in self.uninstalled

    async def carry_out(self, request: web.Request, call: Call, target: Target) -> web.StreamResponse:
        self.calls[call.verb, call.resource] += 1
        fault = self.faults.take(call)
        await asyncio.sleep(fault.delay)
        if fault.drop:
            return _hang_up(request)
        if fault.error is not None:
            raise fault.error
        if call.verb == "watch":
            self.watches.append(request)
        try:
            response = await super().carry_out(request, call, target)
        finally:
            if call.verb == "watch":
                self.watches.remove(request)
        return _hang_up(request) if fault.lose_response else response


class FaultyCluster(SimulatedCluster):
    """A simulated cluster that fails on demand.

    faults       failures on demand
    uninstalled  kinds that appear not to be installed
    calls        the number of allowed calls by (verb, resource)
    requests     the number of all requests
    """

    api: _FaultyApi
    api_class = _FaultyApi

    @property
    def faults(self) -> Faults:
        return self.api.faults

    @property
    def uninstalled(self) -> set[Resource]:
        return self.api.uninstalled

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        return self.api.calls

    @property
    def requests(self) -> int:
        return self.api.requests

    def watches_of(self, namespace: str) -> int:
        """The number of open watches on this namespace."""
        return sum(f"/namespaces/{namespace}/" in request.path for request in self.api.watches)

    def end_watches(self, *, abruptly: bool = False) -> None:
        """Ends every open watch, or breaks its connection."""
        if not abruptly:
            self.store.end_watches()
        for request in self.api.watches if abruptly else ():
            _hang_up(request)


def _hang_up(request: web.Request) -> web.Response:
    """Closes the connection to the client. The response is lost."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
