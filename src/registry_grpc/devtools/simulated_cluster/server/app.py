"""The HTTP server: authentication, faults, counting, and one handler that turns requests into verbs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api.errors import (
    ApiError,
    bad_request,
    forbidden,
    unsupported_media_type,
)
from registry_grpc.devtools.simulated_cluster.api.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    RESOURCES,
    Resource,
)
from registry_grpc.devtools.simulated_cluster.api.store import Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs
from registry_grpc.devtools.simulated_cluster.faults import Call, Fault, Faults
from registry_grpc.devtools.simulated_cluster.server import discovery, requests
from registry_grpc.devtools.simulated_cluster.server.requests import Target
from registry_grpc.devtools.simulated_cluster.server.watching import Watches, listed

APPLY = "application/apply-patch+yaml"
MERGE_PATCH = "application/merge-patch+json"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_LARGEST_BODY = 3 * 1024 * 1024
SYSTEM_USERS = "system:"
"""Users with this prefix are parts of the cluster: neither counted nor hit by faults."""


class Api:
    """The simulated API server; `handle` answers every request."""

    def __init__(
        self,
        store: Store,
        verbs: Verbs,
        faults: Faults,
        watches: Watches,
        tokens: Mapping[str, str],
    ) -> None:
        self._store = store
        self._verbs = verbs
        self._faults = faults
        self._watches = watches
        self._tokens = tokens
        self.calls: Counter[tuple[str, str]] = Counter()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as error:
            return web.json_response(error.body(), status=error.code, headers=error.headers)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.path in _HEALTH:
            return web.Response(text="ok")
        user = self._user(request)
        if request.path == _REVIEWS and request.method == "POST":
            return web.json_response(self._review(user, await requests.body_of(request)), status=201)
        if (description := discovery.describe(request.path, self._served())) is not None:
            return web.json_response(description)
        target = requests.target_of(request.path)
        if target is None or target.resource not in self._served():
            return web.Response(text="404 page not found\n", status=404)
        call = Call(requests.verb_of(request, target), target.label, target.namespace, target.name, user)
        if user.startswith(SYSTEM_USERS):
            return await self._carry_out(request, call.verb, target)
        return await self._guarded(request, call, target)

    def _user(self, request: web.Request) -> str:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        user = self._tokens.get(token.strip()) if scheme == "Bearer" else None
        if user is None:
            raise ApiError(401, "Unauthorized", "Unauthorized")
        return user

    def _served(self) -> list[Resource]:
        """The kinds that exist: a custom kind does as long as its CRD does."""
        definitions = CUSTOM_RESOURCE_DEFINITIONS
        return [
            resource
            for resource in RESOURCES
            if not resource.is_custom or self._store.get(definitions, "", resource.qualified)
        ]

    def _review(self, user: str, body: dict[str, Any]) -> dict[str, Any]:
        wanted = body["spec"].get("resourceAttributes", {})
        resource = "/".join(filter(None, (wanted.get("resource", ""), wanted.get("subresource", ""))))
        call = Call(wanted.get("verb", ""), resource, wanted.get("namespace", ""), wanted.get("name", ""), user)
        return {**body, "metadata": {}, "status": {"allowed": not self._faults.forbids(call)}}

    async def _guarded(self, request: web.Request, call: Call, target: Target) -> web.StreamResponse:
        """A client's call: counted, checked against taken rights, and subject to faults."""
        self.calls[call.verb, call.resource] += 1
        if self._faults.forbids(call):
            group = target.resource.group
            where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
            text = f'User "{call.user}" cannot {call.verb} resource "{call.resource}" in API group "{group}" {where}'
            raise forbidden(group, target.resource.plural, call.name, text)
        fault = self._faults.take(call) or Fault()
        await asyncio.sleep(fault.delay)
        if fault.drop:
            return _hang_up(request)
        if fault.error is not None:
            raise fault.error
        response = await self._carry_out(request, call.verb, target)
        return _hang_up(request) if fault.lose_response else response

    async def _carry_out(self, request: web.Request, verb: str, target: Target) -> web.StreamResponse:
        resource, namespace, name = target.resource, target.namespace, target.name
        if verb == "watch":
            return await self._watches.serve(request, target, requests.selector_of(request, target))
        if verb == "list":
            selector = requests.selector_of(request, target)
            return web.json_response(listed(self._store, target, selector, dict(request.query)))
        if verb == "get":
            return web.json_response(self._verbs.get(resource, namespace, name))
        return self._write(request, verb, target, await requests.body_of(request))

    def _write(self, request: web.Request, verb: str, target: Target, body: dict[str, Any]) -> web.Response:
        resource, namespace, name = target.resource, target.namespace, target.name
        if verb == "delete":
            in_query = {key: value for key, value in request.query.items() if key == "propagationPolicy"}
            return web.json_response(self._verbs.delete(resource, namespace, name, {**in_query, **body}))
        if verb == "patch":
            return self._patch(request, target, body)
        options = requests.write_options_of(request)
        if verb == "create":
            return web.json_response(self._verbs.create(resource, namespace, body, options), status=201)
        if body.get("metadata", {}).get("name", name) != name:
            raise bad_request("the name of the object does not match the name on the URL")
        obj = self._verbs.update(resource, namespace, body, options, subresource=target.subresource)
        return web.json_response(obj)

    def _patch(self, request: web.Request, target: Target, body: dict[str, Any]) -> web.Response:
        options = requests.write_options_of(request)
        where = (target.resource, target.namespace, target.name)
        if request.content_type == APPLY:
            if not request.query.get("fieldManager"):
                raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
            obj, created = self._verbs.apply(*where, body, options, subresource=target.subresource)
            return web.json_response(obj, status=201 if created else 200)
        if request.content_type == MERGE_PATCH:
            obj = self._verbs.patch(*where, body, options, subresource=target.subresource)
            return web.json_response(obj)
        raise unsupported_media_type(
            f"the body of the request was in an unknown format - accepted media types include: {MERGE_PATCH}, {APPLY}"
        )


def _hang_up(request: web.Request) -> web.Response:
    """Closes the connection under the client; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
