"""An installation on this machine, against which the commands of the documentation are pasted.

PostgreSQL, the workers, the controller and Envoy are real. A simulated cluster keeps the Secret of the registry, whose
pods are processes: `kubectl scale` and `kubectl rollout restart` stop and start them, with the settings in the Secret.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import httpx
from aiohttp import web
from tests.cluster import binaries
from tests.cluster.faulty import FaultyCluster
from tests.integration.commands import PATIENCE, THIS, Running, environment_of, free_ports, running, until_serving
from tests.postgres import url_of

from registry_grpc.devtools.embedded_postgres import EmbeddedPostgres, binary, embedded_postgres
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, SECRETS
from registry_grpc.shipped import PROJECT_ROOT

KUBECTL = shutil.which("kubectl", path=f"{binaries.folder()}{os.pathsep}{os.environ['PATH']}")
API = "/api/v1/model-registry"
_SMALL = {"shared_buffers": "16MB", "fsync": "off"}
_DATABASE = "model_registry"
_REGISTRY = "model-registry"
# Options of curl: the pods are stopped and started by the test. `exec` runs a program with the settings of the pods.
_PASTED = """set -euo pipefail
kubectl() {
  local -a all=("$@")
  [ "$1" = --context ] && shift 2
  case "$1" in
    scale|rollout) curl --no-progress-meter --fail --noproxy '*' --data "$*" "$PODS" ;;
    exec)
      while [ "$1" != -- ]; do shift; done
      shift
      local name
      for name in DATABASE_URL ENCRYPTION_KEYS; do export "REGISTRY_$name=$(setting "REGISTRY_$name")"; done
      "$@" ;;
    *) command kubectl "${all[@]}" ;;
  esac
}
setting() {
  command kubectl get secret registry-grpc --namespace model-registry --output="jsonpath={.data.$1}" | base64 -d
}
"""


def blocks(page: str, heading: str, language: str = "sh") -> list[str]:
    """The code below a heading, up to the next one."""
    text = (PROJECT_ROOT / "docs" / page).read_text()
    section = re.split(r"^#+ ", text[text.index(f"# {heading}\n") + 2 :], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", section, re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indent}", "", code, flags=re.MULTILINE) for indent, code in found]


class Database:
    """A server with the roles of the documentation."""

    def __init__(self, server: EmbeddedPostgres) -> None:
        self.admin = server.url
        self.owner, self.url = (
            re.sub(r"//[^@]+@", f"//{role}:password@", url_of(server.url, _DATABASE)) for role in ("owner", "registry")
        )


class Installation:
    """Servers, clusters and pods. `variables` are those of the shell in which commands are pasted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables: dict[str, str] = {}
        self.project = {"Project-ID": str(uuid.uuid4())}
        self._kubeconfig = folder / "kubeconfig"
        self._address = f"127.0.0.1:{free_ports(1)}"
        self._servers: dict[str, contextlib.ExitStack] = {}
        self._pods: dict[str, contextlib.AsyncExitStack] = {}
        self.processes: list[Running] = []

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self.stack = stack
            self.cluster = await self.add_cluster("kubeconfig")
            gateway = EnvoyConfig(folder=self.folder / "gateway", endpoints=[self._address])
            self.gateway = (await stack.enter_async_context(Envoy(gateway))).url
            self.client = await stack.enter_async_context(
                httpx.AsyncClient(base_url=self.gateway + API, headers=self.project, trust_env=False, timeout=30)
            )
            await self._listen(stack)
            (self.folder / "registry-grpc").write_text(f'#!/bin/sh\nexec {sys.executable} -m registry_grpc "$@"\n')
            (self.folder / "registry-grpc").chmod(0o700)
            stack.callback(self._close_servers)
            stack.push_async_callback(self.stop)
            self.stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        app = web.Application()
        app.router.add_post("/", self._told)
        runner = web.AppRunner(app)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await (site := web.TCPSite(runner, "127.0.0.1", 0)).start()
        assert site._server is not None
        self.variables["PODS"] = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/"  # type: ignore[attr-defined]

    async def _told(self, request: web.Request) -> web.Response:
        what = await request.text()
        names = re.findall(r"deploy/(registry-grpc(?:-controller)?)(?= |$)", what)
        if what.startswith("rollout status"):
            return web.Response(text="successfully rolled out\n")
        await self.stop(*names)
        if "--replicas=0" not in what:
            await self.start(*names)
        return web.Response(text=f"{what}\n")

    # Servers and clusters

    async def add_cluster(self, kubeconfig: str) -> FaultyCluster:
        cluster = await self.stack.enter_async_context(FaultyCluster(pace=0.01, auto_create_namespaces=True))
        cluster.create_namespace("models")
        cluster.kubeconfig(self.folder / kubeconfig)
        return cluster

    def add_server(self, name: str) -> Database:
        """An empty server."""
        self._servers[name] = stack = contextlib.ExitStack()
        return Database(stack.enter_context(embedded_postgres(self.folder / name, settings=_SMALL)))

    def remove_server(self, name: str) -> None:
        """With all its data."""
        self._servers.pop(name).close()
        shutil.rmtree(self.folder / name)

    def _close_servers(self) -> None:
        for server in self._servers.values():
            server.close()

    # Pods

    def secret(self) -> dict[str, str]:
        secret = self.cluster.store.get(SECRETS, _REGISTRY, "registry-grpc")
        assert secret is not None
        return {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}

    def settings(self) -> dict[str, str]:
        """Those of a pod that starts now."""
        settings = {name.removeprefix("REGISTRY_").lower(): value for name, value in self.secret().items()}
        settings |= {"cluster": "kubeconfig", "kubeconfig": str(self._kubeconfig), "drain_delay": "0"}
        return settings | {"kubernetes_requests_per_second": "1000"}

    async def start(self, *names: str) -> None:
        settings = self.settings()
        for name in names or ("registry-grpc", "registry-grpc-controller"):
            command = ("controller",) if name.endswith("controller") else ("worker", "--listen", self._address)
            self._pods[name] = stack = contextlib.AsyncExitStack()
            log = self.folder / f"{uuid.uuid4().hex}.log"
            process = await stack.enter_async_context(running(log, *command, **settings))
            self.processes.append(process)
            if not name.endswith("controller"):
                await until_serving(self._address, process)

    async def stop(self, *names: str) -> None:
        for name in names or tuple(self._pods):
            if stack := self._pods.pop(name, None):
                await stack.aclose()

    def follow(self, kubeconfig: str) -> None:
        """Pods that start from now on use this cluster."""
        self._kubeconfig = self.folder / kubeconfig

    # An operator

    async def paste(self, commands: str, *, fails: bool = False) -> str:
        """Returns both outputs."""
        programs = (self.folder, binary("pg_dump").parent, Path(str(KUBECTL)).parent)
        environment = environment_of(THIS, cluster="kubeconfig", kubeconfig=str(self._kubeconfig))
        environment |= {"KUBECONFIG": str(self.folder / "kubeconfig"), "HOME": str(self.folder), **self.variables}
        environment["PATH"] = os.pathsep.join((*map(str, programs), os.environ["PATH"]))
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", _PASTED + commands),
            cwd=self.folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 6 * PATIENCE)
        assert bool(process.returncode) == fails, output.decode()
        return output.decode()

    # A user

    async def call(self, method: str, path: str, json: Any = None) -> Any:
        answer = await self.client.request(method, path, json=json)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def deploys(self, name: str, **version: str) -> str:
        """Deploy a model of its own. Returns the id of the inference service."""
        places = (await self.call("GET", "/serving_environments"))["items"]
        place = places[0] if places else await self.call("POST", "/serving_environments", {"name": "models"})
        model = await self.call("POST", "/models", {"name": name})
        new = {"name": "v1", "uri": f"s3://models/{name}", "model_framework": "sklearn", "model_framework_version": "1"}
        made = await self.call("POST", f"/models/{model['id']}/versions", new | version)
        await self.call("PATCH", f"/model_versions/{made['id']}", {"status": "READY"})
        deployed = await self.call(
            "POST",
            "/deploy",
            {
                "registered_model_id": model["id"],
                "serving_environment_id": place["id"],
                "model_version_id": made["id"],
                "name": name,
            },
        )
        id_: str = deployed["id"] if "id" in deployed else deployed["inference_service"]["id"]
        await self.until_deployed(id_)
        return id_

    async def until_deployed(self, *ids: str) -> None:
        await self.until(*ids, state="DEPLOYED")

    async def until(self, *ids: str, state: str) -> None:
        async with asyncio.timeout(60):
            for id_ in ids:
                while (found := await self.call("GET", f"/inference_services/{id_}"))["current_state"] != state:
                    assert found["current_state"] != "FAILED", found
                    await asyncio.sleep(0.1)

    def objects(self, cluster: FaultyCluster | None = None) -> dict[str, tuple[str, int]]:
        """The uid and the generation of each inference service in the cluster."""
        found = (cluster or self.cluster).store.list(INFERENCE_SERVICES)
        return {one["metadata"]["name"]: (one["metadata"]["uid"], one["metadata"]["generation"]) for one in found}

    def secrets(self) -> dict[str, str]:
        """The name and the uid of the Secrets of models."""
        found = self.cluster.store.list(SECRETS)
        return {
            one["metadata"]["name"]: one["metadata"]["uid"] for one in found if one["metadata"]["namespace"] == "models"
        }


@contextlib.asynccontextmanager
async def installation(folder: Path) -> AsyncIterator[tuple[Installation, Database]]:
    """An installed registry that serves."""
    async with Installation(folder) as installed:
        database = installed.add_server("old")
        create = blocks("recovery.md", "Restore a lost database")[0].splitlines()
        installed.variables |= {"NEW_ADMIN": database.admin}
        await installed.paste("\n".join(create[:2]))
        [grants] = blocks("operations.md", "The rights in the database", "sql")
        installed.variables |= {"ADMIN": database.admin, "OWNER": database.owner, "GRANTS": grants}
        installed.variables["KEYS"] = "k1:" + base64.b64encode(os.urandom(32)).decode()
        await installed.paste(f"""
REGISTRY_DATABASE_URL="$OWNER" registry-grpc migrate up
psql "$OWNER" --set=ON_ERROR_STOP=1 --command="$GRANTS"
kubectl create secret generic registry-grpc --namespace model-registry \\
  --from-literal=REGISTRY_DATABASE_URL="{database.url}" --from-literal=REGISTRY_ENCRYPTION_KEYS="$KEYS"
""")
        await installed.start()
        yield installed, database
