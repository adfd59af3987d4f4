"""Watches all objects with our labels, without end.

`kubernetes.aio` has a watch too, but it reconnects without a pause and cannot continue after its resource version has
expired. This one lists, watches from the list's version, and starts again when that version has expired, and regularly.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from uuid import UUID

import structlog

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json, Kind
from registry_grpc.adapters.kserve.errors import StatusError, Unreachable, status_error
from registry_grpc.adapters.kserve.identity import DEPLOYMENT_ID, REGISTRY_ID, REVISION, uuid_or_none
from registry_grpc.ports.cluster import Changed, OwnedObject, Relisted

_WORKLOADS = (kinds.DEPLOYMENTS, kinds.PODS)
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
    shortest_watch: float = 1.0
    """A watch that ends earlier counts as a failure, so that a server that closes at once is not asked in a loop."""


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

    async def changes(self) -> AsyncGenerator[Relisted | Changed, None]:
        backoff = Backoff(self._pace)
        while True:
            services = self._streams(kinds.INFERENCE_SERVICES)
            workloads = [stream for kind in _WORKLOADS for stream in self._streams(kind)]
            try:
                # The versions of the workloads are read first, so that the watches see everything that happens later.
                for stream in workloads:
                    await stream.begin_if_possible()
                objects = [_owned(item) for stream in services for item in await stream.list()]
            except (StatusError, Unreachable) as error:
                _log.warning("watch.list_failed", error=str(error))
                await backoff.pause()
                continue
            yield Relisted(tuple(objects))
            async with aclosing(self._until_gap([*services, *workloads])) as changed:
                async for deployment_id in changed:
                    yield Changed(deployment_id)

    def _streams(self, kind: Kind) -> list[_Stream]:
        paths = [kind.within(namespace) for namespace in self._namespaces] or [kind.everywhere()]
        return [_Stream(self._api, path, self._selector, self._pace) for path in paths]

    async def _until_gap(self, streams: list[_Stream]) -> AsyncGenerator[UUID, None]:
        """The ids of changed deployments, until a stream may have missed something or it is time to list again."""
        pending = _Pending()
        tasks = [asyncio.create_task(stream.run(pending.add)) for stream in streams]
        timeout = random.uniform(*self._pace.relist)  # noqa: S311 - nothing secret
        first_end = asyncio.create_task(asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED))
        first_end.add_done_callback(lambda _: pending.end())
        try:
            while (deployment_id := await pending.next()) is not None:
                yield deployment_id
        finally:
            for task in (first_end, *tasks):
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome


class _Stream:
    """The watch on the objects of one kind, in one namespace or in all."""

    def __init__(self, api: Api, path: str, selector: str, pace: Pace) -> None:
        self._api = api
        self._path = path
        self._selector = selector
        self._pace = pace
        self._version = ""

    async def list(self) -> list[Json]:
        listing = await self._api.list(self._path, labelSelector=self._selector)
        self._version = listing.resource_version
        return listing.items

    async def begin_if_possible(self) -> None:
        """Start at the current version. A failure is only logged: services are watched even without their workloads."""
        try:
            await self._begin()
        except (StatusError, Unreachable) as error:
            _log.warning("watch.list_failed", path=self._path, error=str(error))

    async def _begin(self) -> None:
        self._version = await self._api.version(self._path, labelSelector=self._selector)

    async def run(self, changed: Callable[[UUID], None]) -> None:
        """Watch until something may have been missed, or until the API server is reachable again: the list that follows
        makes deployments due that wait for the API server."""
        backoff = Backoff(self._pace)
        while True:
            try:
                if not self._version:
                    await self._begin()
                    return
                await self._watch(changed)
            except (StatusError, Unreachable) as error:
                if isinstance(error, StatusError) and error.code == HTTPStatus.GONE:
                    return
                _log.warning("watch.broken", path=self._path, error=str(error))
                await backoff.pause()
                if await self._was_away(backoff):
                    return

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

    async def _watch(self, changed: Callable[[UUID], None]) -> None:
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
                self._take(event, changed)
        if loop.time() - began_at < self._pace.shortest_watch:
            raise Unreachable("the watch ended as soon as it had begun")

    def _take(self, event: Json, changed: Callable[[UUID], None]) -> None:
        item = event.get("object") or {}
        if event.get("type") == "ERROR":
            raise status_error(item.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR, item, str(event))
        metadata = item.get("metadata") or {}
        self._version = metadata.get("resourceVersion") or self._version
        if event.get("type") != "BOOKMARK":
            deployment_id = uuid_or_none((metadata.get("labels") or {}).get(DEPLOYMENT_ID, ""))
            if deployment_id is not None:
                changed(deployment_id)


class _Pending:
    """A queue of changed deployments, each of which waits in it only once."""

    def __init__(self) -> None:
        self._ids: dict[UUID, None] = {}
        self._has_ended = False
        self._wake = asyncio.Event()

    def add(self, deployment_id: UUID) -> None:
        self._ids[deployment_id] = None
        self._wake.set()

    def end(self) -> None:
        self._has_ended = True
        self._wake.set()

    async def next(self) -> UUID | None:
        """The next deployment; None after the end."""
        while not self._ids:
            if self._has_ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        deployment_id = next(iter(self._ids))
        del self._ids[deployment_id]
        return deployment_id


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
