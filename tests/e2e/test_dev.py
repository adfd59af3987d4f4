"""What `make run` promises in addition to the service: it keeps its parts running, and leaves no process behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import a_model
from tests.e2e.cluster import INFERENCE_SERVICES, Cluster
from tests.e2e.processes import Process, tree, wait_until
from tests.e2e.stack import Stack

from registry_grpc.devtools.embedded_postgres import embedded_postgres

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("failures"), pytest.mark.timeout(300)]


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
            assert wait_until(lambda: not server.runs, 5)
            assert wait_until(lambda: api.get("!/healthz").status_code == 200, 20)
            assert api.read(f"/models/{model['id']}")["id"] == model["id"]
        assert "PostgreSQL ended, restarting it" in stack.log.read_text()
        assert not Path(f"/proc/{server.pid}").exists(), "it was waited for"

        # If it cannot start, the stack ends and reports it.
        (stack.folder / "data" / "postgres" / "data" / "PG_VERSION").write_text("1")
        part(stack, "/bin/postgres").send(signal.SIGKILL)
        assert wait_until(lambda: not tree(stack.pid), 30)
        assert stack.stop() == 1
        assert "incompatible with server" in stack.log.read_text()
        assert "Traceback" not in stack.log.read_text()
    finally:
        stack.stop()
        stack.remove()


def test_clients_of_the_cluster_go_on_when_it_is_started_again() -> None:
    stack = Stack(REGISTRY_CLUSTER="simulated")
    try:
        with Cluster(stack.start()).http as http:
            simulated = part(stack, "simulated_cluster")
            simulated.send(signal.SIGKILL)
            assert wait_until(lambda: not simulated.runs, 5)

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
            assert wait_until(lambda: not [process for process in everything if process.runs], 20)
            assert Api(http, project).read(f"/models/{model['id']}")["id"] == model["id"]
    finally:
        for one in (again, stack):
            one.stop()
            one.remove()


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
        assert stack.log.read_text().endswith("\nstopping\n")
        stack.remove()
    assert [folder.exists() for folder in sockets] == [False]


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
                assert second.stderr == f"{folder} is in use by another process: {advice}\n"
                a_model(Api(http))
        finally:
            stack.stop()
            stack.remove()
