"""The paths that describe the cluster instead of its objects."""

from __future__ import annotations

from typing import Any

from registry_grpc.devtools.simulated_cluster.api.resources import Resource

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.1+simulated", "platform": "python/asyncio"}


def describe(path: str, served: list[Resource]) -> dict[str, Any] | None:
    """The answer to a discovery path, None for any other path."""
    parts = path.strip("/").split("/")
    if parts == ["version"]:
        return VERSION
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        groups = sorted({resource.group for resource in served if resource.group})
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name, served) for name in groups]}
    if parts == ["api", "v1"] or (len(parts) == 3 and parts[0] == "apis"):
        return _resource_list("/".join(parts[1:]), served)
    if len(parts) == 2 and parts[0] == "apis" and any(resource.group == parts[1] for resource in served):
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], served)}
    return None


def _group(name: str, served: list[Resource]) -> dict[str, Any]:
    found = sorted({resource.version for resource in served if resource.group == name}, reverse=True)
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group_version: str, served: list[Resource]) -> dict[str, Any] | None:
    found = [resource for resource in served if resource.api_version == group_version]
    if not found:
        return None
    items: list[dict[str, Any]] = []
    for resource in found:
        common = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced, "kind": resource.kind}
        items.append({"name": resource.plural, **common, "verbs": _VERBS, "shortNames": list(resource.short_names)})
        if resource.has_status:
            items.append({"name": f"{resource.plural}/status", **common, "verbs": ["get", "patch", "update"]})
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": items}
