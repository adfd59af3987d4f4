"""Watches all objects with our labels, without end.

`kubernetes.aio` has a watch too, but it reconnects without a pause and cannot continue after its resource version has
expired. This one lists, watches from the list's version, and starts again when that version has expired, and regularly.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import structlog

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json, Kind
from registry_grpc.adapters.kserve.errors import StatusError, Unreachable, status_error
from registry_grpc.adapters.kserve.identity import DEPLOYMENT_ID, REGISTRY_ID, REVISION, uuid_or_none
from registry_grpc.domain.errors import RegistryError
from registry_grpc.ports.cluster import EVERYWHERE, Change, Changed, NamespacesInUse, OwnedObject, Relisted, Unseen

Tell = Callable[[Change], None]
_REFUSALS = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
_LONGEST_STAMP = 18
"""Anybody can write into an annotation, but the number must fit into 64 bits."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Durations in seconds. From ranges, values are drawn at random, so that replicas do not act at the same time."""

    watch: tuple[int, int] = (240, 300)
    relist: tuple[float, float] = (540.0, 660.0)
    first_pause: float = 0.5
    longest_pause: float = 30.0
    healthy_after: float = 60.0
    refused: tuple[float, float] = (30.0, 60.0)
    """Between two requests that the API server refuses."""
    new_namespaces: float = 10.0
    """Until a namespace in which a deployment was made is watched, too."""
    shortest_watch: float = 1.0
    """A watch that ends earlier counts as a failure, so that a server that closes at once is not asked in a loop."""

    async def between_refusals(self) -> None:
        await asyncio.sleep(random.uniform(*self.refused))  # noqa: S311 - nothing secret


class Backoff:
    """Random pauses between failures. Their upper bound doubles, and is reset after a time without failures."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._bound = pace.first_pause
        self._paused_at = 0.0

    async def pause(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._paused_at >= self._pace.healthy_after:
            self._bound = self._pace.first_pause
        await asyncio.sleep(random.uniform(0, self._bound))  # noqa: S311 - nothing secret
        self._bound = min(self._bound * 2, self._pace.longest_pause)
        self._paused_at = loop.time()


class Watch:
    """The source of `Cluster.changes`. Each call of `changes` has its own watch."""

    def __init__(self, api: Api, *, registry_id: str, namespaces: tuple[str, ...], pace: Pace) -> None:
        self._api = api
        self._selector = f"{REGISTRY_ID}={registry_id}"
        self._namespaces = namespaces
        self._pace = pace

    async def changes(self, used: NamespacesInUse) -> AsyncGenerator[Change, None]:
        news = _News()
        scopes = asyncio.create_task(self._keep_scopes(used, news.add))
        scopes.add_done_callback(lambda _: news.end())
        try:
            while (change := await news.next()) is not None:
                yield change
            await scopes
        finally:
            scopes.cancel()
            await asyncio.gather(scopes, return_exceptions=True)

    async def _keep_scopes(self, used: NamespacesInUse, tell: Tell) -> None:
        """Run a scope for each namespace, or one for all of them."""
        running: dict[str, asyncio.Task[None]] = {}
        wanted = set(self._namespaces) or {EVERYWHERE}
        try:
            while True:
                if self._namespaces:
                    with suppress(RegistryError):  # then the scopes stay
                        wanted = {*self._namespaces, *await used()}
                for namespace in wanted - running.keys():
                    scope = _Scope(self._api, namespace, self._selector, self._pace, tell)
                    running[namespace] = asyncio.create_task(scope.run())
                for namespace in running.keys() - wanted:
                    running.pop(namespace).cancel()
                ended, _ = await asyncio.wait(
                    running.values(), timeout=self._pace.new_namespaces, return_when=asyncio.FIRST_COMPLETED
                )
                for task in ended:
                    task.result()  # it only ends by a fault of the code
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)


def _is_refused(error: StatusError | Unreachable) -> bool:
    """Whether it needs somebody's action until the same request can succeed."""
    return isinstance(error, StatusError) and error.code in _REFUSALS


class _Scope:
    """Lists and watches one namespace, or all of them, whatever happens to others."""

    def __init__(self, api: Api, namespace: str, selector: str, pace: Pace, tell: Tell) -> None:
        self._api = api
        self._namespace = namespace
        self._selector = selector
        self._pace = pace
        self._tell = tell

    async def run(self) -> None:
        backoff = Backoff(self._pace)
        while True:
            services = self._stream(kinds.INFERENCE_SERVICES)
            workloads = [self._stream(kind, is_optional=True) for kind in (kinds.DEPLOYMENTS, kinds.PODS)]
            try:
                # The versions of the workloads are read first, so that the watches see everything that happens later.
                for stream in workloads:
                    await stream.begin_if_possible()
                objects = tuple(_owned(item) for item in await services.list())
            except (StatusError, Unreachable) as error:
                await self._until_visible(services, error, backoff)
                continue
            self._tell(Relisted(self._namespace, objects))
            await self._until_gap([services, *workloads])

    def _stream(self, kind: Kind, *, is_optional: bool = False) -> _Stream:
        path = kind.within(self._namespace) if self._namespace else kind.everywhere()
        return _Stream(self._api, path, self._selector, self._pace, is_optional=is_optional)

    async def _until_visible(self, services: _Stream, error: StatusError | Unreachable, backoff: Backoff) -> None:
        """Try again with one small request at a time. What the API server refuses is tried seldom: it may last for
        ever, as with a namespace that was deleted."""
        was_told = False
        while True:
            if _is_refused(error):
                if not was_told:
                    _log.warning("watch.unseen", namespace=self._namespace, error=str(error))
                    self._tell(Unseen(self._namespace))
                was_told = True
                await self._pace.between_refusals()
            else:
                _log.warning("watch.list_failed", namespace=self._namespace, error=str(error))
                await backoff.pause()
            try:
                await services.begin()
            except (StatusError, Unreachable) as failure:
                error = failure
            else:
                return

    async def _until_gap(self, streams: list[_Stream]) -> None:
        """Tell all changes, until a stream may have missed something or it is time to list again."""
        tasks = [asyncio.create_task(stream.run(self._tell)) for stream in streams]
        timeout = random.uniform(*self._pace.relist)  # noqa: S311 - nothing secret
        try:
            ended, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()


