"""Clients that write and read all the time. They repeat requests without an answer, as docs/api.md says."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import grpc
import httpx
from tests.chaos.ledger import Deployed, Ledger
from tests.e2e.api import JSON, Api
from tests.e2e.builders import fresh, version_body
from tests.e2e.rpc import Rpc
from tests.e2e.stack import Addresses

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import inference_service_pb2 as i

_PAUSE_SECONDS = 0.1
_MOST_DEPLOYMENTS = 8
_TRY_AGAIN = {429, 503}
_TRY_AGAIN_RPC = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
_OF_THE_CONNECTION = ("RST_STREAM", "Stream removed", "Socket closed", "GOAWAY")


class Stopped(Exception):
    """The client must stop and does not know the result of its last request."""


class Client:
    """A client that repeats its work until it is stopped."""

    def __init__(self, ledger: Ledger, stop: threading.Event) -> None:
        self.ledger = ledger
        self.stop = stop
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(Stopped):
            while not self.stop.is_set():
                try:
                    self.work()
                except Stopped:
                    raise
                except Exception as error:  # noqa: BLE001 - reported at the end, like a wrong answer
                    self.ledger.complain(f"{type(self).__name__}: {error!r}")
                    time.sleep(_PAUSE_SECONDS)

    def work(self) -> None:
        raise NotImplementedError

    def join(self) -> None:
        self._thread.join()

    def pause(self) -> None:
        if self.stop.wait(_PAUSE_SECONDS):
            raise Stopped


class Writer(Client):
    """Writes and reads models and versions by REST."""

    def __init__(self, addresses: Addresses, ledger: Ledger, stop: threading.Event) -> None:
        self._api = Api(httpx.Client(base_url=addresses.base_url, timeout=20))
        self._mine: list[str] = []
        self._versions: defaultdict[str, list[str]] = defaultdict(list)
        super().__init__(ledger, stop)

    def work(self) -> None:
        model = self._model()
        for _ in range(random.randrange(4)):
            self._version(model)
        if random.random() < 0.2:
            self._delete(model)
        for id_ in random.sample(self._mine, min(3, len(self._mine))):
            self._read(id_)

    def _model(self) -> str:
        name = fresh("model")
        model, _ = self._created("/models", {"name": name}, lambda: self._get("/model", name=name))
        self.ledger.models[model["id"]] = self._api.project_id, name
        self._mine.append(model["id"])
        return str(model["id"])

    def _version(self, model_id: str) -> None:
        body = version_body()
        version, _ = self._created(
            f"/models/{model_id}/versions",
            body,
            lambda: self._get("/model_version", name=body["name"], registered_model_id=model_id),
        )
        self.ledger.versions[version["id"]] = model_id
        self._versions[model_id].append(version["id"])
        if random.random() < 0.5:
            status = random.choice(["READY", "FAILED"])
            self._until(lambda: self._api.patch(f"/model_versions/{version['id']}", {"status": status}))
            self.ledger.statuses[version["id"]] = status

    def _delete(self, model_id: str) -> None:
        """Archive and delete the model, unless it has READY versions, so that it would stay in use."""
        if any(self.ledger.statuses.get(version) == "READY" for version in self._versions[model_id]):
            return
        self._until(lambda: self._api.patch(f"/models/{model_id}", {"state": "ARCHIVED"}))
        self._mine.remove(model_id)
        self.ledger.unsure.add(model_id)
        answer, tries = self._until(lambda: self._api.delete(f"/models/{model_id}"), 404)
        if answer.status_code == 404 and tries == 1:
            self.ledger.complain(f"model {model_id} was lost before it was deleted")
        self.ledger.deleted.add(model_id)
        self.ledger.unsure.remove(model_id)

    def _read(self, model_id: str) -> None:
        model = self._get(f"/models/{model_id}")
        known = len(self._versions[model_id])
        if model["version_count"] != known:
            self.ledger.complain(f"model {model_id} has {known} versions and counts {model['version_count']}")

    def _get(self, path: str, **params: str) -> JSON:
        answer, _ = self._until(lambda: self._api.get(path, **params))
        found: JSON = answer.json()
        return found

    def _created(self, path: str, body: JSON, find: Callable[[], JSON]) -> tuple[JSON, int]:
        answer, tries = self._until(lambda: self._api.post(path, body), 409)
        if answer.status_code == 409:
            if tries == 1:
                self.ledger.complain(f"{path} {body['name']} existed before it was created")
            return find(), tries
        made: JSON = answer.json()
        return made, tries

    def _until(self, send: Callable[[], httpx.Response], *other: int) -> tuple[httpx.Response, int]:
        """Send until the answer is 2xx or an expected status. Returns the answer and the number of tries."""
        for tries in range(1, 1_000_000):
            try:
                with self.ledger.timed():
                    answer = send()
            except httpx.TransportError as error:
                self.ledger.count(type(error).__name__)
            else:
                self.ledger.count(str(answer.status_code))
                if answer.is_success or answer.status_code in other:
                    return answer, tries
                if answer.status_code not in _TRY_AGAIN:
                    request = answer.request
                    self.ledger.complain(f"{request.method} {request.url.path}: {answer.status_code} {answer.text}")
            self.pause()
        raise Stopped


class Caller(Client):
    """A client that calls by gRPC."""

    def __init__(self, addresses: Addresses, ledger: Ledger, stop: threading.Event, project_id: str) -> None:
        # Without these options, a channel waits longer and longer before it connects again.
        options = [("grpc.max_reconnect_backoff_ms", 500), ("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.insecure_channel(addresses.target, options=options)
        self.rpc = Rpc(self.channel, project_id)
        super().__init__(ledger, stop)

    def until(self, method: Callable[..., Any], request: Any, *other: grpc.StatusCode) -> tuple[Any, int]:
        """Call until there is an answer, or an expected refusal (then None). Returns it and the number of tries."""
        for tries in range(1, 1_000_000):
            try:
                with self.ledger.timed():
                    answer = self.rpc.call(method, request)
            except grpc.RpcError as error:
                code, text = error.code(), error.details() or ""
                self.ledger.count(code.name)
                if code in other:
                    return None, tries
                if code not in _TRY_AGAIN_RPC and not any(words in text for words in _OF_THE_CONNECTION):
                    self.ledger.complain(f"{type(request).__name__}: {code.name} {text}")
            else:
                self.ledger.count("OK")
                return answer, tries
            self.pause()
        raise Stopped


class Deployer(Caller):
    """Deploys, updates, undeploys and deletes."""

    def __init__(
        self, addresses: Addresses, ledger: Ledger, stop: threading.Event, place: tuple[str, str, str, str]
    ) -> None:
        project_id, self._model_id, self._environment_id, self._namespace = place
        self._mine: list[Deployed] = []
        super().__init__(addresses, ledger, stop, project_id)

    def work(self) -> None:
        self._deploy()
        for deployed in random.sample(self._mine, min(2, len(self._mine))):
            self._update(deployed)
        if len(self._mine) > _MOST_DEPLOYMENTS:
            self._undeploy(self._mine.pop(0))
        self.pause()

    def _deploy(self) -> None:
        name = fresh("d")
        new = d.NewDeployment(
            registered_model_id=self._model_id, serving_environment_id=self._environment_id, name=name
        )
        request = d.DeployModelRequest(deployment=new, request_id=uuid.uuid4().hex)
        answer, _ = self.until(self.rpc.deployments.DeployModel, request)
        deployed = Deployed(answer.deployment.id, self._namespace, name)
        self.ledger.deployments[deployed.id] = deployed
        self._mine.append(deployed)

    def _update(self, deployed: Deployed) -> None:
        options = d.DeploymentOptions(min_replicas=1, max_replicas=random.randrange(1, 4))
        request = d.UpdateDeploymentRequest(id=deployed.id, options=options)
        deployed.unsure_updates += 1
        _, tries = self.until(self.rpc.deployments.UpdateDeployment, request)
        deployed.unsure_updates += tries - 2
        deployed.updates += 1

    def _undeploy(self, deployed: Deployed) -> None:
        self.ledger.unsure.add(deployed.id)
        self.until(self.rpc.deployments.UndeployModel, d.UndeployModelRequest(id=deployed.id))
        deployed.is_wanted = False
        if random.random() < 0.5:
            self._delete(deployed)
        self.ledger.unsure.remove(deployed.id)

    def _delete(self, deployed: Deployed) -> None:
        request = i.DeleteInferenceServiceRequest(id=deployed.id)
        answer, tries = self.until(self.rpc.services.DeleteInferenceService, request, grpc.StatusCode.NOT_FOUND)
        if answer is None and tries == 1:
            self.ledger.complain(f"service {deployed.id} was lost before it was deleted")
        deployed.is_deleted = True


class Watcher(Caller):
    """Watches a deployment, and resumes after the last event that it has seen."""

    def work(self) -> None:
        ids = [id_ for id_ in list(self.ledger.deployments) if id_ not in self.ledger.events]
        if not ids:
            self.pause()
            return
        seen = self.ledger.events.setdefault(random.choice(ids), [])
        (id_,) = [key for key, value in self.ledger.events.items() if value is seen]
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(StopIteration):
                self._follow(id_, seen)
            self.pause()

    def _follow(self, id_: str, seen: list[int]) -> None:
        request = d.WatchDeploymentRequest(id=id_, after_sequence=seen[-1] if seen else 0)
        stream: Any = self.rpc.deployments.WatchDeployment(
            request, metadata=[("project-id", self.rpc.project_id)], timeout=5
        )
        try:
            seen.extend(answer.event.sequence for answer in stream)
        except grpc.RpcError as error:
            self.ledger.count(f"watch {error.code().name}")
            text = error.details() or ""
            if error.code() not in _TRY_AGAIN_RPC and not any(words in text for words in _OF_THE_CONNECTION):
                self.ledger.complain(f"watch: {error.code().name} {text}")
