"""Parses the paths, queries and bodies of requests to the Kubernetes API."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request
from registry_grpc.devtools.simulated_cluster.api.resources import PODS, RESOURCES, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object
from registry_grpc.devtools.simulated_cluster.api.verbs import Operations, WriteOptions
from registry_grpc.devtools.simulated_cluster.server import protobuf

Selector = Callable[[Object], bool]

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>[^/]+)(?:/namespaces/(?P<namespace>[^/]+)(?=/(?!status$)))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<subresource>[^/]+))?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_KINDS = {(resource.group, resource.version, resource.plural): resource for resource in RESOURCES}
_EQUALITY = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<operator>==|=|!=)\s*(?P<value>[^\s=!]*)")
_PRESENCE = re.compile(r"(?P<absent>!?)\s*(?P<key>[^\s=!(),]+)")


@dataclass(frozen=True)
class Target:
    """The object or objects of a path."""

    resource: Resource
    namespace: str
    name: str
    subresource: str

    @property
    def label(self) -> str:
        """RBAC's name of the resource: `inferenceservices` or `inferenceservices/status`."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def target_of(path: str) -> Target | None:
    """The target of a request path; None for paths and kinds that the cluster does not serve."""
    match = _PATH.fullmatch(path)
    resource = match and _KINDS.get((match["group"] or "", match["version"], match["plural"]))
    if not match or not resource:
        return None
    subresource = match["subresource"] or ""
    if subresource not in {"", "status" if resource.has_status else "", "log" if resource is PODS else ""}:
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
    texts = {"metadata.namespace": target.namespace, "metadata.name": target.name}
    tests = [_of_field(f"{field}={text}") for field, text in texts.items() if text]
    tests += [_of_field(text) for text in request.query.get("fieldSelector", "").split(",") if text]
    tests += [_of_label(text.strip()) for text in request.query.get("labelSelector", "").split(",") if text.strip()]
    return lambda obj: all(test(obj) for test in tests)


def _of_label(text: str) -> Selector:
    """Parses `a=b`, `a!=b`, `a` or `!a`. Raises 400 for anything else, such as `a in (b,c)`."""
    if match := _EQUALITY.fullmatch(text):
        key, value, wanted = match["key"], match["value"], match["operator"] != "!="
        return lambda obj: (_labels(obj).get(key) == value) is wanted
    if match := _PRESENCE.fullmatch(text):
        key, wanted = match["key"], not match["absent"]
        return lambda obj: (key in _labels(obj)) is wanted
    raise bad_request(
        f'unable to parse requirement: found "{text}", the simulated cluster takes =, ==, !=, a key and !key'
    )


def _labels(obj: Object) -> dict[str, str]:
    return obj["metadata"].get("labels") or {}


def _of_field(text: str) -> Selector:
    """Parses `a.b=c` or `a.b!=c` for any field that is a text. Raises 400 for anything else."""
    match = _EQUALITY.fullmatch(text)
    if match is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    path, value, wanted = match["key"].split("."), match["value"], match["operator"] != "!="

    def matches(obj: Object) -> bool:
        found: Any = obj
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return ((found or "") == value) is wanted

    return matches


def write_options_of(request: web.Request, target: Target) -> WriteOptions:
    """The options fieldManager, dryRun, fieldValidation and force. The default manager is the client's name."""
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


async def operations_of(request: web.Request) -> Operations:
    """The body of a JSON patch."""
    try:
        operations = json.loads(await request.read())
    except ValueError as error:
        raise bad_request(f"error decoding patch: {error}") from None
    if not isinstance(operations, list):
        raise bad_request("error decoding patch: it must be a list of operations")
    return operations


async def body_of(request: web.Request) -> Object:
    """The body, which is JSON, YAML or protobuf; `{}` if it is empty."""
    data = await request.read()
    try:
        body = protobuf.decoded(data) or (json.loads(data) if data.startswith(b"{") else yaml.safe_load(data) or {})
    except (ValueError, yaml.YAMLError) as error:
        raise bad_request(f"error decoding the body: {error}") from None
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    return body