class _Stream:
    """The watch on the objects of one kind, in one namespace or in all. Without the right to watch those that are
    optional, the others are watched nevertheless."""

    def __init__(self, api: Api, path: str, selector: str, pace: Pace, *, is_optional: bool) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._pace = pace
        self._is_optional = is_optional
        self._version = ""

    async def list(self) -> list[Json]:
        listing = await self._api.list(self._path, labelSelector=self._selector)
        self._version = listing.resource_version
        return listing.items

    async def begin_if_possible(self) -> None:
        """Begin, but only log a failure."""
        try:
            await self.begin()
        except (StatusError, Unreachable) as error:
            _log.warning("watch.list_failed", path=self._path, error=str(error))

    async def begin(self) -> None:
        """Start at the current version."""
        self._version = await self._api.version(self._path, labelSelector=self._selector)

    async def run(self, tell: Tell) -> None:
        """Watch until something may have been missed, or until the API server is reachable again: the list that follows
        makes deployments due that wait for the API server."""
        backoff = Backoff(self._pace)
        while True:
            try:
                if not self._version:
                    await self.begin()
                    return
                await self._watch(tell)
            except (StatusError, Unreachable) as error:
                if isinstance(error, StatusError) and error.code == HTTPStatus.GONE:
                    return
                _log.warning("watch.broken", path=self._path, error=str(error))
                if _is_refused(error):
                    if not self._is_optional and not await self._may_be_listed():
                        return
                    await self._pace.between_refusals()
                    continue
                await backoff.pause()
                if await self._was_away(backoff):
                    return

    async def _may_be_listed(self) -> bool:
        try:
            await self._api.version(self._path, labelSelector=self._selector)
        except (StatusError, Unreachable):
            return False
        return True

    async def _was_away(self, backoff: Backoff) -> bool:
        """Wait until the server answers. Returns False if it did at once: then only a connection broke, or the watch is
        not allowed, and the watch continues where it was."""
        was_away = False
        while True:
            try:
                await self._api.version(self._path, labelSelector=self._selector)
            except (StatusError, Unreachable) as error:
                if isinstance(error, StatusError) and not error.may_pass:
                    return was_away
                was_away = True
                await backoff.pause()
            else:
                return was_away

    async def _watch(self, tell: Tell) -> None:
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        events = self._api.watch(
            self._path,
            seconds=random.randint(*self._pace.watch),  # noqa: S311 - nothing secret
            labelSelector=self._selector,
            resourceVersion=self._version,
        )
        async with aclosing(events):
            async for event in events:
                self._take(event, tell)
        if loop.time() - began_at < self._pace.shortest_watch:
            raise Unreachable("the watch ended as soon as it had begun")

    def _take(self, event: Json, tell: Tell) -> None:
        item = event.get("object") or {}
        if event.get("type") == "ERROR":
            raise status_error(item.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR, item, str(event))
        metadata = item.get("metadata") or {}
        self._version = metadata.get("resourceVersion") or self._version
        if event.get("type") != "BOOKMARK":
            deployment_id = uuid_or_none((metadata.get("labels") or {}).get(DEPLOYMENT_ID, ""))
            if deployment_id is not None:
                tell(Changed(deployment_id))


class _News:
    """A queue of changes. A later one of the same deployment or namespace takes the place of one that waits."""

    def __init__(self) -> None:
        self._waiting: dict[UUID | str, Change] = {}
        self._has_ended = False
        self._wake = asyncio.Event()

    def add(self, change: Change) -> None:
        self._waiting[change.deployment_id if isinstance(change, Changed) else change.namespace] = change
        self._wake.set()

    def end(self) -> None:
        self._has_ended = True
        self._wake.set()

    async def next(self) -> Change | None:
        """The next change; None after the end."""
        while not self._waiting:
            if self._has_ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.pop(next(iter(self._waiting)))


def _is_ready(raw: Json) -> bool:
    conditions = (raw.get("status") or {}).get("conditions") or []
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _owned(raw: Json) -> OwnedObject:
    metadata = raw["metadata"]
    predictor = (raw.get("spec") or {}).get("predictor") or {}
    stamp = (predictor.get("annotations") or {}).get(REVISION, "")
    return OwnedObject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        k8s_generation=metadata["generation"],
        revision=int(stamp) if stamp.isdecimal() and len(stamp) <= _LONGEST_STAMP else 0,
        is_ready=_is_ready(raw),
        deployment_id=uuid_or_none((metadata.get("labels") or {}).get(DEPLOYMENT_ID, "")),
    )
