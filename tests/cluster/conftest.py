"""Fixtures for tests of the chart."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import helm
from tests.cluster.charts import CHART, EXAMPLES, Helm, Rendered


@pytest.fixture(scope="session")
def program() -> Path:
    try:
        return helm.find()
    except helm.HelmMissing as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def run(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """`helm` with files of its own. Raises HelmFailed."""
    folder = tmp_path_factory.mktemp("helm")
    own = {f"HELM_{name}_HOME": str(folder / name) for name in ("CACHE", "CONFIG", "DATA")}

    def run(*arguments: object, **variables: str) -> str:
        command = [str(program), *map(str, arguments)]
        environment = {**os.environ, **own, **variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise helm.HelmFailed(done.stderr)
        return done.stdout

    return run


@pytest.fixture
def rendered(run: Helm) -> Rendered:
    """The objects for the values of an example, and for further ones given as `--set` takes them."""

    def rendered(example: str, *values: str) -> list[dict[str, Any]]:
        further = [f"--set={value}" for value in values]
        text = run(
            "template", "registry", CHART, "--namespace", "model-registry", "--values", EXAMPLES[example], *further
        )
        return [document for document in yaml.safe_load_all(text) if document]

    return rendered
