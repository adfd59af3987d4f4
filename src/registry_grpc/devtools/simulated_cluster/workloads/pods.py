"""Plays scheduler and kubelet: takes every pod from Pending to its outcome."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from registry_grpc.devtools.simulated_cluster import outcomes
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import PODS
from registry_grpc.devtools.simulated_cluster.api.store import Change, Store
from registry_grpc.devtools.simulated_cluster.api.verbs import Verbs, WriteOptions
from registry_grpc.devtools.simulated_cluster.outcomes import Outcome
from registry_grpc.devtools.simulated_cluster.timing import Timing
from registry_grpc.devtools.simulated_cluster.workloads import pod_status
from registry_grpc.devtools.simulated_cluster.workloads.pod_status import State, Status

_KUBELET = WriteOptions(manager="kubelet")
_NODE = "simulated-node"
_NODE_CPUS = 32.0
_STARTS = 5
"""A failing container is left in its back-off after this many starts, so that an idle cluster is quiet."""

_NO_CPU = (
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
    "1 No preemption victims found for incoming pod."
)
_DOWNLOAD_LOG = (
    "Traceback (most recent call last):\n"
    '  File "/storage-initializer/scripts/initializer-entrypoint", line 17, in <module>\n'
    "RuntimeError: Failed to fetch model. No model found in {uri}."
)
_CRASH_LOG = "ValueError: the model file cannot be read: unexpected end of data"


class PodPlayer:
    """Follows the store's pods; `run` as a task ends all plays when it is cancelled."""

    def __init__(self, store: Store, verbs: Verbs, timing: Timing) -> None:
        self._store = store
        self._verbs = verbs
        self._timing = timing
        self._changed: asyncio.Queue[Change] = asyncio.Queue()
        store.listen(self._on_change)

    def _on_change(self, change: Change) -> None:
        if change.resource is PODS:
            self._changed.put_nowait(change)

    async def run(self) -> None:
        """Plays every pod there is and every one to come."""
        plays: dict[str, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            for pod in self._store.list(PODS):
                self._changed.put_nowait(Change(0, PODS, "ADDED", pod, None))
            while True:
                change = await self._changed.get()
                uid = change.obj["metadata"]["uid"]
                ending = "deletionTimestamp" in change.obj["metadata"]
                if change.type == "ADDED" and not ending:
                    plays[uid] = group.create_task(self._play(change.obj))
                elif change.type == "DELETED" or ending:
                    if uid in plays:
                        plays.pop(uid).cancel()
                    if change.type != "DELETED":
                        group.create_task(self._end(change.obj))

    async def _end(self, pod: dict[str, Any]) -> None:
        await asyncio.sleep(self._timing.terminate)
        metadata = pod["metadata"]
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        with contextlib.suppress(ApiError):
            self._verbs.delete(PODS, metadata["namespace"], metadata["name"], body)

    async def _play(self, pod: dict[str, Any]) -> None:
        # A pod that is gone, or was replaced, has no play to go on with.
        with contextlib.suppress(ApiError):
            async for status in self._statuses(pod):
                self._write(pod, status)

    def _write(self, pod: dict[str, Any], status: Status) -> None:
        metadata = {key: pod["metadata"][key] for key in ("name", "namespace", "uid")}
        reported = {**pod, "metadata": metadata, "status": status}
        self._verbs.update(PODS, metadata["namespace"], reported, _KUBELET, subresource="status")

    async def _statuses(self, pod: dict[str, Any]) -> AsyncIterator[Status]:
        outcome = outcomes.by_label(pod)
        await asyncio.sleep(self._timing.schedule)
        if outcome is Outcome.UNSCHEDULABLE or _cpus(pod) > _NODE_CPUS:
            yield pod_status.unscheduled(_NO_CPU)
            return
        self._bind(pod)
        init = [pod_status.container(item, pod_status.running()) for item in pod["spec"].get("initContainers", [])]
        initializing = [_main(item, pod_status.waiting("PodInitializing")) for item in pod["spec"]["containers"]]
        if init:
            yield pod_status.started(pod, init, initializing)
            await asyncio.sleep(self._timing.download)
        if init and outcome is Outcome.DOWNLOAD_FAILED:
            spec = pod["spec"]["initContainers"][0]
            failure = pod_status.terminated(1, "Error", _DOWNLOAD_LOG.format(uri=_source(spec)))
            async for state, restarts, last in self._failing(pod, spec, failure):
                failing = pod_status.container(spec, state, restarts=restarts, last=last)
                yield pod_status.started(pod, [failing, *init[1:]], initializing)
            return
        done = [{**item, "ready": True, "state": pod_status.terminated(0, "Completed")} for item in init]
        async for main in self._main_statuses(pod, outcome):
            yield pod_status.started(pod, done, main)

    def _bind(self, pod: dict[str, Any]) -> None:
        metadata = pod["metadata"]
        live = self._verbs.get(PODS, metadata["namespace"], metadata["name"])
        bound = {**live, "spec": {**live["spec"], "nodeName": _NODE}}
        self._verbs.update(PODS, metadata["namespace"], bound, WriteOptions(manager="kube-scheduler"))

    async def _main_statuses(self, pod: dict[str, Any], outcome: Outcome) -> AsyncIterator[list[dict[str, Any]]]:
        spec, *others = pod["spec"]["containers"]
        rest = [_main(item, pod_status.running(), ready=True) for item in others]
        if outcome is Outcome.IMAGE_PULL:
            for reason, message in _pull_errors(spec["image"]):
                yield [_main(spec, pod_status.waiting(reason, message)), *rest]
                await asyncio.sleep(self._timing.back_off)
        elif outcome is Outcome.CONFIG_ERROR:
            state = pod_status.waiting("CreateContainerConfigError", 'configmap "model-settings" not found')
            yield [_main(spec, state), *rest]
        elif outcome in {Outcome.CRASH_LOOP, Outcome.OUT_OF_MEMORY}:
            async for state, restarts, last in self._failing(pod, spec, _crash(spec, outcome)):
                yield [pod_status.container(spec, state, restarts=restarts, last=last), *rest]
        else:
            state = pod_status.running()
            yield [_main(spec, state), *rest]
            await asyncio.sleep(self._timing.start)
            if outcome is not Outcome.NEVER_READY:
                yield [_main(spec, state, ready=True), *rest]

    async def _failing(
        self, pod: dict[str, Any], spec: dict[str, Any], failure: State
    ) -> AsyncIterator[tuple[State, int, State | None]]:
        """State, restart count and last state of a container that always ends the same way.

        A kubelet restarts it at once the first time and backs off from then on.
        """
        name = f"{pod['metadata']['name']}_{pod['metadata']['namespace']}({pod['metadata']['uid']})"
        last: State | None = None
        for restarts in range(_STARTS):
            yield pod_status.running(), restarts, last
            await asyncio.sleep(self._timing.start if restarts == 0 else 0)
            yield failure, restarts, last
            last = failure
            if restarts > 0:
                text = f"back-off {10 * 2 ** (restarts - 1)}s restarting failed container={spec['name']} pod={name}"
                yield pod_status.waiting("CrashLoopBackOff", text), restarts, last
                await asyncio.sleep(self._timing.back_off)


def _main(spec: dict[str, Any], state: State, *, ready: bool = False) -> dict[str, Any]:
    return pod_status.container(spec, state, ready=ready)


def _crash(spec: dict[str, Any], outcome: Outcome) -> State:
    if outcome is Outcome.OUT_OF_MEMORY:
        return pod_status.terminated(137, "OOMKilled")
    # Without this policy the kubelet reads /dev/termination-log, where a crashing server leaves nothing.
    logged = spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
    return pod_status.terminated(1, "Error", _CRASH_LOG if logged else "")


def _pull_errors(image: str) -> Iterable[tuple[str, str]]:
    error = f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
    yield "ErrImagePull", f"rpc error: code = NotFound desc = {error}"
    yield "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}'


def _source(spec: dict[str, Any]) -> str:
    return next(iter(spec.get("args", [])), "the source")


def _cpus(pod: dict[str, Any]) -> float:
    total = 0.0
    for item in pod["spec"]["containers"]:
        quantity = str(item.get("resources", {}).get("requests", {}).get("cpu", "0"))
        total += float(parse_quantity(quantity))  # type: ignore[no-untyped-call]
    return total
