"""The HTTP server: authentication, faults, counting, and one handler that turns requests into verbs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

from aiohttp import web

from registry_grpc.devtools.simulated_cluster.api import errors
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, bad_request
from registry_grpc.devtools.simulated_cluster.api.resources import RESOURCES, Resource
from registry_grpc.devtools.simulated_cluster.api.store import Object, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs
from registry_grpc.devtools.simulated_cluster.faults import Call, Fault, Faults
from registry_grpc.devtools.simulated_cluster.server import discovery, requests, tables
from registry_grpc.devtools.simulated_cluster.server.requests import Target
from registry_grpc.devtools.simulated_cluster.server.watching import Watches, listed

_APPLY = "application/apply-patch+yaml"
_MERGE_PATCH = "application/merge-patch+json"
_STRATEGIC_PATCH = "application/strategic-merge-patch+json"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_LARGEST_BODY = 3 * 1024 * 1024


class Api:
    """The simulated API server; `user_of` tells whose a bearer token is."""

    def __init__(
        self, store: Store, verbs: Verbs, faults: Faults, watches: Watches, user_of: Callable[[str], str | None]
    ) -> None:
        self._store = store
        self._verbs = verbs
        self._faults = faults
        self._watches = watches
        self._user_of = user_of
        self.uninstalled: set[Resource] = set()
        """The kinds that are as if their definition was not there."""
        self.calls: Counter[tuple[str, str]] = Counter()

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
            raise errors.unauthorized()
        if request.path == _REVIEWS and request.method == "POST":
            return web.json_response(self._review(user, await requests.body_of(request)), status=201)
        served = [resource for resource in RESOURCES if resource not in self.uninstalled]
        if (description := discovery.describe(request.path, served)) is not None:
            return web.json_response(description)
        target = requests.target_of(request.path)
        if target is None or target.resource not in served:
            return web.Response(text="404 page not found\n", status=404)
        call = Call(requests.verb_of(request, target), target.label, target.namespace, target.name, user)
        self.calls[call.verb, call.resource] += 1
        self._check_rights(call, target)
        fault = self._faults.take(call) or Fault()
        await asyncio.sleep(fault.delay)
        if fault.drop:
            return _hang_up(request)
        if fault.error is not None:
            raise fault.error
        response = await self._carry_out(request, call.verb, target)
        return _hang_up(request) if fault.lose_response else response

    def _review(self, user: str, body: Object) -> Object:
        wanted = body["spec"].get("resourceAttributes", {})
        resource = "/".join(filter(None, (wanted.get("resource", ""), wanted.get("subresource", ""))))
        call = Call(wanted.get("verb", ""), resource, wanted.get("namespace", ""), wanted.get("name", ""), user)
        return {**body, "metadata": {}, "status": {"allowed": not self._faults.forbids(call)}}

    def _check_rights(self, call: Call, target: Target) -> None:
        if self._faults.forbids(call):
            group = target.resource.group
            where = f'in the namespace "{call.namespace}"' if call.namespace else "at the cluster scope"
            text = f'User "{call.user}" cannot {call.verb} resource "{call.resource}" in API group "{group}" {where}'
            raise errors.forbidden(target.resource, call.name, text)

    async def _carry_out(self, request: web.Request, verb: str, target: Target) -> web.StreamResponse:
        resource, place = target.resource, (target.resource, target.namespace, target.name)
        if verb == "watch":
            return await self._watches.serve(request, target)
        if verb == "list":
            found = listed(self._store, request, target)
            if tables.are_wanted(request):
                found = tables.table(resource, found["items"], found["metadata"])
            return web.json_response(found)
        if verb == "get":
            obj = self._verbs.get(*place)
            if target.subresource == "log":
                return web.Response(text=_log_of(obj))
            return web.json_response(tables.table(resource, [obj], {}) if tables.are_wanted(request) else obj)
        body = await requests.body_of(request)
        if verb == "delete":
            in_query = {key: request.query[key] for key in ("propagationPolicy", "dryRun") if key in request.query}
            return web.json_response(self._verbs.delete(*place, {**in_query, **body}))
        if verb == "patch":
            return self._patch(request, target, body)
        options = requests.write_options_of(request, target)
        if verb == "create":
            return web.json_response(self._verbs.create(resource, target.namespace, body, options), status=201)
        if (body.get("metadata") or {}).get("name", target.name) != target.name:
            raise bad_request("the name of the object does not match the name on the URL")
        return web.json_response(self._verbs.update(resource, target.namespace, body, options))

    def _patch(self, request: web.Request, target: Target, body: Object) -> web.Response:
        options = requests.write_options_of(request, target)
        where = (target.resource, target.namespace, target.name)
        if request.content_type == _APPLY:
            if not request.query.get("fieldManager"):
                raise bad_request("PatchOptions.meta.k8s.io is invalid: fieldManager: Required value")
            obj, created = self._verbs.apply(*where, body, options)
            return web.json_response(obj, status=201 if created else 200)
        # kubectl sends strategic patches for the kinds it has compiled in: the same, where there are no lists in it.
        if request.content_type == _MERGE_PATCH or (request.content_type == _STRATEGIC_PATCH and not _has_lists(body)):
            return web.json_response(self._verbs.patch(*where, body, options))
        text = f"the simulated cluster takes {_MERGE_PATCH}, {_APPLY}, and strategic patches without lists"
        raise ApiError(415, "UnsupportedMediaType", text)


def _has_lists(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, dict) and any(map(_has_lists, value.values())))


def _log_of(pod: Object) -> str:
    """What the status has of it, because no container runs."""
    status = pod.get("status", {})
    states = [
        item[key].get("terminated", {}).get("message", "")
        for item in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
        for key in ("state", "lastState")
    ]
    return "".join(f"{text}\n" for text in states if text) or "(simulated: this container has no log)\n"


def _hang_up(request: web.Request) -> web.Response:
    """Closes the connection under the client; the response goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
