"""Stock clients repeat every write until they have three answers, while workers are killed: it takes effect once."""

from __future__ import annotations

import random
import signal
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from tests.e2e.api import JSON, PREFIX
from tests.e2e.builders import fresh, version_body
from tests.e2e.processes import wait_until, workers
from tests.e2e.rpc import DEADLINE, Rpc
from tests.e2e.stack import Stack
from tests.e2e.test_failures import running

from modelregistry.v1 import deployment_pb2 as d

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("failures"), pytest.mark.timeout(300)]

CLIENTS, ROUNDS, ANSWERS, KILLS = 4, 3, 3, 8  # ROUNDS at least: more are done until KILLS workers were killed
_TRY_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED}
_OF_THE_CONNECTION = ("RST_STREAM", "Stream removed", "Socket closed", "GOAWAY")


class Client:
    """Sends each request with an id of its own, again and again."""

    def __init__(self, base_url: str, channel: grpc.Channel, project_id: str) -> None:
        self.http = httpx.Client(base_url=base_url + PREFIX, headers={"Project-ID": project_id}, timeout=DEADLINE)
        self.rpc = Rpc(channel, project_id)
        self.lost = 0

    def rest(self, method: str, path: str, body: JSON | None = None) -> httpx.Response:
        """The answer, which is the same each time."""
        key = {"Idempotency-Key": str(uuid.uuid4())}
        answers: list[httpx.Response] = []
        while len(answers) < ANSWERS:
            try:
                answer = self.http.request(method, path, headers=key, json=body)
            except httpx.TransportError:
                self.lost += 1
                continue
            if answer.status_code in {409, 503, 504} and "already exists" not in answer.text:
                self.lost += 1
                continue
            assert answer.is_success, answer.text
            answers.append(answer)
        (seen,) = {(a.status_code, a.content, a.headers.get("etag")) for a in answers}
        assert seen
        return answers[0]

    def call(self, method: Callable[..., Any], request: Any) -> Any:
        """The last of the answers, which all are of one deployment with one target revision."""
        request.request_id = str(uuid.uuid4())
        answers: list[Any] = []
        while len(answers) < ANSWERS:
            try:
                answers.append(self.rpc.call(method, request))
            except grpc.RpcError as error:
                if not is_worth_a_retry(error):
                    raise
                self.lost += 1
        if hasattr(answers[0], "deployment"):
            assert len({(answer.deployment.id, answer.deployment.target_revision) for answer in answers}) == 1
        return answers[-1]

    def work(self) -> None:
        model = self.rest("POST", "/models", {"name": fresh("model")}).json()
        body = version_body(model_framework="sklearn", model_framework_version="1")
        version = self.rest("POST", f"/models/{model['id']}/versions", body).json()
        patched = self.rest("PATCH", f"/model_versions/{version['id']}", {"status": "READY"})
        assert self.read(f"/model_versions/{version['id']}").headers["etag"] == patched.headers["etag"], "written again"
        environment = self.rest("POST", "/serving_environments", {"name": fresh("ns")}).json()
        stub = self.rpc.deployments
        new = d.NewDeployment(registered_model_id=model["id"], serving_environment_id=environment["id"])
        id_ = self.call(stub.DeployModel, d.DeployModelRequest(deployment=new)).deployment.id
        options = d.DeploymentOptions(deadline=Duration(seconds=600))
        self.call(stub.UpdateDeployment, d.UpdateDeploymentRequest(id=id_, options=options))
        self.call(stub.RollbackDeployment, d.RollbackDeploymentRequest(id=id_, revision=1))
        self.call(stub.UndeployModel, d.UndeployModelRequest(id=id_))
        revisions = d.ListDeploymentRevisionsRequest(id=id_)
        made = self.reading(lambda: self.rpc.call(stub.ListDeploymentRevisions, revisions).revisions)
        assert [d.RevisionCause.Name(each.cause).removeprefix("REVISION_CAUSE_") for each in made] == [
            "UNDEPLOY",
            "ROLLBACK",
            "UPDATE",
            "DEPLOY",
        ]
        gone = self.rest("POST", "/models", {"name": fresh("gone")}).json()
        self.rest("PATCH", f"/models/{gone['id']}", {"state": "ARCHIVED"})
        self.rest("DELETE", f"/models/{gone['id']}")

    def read(self, path: str) -> httpx.Response:
        answer: httpx.Response = self.reading(lambda: self.http.get(path).raise_for_status())
        return answer

    def reading(self, read: Callable[[], Any]) -> Any:
        while True:
            try:
                return read()
            except (httpx.HTTPError, grpc.RpcError):
                continue


def is_worth_a_retry(error: Any) -> bool:
    return error.code() in _TRY_AGAIN or any(words in str(error.details()) for words in _OF_THE_CONNECTION)


class Killer:
    """Kills one of the workers, again and again."""

    def __init__(self, stack: Stack) -> None:
        self.kills = 0
        self._stack = stack
        self._stop = threading.Event()

    def run(self) -> None:
        while not self._stop.wait(random.uniform(0.3, 1.0)):
            if len(alive := workers(self._stack.pid)) == 2:
                random.choice(alive).send(signal.SIGKILL)
                self.kills += 1

    def stop(self) -> None:
        self._stop.set()


def test_each_write_takes_effect_once_however_often_it_is_sent() -> None:
    with running(REGISTRY_CLUSTER="simulated", REGISTRY_WORKERS="2") as (stack, addresses, api):
        killer, rounds = Killer(stack), 0
        with ExitStack() as closing:
            pool = closing.enter_context(ThreadPoolExecutor(CLIENTS + 1))
            channel = closing.enter_context(grpc.insecure_channel(addresses.target))
            clients = [Client(addresses.base_url, channel, api.project_id) for _ in range(CLIENTS)]
            for client in clients:
                closing.callback(client.http.close)
            killing = pool.submit(killer.run)
            closing.callback(killer.stop)
            while rounds < ROUNDS or killer.kills < KILLS:
                rounds += 1
                for done in [pool.submit(client.work) for client in clients]:
                    done.result()
                assert not killing.done(), killing.result()
        killing.result()
        assert sum(client.lost for client in clients) > 0
        assert wait_until(lambda: api.get("/models").status_code == 200, 20)
        for path in ("/models", "/model_versions", "/serving_environments", "/inference_services", "/serve_models"):
            assert api.read(path)["total"] == CLIENTS * rounds, path
