"""Deployments on the simulated cluster: deploy, look, change, and take down."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest
from tests.cli.runner import Registry

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
def iris(registry: Registry) -> Registry:
    """A project with the model iris, two READY versions, and the environment default."""
    registry("models", "create", "iris")
    for number in (1, 2):
        files = ("--uri", f"s3://models/iris/{number}", "--framework", "sklearn:1")
        registry("versions", "create", "iris", f"v{number}", *files, "--ready")
    registry("environments", "create", "default")
    return registry


def a_name() -> str:
    """A name for a deployment that no other project has in the namespace default."""
    return f"served-{uuid.uuid4().hex[:8]}"


def deploy(registry: Registry, target: str = "iris@1", *arguments: str) -> str:
    """The name of a deployment that serves."""
    return registry("deploy", target, "default", "--wait", "-o", "name", *arguments).text.strip()


def test_a_deployment_is_waited_for_and_followed_line_by_line(iris: Registry) -> None:
    iris("aliases", "set", "iris@1", "champion")
    done = iris("deploy", "iris@champion", "default", "--wait", "-o", "json")
    deployment = done.json
    assert deployment["phase"] == "DEPLOYMENT_PHASE_DEPLOYED"
    assert deployment["snapshot"]["requested_version"] == "champion → version 1"
    lines = [line.split()[1:] for line in done.err.splitlines()]
    assert all(line[0] == deployment["name"] for line in lines)
    assert lines[-1][1] == "DEPLOYED"
    listed = iris("deployments", "list").text.splitlines()
    assert listed[0].split() == ["NAME", "MODEL", "VERSION", "NAMESPACE", "PHASE", "SINCE", "REASON", "URL"]
    assert listed[1].split()[:5] == [deployment["name"], "iris", "1", "default", "DEPLOYED"]


def test_a_deployment_that_fails_tells_why_and_what_to_do(registry: Registry) -> None:
    registry("models", "create", "broken")
    files = ("--uri", "s3://models/corrupt-model", "--framework", "sklearn:1")
    registry("versions", "create", "broken", "v1", *files, "--ready")
    registry("environments", "create", "default")
    failed = registry("deploy", "broken:v1", "default", "--wait")
    assert (failed.status, failed.out) == (7, "")
    assert " is FAILED: MODEL_LOAD: " in failed.err
    assert failed.err.splitlines()[-1].startswith("  hint: Check that the runtime can load this model")
    explained = registry("deployments", "explain", "broken").text
    assert "✗ container kserve-container" in explained
    assert "\n… url: leads nowhere yet\n" in explained
    assert "next step: " in explained
    again = registry("deploy", "broken:v1", "default", "--name", "again", "--wait", "-o", "json")
    told = json.loads(again.err.splitlines()[-1])
    assert (told["code"], told["reason"]) == ("DEPLOYMENT_FAILED", "MODEL_LOAD")
    assert " is FAILED: MODEL_LOAD: " in told["message"]
    assert told["hint"].startswith("Check that the runtime can load this model")
    in_use = json.loads(registry("versions", "delete", "broken:v1", "--yes", "-o", "json").err)
    assert (in_use["reason"], {each["type"] for each in in_use["violations"]}) == (
        "MODEL_VERSION_IN_USE",
        {"INFERENCE_SERVICE"},
    )


def test_waiting_ends_when_the_time_is_over(iris: Registry) -> None:
    late = iris("deploy", "iris@1", "default", "--wait", "--timeout", "0.001s")
    assert (late.status, late.out) == (6, "")
    assert "after 0.001 s" in late.err
    assert "registry deployments explain" in late.err


def test_deployments_are_found_by_name_model_and_environment(iris: Registry) -> None:
    name = deploy(iris)
    id_ = iris.json("deployments", "get", name)["id"]
    for called in ("iris", "iris/default", id_):
        assert iris.json("deployments", "get", called)["id"] == id_
    deploy(iris, "iris@2")
    several = iris("deployments", "get", "iris")
    assert (several.status, several.err.splitlines()[0]) == (2, "registry: 'iris' has several deployments.")
    assert name in several.err
    assert iris("deployments", "get", "nothing").status == 3


def test_updates_rollbacks_and_history(iris: Registry) -> None:
    name = deploy(iris, "iris:v1")
    planned = iris("update", name, "--set", "min_replicas=2", "--plan")
    assert planned.status == 0
    assert "spec.predictor.minReplicas" in planned.out
    updated = iris.json(
        "update", name, "--version", "2", "--set", "min_replicas=2", "--wait", "--expected-revision", "1"
    )
    assert updated["options"]["min_replicas"] == 2
    stale = iris("update", name, "--set", "min_replicas=3", "--expected-revision", "1")
    assert (stale.status, "reason: REVISION_MISMATCH" in stale.err) == (1, True)
    assert iris.json("update", name, "--clear", "min_replicas", "--wait")["options"].get("min_replicas") is None
    iris("rollback", name, "--to", "1", "--wait")
    history = iris.json("deployments", "history", name)
    assert [(each["revision"], each["cause"].removeprefix("REVISION_CAUSE_")) for each in history] == [
        ("4", "ROLLBACK"),
        ("3", "UPDATE"),
        ("2", "UPDATE"),
        ("1", "DEPLOY"),
    ]
    shown = iris("deployments", "history", name).text
    assert re.findall(r" (version \d) ", shown) == ["version 1", "version 2", "version 2", "version 1"]
    assert re.findall(r"^(model|version) +(.+)$", iris("deployments", "get", name).text, re.MULTILINE) == [
        ("model", "iris"),
        ("version", "version 1"),
    ]
    assert iris("deployments", "diff", name).status == 0


def test_plans_do_nothing_and_end_with_status_1_when_blocked(iris: Registry) -> None:
    assert iris("plan", "iris@1", "default").status == 0
    assert '"kind"' in iris("plan", "iris@1", "default", "--manifest").out
    iris("models", "archive", "iris")
    blocked = iris("plan", "iris@1", "default")
    assert blocked.status == 1
    assert iris.json("deployments", "list") == []


def test_a_deployment_is_made_or_updated_and_a_repeated_job_changes_nothing(iris: Registry) -> None:
    name = a_name()

    def job(target: str, run: str) -> Any:
        words = (target, "default", "--name", name, "--or-update", "--set", "min_replicas=2")
        assert iris("plan", *words).status == 0
        return iris.json("deploy", *words, "--request-id", run, "--wait")

    made = [job("iris@1", "a"), job("iris@1", "a"), job("iris:v2", "b"), job("iris:v2", "b"), job("iris@1", "c")]
    assert [each["target_revision"] for each in made] == ["1", "1", "2", "2", "3"]
    assert {each["id"] for each in made} == {iris.json("deployments", "list")[0]["id"]}
    taken = iris("deploy", "iris@1", "default", "--name", name)
    assert (taken.status, "  hint: Use --or-update" in taken.err) == (1, True)


def test_only_a_deployment_of_the_same_model_is_updated(iris: Registry) -> None:
    name = a_name()
    iris("models", "create", "rose")
    iris("versions", "create", "rose", "v1", "--uri", "s3://models/rose", "--framework", "sklearn:1", "--ready")
    iris("deploy", "iris@1", "default", "--name", name)
    for command in ("deploy", "plan"):
        refused = iris(command, "rose@1", "default", "--name", name, "--or-update")
        assert (refused.status, refused.err.splitlines()[0]) == (
            1,
            f"registry: The deployment {name} is of another model.",
        )
    assert [each["model_version_id"] for each in iris.json("deployments", "list")] == [
        iris.json("versions", "get", "iris@1")["id"]
    ]
    assert iris("deploy", "iris", "default", "--name", name, "--or-update").status == 2


def test_options_are_checked_before_anything_is_sent(offline: Registry) -> None:
    unknown = offline("update", "11111111-1111-1111-1111-111111111111", "--set", "replicas=2")
    assert (unknown.status, unknown.err.splitlines()[0]) == (2, "registry: There is no option 'replicas'.")
    assert "min_replicas" in unknown.err


def test_options_of_a_file_and_of_the_command_are_joined(iris: Registry) -> None:
    file = "min_replicas: 1\nresources: {limits: {cpu: '1'}}\n"
    settings = ("resources.limits.nvidia.com/gpu=1", "max_replicas=3", "deployment_mode=standard", "timeout=1m")
    given = [word for each in settings for word in ("--set", each)]
    options = iris.json("deploy", "iris@1", "default", "--options", "-", *given, stdin=file)["options"]
    assert options["resources"]["limits"] == {"cpu": "1", "nvidia.com/gpu": "1"}
    assert (options["min_replicas"], options["max_replicas"], options["timeout"]) == (1, 3, "60s")


def test_an_undeployment_is_confirmed_and_can_be_taken_back(iris: Registry) -> None:
    name = deploy(iris)
    asked = iris("undeploy", name)
    assert asked.status == 2
    assert f"{name} in the namespace default is DEPLOYED" in asked.err
    assert iris.json("deployments", "get", name)["phase"] == "DEPLOYMENT_PHASE_DEPLOYED"
    assert iris.json("undeploy", name, "--yes", "--wait")["phase"] == "DEPLOYMENT_PHASE_UNDEPLOYED"
    assert iris.json("redeploy", name, "--wait")["phase"] == "DEPLOYMENT_PHASE_DEPLOYED"


def test_the_demo_can_be_repeated(registry: Registry) -> None:
    first = registry("demo")
    assert first.text == "18 objects were made, 0 were there already.\n"
    assert "registry models list" in first.err
    assert registry("demo").text == "0 objects were made, 18 were there already.\n"
    assert registry("models", "list", "-o", "name", "--order-by", "name").text.split() == [
        "demo-churn",
        "demo-iris",
        "demo-reviews",
    ]
    other = Registry({**registry.environment, "REGISTRY_PROJECT": str(uuid.uuid4())})  # of the same cluster
    assert other("demo").text == first.text
    phases = [each["phase"] for each in other.json("deployments", "list")]
    assert phases == ["DEPLOYMENT_PHASE_DEPLOYED"] * 2


def test_a_canary_is_waited_for_promoted_and_aborted(iris: Registry) -> None:
    name = deploy(iris)
    tried = iris("update", name, "--version", "2", "--traffic-percent", "10", "--wait").text
    assert "revision 2 gets 10 % of the requests, and revision 1 the others" in " ".join(tried.split())
    other = iris("update", name, "--set", "min_replicas=2")
    assert (other.status, other.err) == (0, f"It is on its way. Follow it with: registry deployments watch {name}\n")
    iris("update", name, "--version", "2", "--traffic-percent", "20", "--wait")
    assert iris.json("promote", name, "--wait")["serving_revision"] == "4"
    iris("update", name, "--version", "1", "--traffic-percent", "30", "--wait")
    aborted = iris.json("abort", name, "--wait")
    assert (aborted["phase"], aborted["serving_revision"]) == ("DEPLOYMENT_PHASE_DEPLOYED", "4")
    none = iris("promote", name)
    assert (none.status, "reason: NO_CANARY" in none.err) == (1, True)
