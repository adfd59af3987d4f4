"""Schemathesis finds no answer of the real service that contradicts gateway/web/openapi.json.

That the answers of all other tests fit the document, `Api` checks.
"""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from tests.e2e.documented import DOCUMENT
from tests.e2e.stack import Addresses

from registry_grpc.shipped import GATEWAY, PROJECT_ROOT

CONFIGURATION = Path(__file__).parent / "schemathesis" / "schemathesis.toml"
TAGS = [tag["name"] for tag in DOCUMENT["tags"]]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("tag", TAGS)
def test_generated_requests_get_documented_answers(stack: Addresses, tag: str, tmp_path: Path) -> None:
    tested = subprocess.run(
        [
            *(Path(sys.executable).with_name("st"), "--config-file", CONFIGURATION, "run"),
            *(GATEWAY / "web" / "openapi.json", "--url", stack.base_url, "--include-tag", tag),
            *("--header", f"Project-ID: {uuid.uuid4()}", "--max-examples", "20", "--continue-on-failure"),
        ],
        cwd=tmp_path,  # for its files
        env=os.environ | {"PYTHONPATH": str(PROJECT_ROOT)},  # for its hooks
        check=False,
        capture_output=True,
        text=True,
    )
    assert tested.returncode == 0, tested.stdout
