"""Installs in an empty control plane what the registry needs: KServe's kinds, a node, RBAC."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.client import ClusterClient, path_of
from tests.cluster.own_kserve import OwnKServe

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CLUSTER_SERVING_RUNTIMES,
    CUSTOM_RESOURCES,
    NAMESPACES,
    Resource,
)
from registry_grpc.devtools.simulated_cluster.kserve.runtimes import shipped_runtimes

_RBAC = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes" / "rbac.yaml"
_USERS = {"registry-grpc-controller": "registry", "registry-grpc-worker": "worker"}
"""The users that stand for the service accounts."""
_RBAC_PATH = "/apis/rbac.authorization.k8s.io/v1"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NODE = "kwok-node"
_CAPACITY = {"cpu": "32", "memory": "256Gi", "pods": "1000"}


async def furnish(client: ClusterClient, kserve: OwnKServe | None = None) -> None:
    """Installs everything; `client` is the administrator's. KServe's own runtimes come with its webhooks."""
    await _create_node(client)
    if kserve is not None:
        await kserve.prepare(client)
    own = {definition["metadata"]["name"] for definition in kserve.definitions()} if kserve else set()
    for resource in CUSTOM_RESOURCES:
        if resource.qualified not in own:
            await client.call("POST", _CRDS, _definition(resource))
    for document in _rbac():
        if document["kind"] != "RoleBinding":
            await client.call("POST", f"{_RBAC_PATH}/{document['kind'].lower()}s", document)
    for resource in CUSTOM_RESOURCES:
        await until_served(client, path_of(resource))
    for runtime in () if kserve else shipped_runtimes():
        await client.call("POST", path_of(CLUSTER_SERVING_RUNTIMES), runtime)


def _definition(resource: Resource) -> dict[str, Any]:
    """The CRD that defines a custom kind."""
    schema = {key: value for key, value in resource.schema["properties"].items() if key != "metadata"}
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {**resource.schema, "properties": schema}},
    }
    if resource.has_status:
        version["subresources"] = {"status": {}}
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Without it, no CRD may have a group of Kubernetes.
        "metadata": {"name": resource.qualified, "annotations": {"api-approved.kubernetes.io": "unapproved"}},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {**names, "listKind": f"{resource.kind}List"},
            "versions": [version],
        },
    }


async def _create_node(client: ClusterClient) -> None:
    node: dict[str, Any] = {"metadata": {"name": _NODE, "labels": {"kubernetes.io/hostname": _NODE}}}
    created = await client.call("POST", "/api/v1/nodes", node)
    # There is no node-lifecycle controller that would remove the taint once the node is ready.
    created["spec"]["taints"] = []
    created = await client.call("PUT", f"/api/v1/nodes/{_NODE}", created)
    created["status"] = {"allocatable": _CAPACITY, "capacity": _CAPACITY}
    await client.call("PUT", f"/api/v1/nodes/{_NODE}/status", created)


async def until_served(client: ClusterClient, path: str) -> None:
    """Wait until the path exists: kinds and the service account of a namespace appear after a moment."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.call("GET", path)
            except ApiError as error:
                # 429: the storage of a new kind is being set up.
                if error.code not in {404, 429}:
                    raise
            else:
                return
            await asyncio.sleep(0.1)


async def create_namespace(client: ClusterClient, name: str, *, with_role: bool) -> None:
    """Create a namespace in which the registry's role is bound and pods can be created."""
    await client.call("POST", path_of(NAMESPACES), {"metadata": {"name": name}})
    if with_role:
        await bind_role(client, name)
    await until_served(client, f"/api/v1/namespaces/{name}/serviceaccounts/default")


async def unbind_role(client: ClusterClient, name: str) -> None:
    """Take the role of a namespace, which may be gone already."""
    for document in _rbac():
        if document["kind"] == "RoleBinding":
            path = f"{_RBAC_PATH}/namespaces/{name}/rolebindings/{document['metadata']['name']}"
            with suppress(ApiError):
                await client.call("DELETE", path)


async def bind_role(client: ClusterClient, name: str) -> None:
    for document in _rbac():
        if document["kind"] == "RoleBinding":
            await client.call("POST", f"{_RBAC_PATH}/namespaces/{name}/rolebindings", document)


def _rbac() -> list[dict[str, Any]]:
    """The shipped manifest, so that the tests have its rights, with users instead of service accounts. It has other
    names, so that tests can install the registry itself."""
    documents = list(yaml.safe_load_all(_RBAC.read_text()))
    for document in documents:
        for named in (document["metadata"], document.get("roleRef", {"name": ""})):
            named["name"] = f"tests-{named['name']}"
        for subject in document.get("subjects", ()):
            del subject["namespace"]
            subject.update(apiGroup="rbac.authorization.k8s.io", kind="User", name=_USERS[subject["name"]])
    return documents
