"""The simulated cluster as one object, with its server and controllers."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.access import Access
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    NAMESPACES,
    PRIORITY_CLASSES,
)
from registry_grpc.devtools.simulated_cluster.api.store import Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Policy, Verbs
from registry_grpc.devtools.simulated_cluster.journal import Journal
from registry_grpc.devtools.simulated_cluster.kserve.controller import KServeController, webhook
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import shipped_runtimes
from registry_grpc.devtools.simulated_cluster.server.app import Api
from registry_grpc.devtools.simulated_cluster.server.watching import Watches
from registry_grpc.devtools.simulated_cluster.workloads.deployments import DeploymentController
from registry_grpc.devtools.simulated_cluster.workloads.garbage import GarbageCollector
from registry_grpc.devtools.simulated_cluster.workloads.pods import Kubelet

_HOST = "127.0.0.1"


class SimulatedCluster:
    """A cluster with KServe in this process: `async with SimulatedCluster() as cluster`.

    store        the objects
    verbs        the API without HTTP, for other writers in this process
    policies     functions that may refuse writes; KServe's webhook is the first one
    """

    api_class: ClassVar[type[Api]] = Api
    api: Api

    def __init__(
        self,
        *,
        port: int = 0,
        folder: Path | None = None,
        auto_create_namespaces: bool = False,
        with_kserve: bool = True,
        pace: float = 0.1,
        bookmark_interval: float = 60.0,
    ) -> None:
        """`folder` keeps objects and certificate across restarts. With `with_kserve=False`, KServe's controller does
        not run. `pace` is the number of seconds between two states of a pod."""
        self._port = port
        self._folder = folder
        self._with_kserve = with_kserve
        self._pace = pace
        self.store = Store()
        self.policies: list[Policy] = [webhook]
        self.verbs = Verbs(self.store, self.policies, auto_create_namespaces=auto_create_namespaces)
        self._watches = Watches(self.store, bookmark_interval=bookmark_interval)
        self._exit = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        return f"https://{_HOST}:{self._port}"

    def token(self, user: str = "admin") -> str:
        """The bearer token of this user."""
        return self._access.token(user)

    def kubeconfig(self, path: Path, user: str = "admin") -> Path:
        """Writes a kubeconfig for this user."""
        return self._access.write_kubeconfig(path, self.url, user)

    def create_namespace(self, name: str) -> None:
        self.verbs.create(NAMESPACES, "", {"metadata": {"name": name}})

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            folder = self._folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._access = Access(folder / "server.pem")
            if self._folder is None or Journal(folder / "objects.jsonl", self.store).is_new:
                self._install()
            self.api = self.api_class(self.store, self.verbs, self._watches, self._access.user_of)
            self._port = await self._listen(stack)
            await self._start_controllers(stack)
            self._exit = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit.aclose()

    def _install(self) -> None:
        for name in ("default", "kube-system", "kserve"):
            self.create_namespace(name)
        for runtime in shipped_runtimes():
            self.verbs.create(CLUSTER_SERVING_RUNTIMES, "", runtime)
        for name in ("system-cluster-critical", "system-node-critical"):
            self.verbs.create(PRIORITY_CLASSES, "", {"metadata": {"name": name}, "value": 2_000_000_000})

    async def _listen(self, stack: contextlib.AsyncExitStack) -> int:
        # Connections are closed after a moment, so that open watches do not delay the end.
        runner = web.AppRunner(self.api.application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, _HOST, self._port, ssl_context=self._access.tls).start()
        stack.callback(self.store.end_watches)
        port: int = runner.addresses[0][1]
        return port

    async def _start_controllers(self, stack: contextlib.AsyncExitStack) -> None:
        """Starts the controllers. They begin with all present objects, so work that a kill interrupted goes on."""
        parts = [
            GarbageCollector(self.store, self.verbs).work.run(),
            DeploymentController(self.store, self.verbs).work.run(),
            Kubelet(self.store, self.verbs, self._pace).work.run(),
        ]
        if self._with_kserve:
            kserve, later = KServeController(self.verbs), asyncio.get_running_loop().call_later
            # As in a real cluster, a writer that reads its object at once sees no status yet.
            self.store.listen(lambda change: later(self._pace, kserve.on_change, change.resource, change.obj))
            parts.append(kserve.work.run())
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for part in parts:
            stack.callback(group.create_task(part).cancel)
