"""What `make run` promises in addition to the service: it keeps its parts running, and leaves no process behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.certificates import Authority
from tests.e2e.api import Api
from tests.e2e.builders import a_model
from tests.e2e.cluster import INFERENCE_SERVICES, Cluster
from tests.e2e.processes import Process, tree, wait_until
from tests.e2e.stack import Stack

from registry_grpc.devtools.embedded_postgres import embedded_postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("failures"), pytest.mark.timeout(300)]


def lines_of(stack: Stack) -> list[dict[str, Any]]:
    """The log of all processes, of which every line is JSON."""
    return [json.loads(line) for line in stack.errors.read_text().splitlines(keepends=True) if line.endswith("\n")]


def part(stack: Stack, words: str) -> Process:
    """The process of the stack whose command contains these words."""
    (found,) = [process for process in tree(stack.pid) if words in process.command and process.parent == stack.pid]
    return found


def test_a_killed_database_is_started_again() -> None:
    stack = Stack(REGISTRY_CLUSTER="none")
    try:
        with httpx.Client(base_url=stack.start().base_url, timeout=30) as http:
            api = Api(http)
            model = a_model(api)
            server = part(stack, "/bin/postgres")
            server.send(signal.SIGKILL)
            assert wait_until(lambda: not server.runs, 20)
            assert wait_until(lambda: api.get("!/healthz").status_code == 200, 20)
            assert api.read(f"/models/{model['id']}")["id"] == model["id"]
        assert [line["name"] for line in lines_of(stack) if line["event"] == "process.ended"] == ["postgres"]
        assert not Path(f"/proc/{server.pid}").exists(), "it was waited for"

        # If it cannot start, the stack ends and reports it.
        (stack.folder / "data" / "postgres" / "data" / "PG_VERSION").write_text("1")
        part(stack, "/bin/postgres").send(signal.SIGKILL)
        assert wait_until(lambda: not tree(stack.pid), 30)
        assert stack.stop() == 1
        (failed,) = [line for line in lines_of(stack) if line["event"] == "process.failed"]
        assert (failed["process"], "incompatible with server" in failed["text"]) == ("dev", True)
        assert "Traceback" not in stack.errors.read_text()
    finally:
        stack.stop()
        stack.remove()


@pytest.mark.parametrize("level", ["info", "debug"])
def test_every_line_of_all_processes_is_json(level: str) -> None:
    """Also of calls that fail, and of a process that is killed. At `info`, calls that succeed write nothing."""
    stack = Stack(REGISTRY_CLUSTER="simulated", REGISTRY_LOG_LEVEL=level)
    try:
        with httpx.Client(base_url=stack.start().base_url, timeout=30) as http:
            api = Api(http)
            model = a_model(api)
            api.read(f"/models/{model['id']}")
            api.get("/models/nothing")
            assert wait_until(lambda: len(_ready(stack, "worker-1")) == 1, 30)
            part(stack, "worker-1").send(signal.SIGKILL)
            assert wait_until(lambda: len(_ready(stack, "worker-1")) == 2, 30)
        printed = stack.log.read_text()
    finally:
        assert stack.stop() == 0
        lines = lines_of(stack)
        stack.remove()
    assert {"dev", "worker-0", "worker-1", "controller", "cluster"} == {line["process"] for line in lines}
    ended = [(line["name"], line["code"]) for line in lines if line["event"] == "process.ended"]
    assert ended == [("worker-1", -signal.SIGKILL)]
    calls = {line["event"] for line in lines} & {"rpc.ended", "kubernetes.called"}
    assert calls == ({"rpc.ended", "kubernetes.called"} if level == "debug" else set())
    assert printed.endswith('-d \'{"name": "my-model"}\'\n'), "nobody else prints anything"


def _ready(stack: Stack, process: str) -> list[dict[str, Any]]:
    return [line for line in lines_of(stack) if (line["event"], line["process"]) == ("worker.ready", process)]


def test_clients_of_the_cluster_go_on_when_it_is_started_again() -> None:
    stack = Stack(REGISTRY_CLUSTER="simulated")
    try:
        with Cluster(stack.start()).http as http:
            simulated = part(stack, "simulated_cluster")
            simulated.send(signal.SIGKILL)
            assert wait_until(lambda: not simulated.runs, 20)

            def answers() -> bool:
                try:
                    return http.get(f"{INFERENCE_SERVICES}/inferenceservices").status_code == 200
                except httpx.TransportError:
                    return False

            assert wait_until(answers, 10)
    finally:
        stack.stop()
        stack.remove()


def test_nothing_outlives_a_killed_run_which_can_be_started_again_at_once() -> None:
    # The old workers end while the new ones already serve.
    stack = Stack(REGISTRY_CLUSTER="simulated", REGISTRY_DRAIN_DELAY="5")
    again = Stack(REGISTRY_CLUSTER="simulated", REGISTRY_DATA_DIR=str(stack.folder / "data"))
    try:
        with httpx.Client(base_url=stack.start().base_url, timeout=30) as http:
            api = Api(http)
            model, project = a_model(api), api.project_id
        everything = tree(stack.pid)
        for process in everything:
            if process.pid == stack.pid or "/bin/postgres" in process.command:
                process.send(signal.SIGKILL)
        with httpx.Client(base_url=again.start().base_url, timeout=30) as http:
            assert wait_until(lambda: not [process for process in everything if process.runs], 60)
            assert Api(http, project).read(f"/models/{model['id']}")["id"] == model["id"]
    finally:
        for one in (again, stack):
            one.stop()
            one.remove()


def test_beside_a_run_the_commands_that_check_it_need_no_settings() -> None:
    stack = Stack(REGISTRY_CLUSTER="simulated")
    try:
        stack.start()
        own = {name: value for name, value in os.environ.items() if not name.startswith(("REGISTRY_", "KUBECONFIG"))}
        own["REGISTRY_DATA_DIR"] = str(stack.folder / "data")
        out = []
        for arguments in (("healthcheck",), ("doctor", "--json")):
            done = subprocess.run(
                [sys.executable, "-m", "registry_grpc", *arguments],
                env=own,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            out.append(done.stdout)
        assert "worker-1.sock SERVING" in out[0]
        verdicts = {each["about"]: each["verdict"] for each in json.loads(out[1])}
        assert (verdicts["database"], verdicts["cluster"], verdicts["gateway"]) == ("ok", "ok", "ok")
    finally:
        stack.stop()
        stack.remove()


@pytest.mark.parametrize("name", ["a b", "h#h", "p%20p", "a&b", "deep" * 30])
def test_any_name_of_the_data_folder_will_do(name: str, tmp_path: Path) -> None:
    stack = Stack(REGISTRY_CLUSTER="none", REGISTRY_DATA_DIR=str(tmp_path / name))
    try:
        with httpx.Client(base_url=stack.start().base_url, timeout=30) as http:
            a_model(Api(http))
        gateway = (tmp_path / name / "gateway" / "envoy.yaml").read_text()
        sockets = {Path(path).parent for path in re.findall(r"path: (/.*/worker-\d\.sock)", gateway)}
        assert [folder.exists() for folder in sockets] == [True]
    finally:
        assert stack.stop() == 0
        ends = {(line["process"], line["reason"]) for line in lines_of(stack) if line["event"] == "process.stopping"}
        assert ("dev", "SIGTERM") in ends
        assert ends <= {(name, "SIGTERM") for name in ("dev", "worker-0", "worker-1")}  # one may not have started yet
        stack.remove()
    assert [folder.exists() for folder in sockets] == [False]


def sh(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)


def test_it_serves_tls_and_asks_clients_for_certificates(tmp_path: Path) -> None:
    Authority().mount(tmp_path)
    stack = Stack(REGISTRY_CLUSTER="none", REGISTRY_GATEWAY_TLS=str(tmp_path), REGISTRY_GATEWAY_MTLS="true")
    try:
        url = stack.start().base_url
        assert url.startswith("https://")
        printed = stack.log.read_text().split("Try:\n")[1]
        assert '"name":"my-model"' in sh(printed).stdout.replace(" ", "")
        assert sh(printed.replace(" --cert ", " # ")).returncode != 0
        certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
        check = f"{Path(sys.executable).with_name('registry-grpc')} healthcheck --address {url}"
        shown = f" --gateway-ca {tmp_path}/ca.crt --client-certificate {certificate} --client-key {key}"
        assert sh(check + shown).stdout.endswith(" SERVING\n")
        assert sh(check).returncode == 1
    finally:
        stack.stop()
        stack.remove()


def test_two_on_one_data_folder(tmp_path: Path) -> None:
    with embedded_postgres(tmp_path / "postgres") as server:
        stack = Stack(REGISTRY_CLUSTER="none", REGISTRY_DATABASE_URL=server.url)
        try:
            with httpx.Client(base_url=stack.start().base_url, timeout=30) as http:
                folder = stack.folder / "data"
                second = subprocess.run(
                    [sys.executable, "-m", "registry_grpc", "dev"],
                    env=os.environ
                    | {"REGISTRY_DATA_DIR": str(folder), "REGISTRY_DATABASE_URL": server.url, "REGISTRY_PORT": "0"},
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=30,
                )
                assert (second.returncode, second.stdout) == (1, "")
                advice = "stop that, or choose another folder with REGISTRY_DATA_DIR"
                told = json.loads(second.stderr.splitlines()[-1])
                assert (told["event"], told["text"]) == (
                    "process.failed",
                    f"{folder} is in use by another process: {advice}",
                )
                a_model(Api(http))
        finally:
            stack.stop()
            stack.remove()
