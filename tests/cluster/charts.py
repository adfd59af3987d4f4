"""The chart, its examples, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from registry_grpc.shipped import PROJECT_ROOT

CHART = PROJECT_ROOT / "deploy" / "chart"
EXAMPLES = {path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").iterdir())}
OF_OTHERS = {"Certificate", "ServiceMonitor"}
"""Kinds that Kubernetes does not have itself."""
Helm = Callable[..., str]
Rendered = Callable[..., list[dict[str, Any]]]


def pods(documents: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The templates of pods. Claims are volumes of them."""
    for document in documents:
        if document["kind"] in {"Deployment", "Job", "StatefulSet"}:
            template: dict[str, Any] = document["spec"]["template"]
            for claim in document["spec"].pop("volumeClaimTemplates", ()):
                template["spec"]["volumes"].append({"name": claim["metadata"]["name"], "emptyDir": {}})
            yield template


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
