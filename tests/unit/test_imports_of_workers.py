"""What a worker imports, which takes memory in each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("module", ["aiohttp", "kubernetes", "opentelemetry"])
def test_workers_without_a_cluster_and_traces_do_not_import(module: str) -> None:
    code = f"import registry_grpc.bootstrap, registry_grpc.server, sys; print({module!r} in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
