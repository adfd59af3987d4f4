"""promtool, which checks and tests rules: built once from its Go module, kept outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_VERSION = "v0.316.0"
_MODULE = Path(__file__).parent / "promtool"


def promtool() -> Path:
    """The tool. The first call builds it (about 15 minutes on a busy machine). Skips without a Go toolchain."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"
    tool = cache / f"promtool-{_VERSION}" / "promtool"
    if not tool.exists():
        if shutil.which("go") is None:
            pytest.skip("needs the Go toolchain")
        # Without the discovery of targets in all clouds, which are most of it.
        command = ["go", "build", "-trimpath", "-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", str(tool)]
        package = "github.com/prometheus/prometheus/cmd/promtool"
        subprocess.run([*command, package], cwd=_MODULE, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    return tool
