"""What a request asks for: the path and query of the Kubernetes API taken apart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api import selectors
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request
from registry_grpc.devtools.simulated_cluster.api.resources import PODS, RESOURCES, Resource
from registry_grpc.devtools.simulated_cluster.api.selectors import Selector
from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.api.verbs import WriteOptions

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/(?!status$)))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_KINDS = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}


@dataclass(frozen=True)
class Target:
    """The objects a path names."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def label(self) -> str:
        """The resource as RBAC names it: `inferenceservices` or `inferenceservices/status`."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def target_of(path: str) -> Target | None:
    """The target of a request path, None for paths and kinds the cluster does not serve."""
    match = _PATH.fullmatch(path)
    resource = match and _KINDS.get((match["group"] or "", match["version"], match["plural"]))
    if not match or not resource:
        return None
    subresource = match["subresource"] or ""
    known = {"", *(("status",) if resource.has_status else ()), *(("log",) if resource is PODS else ())}
    if subresource not in known:
        return None
    return Target(resource, match["namespace"] or "", match["name"] or "", subresource)


def verb_of(request: web.Request, target: Target) -> str:
    """RBAC's verb for the request."""
    if request.method == "GET":
        if request.query.get("watch") in {"1", "true"}:
            return "watch"
        return "get" if target.name else "list"
    verb = _VERBS.get(request.method)
    if verb is None or (verb == "create") == bool(target.name):
        raise ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
    return verb


def selector_of(request: web.Request, target: Target) -> Selector:
    """One test for the namespace, the label selector and the field selector of a list or watch."""
    by_label = selectors.label_selector(request.query.get("labelSelector", ""))
    by_field = selectors.field_selector(request.query.get("fieldSelector", ""))
    place = {key: value for key, value in (("namespace", target.namespace), ("name", target.name)) if value}

    def matches(obj: Object) -> bool:
        is_there = all(obj["metadata"].get(key) == value for key, value in place.items())
        return is_there and by_label(obj) and by_field(obj)

    return matches


def write_options_of(request: web.Request, target: Target) -> WriteOptions:
    """fieldManager, dryRun, fieldValidation and force; the manager is the client's name when it gives none."""
    dry_run = request.query.getall("dryRun", [])
    if any(value != "All" for value in dry_run):
        raise bad_request(f'dryRun: Unsupported value: "{dry_run[0]}": supported values: "All"')
    client = request.headers.get("User-Agent", "unknown").split("/")[0]
    return WriteOptions(
        manager=request.query.get("fieldManager") or client,
        subresource=target.subresource,
        dry_run=bool(dry_run),
        strict=request.query.get("fieldValidation") == "Strict",
        force=request.query.get("force") in {"1", "true"},
    )


async def body_of(request: web.Request) -> dict[str, Any]:
    """The body, JSON or YAML; `{}` for an empty one."""
    text = await request.text()
    try:
        body = json.loads(text) if text.startswith("{") else yaml.safe_load(text) or {}
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"error decoding the body: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    return body
