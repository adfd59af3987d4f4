"""Reads the simulated cluster like an operator: over HTTP, with the kubeconfig of the stack."""

from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import httpx
import yaml
from tests.e2e.stack import Addresses

INFERENCE_SERVICES = "/apis/serving.kserve.io/v1beta1"


class Cluster:
    """The InferenceServices of the cluster to which a stack deploys."""

    def __init__(self, stack: Addresses) -> None:
        (kubeconfig,) = Path(stack.folder).rglob("*kubeconfig*")
        config = yaml.safe_load(kubeconfig.read_text())
        token = config["users"][0]["user"]["token"]
        cluster = config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        tls = ssl.create_default_context(cadata=authority)
        headers = {"Authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=cluster["server"], headers=headers, verify=tls)

    def _path(self, namespace: str, name: str) -> str:
        return f"{INFERENCE_SERVICES}/namespaces/{namespace}/inferenceservices/{name}"

    def find(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, or None."""
        response = self.http.get(self._path(namespace, name))
        if response.status_code == 404:
            return None
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found

    def get(self, namespace: str, name: str) -> dict[str, Any]:
        found = self.find(namespace, name)
        assert found is not None, f"{namespace}/{name} is not in the cluster"
        return found

    def patch(self, namespace: str, name: str, change: dict[str, Any]) -> None:
        """Change the object as `kubectl edit` does."""
        headers = {"content-type": "application/merge-patch+json"}
        params = {"fieldManager": "kubectl-edit"}
        content = json.dumps(change)
        self.http.patch(self._path(namespace, name), content=content, headers=headers, params=params).raise_for_status()

    def delete(self, namespace: str, name: str) -> None:
        """Delete the object without the registry."""
        self.http.delete(self._path(namespace, name)).raise_for_status()
