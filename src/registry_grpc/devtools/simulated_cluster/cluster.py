"""The simulated cluster as one object: server, controllers, and the handles tests and development need."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.admission import Admission
from registry_grpc.devtools.simulated_cluster.api.garbage import GarbageCollector
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    CUSTOM_RESOURCE_DEFINITIONS,
    CUSTOM_RESOURCES,
    NAMESPACES,
    custom_resource_definition,
)
from registry_grpc.devtools.simulated_cluster.api.store import Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs
from registry_grpc.devtools.simulated_cluster.faults import Faults
from registry_grpc.devtools.simulated_cluster.kserve.client import ClusterClient
from registry_grpc.devtools.simulated_cluster.kserve.controller import KServeController
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import shipped_runtimes
from registry_grpc.devtools.simulated_cluster.kubeconfig import token_in, write_kubeconfig
from registry_grpc.devtools.simulated_cluster.persistence import StateFile
from registry_grpc.devtools.simulated_cluster.server.app import Api
from registry_grpc.devtools.simulated_cluster.server.watching import Watches
from registry_grpc.devtools.simulated_cluster.timing import Timing
from registry_grpc.devtools.simulated_cluster.workloads.deployments import DeploymentPlayer
from registry_grpc.devtools.simulated_cluster.workloads.pod_admission import pod_dependencies
from registry_grpc.devtools.simulated_cluster.workloads.pods import PodPlayer

_NAMESPACES = ("default", "kube-system", "kserve")
_CONTROLLER = "system:serviceaccount:kserve:kserve-controller-manager"
ADMIN = "admin"


class SimulatedCluster:
    """A cluster with KServe in it, in this process: `async with SimulatedCluster() as cluster`.

    store        the objects, for looking in from inside
    verbs        the API without HTTP, faults and counting, for playing another writer
    admission    where a test adds a policy of its own
    faults       failures on demand
    calls        how often clients asked, by (verb, resource)
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        auto_create_namespaces: bool = False,
        with_kserve: bool = True,
        timing: Timing | None = None,
        state: Path | None = None,
    ) -> None:
        """`with_kserve=False` leaves the KServe controller out, as if it were down."""
        self._host = host
        self._port = port
        self._with_kserve = with_kserve
        self._timing = timing or Timing()
        self.store = Store()
        self.admission = Admission()
        self.admission.add(pod_dependencies(self.store))
        self.verbs = Verbs(self.store, self.admission, auto_create_namespaces=auto_create_namespaces)
        self.faults = Faults()
        self._tokens: dict[str, str] = {}
        self._watches = Watches(self.store, bookmark_interval=self._timing.bookmark_interval)
        self._api = Api(self.store, self.verbs, self.faults, self._watches, self._tokens)
        self._state = StateFile(state, self.store) if state else None
        self._exit = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self._port}"

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        return self._api.calls

    def token(self, user: str = ADMIN, token: str | None = None) -> str:
        """A bearer token that makes its holder this user; a new one, unless one is given."""
        token = token or secrets.token_hex(16)
        self._tokens[token] = user
        return token

    def kubeconfig(self, path: Path, user: str = ADMIN) -> Path:
        """Writes a kubeconfig for this user. One that is there keeps its token: who has read it goes on with that."""
        return write_kubeconfig(path, self.url, self.token(user, token_in(path)))

    def client(self, user: str = ADMIN) -> ClusterClient:
        """A client for this user; use it as an async context manager."""
        return ClusterClient(self.url, token=self.token(user))

    def compact(self) -> None:
        """Forgets all history: watching from an old resourceVersion is 410 from now on."""
        self.store.compact()

    def end_watches(self, *, abruptly: bool = False) -> None:
        """Ends every open watch, or breaks its connection."""
        if abruptly:
            self._watches.drop()
        else:
            self.store.end_watches()

    def create_namespace(self, name: str) -> None:
        self.verbs.create(NAMESPACES, "", {"metadata": {"name": name}})

    async def __aenter__(self) -> Self:
        if self._state is None or not self._state.load():
            self._install()
        async with contextlib.AsyncExitStack() as stack:
            self._port = await self._listen(stack)
            await self._start(stack)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    def _install(self) -> None:
        for name in _NAMESPACES:
            self.create_namespace(name)
        for resource in CUSTOM_RESOURCES:
            self.verbs.create(CUSTOM_RESOURCE_DEFINITIONS, "", custom_resource_definition(resource))
        for runtime in shipped_runtimes():
            self.verbs.create(CLUSTER_SERVING_RUNTIMES, "", runtime)

    async def _listen(self, stack: contextlib.AsyncExitStack) -> int:
        # Open watches must not hold up the end: the connections are closed after a moment.
        runner = web.AppRunner(self._api.application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, self._host, self._port)
        await site.start()
        stack.callback(self.store.end_watches)
        port: int = runner.addresses[0][1]
        return port

    async def _start(self, stack: contextlib.AsyncExitStack) -> None:
        parts: list[Coroutine[Any, Any, None]] = [
            GarbageCollector(self.store, self.verbs).run(),
            DeploymentPlayer(self.store, self.verbs).run(),
            PodPlayer(self.store, self.verbs, self._timing).run(),
        ]
        if self._state is not None:
            parts.append(self._state.run())
        if self._with_kserve:
            client = await stack.enter_async_context(self.client(_CONTROLLER))
            deadline = self._timing.progress_deadline
            parts.append(KServeController(client, progress_deadline=deadline).run())
        self._tasks = [asyncio.create_task(part) for part in parts]
        stack.push_async_callback(_stop, self._tasks)

    async def until_broken(self) -> None:
        """Until one of its parts has died; leaving the context raises what it died of."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)


async def _stop(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        # A controller that died is a bug in here, which a test must not pass over.
        if isinstance(outcome, Exception):
            raise outcome
