"""Watches all objects with our labels, without end: lists them, watches from the list's version, and starts again when
that version has expired, and regularly. Each namespace has its own scope, so that none of them blinds the others.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from functools import partial
from uuid import UUID

import structlog

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json, Kind
from registry_grpc.adapters.kserve.errors import NoConnection, StatusError, Unreachable
from registry_grpc.adapters.kserve.evidence import is_true, predictor_of, revision_of
from registry_grpc.adapters.kserve.identity import DEPLOYMENT_ID, REGISTRY_ID, uuid_or_none
from registry_grpc.adapters.kserve.namespaces import GONE, phase_of
from registry_grpc.adapters.kserve.shapes import INFERENCE_SERVICE, shaped
from registry_grpc.adapters.kserve.stream import Backoff, Pace, Stream, is_refused
from registry_grpc.adapters.metrics import NAMESPACES_UNSEEN, WATCH_SILENCE
from registry_grpc.domain.errors import RegistryError
from registry_grpc.domain.naming import namespace_findings
from registry_grpc.ports.cluster import EVERYWHERE, Change, Changed, NamespacesInUse, OwnedObject, Relisted, Unseen

Tell = Callable[[Change], None]
_log = structlog.get_logger(__name__)


class Watch:
    """The source of `Cluster.changes`. Each call of `changes` has its own watch."""

    def __init__(self, api: Api, *, registry_id: str, namespaces: tuple[str, ...], pace: Pace) -> None:
        self._api = api
        self._selector = f"{REGISTRY_ID}={registry_id}"
        self._namespaces = namespaces
        self._pace = pace
        self._sight = _Sight()

    async def changes(self, used: NamespacesInUse) -> AsyncGenerator[Change, None]:
        news = _News()
        scopes = asyncio.create_task(self._keep_scopes(used, news.add))
        scopes.add_done_callback(lambda _: news.end())
        self._sight.show()
        try:
            while (change := await news.next()) is not None:
                yield change
            await scopes
        finally:
            scopes.cancel()
            await asyncio.gather(scopes, return_exceptions=True)
            self._sight.hide()

    async def _keep_scopes(self, used: NamespacesInUse, tell: Tell) -> None:
        """Run a scope for each namespace, or one for all of them."""
        running: dict[str, asyncio.Task[None]] = {}
        wanted = set(self._namespaces) or {EVERYWHERE}
        try:
            while True:
                if self._namespaces:
                    with suppress(RegistryError):  # then the scopes stay
                        wanted = {*self._namespaces, *(name for name in await used() if not namespace_findings(name))}
                for namespace in wanted - running.keys():
                    scope = _Scope(
                        self._api, namespace, self._selector, lambda: self._pace.among(len(running)), tell, self._sight
                    )
                    running[namespace] = asyncio.create_task(scope.run())
                for namespace in running.keys() - wanted:
                    running.pop(namespace).cancel()
                    self._sight.leave(namespace)
                ended, _ = await asyncio.wait(
                    running.values(), timeout=self._pace.new_namespaces, return_when=asyncio.FIRST_COMPLETED
                )
                for task in ended:
                    task.result()  # it only ends by a fault of the code
        finally:
            for task in running.values():
                task.cancel()
            await asyncio.gather(*running.values(), return_exceptions=True)


class _Sight:
    """What the metrics tell of a watch: since when nothing was heard of a namespace, and which cannot be seen."""

    def __init__(self) -> None:
        self._heard_at: dict[str, float] = {}
        self._unseen: set[str] = set()

    def show(self) -> None:
        WATCH_SILENCE.read = self._silence
        NAMESPACES_UNSEEN.read = lambda: {(): len(self._unseen)}

    def hide(self) -> None:
        WATCH_SILENCE.show({})
        NAMESPACES_UNSEEN.show({})

    def hear(self, namespace: str) -> None:
        self._heard_at[namespace] = time.monotonic()
        self._unseen.discard(namespace)

    def lose(self, namespace: str) -> None:
        """It is not silent, but refused."""
        self._heard_at.pop(namespace, None)
        self._unseen.add(namespace)

    def leave(self, namespace: str) -> None:
        self._heard_at.pop(namespace, None)
        self._unseen.discard(namespace)

    def _silence(self) -> dict[tuple[str, ...], float]:
        heard_at = list(self._heard_at.values())
        return {(): time.monotonic() - min(heard_at)} if heard_at else {}


class _Scope:
    """Lists and watches one namespace, or all of them, whatever happens to others."""

    def __init__(  # noqa: PLR0917 - all parts of a watch
        self, api: Api, namespace: str, selector: str, pace: Callable[[], Pace], tell: Tell, sight: _Sight
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._selector = selector
        self._pace = pace
        self._tell = tell
        self._sight = sight

    async def run(self) -> None:
        backoff = Backoff(self._pace())
        self._sight.hear(self._namespace)  # so that its silence counts from now on
        while True:
            services = self._stream(kinds.INFERENCE_SERVICES)
            workloads = [self._stream(kind, is_optional=True) for kind in (kinds.DEPLOYMENTS, kinds.PODS)]
            secrets = self._stream(kinds.SECRETS, is_optional=True, only_lost=True)
            try:
                # The versions of the workloads are read first, so that the watches see everything that happens later.
                # Most registries may not list Secrets. They do not ask again and again.
                for stream in workloads:
                    await stream.begin_if_possible()
                streams = [services, *workloads, *([secrets] if await secrets.begin_if_possible() else [])]
                objects = tuple(_owned(item) for item in await services.list())
            except (StatusError, Unreachable) as error:
                await self._until_visible(services, error, backoff)
                continue
            self._tell(Relisted(self._namespace, objects))
            await self._until_gap(streams)

    def _stream(self, kind: Kind, *, is_optional: bool = False, only_lost: bool = False) -> Stream:
        path = kind.within(self._namespace) if self._namespace else kind.everywhere()
        hear = partial(self._sight.hear, self._namespace)
        return Stream(self._api, path, self._selector, self._pace(), hear, is_optional=is_optional, only_lost=only_lost)

    async def _until_visible(self, services: Stream, error: StatusError | Unreachable, backoff: Backoff) -> None:
        """Try again with one small request at a time: as soon as a server that was away is ready, and otherwise after
        growing pauses. What the API server refuses is tried seldom: it may last for ever, as with a namespace that was
        deleted."""
        told: Change | None = None
        while True:
            try:
                if is_refused(error):
                    told = await self._say_why(error, told)
                    await self._pace().between_refusals()
                else:
                    _log.warning("watch.list_failed", path=services.path, error=str(error))
                    await (self._api.until_ready() if isinstance(error, NoConnection) else backoff.pause())
                await services.begin()
            except (StatusError, Unreachable) as failure:
                error = failure
            else:
                return

    async def _say_why(self, error: Exception, told: Change | None) -> Change:
        """Tell once that the namespace cannot be seen, or that it is gone, and with it all that was in it."""
        if isinstance(told, Relisted):
            return told
        is_gone = self._namespace != EVERYWHERE and await phase_of(self._api, self._namespace) == GONE
        change = Relisted(self._namespace, ()) if is_gone else Unseen(self._namespace)
        if change != told:
            _log.warning("watch.unseen", namespace=self._namespace, is_gone=is_gone, error=str(error))
            self._tell(change)
            (self._sight.leave if is_gone else self._sight.lose)(self._namespace)
        return change

    async def _until_gap(self, streams: list[Stream]) -> None:
        """Tell all changes, until a stream may have missed something or it is time to list again."""
        tasks = [asyncio.create_task(stream.run(self._tell)) for stream in streams]
        timeout = random.uniform(*self._pace().relist)  # noqa: S311 - nothing secret
        try:
            ended, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in ended:
            task.result()


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


def _owned(raw: Json) -> OwnedObject:
    raw = shaped(raw, INFERENCE_SERVICE)
    metadata = raw["metadata"]
    return OwnedObject(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        k8s_generation=metadata["generation"],
        revision=revision_of(predictor_of(raw)),
        is_ready=is_true(raw, "Ready"),
        deployment_id=uuid_or_none((metadata.get("labels") or {}).get(DEPLOYMENT_ID, "")),
    )
