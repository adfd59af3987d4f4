"""The HTTP server: authenticates requests and calls the verbs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api import errors
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, RESOURCES, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.server import discovery, requests, tables
from registry_grpc.devtools.simulated_cluster.server.requests import Target
from registry_grpc.devtools.simulated_cluster.server.watching import Watches, listed

_APPLY = "application/apply-patch+yaml"
_JSON_PATCH = "application/json-patch+json"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
REGISTRY = "registry-grpc"
"""The user as which `make run` starts the registry."""
_LARGEST_BODY = 3 * 1024 * 1024


class Call(NamedTuple):
    """A request as RBAC sees it: verb, resource (`plural` or `plural/subresource`), place and user."""

    verb: str
    resource: str
    namespace: str
    name: str
    user: str


class Api:
    """The simulated API server. Tests derive a class that removes rights and kinds and lets calls fail."""

    def __init__(self, store: Store, verbs: Verbs, watches: Watches, user_of: Callable[[str], str | None]) -> None:
        """`user_of` returns the user of a bearer token."""
        self._store = store
        self._verbs = verbs
        self._watches = watches
        self._user_of = user_of

    def is_allowed(self, call: Call) -> bool:  # noqa: ARG002 - everybody may do everything
        return True

    def is_served(self, resource: Resource) -> bool:  # noqa: ARG002 - all of them are
        return True

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return web.json_response(error.body(), status=error.code, headers=error.headers)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path in _HEALTH:
            return web.Response(text="ok")
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = self._user_of(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        if request.path == _REVIEWS and request.method == "POST":
            return web.json_response(self._review(user, await requests.body_of(request)), status=201)
        served = list(filter(self.is_served, RESOURCES))
        if (description := discovery.describe(request.path, served)) is not None:
            return web.json_response(description)
        target = requests.target_of(request.path)
        if target is None or target.resource not in served:
            return web.Response(text="404 page not found\n", status=404)
        call = Call(requests.verb_of(request, target), target.label, target.namespace, target.name, user)
        if not self.is_allowed(call):
            group = target.resource.group
            where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
            text = f'User "{user}" cannot {call.verb} resource "{call.resource}" in API group "{group}" {where}'
            raise errors.forbidden(target.resource, call.name, text)
        return await self.carry_out(request, call, target)

    def _review(self, user: str, body: Object) -> Object:
        """The answer to SelfSubjectAccessReview."""
        wanted = body.get("spec", {}).get("resourceAttributes", {})
        resource = "/".join(filter(None, (wanted.get("resource", ""), wanted.get("subresource", ""))))
        call = Call(wanted.get("verb", ""), resource, wanted.get("namespace", ""), wanted.get("name", ""), user)
        return {**body, "metadata": {}, "status": {"allowed": self.is_allowed(call)}}

    async def carry_out(self, request: web.Request, call: Call, target: Target) -> web.StreamResponse:
        """Carries out a request that is allowed."""
        verb, resource, where = call.verb, target.resource, (target.resource, target.namespace, target.name)
        if verb == "watch":
            return await self._watches.serve(request, target)
        if verb == "get" and resource is NAMESPACES and call.user == REGISTRY and self._verbs.find(*where) is None:
            # The registry's first write makes the namespace, so its plans must not report that there is none.
            body, options = {"metadata": {"name": target.name}}, WriteOptions(dry_run=True)
            return web.json_response(self._verbs.create(NAMESPACES, "", body, options))
        if verb in {"get", "list"}:
            found = self._verbs.get(*where) if verb == "get" else listed(self._store, request, target)
            if target.subresource == "log":
                return web.Response(text=_log_of(found))
            return web.json_response(tables.table(resource, found) if tables.are_wanted(request) else found)
        if request.content_type == _JSON_PATCH and verb == "patch":
            operations, options = await requests.operations_of(request), requests.write_options_of(request, target)
            return web.json_response(self._verbs.patch(*where, operations, options))
        body = await requests.body_of(request)
        if verb == "delete":
            in_query = {key: request.query[key] for key in ("propagationPolicy", "dryRun") if key in request.query}
            return web.json_response(self._verbs.delete(*where, {**in_query, **body}))
        options = requests.write_options_of(request, target)
        if verb == "create":
            return web.json_response(self._verbs.create(resource, target.namespace, body, options), status=201)
        if verb == "update":
            return web.json_response(self._verbs.update(*where, body, options))
        return self._patch(request, target, body, options)

    def _patch(self, request: web.Request, target: Target, body: Object, options: WriteOptions) -> web.Response:
        where = (target.resource, target.namespace, target.name)
        if request.content_type == _APPLY:
            if not request.query.get("fieldManager"):
                raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
            obj, created = self._verbs.apply(*where, body, options)
            return web.json_response(obj, status=201 if created else 200)
        # kubectl sends strategic patches for built-in kinds. Without lists, they are the same as merge patches.
        if request.content_type == _MERGE_PATCH or (request.content_type == _STRATEGIC_PATCH and not _has_lists(body)):
            return web.json_response(self._verbs.patch(*where, body, options))
        text = (
            f"the simulated cluster takes {_MERGE_PATCH}, {_JSON_PATCH}, {_APPLY}, and strategic patches without lists"
        )
        raise ApiError(415, "UnsupportedMediaType", text)


def _has_lists(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and any(map(_has_lists, value.values())))


def _log_of(pod: Object) -> str:
    """The messages in the pod's status, because no container runs that could have a log."""
    status = pod.get("status", {})
    states = [
        item[key].get("terminated", {}).get("message", "")
        for item in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
        for key in ("state", "lastState")
    ]
    return "".join(f"{text}\n" for text in states if text) or "(simulated: this container has no log)\n"
