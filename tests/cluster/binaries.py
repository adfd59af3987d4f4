"""The programs of a real Kubernetes control plane, and kubectl: built once from their Go modules, kept outside the
checkout.

`python -m tests.cluster.binaries` builds what is missing (about 20 minutes on two cores, seconds when Go's cache is
warm). The folder is `KUBEBUILDER_ASSETS`, so binaries from elsewhere serve as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

KUBERNETES = "1.37.1"
_KWOK = "sigs.k8s.io/kwok/cmd/kwok@v0.8.0"
_MODULES = Path(__file__).parent / "modules"
_COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
NAMES = ("etcd", *_COMMANDS, "kwok")
# Without a version, the programs assume v0.0.0 and refuse each other's feature gates.
_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = KUBERNETES.split(".")
_LINK = f"-s -w -X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitMajor={_MAJOR} -X {_VERSION}.gitMinor={_MINOR}"


class BinariesMissing(Exception):
    """The binaries of the control plane are missing. The text says what to do."""


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder of the binaries."""
    default = Path.home() / ".cache" / "registry-grpc" / f"kubernetes-{KUBERNETES}"
    return Path(environment.get("KUBEBUILDER_ASSETS") or default)


def find() -> Path:
    """The folder with all binaries; raises BinariesMissing."""
    place = folder()
    missing = _missing(place)
    if missing:
        raise BinariesMissing(
            f"no {', '.join(missing)} in {place}: set KUBEBUILDER_ASSETS, or build them with Go: "
            "python -m tests.cluster.binaries"
        )
    return place


def _missing(place: Path) -> list[str]:
    return [name for name in NAMES if not (place / name).exists()]


def build() -> Path:
    """Builds what is missing and returns the folder; raises BinariesMissing when there is no Go toolchain."""
    place = folder()
    missing = _missing(place)
    if not missing:
        return place
    if shutil.which("go") is None:
        raise BinariesMissing(f"no {', '.join(missing)} in {place} and no Go toolchain to build them with")
    place.mkdir(parents=True, exist_ok=True)
    commands = [f"k8s.io/kubernetes/cmd/{name}" for name in _COMMANDS if name in missing]
    if commands:
        _go("build", "-trimpath", "-ldflags", _LINK, "-o", f"{place}/", *commands, module=_MODULES / "kubernetes")
    if "etcd" in missing:
        package = "go.etcd.io/etcd/server/v3"
        _go("build", "-trimpath", "-ldflags", "-s -w", "-o", str(place / "etcd"), package, module=_MODULES / "etcd")
    if "kwok" in missing:
        _go("install", "-trimpath", "-ldflags", "-s -w", _KWOK, module=_MODULES, install=place)
    return place


def _go(*arguments: str, module: Path, install: Path | None = None) -> None:
    environment = {**os.environ, "CGO_ENABLED": "0", **({"GOBIN": str(install)} if install else {})}
    subprocess.run(["go", *arguments], cwd=module, env=environment, check=True)


if __name__ == "__main__":
    try:
        print(build())  # noqa: T201
    except BinariesMissing as error:
        # This is not an error: the tests that need the binaries are skipped with the same text.
        print(f"skipped: {error}")  # noqa: T201
