"""Answers the paths that describe the API instead of objects."""

from __future__ import annotations

from typing import Any

from registry_grpc.devtools.simulated_cluster.api.resources import Resource

_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]
_VERSION = {"major": "1", "minor": "37", "gitVersion": "v1.37.1+simulated", "platform": "python/asyncio"}
_OPENAPI = "openapi/v3"


def describe(path: str, served: list[Resource]) -> dict[str, Any] | None:
    """The answer to a discovery path; None for any other path."""
    path = path.strip("/")
    by_version: dict[str, list[Resource]] = {}
    for resource in served:
        place = f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"
        by_version.setdefault(place, []).append(resource)
    groups = {resource.group: _group(resource.group, served) for resource in served if resource.group}
    if path == "version":
        return _VERSION
    if path == "api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": list(groups.values())}
    if path == _OPENAPI:
        return {"paths": {place: {"serverRelativeURL": f"/{_OPENAPI}/{place}"} for place in by_version}}
    if path in by_version:
        return _resource_list(by_version[path])
    if (place := path.removeprefix(f"{_OPENAPI}/")) in by_version:
        return _openapi(place, by_version[place])
    if (group := groups.get(path.removeprefix("apis/"))) is not None:
        return {"kind": "APIGroup", "apiVersion": "v1", **group}
    return None


def _group(name: str, served: list[Resource]) -> dict[str, Any]:
    found = sorted({resource.version for resource in served if resource.group == name}, reverse=True)
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in found]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(resources: list[Resource]) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for resource in resources:
        common = {"singularName": resource.kind.lower(), "namespaced": resource.namespaced, "kind": resource.kind}
        short = {"shortNames": [resource.short_name]} if resource.short_name else {}
        categories = {"categories": ["all"]} if resource.namespaced and resource.has_status else {}
        items.append({"name": resource.plural, **common, "verbs": _VERBS, **short, **categories})
        if resource.has_status:
            items.append({"name": f"{resource.plural}/status", **common, "verbs": ["get", "patch", "update"]})
    version = resources[0].api_version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": items}


def _openapi(place: str, resources: list[Resource]) -> dict[str, Any]:
    """The OpenAPI document, as far as kubectl needs it: it says that the server validates writes, and is the source of
    `kubectl explain`."""
    paths, schemas = {}, {}
    for resource in resources:
        within = "/namespaces/{namespace}" if resource.namespaced else ""
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        patch = {
            "x-kubernetes-group-version-kind": kind,
            "parameters": [{"name": name, "in": "query"} for name in ("dryRun", "fieldManager", "fieldValidation")],
            "responses": {},
        }
        paths[f"/{place}{within}/{resource.plural}/{{name}}"] = {"patch": patch}
        schemas[resource.kind] = {**resource.schema, "x-kubernetes-group-version-kind": [kind]}
    info = {"title": "Kubernetes", "version": _VERSION["gitVersion"]}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}
