"""`registry demo`: samples to look at."""

from __future__ import annotations

import sys
from typing import Any

from registry_cli import names, output, watching
from registry_cli.session import call, pages

ENVIRONMENT = "demo"
WAIT_SECONDS = 300.0
README = """# {name}

{about}

| | |
|---|---|
| trained on | {data} |
| accuracy | {accuracy} |
"""
MODELS: tuple[dict[str, Any], ...] = (
    {
        "name": "demo-iris",
        "about": "Tells three kinds of iris by the sizes of their leaves.",
        "tasks": ["classification"],
        "team": "flowers",
        "framework": ("sklearn", "1"),
        "data": "150 flowers of 1936",
        "accuracies": (0.91, 0.95, 0.97),
        "deployed": 3,
    },
    {
        "name": "demo-churn",
        "about": "Tells which customers are about to leave.",
        "tasks": ["classification"],
        "team": "sales",
        "framework": ("xgboost", "2"),
        "data": "two years of contracts",
        "accuracies": (0.78, 0.83),
        "deployed": 2,
    },
    {
        "name": "demo-reviews",
        "about": "Tells whether a review is friendly.",
        "tasks": ["text-classification"],
        "team": "sales",
        "framework": ("huggingface", "1"),
        "data": "10,000 reviews of our shop",
        "accuracies": (0.88,),
        "deployed": 0,
    },
)


def demo() -> None:
    made = [_add_environment(), *(done for sample in MODELS for done in _add_model(sample))]
    deployments = [_deploy(sample) for sample in MODELS if sample["deployed"]]
    for deployment, is_new in deployments:
        made.append(is_new)
        if is_new:
            watching.wait(deployment, WAIT_SECONDS, until="DEPLOYED")
    print(f"{sum(made)} objects were made, {len(made) - sum(made)} were there already.")
    output.say(
        "\nLook at them:\n  registry models list\n  registry versions list demo-iris\n  registry deployments list"
    )
    output.say("  registry deployments explain demo-iris\n  registry events\n  registry open")


def _add_environment() -> bool:
    if _has("serving_environment.ListServingEnvironments", ENVIRONMENT):
        return False
    fields = {"name": ENVIRONMENT, "description": "For the samples of `registry demo`."}
    call("serving_environment.CreateServingEnvironment", serving_environment=fields)
    return _told("environment", ENVIRONMENT)


def _add_model(sample: dict[str, Any]) -> list[bool]:
    """Whether each of the objects was made."""
    name = sample["name"]
    made = []
    if is_new := not _has("registered_model.ListRegisteredModels", name):
        fields = {
            "name": name,
            "description": sample["about"],
            "labels": {"team": sample["team"], "sample": "demo"},
            "tags": {"tasks": sample["tasks"], "frameworks": [sample["framework"][0]]},
            "properties": {"owner_since": {"int_value": 2024}},
        }
        call("registered_model.CreateRegisteredModel", registered_model=fields)
        _told("model", name)
    made.append(is_new)
    id_ = names.model_id(name)
    present = {each.name for each in pages("model_version.ListModelVersions", registered_model_id=id_)}
    made += [
        _add_version(id_, sample, number)
        for number in range(1, len(sample["accuracies"]) + 1)
        if f"v{number}" not in present
    ]
    made += [False] * (len(sample["accuracies"]) + 1 - len(made))
    aliases = {each.name for each in pages("model_alias.ListModelAliases", registered_model_id=id_)}
    for alias, version in (("champion", f"v{len(sample['accuracies'])}"), ("baseline", "v1")):
        if alias not in aliases:
            call("model_alias.SetModelAlias", registered_model_id=id_, name=alias, version=version)
            _told("alias", f"{name}@{alias}")
        made.append(alias not in aliases)
    return made


def _add_version(model_id: str, sample: dict[str, Any], number: int) -> bool:
    name, accuracy = sample["name"], sample["accuracies"][number - 1]
    fields = {
        "name": f"v{number}",
        "uri": f"s3://models/{name}/{number}",
        "model_framework": sample["framework"][0],
        "model_framework_version": sample["framework"][1],
        "description": sample["about"],
        "readme": README.format(accuracy=accuracy, **sample),
        "properties": {"accuracy": {"double_value": accuracy}, "epochs": {"int_value": 10 * number}},
        "size_bytes": 1_000_000 * number,
    }
    version = call("model_version.CreateModelVersion", registered_model_id=model_id, model_version=fields).model_version
    metric = {"model_version_id": version.id, "kind": "ARTIFACT_KIND_METRIC", "name": "accuracy"}
    call("artifact.CreateArtifact", artifact=metric | {"value": {"double_value": accuracy}})
    call("model_version.UpdateModelVersion", id=version.id, model_version={"status": "READY"})
    return _told("version", f"{name}:v{number}")


def _deploy(sample: dict[str, Any]) -> tuple[Any, bool]:
    """The deployment, and whether it was made."""
    name = sample["name"]
    condition = f"name = {names.quoted(name)} AND serving_environment_name = {names.quoted(ENVIRONMENT)}"
    for found in pages("inference_service.ListInferenceServices", filter=condition):
        return found, False
    fields = {
        "registered_model_id": names.model_id(sample["name"]),
        "serving_environment_id": names.environment(ENVIRONMENT).id,
        "version": f"v{sample['deployed']}",
        "name": name,
    }
    done = call("deployment.DeployModel", deployment=fields).deployment
    _told("deployment", name)
    return done, True


def _has(rpc: str, name: str) -> bool:
    return any(pages(rpc, 1, filter=f"name = {names.quoted(name)}"))


def _told(kind: str, name: str) -> bool:
    """Says that an object was made."""
    print(f"made {kind} {name}", file=sys.stderr)
    return True
