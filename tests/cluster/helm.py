"""The real helm: built once from its Go module, kept outside the checkout.

`python -m tests.cluster.helm` builds it if it is missing (some minutes on two idle cores). HELM names another one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

VERSION = "4.3.2"
_PACKAGE = "helm.sh/helm/v4/cmd/helm"
# Without it, it only knows that it is some v4.3.
_LINK = f"-s -w -X helm.sh/helm/v4/internal/version.version=v{VERSION}"


class HelmMissing(Exception):
    """There is no helm. The text says what to do."""


class HelmFailed(Exception):
    """With what helm said."""


def path(environment: Mapping[str, str] = os.environ) -> Path:
    """Where it is, or will be built."""
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "registry-grpc"
    return Path(environment.get("HELM") or cache / f"helm-{VERSION}" / "helm")


def find() -> Path:
    """The program; raises HelmMissing."""
    if not (program := path()).exists():
        raise HelmMissing(f"no helm at {program}: set HELM, or build it with Go: python -m tests.cluster.helm")
    return program


def build() -> Path:
    """Builds it if it is missing; raises HelmMissing when there is no Go toolchain."""
    if (program := path()).exists():
        return program
    if shutil.which("go") is None:
        raise HelmMissing(f"no helm at {program} and no Go toolchain to build it with")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOBIN": str(program.parent)}
    command = ["go", "install", "-trimpath", "-ldflags", _LINK, f"{_PACKAGE}@v{VERSION}"]
    subprocess.run(command, env=environment, check=True)
    return program


if __name__ == "__main__":
    try:
        print(build())  # noqa: T201
    except HelmMissing as error:
        # This is not an error: the tests that need it are skipped with the same text.
        print(f"skipped: {error}")  # noqa: T201
