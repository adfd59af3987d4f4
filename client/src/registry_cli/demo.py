"""`registry demo`: samples to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from registry_cli import output, progress
from registry_cli.session import client, pages

_T = TypeVar("_T")
ENVIRONMENT = "demo"
WAIT_SECONDS = 300.0
README = """# {name}

{about}

| Fact | Value |
|---|---|
| trained on | {data} |
| accuracy | {accuracy} |
"""
NEXT = """
Look at them:
  registry models list
  registry versions list demo-iris
  registry deployments list
  registry deployments explain demo-iris
  registry events
  registry open"""


@dataclass(frozen=True)
class Sample:
    name: str
    about: str
    data: str
    task: str
    team: str
    framework: str
    framework_version: str
    accuracies: tuple[float, ...]
    """Those of its versions."""
    is_deployed: bool = True


_IRIS = "Tells three kinds of iris by the sizes of their leaves.", "150 flowers of 1936"
_CHURN = "Tells which customers are about to leave.", "two years of contracts"
_REVIEWS = "Tells whether a review is friendly.", "10,000 reviews of our shop"
MODELS = (
    Sample("demo-iris", *_IRIS, "classification", "flowers", "sklearn", "1", (0.91, 0.95, 0.97)),
    Sample("demo-churn", *_CHURN, "classification", "sales", "xgboost", "2", (0.78, 0.83)),
    Sample("demo-reviews", *_REVIEWS, "text-classification", "sales", "huggingface", "1", (0.88,), is_deployed=False),
)


def demo() -> None:
    maker = _Maker()
    places = client().environments
    about = "For the samples of `registry demo`."
    maker.make(
        "environment demo", lambda: places.get(ENVIRONMENT), lambda: places.create(ENVIRONMENT, description=about)
    )
    newest = [(sample, _add_model(maker, sample)) for sample in MODELS]
    for sample, version in newest:
        if sample.is_deployed:
            _deploy(maker, sample, version)
    print(f"{maker.made} objects were made, {maker.found} were there already.")
    output.say(NEXT)


class _Maker:
    """Makes what is missing, and counts."""

    made = found = 0

    def make(self, what: str, get: Callable[[], _T | None], new: Callable[[], _T]) -> _T:
        from registry_client.errors import NotFound

        try:
            there = get()
        except NotFound:
            there = None
        if there is not None:
            self.found += 1
            return there
        there = new()
        self.made += 1
        output.say(f"made {what}")
        return there


def _add_model(maker: _Maker, sample: Sample) -> Any:
    """Returns the newest version."""
    models = client().models
    fields = {
        "description": sample.about,
        "labels": {"team": sample.team, "sample": "demo"},
        "tags": {"tasks": [sample.task], "frameworks": [sample.framework]},
        "properties": {"owner_since": 2024},
    }
    model = maker.make(
        f"model {sample.name}", lambda: models.get(sample.name), lambda: models.create(sample.name, **fields)
    )
    count = len(sample.accuracies)
    versions = [_add_version(maker, sample, model.versions, number) for number in range(1, count + 1)]
    _add_alias(maker, model, "champion", versions[-1])
    _add_alias(maker, model, "baseline", versions[0])
    return versions[-1]


def _add_alias(maker: _Maker, model: Any, name: str, version: Any) -> None:
    maker.make(f"alias {model.name}@{name}", lambda: model.versions.get(name), lambda: model.aliases.set(name, version))


def _add_version(maker: _Maker, sample: Sample, versions: Any, number: int) -> Any:
    name, accuracy = f"v{number}", sample.accuracies[number - 1]

    def new() -> Any:
        version = versions.create(
            name,
            uri=f"s3://models/{sample.name}/{number}",
            framework=sample.framework,
            framework_version=sample.framework_version,
            description=sample.about,
            readme=README.format(accuracy=accuracy, **vars(sample)),
            properties={"accuracy": accuracy, "epochs": 10 * number},
            size_bytes=1_000_000 * number,
        )
        version.artifacts.create("METRIC", "accuracy", value=accuracy)
        return version

    return maker.make(f"version {sample.name}:{name}", lambda: versions.get(name), new)


def _deploy(maker: _Maker, sample: Sample, version: Any) -> None:
    """Without a name of our own, because projects may share a namespace."""

    def present() -> Any:
        condition = f'registered_model_name = "{sample.name}" AND serving_environment_name = {ENVIRONMENT}'
        return next(pages("inference_service.ListInferenceServices", 1, filter=condition), None)

    def new() -> Any:
        made = version.deploy(ENVIRONMENT)
        return progress.wait(made.id, WAIT_SECONDS)

    maker.make(f"deployment of {sample.name}", present, new)
