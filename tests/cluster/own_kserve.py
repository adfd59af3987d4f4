"""KServe's own manager on a control plane of this run.

KServe cannot be had as a Go module, so nothing here builds it. `REGISTRY_TEST_KSERVE` names a folder with its program
`manager` and the folder `config` of the same release; without it, the simulated KServe runs instead.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.certificates import KeyPair
from tests.cluster.client import ClusterClient

FOLDER = "REGISTRY_TEST_KSERVE"
NAMESPACE = "kserve"
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class OwnKServe:
    """One release of KServe, in a folder."""

    folder: Path

    @classmethod
    def find(cls) -> OwnKServe | None:
        """None if the environment names none."""
        folder = os.environ.get(FOLDER)
        return cls(Path(folder)) if folder else None

    @property
    def program(self) -> Path:
        return self.folder / "manager"

    def definitions(self) -> Iterator[dict[str, Any]]:
        """The full CRDs that KServe installs by default. Patches for kustomize have no group."""
        full = self.folder / "config" / "crd" / "full"
        for path in sorted([*full.glob("*.yaml"), *full.glob("clusterstoragecontainer/*.yaml")]):
            for document in _documents(path):
                if document.get("kind") == "CustomResourceDefinition" and "group" in document.get("spec", {}):
                    yield document

    async def prepare(self, client: ClusterClient) -> None:
        """What the manager reads at its start: its kinds, and its settings: Standard mode with the Gateway API."""
        for definition in self.definitions():
            await client.call("POST", _CRDS, definition)
        await client.call("POST", "/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        (config,) = _documents(self.folder / "config" / "configmap" / "inferenceservice.yaml")
        config["data"].pop("_example", None)
        config["data"]["deploy"] = json.dumps({"defaultDeploymentMode": "Standard"})
        config["data"]["ingress"] = json.dumps({**json.loads(config["data"]["ingress"]), "enableGatewayApi": True})
        await client.call("POST", f"/api/v1/namespaces/{NAMESPACE}/configmaps", config)

    async def complete(self, client: ClusterClient, url: str, authority: str) -> None:
        """The webhooks, which lead to the running manager, and after them the runtimes that it ships."""
        for document in _documents(self.folder / "config" / "webhook" / "manifests.yaml"):
            for webhook in document["webhooks"]:
                path = webhook["clientConfig"]["service"]["path"]
                webhook["clientConfig"] = {"url": url + path, "caBundle": authority}
            plural = f"{document['kind'].lower()}s"
            await client.call("POST", f"{_ADMISSION}/{plural}", document)
        root = "/apis/serving.kserve.io/v1alpha1"
        for path in sorted((self.folder / "config" / "runtimes").glob("kserve-*.yaml")):
            for document in _documents(path):
                await client.call("POST", f"{root}/{document['kind'].lower()}s", document)
        for document in _documents(self.folder / "config" / "storagecontainers" / "default.yaml"):
            await client.call("POST", f"{root}/clusterstoragecontainers", document)

    def certify(self, temporary: Path, keys: KeyPair) -> None:
        """Put the certificate of the webhook server where the manager looks for it: below its TMPDIR."""
        place = temporary / "k8s-webhook-server" / "serving-certs"
        place.mkdir(parents=True)
        shutil.copy(keys.certificate, place / "tls.crt")
        shutil.copy(keys.key, place / "tls.key")


def _documents(path: Path) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]
