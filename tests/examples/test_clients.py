"""The clients of examples/ with the real service: their output, and the objects that they leave."""

from __future__ import annotations

import re

import pytest
from tests.e2e.api import Api
from tests.e2e.stack import free_port
from tests.examples.conftest import Client
from tests.examples.losing import LosingProxy

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]  # the first run fetches packages and compiles


def test_every_client_tells_the_same_story(client: Client, api: Api) -> None:
    done = client.run(project=api.project_id)
    assert (done.returncode, done.stderr) == (0, "")
    (model,) = api.read("/models")["items"]
    registered, champion, first, second, reviews, deploying, *events, undeployed = done.stdout.splitlines()
    assert registered == f"registered {model['name']}"
    assert champion == "champion is version 2"
    assert (first, second) == ("found v1 []", "found v2 [champion]")
    assert reviews == "reviews: 3"
    assert deploying == "deploying champion → version 2 to examples"
    phases = [event.split()[0].removeprefix("DEPLOYMENT_PHASE_") for event in events]
    assert phases[0] == "PENDING"
    assert phases[-1] == "DEPLOYED"
    assert undeployed == "undeployed"
    labels = {version["name"]: version["labels"] for version in api.read(f"/models/{model['id']}/versions")["items"]}
    assert labels == {"v1": {}, "v2": {"bias": "passed", "latency": "passed", "license": "passed"}}
    (service,) = api.read("/inference_services")["items"]
    assert service["desired_state"] == "UNDEPLOYED"


@pytest.mark.parametrize("lost", ["create iris-", "deploy iris-"])
def test_a_request_whose_answer_was_lost_is_repeated_and_takes_effect_once(client: Client, api: Api, lost: str) -> None:
    with LosingProxy(client.address, marker=lost.encode(), echo=b"iris-") as proxy:
        done = client.run(project=api.project_id, address=proxy.address)
    assert proxy.has_lost
    assert (done.returncode, done.stderr) == (0, "")
    assert api.read("/models")["total"] == 1
    assert api.read("/inference_services")["total"] == 1


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
    code, reason, _ = done.stderr.split(maxsplit=2)
    assert code.replace("_", "").lower() == "invalidargument"
    assert reason == "PROJECT_ID_REQUIRED:"


def test_a_gateway_that_does_not_answer_is_an_error(client: Client, api: Api) -> None:
    done = client.run(project=api.project_id, address=f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "REFUSED" in done.stderr.upper()
