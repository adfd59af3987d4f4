"""The commands with which docs/operations.md installs the registry, pasted. Pods are played by kwok."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cluster import binaries
from tests.cluster.certificates import self_signed
from tests.cluster.targets import TestCluster

from registry_grpc.shipped import PROJECT_ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


def blocks(language: str) -> list[str]:
    text = (PROJECT_ROOT / "docs" / "operations.md").read_text()
    section = text[text.index("## On Kubernetes\n") : text.index("### The image\n")]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The checkout, with the files that an operator has."""
    shutil.copytree(PROJECT_ROOT / "deploy", tmp_path / "deploy")  # Kustomize follows no links out of its folder
    values, overlay = blocks("yaml")
    (tmp_path / "values.yaml").write_text(values)
    (tmp_path / "kustomization.yaml").write_text(overlay)
    pair = self_signed(tmp_path)
    for name in ("ca.crt", "tls.crt"):
        (tmp_path / name).write_bytes(pair.certificate.read_bytes())
    (tmp_path / "tls.key").write_bytes(pair.key.read_bytes())
    return tmp_path


def test_the_registry_is_installed_as_documented(real_test_cluster: TestCluster, program: Path, folder: Path) -> None:
    programs = os.pathsep.join((str(program.parent), str(binaries.folder()), os.environ["PATH"]))
    environment = {**os.environ, "PATH": programs, "KUBECONFIG": str(real_test_cluster.admin), "HOME": str(folder)}

    def paste(commands: str) -> str:
        # kwok's pods have no processes.
        script = "set -euo pipefail\n" + re.sub(r"^kubectl exec .*\n", "", commands, flags=re.MULTILINE)
        done = subprocess.run(
            ["bash", "-c", script], check=False, cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        trial, install, change, plain, restart = blocks("sh")
        assert "FOR TRIALS ONLY" in paste(trial)
        assert 'deployment "registry-grpc" successfully rolled out' in paste(install)
        told = paste(change)
        assert "Rollback was a success" in told
        assert 'release "registry-grpc" uninstalled' in told
        assert "deployment.apps/registry-grpc created" in paste(plain)
        assert "deployment.apps/registry-grpc-controller restarted" in paste(restart)
        assert "image: registry.example.com/registry-grpc@sha256:…" in paste("kubectl kustomize .")
    finally:
        paste("kubectl delete --ignore-not-found -n models -f deploy/kubernetes/rbac.yaml")
        paste("kubectl delete --ignore-not-found --wait=false namespace models trial model-registry")
