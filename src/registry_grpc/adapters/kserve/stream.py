"""Watches the objects of one kind with our labels.

`kubernetes.aio` has a watch too, but it reconnects without a pause and cannot continue after its resource version has
expired.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from http import HTTPStatus

import structlog

from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.errors import NoConnection, StatusError, Unreachable, status_error
from registry_grpc.adapters.kserve.identity import DEPLOYMENT_ID, uuid_or_none
from registry_grpc.ports.cluster import Changed

Tell = Callable[[Changed], None]
Hear = Callable[[], None]
_FULL_PACE = 8
"""The number of scopes up to which each keeps its pace: one makes 17 requests in ten minutes."""
_REFUSALS = {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Durations in seconds. From ranges, values are drawn at random, so that replicas do not act at the same time."""

    sight: tuple[int, int] = (45, 75)
    """How long one request watches the InferenceServices. Kubernetes checks rights only when a watch begins, so their
    loss is noticed after this time."""
    watch: tuple[int, int] = (300, 600)
    """The same for all else."""
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

    def among(self, scopes: int) -> Pace:
        """The pace of each of so many scopes. All together make no more requests than eight, which are about 0.25 a
        second: as much as the leader takes for its other turns."""
        if scopes <= _FULL_PACE:
            return self

        def slow(seconds: tuple[float, float]) -> tuple[int, int]:
            least, most = (round(bound * scopes / _FULL_PACE) for bound in seconds)
            return least, most

        return replace(
            self, sight=slow(self.sight), watch=slow(self.watch), relist=slow(self.relist), refused=slow(self.refused)
        )

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


def is_refused(error: StatusError | Unreachable) -> bool:
    """Whether it needs somebody's action until the same request can succeed."""
    return isinstance(error, StatusError) and error.code in _REFUSALS


class Stream:
    """The watch on the objects of one kind, in one namespace or in all. Without the right to watch those that are
    optional, the others are watched nevertheless. Of objects that `only_lost`, it tells when one is deleted that has an
    owner: our own passes write and delete the others."""

    def __init__(
        self, api: Api, path: str, selector: str, pace: Pace, hear: Hear, *, is_optional: bool, only_lost: bool = False
    ) -> None:
        """`hear` is called whenever the API server has told something."""
        self._api = api
        self.path = path
        self._selector = selector
        self._pace = pace
        self._hear = hear
        self._seconds = pace.watch if is_optional else pace.sight
        self._is_optional = is_optional
        self._only_lost = only_lost
        self._version = ""

    async def list(self) -> list[Json]:
        listing = await self._api.list(self.path, labelSelector=self._selector)
        self._version = listing.resource_version
        self._hear()
        return listing.items

    async def begin_if_possible(self) -> bool:
        """Begin, but only log a failure. Returns whether the objects may be listed, as far as that is known."""
        try:
            await self.begin()
        except (StatusError, Unreachable) as error:
            if is_refused(error):
                return False
            _log.warning("watch.list_failed", path=self.path, error=str(error))
        return True

    async def begin(self) -> None:
        """Start at the current version."""
        self._version = await self._api.version(self.path, labelSelector=self._selector)

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
                _log.warning("watch.broken", path=self.path, error=str(error))
                if is_refused(error):
                    if not self._is_optional and not await self._may_be_listed():
                        return
                    await self._pace.between_refusals()
                    continue
                await backoff.pause()
                if await self._was_away(backoff):
                    return

    async def _may_be_listed(self) -> bool:
        try:
            await self._api.version(self.path, labelSelector=self._selector)
        except (StatusError, Unreachable):
            return False
        return True

    async def _was_away(self, backoff: Backoff) -> bool:
        """Wait until the server answers. Returns False if it did at once: then only a connection broke, or the watch is
        not allowed, and the watch continues where it was."""
        was_away = False
        while True:
            try:
                await self._api.version(self.path, labelSelector=self._selector)
            except NoConnection:
                await self._api.until_ready()
                return True
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
            self.path,
            seconds=random.randint(*self._seconds),  # noqa: S311 - nothing secret
            labelSelector=self._selector,
            resourceVersion=self._version,
        )
        async with aclosing(events):
            async for event in events:
                self._take(event, tell)
                self._hear()
        self._hear()
        if loop.time() - began_at < self._pace.shortest_watch:
            raise Unreachable("the watch ended as soon as it had begun")

    def _take(self, event: Json, tell: Tell) -> None:
        item = event.get("object") or {}
        if event.get("type") == "ERROR":
            raise status_error(item.get("code") or HTTPStatus.INTERNAL_SERVER_ERROR, item, str(event))
        metadata = item.get("metadata") or {}
        self._version = metadata.get("resourceVersion") or self._version
        is_lost = event.get("type") == "DELETED" and bool(metadata.get("ownerReferences"))
        if event.get("type") != "BOOKMARK" and (is_lost or not self._only_lost):
            deployment_id = uuid_or_none((metadata.get("labels") or {}).get(DEPLOYMENT_ID, ""))
            if deployment_id is not None:
                tell(Changed(deployment_id))
