"""The commands of the README and of the guides for newcomers, pasted."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.e2e.stack import Addresses, Stack
from tests.examples.builds import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_WRITTEN = "127.0.0.1:8080"
"""The address in the documentation."""
_PROJECT = "11111111-1111-1111-1111-111111111111"


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)


def pasted(program: list[str], text: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs a text as a newcomer would."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, **variables}
    return subprocess.run(
        program, input=text, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_readme_makes_a_model_over_rest_and_deploys_and_reads_it_over_grpc(stack: Addresses) -> None:
    (_, curl), (client, stubs) = blocks("README.md", "sh"), blocks("README.md", "python")
    made = pasted(["bash", "-eu"], curl.replace(_WRITTEN, stack.target))
    assert '"name":"iris"' in made.stdout, made.stderr
    deployed = pasted([sys.executable, "-"], client.replace(_WRITTEN, stack.target))
    assert deployed.stdout.startswith("http://iris-"), deployed.stderr
    read = pasted([sys.executable, "-"], stubs.replace(_WRITTEN, stack.target))
    assert read.stdout.endswith("{'team': 'flowers'}\n"), read.stderr


def test_the_first_deployment_serves_and_is_removed(stack: Addresses) -> None:
    commands = "\n".join(blocks("docs/guides/first-deployment.md", "sh"))
    done = pasted(["bash", "-euo", "pipefail"], commands.replace(_WRITTEN, stack.target))
    assert done.returncode == 0, done.stderr
    assert '"current_state":"DEPLOYED"' in done.stdout
    assert '"url":"http://' in done.stdout
    assert "already exists" in done.stdout, "the second deployment is refused, as the guide says"
    with httpx.Client(base_url=stack.base_url, headers={"Project-ID": _PROJECT}) as http:
        services = http.get("/api/v1/model-registry/inference_services").json()["items"]
    (state,) = [each["desired_state"] for each in services if each["registered_model_name"] == "first-model"]
    assert state == "UNDEPLOYED"


class Pipeline:
    """A pipeline with the token that the guide makes for it."""

    def __init__(self, addresses: Addresses, log: str) -> None:
        self.tokens = dict(re.findall(r"^token (\w+) (\S+)$", log, re.MULTILINE))
        self.variables = {
            "REGISTRY_URL": addresses.base_url,
            "REGISTRY_PROJECT": _PROJECT,
            "REGISTRY_DATABASE_URL": str(addresses.database_url),
        }
        token, self.script, self.curl_script = blocks("docs/guides/ci.md", "sh")
        (self.canary,) = blocks("docs/guides/ci.md", "bash")
        made = pasted(["bash", "-eu"], token, **self.variables)
        assert made.returncode == 0, made.stderr
        self.token = made.stdout.split()[-1]

    def run(self, script: str, run: str, token: str) -> subprocess.CompletedProcess[str]:
        return pasted(["bash"], script, RUN=run, REGISTRY_TOKEN=token, **self.variables)


@pytest.fixture(scope="module")
def pipeline() -> Iterator[Pipeline]:
    service = Stack(REGISTRY_AUTH="demo", REGISTRY_CLUSTER="simulated")
    try:
        made = Pipeline(service.start(), service.log.read_text())
        headers = {"Authorization": f"Bearer {made.token}", "Project-ID": _PROJECT}
        with httpx.Client(base_url=made.variables["REGISTRY_URL"], headers=headers) as http:
            for path, name in (("models", "iris"), ("serving_environments", "production")):
                http.post(f"/api/v1/model-registry/{path}", json={"name": name}).raise_for_status()
        yield made
    finally:
        service.stop()
        service.remove()


def test_a_pipeline_deploys_and_a_repeated_job_changes_nothing(pipeline: Pipeline) -> None:
    first, again = (pipeline.run(pipeline.script, "0", pipeline.token) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert first.stdout.startswith("build-0\n")
    assert "\nphase             DEPLOYED\n" in first.stdout
    assert "\nserving revision  1\n" in first.stdout
    later = pipeline.run(pipeline.script, "later", pipeline.token)
    assert later.returncode == 0, later.stderr
    assert "\nserving revision  2\n" in later.stdout
    version = pipeline.script.partition("registry plan")[0]
    canary = version + pipeline.canary.replace("iris/production", "iris")
    promoted = pipeline.run(canary, "next", pipeline.token)
    assert promoted.returncode == 0, promoted.stderr
    assert "\nserving revision  3\n" in promoted.stdout


def test_a_pipeline_of_the_command_ends_with_4_if_it_may_not_deploy(pipeline: Pipeline) -> None:
    refused = pipeline.run(pipeline.script, "3", pipeline.tokens["editor"])
    assert refused.returncode == 4
    assert "reason: PERMISSION_DENIED" in refused.stderr


def test_a_pipeline_with_curl_deploys_and_a_repeated_job_changes_nothing(pipeline: Pipeline) -> None:
    first, again = (pipeline.run(pipeline.curl_script, "1", pipeline.token) for _ in range(2))
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    assert first.stdout == again.stdout
    assert first.stdout.startswith("serves at http://iris-1-")


def test_a_pipeline_with_curl_ends_as_soon_as_the_deployment_has_failed(pipeline: Pipeline) -> None:
    failed = pipeline.run(pipeline.curl_script.replace('"sklearn"', '"unknown"'), "4", pipeline.token)
    assert failed.returncode == 1
    assert failed.stderr.startswith("does not serve: No runtime found")


def test_a_pipeline_with_curl_that_may_not_deploy_fails_and_says_why(pipeline: Pipeline) -> None:
    refused = pipeline.run(pipeline.curl_script, "2", pipeline.tokens["editor"])
    assert refused.returncode == 1
    assert "needs the role DEPLOYER in the project, and has EDITOR" in refused.stderr
    assert "Traceback" not in refused.stderr
