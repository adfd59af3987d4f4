"""The clients of examples/ with the real service: their output, and the objects that they leave."""

from __future__ import annotations

import re

import pytest
from tests.e2e.api import Api
from tests.e2e.stack import free_port
from tests.examples.conftest import Client

pytestmark = pytest.mark.timeout(900)  # the first run fetches modules and compiles


def test_a_model_is_registered_deployed_listed_and_undeployed(client: Client, api: Api) -> None:
    done = client.run(project=api.project_id)
    assert (done.returncode, done.stderr) == (0, "")
    registered, deploying, *events, listed, undeployed = done.stdout.splitlines()
    (service,) = api.read("/inference_services")["items"]
    name = service["name"]
    assert registered == f"registered {service['registered_model_name']} with version v1 READY"
    assert deploying == f"deploying {name} to examples"
    phases = [event.split()[0].removeprefix("DEPLOYMENT_PHASE_") for event in events]
    assert phases[0] == "PENDING"
    assert phases[-1] == "DEPLOYED"
    assert re.fullmatch(rf"{name} in examples answers at http://\S+", listed)
    assert undeployed == "undeployed"
    assert service["desired_state"] == "UNDEPLOYED"


def test_a_second_run_finds_the_environment_of_the_first(client: Client, api: Api) -> None:
    for _ in range(2):
        done = client.run(project=api.project_id)
        assert (done.returncode, done.stderr) == (0, "")
    assert api.read("/serving_environments")["total"] == 1
    assert api.read("/models")["total"] == 2


def test_a_deployment_that_fails_is_explained(client: Client, api: Api) -> None:
    done = client.run(project=api.project_id, uri="s3://models/corrupt-model")
    assert done.returncode == 1
    reason, next_step = done.stderr.splitlines()
    assert reason.startswith("MODEL_LOAD: ")
    assert re.fullmatch(r"next step: \w.+", next_step)


def test_an_error_has_code_and_reason(client: Client) -> None:
    done = client.run(project="not a project")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("InvalidArgument PROJECT_ID_REQUIRED: ")


def test_a_gateway_that_does_not_answer_is_an_error(client: Client, api: Api) -> None:
    done = client.run(project=api.project_id, address=f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "REFUSED" in done.stderr.upper()
