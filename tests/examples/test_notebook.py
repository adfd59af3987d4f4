"""The notebook of examples/, run in a real kernel as by somebody who has just started the registry."""

from __future__ import annotations

import json
import os
import sys
import uuid
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from tests.e2e.stack import Addresses
from tests.examples.builds import ROOT

from registry_client import Client

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NOTEBOOK = ROOT / "examples" / "notebook" / "iris.ipynb"
# Of the notebook. A newcomer has them for himself.
_URL, _PROJECT = "http://127.0.0.1:8080", "11111111-1111-1111-1111-111111111111"


def outputs(cell: Any) -> str:
    """What people see below a cell: the last line of a progress, and what is rich as HTML."""
    shown = [each.get("text") or each.data.get("text/html") or each.data["text/plain"] for each in cell.outputs]
    return "\n".join(shown)


def ran(url: str, project: str) -> dict[str, str]:
    """The outputs of the cells of the notebook, by the code of each."""
    text = NOTEBOOK.read_text(encoding="utf-8").replace(_URL, url).replace(_PROJECT, project)
    notebook: Any = nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=90, kernel_name="python3").execute()
    return {cell.source: outputs(cell) for cell in notebook.cells if cell.cell_type == "code"}


def test_the_notebook_does_what_it_says(stack: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    project = str(uuid.uuid4())
    cells = ran(stack.base_url, project)

    def shown(code: str) -> str:
        (output,) = (output for source, output in cells.items() if code in source)
        return output

    table = shown("to_pandas")
    assert "v1" not in table, "the filter leaves it out"
    assert table.index("v2") < table.index("v3"), "the best is the first"
    assert "<th>properties.accuracy</th>" in table
    assert "champion" in shown("iris-notebook@champion")
    assert shown("plan.is_blocked").startswith("can be deployed\n")
    assert "CREDENTIALS_MISSING" in shown("plan.is_blocked"), "the notebook explains it"
    assert "http://iris-notebook-notebook." in shown("deployment = first.deploy")
    assert shown('update(version="champion")').split()[-2:] == ["DEPLOYED", "'s3://models/iris/v2'"]
    failure = shown("DeploymentFailed as failed")
    assert "MODEL_LOAD" in failure
    assert "What to do: " in failure
    assert shown("rollback()").endswith("DEPLOYED\n's3://models/iris/v2'")
    causes = shown("history()")
    assert [causes.count(cause) for cause in ("DEPLOY<", "UPDATE<", "ROLLBACK<")] == [1, 2, 1]
    assert shown("environment.delete()").endswith("UNDEPLOYED\neverything is gone\n")
    with Client(stack.base_url, project=project) as client:
        # The controller removes what is left of a deployment a little later.
        left = [*client.models.list(), *client.environments.list()]
    assert left == []


def test_the_notebook_is_committed_without_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"]) for cell in code] == [([], None)] * len(code)
