"""Reads the chain from an InferenceService to its containers and its URL, with the evidence for each link.

ReplicaSets are not read, so that the registry needs no right to see them: their pods and the Deployment tell of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.errors import StatusError, Unreachable
from registry_grpc.adapters.kserve.evidence import (
    NOISE,
    STOP,
    Raw,
    conditions,
    deployment_mode,
    is_stopped,
    is_true,
    last_seen,
    live_object,
    predictor_of,
    revision_of,
    time_of,
)
from registry_grpc.adapters.kserve.observation import canary_name, pods_by_age, warnings_of, workload_name, workload_of
from registry_grpc.adapters.kserve.rollouts import replicas, revision_of_template
from registry_grpc.adapters.kserve.shapes import INFERENCE_SERVICE, shaped
from registry_grpc.domain.deployment import Deployment, Want
from registry_grpc.domain.deployment_options import DeploymentMode
from registry_grpc.domain.explanation import MOST_LINES, Link, LinkKind, LinkState, Sign

_MOST_READ = 256 * 1024
_EVENTS = 5


async def trace(api: Api, deployment: Deployment) -> tuple[Link, ...]:
    """The links that can be read. Raises Unreachable, and StatusError for errors that may pass."""
    links: list[Link] = []
    with _as_far_as_allowed(links):
        await _follow(api, deployment, links)
    return tuple(links)


@contextmanager
def _as_far_as_allowed(links: list[Link]) -> Iterator[None]:
    """Tell what cannot be read instead of failing. The API server's text names the missing right."""
    try:
        yield
    except StatusError as error:
        if error.may_pass:
            raise
        summary = f"cannot be read: {error.message}"
        if error.code == HTTPStatus.FORBIDDEN:
            summary += "; grant the registry this right to see more (`registry-grpc doctor` prints all that it needs)"
        links.append(Link(kind=LinkKind.NEXT, name="", state=LinkState.UNKNOWN, summary=summary))


async def _follow(api: Api, deployment: Deployment, links: list[Link]) -> None:
    service = await api.find(kinds.INFERENCE_SERVICES, deployment.name, namespace=deployment.namespace)
    if service is None:
        links.append(_missing(LinkKind.INFERENCE_SERVICE, deployment.name))
        return
    service = shaped(service, INFERENCE_SERVICE)
    if not live_object(service).is_of(deployment):
        is_going = deployment.want is Want.ABSENT
        # Whoever shares the namespace must not see events and logs of others by choosing the names of their objects.
        state, text = LinkState.WAITING if is_going else LinkState.FAILED, "belongs to something else"
        links.append(Link(kind=LinkKind.INFERENCE_SERVICE, name=deployment.name, state=state, summary=text))
        return
    is_ready = is_true(service, "Ready")
    signs = (*_conditions(service, "PredictorReady", "IngressReady", "Ready"), *await _warnings(api, service))
    summary = "is Ready" if is_ready else "is not Ready"
    link = _link(LinkKind.INFERENCE_SERVICE, service, is_ok=is_ready, summary=summary, signs=signs)
    if is_stopped(service):  # it waits for somebody who starts it again
        link = replace(link, state=LinkState.FAILED, summary=f"is stopped by its annotation {STOP}")
    links.append(replace(link, revision=revision_of(predictor_of(service))))
    names = [""]
    if deployment.canary and deployment_mode(service) is not DeploymentMode.KNATIVE:
        names.append(canary_name(service, deployment) or deployment.canary_name)
    answers = set[bool]()
    for name in names:
        part: list[Link] = []
        with _as_far_as_allowed(part):
            workload = await workload_of(api, service, name)
            answers.add(workload is not None and _can_answer(service, workload))
            await _follow_predictor(api, service, name, workload, part)
        links += [replace(link, is_canary=bool(name)) for link in part]
    links.append(_url(service, answers))


async def _follow_predictor(api: Api, service: Raw, canary: str, workload: Json | None, links: list[Link]) -> None:
    if workload is not None:
        part: list[Link] = []
        try:
            await _follow_workload(api, service, workload, part)
        finally:
            revision = revision_of_template(workload)
            links += [replace(link, revision=revision) for link in part]
    elif not is_stopped(service):
        links.append(_missing(LinkKind.DEPLOYMENT, workload_name(service["metadata"]["name"], canary)))


async def _follow_workload(api: Api, service: Raw, workload: Json, links: list[Link]) -> None:
    if deployment_mode(service) is DeploymentMode.KNATIVE:
        kind, is_ok, summary = LinkKind.KNATIVE_SERVICE, is_true(workload, "Ready"), "runs"
    else:
        kind, number = LinkKind.DEPLOYMENT, replicas(workload)
        updated = (workload.get("status") or {}).get("updatedReplicas") or 0
        is_ok = min(number.available, updated) >= number.wanted
        summary = f"has {number.available} of {number.wanted} replicas available"
    summary += f", and makes pods of revision {revision_of_template(workload)}"
    signs = _conditions(workload, "Available", "Progressing", "Ready")
    links.append(_link(kind, workload, is_ok=is_ok, summary=summary, signs=signs))
    pods, older = await pods_by_age(api, service, workload)
    if serving := {revision_of(pod["metadata"]) for pod in older if is_true(pod, "Ready")}:
        text = f"{summary}; pods of revision {', '.join(map(str, sorted(serving)))} are ready"
        links[-1] = replace(links[-1], summary=text)
    ready = sum(is_true(pod, "Ready") for pod in pods)
    failure = conditions(workload).get("ReplicaFailure")
    if failure is not None and failure.is_true:
        summary = f"cannot create pods: {failure.message}"
        state, since = LinkState.FAILED, failure.since
        links.append(Link(kind=LinkKind.REPLICA_SET, name=_owner(pods), state=state, summary=summary, since=since))
    elif pods:
        state = LinkState.OK if ready == len(pods) else LinkState.WAITING
        since = time_of(min(pod["metadata"]["creationTimestamp"] for pod in pods))
        summary = f"has {ready} of {len(pods)} pods ready"
        links.append(Link(kind=LinkKind.REPLICA_SET, name=_owner(pods), state=state, summary=summary, since=since))
    # One pod is shown: one that is not ready, or else the newest.
    for pod in sorted(pods, key=lambda pod: is_true(pod, "Ready"))[:1]:
        await _follow_pod(api, pod, links)


async def _follow_pod(api: Api, pod: Raw, links: list[Link]) -> None:
    is_ready, scheduled = is_true(pod, "Ready"), conditions(pod).get("PodScheduled")
    summary = "is ready" if is_ready else f"is {(pod.get('status') or {}).get('phase', 'Pending')}, but not ready"
    if scheduled is not None and scheduled.is_false:
        summary = f"is on no node: {scheduled.message}"
    signs = (*_conditions(pod, "PodScheduled", "Ready"), *await _warnings(api, pod))
    links.append(_link(LinkKind.POD, pod, is_ok=is_ready, summary=summary, signs=signs))
    status = pod.get("status") or {}
    for field in ("initContainerStatuses", "containerStatuses"):
        is_init = field.startswith("init")
        for container in status.get(field) or ():
            # A container that waits for those before it tells nothing.
            if ((container.get("state") or {}).get("waiting") or {}).get("reason") != "PodInitializing":
                links.append(await _container(api, pod, container, is_init=is_init))  # noqa: PERF401


async def _container(api: Api, pod: Raw, status: Raw, *, is_init: bool) -> Link:
    state, last = status.get("state") or {}, (status.get("lastState") or {}).get("terminated")
    waiting, running, ended = (state.get(name) or {} for name in ("waiting", "running", "terminated"))
    ended = ended or last or {}
    found, summary = _how_container_is(status, waiting, running, ended, is_init=is_init)
    signs = []
    if found is not LinkState.OK and (running or ended):
        signs = await _log(api, pod, status["name"], previous=bool(waiting and last))
    since = time_of(running.get("startedAt") or ended.get("finishedAt"))
    return Link(
        kind=LinkKind.CONTAINER, name=status["name"], state=found, summary=summary, since=since, signs=tuple(signs)
    )


def _how_container_is(status: Raw, waiting: Raw, running: Raw, ended: Raw, *, is_init: bool) -> tuple[LinkState, str]:
    code, why = ended.get("exitCode"), waiting.get("reason") or ""
    if is_init and code == 0:
        return LinkState.OK, "has done its work"
    if status.get("ready"):
        return LinkState.OK, "is ready"
    if code:
        text = (ended.get("message") or "").strip().splitlines()[-1:]
        return LinkState.FAILED, ": ".join([f"ended with exit code {code} ({ended.get('reason')})", *text])
    if why and why != "ContainerCreating":
        return LinkState.FAILED, f"cannot start: {why}: {waiting.get('message') or ''}"
    if running:
        return LinkState.WAITING, "runs, but has not finished" if is_init else "runs, but is not ready"
    return LinkState.WAITING, "is being created"


async def _log(api: Api, pod: Raw, container: str, *, previous: bool) -> list[Sign]:
    """The end of the container's log, or why there is none."""
    metadata = pod["metadata"]
    query = {"container": container, "previous": str(previous).lower()}
    query |= {"tailLines": str(MOST_LINES), "limitBytes": str(_MOST_READ)}
    try:
        text = await api.text(f"{kinds.PODS.at(metadata['namespace'], metadata['name'])}/log", **query)
    except StatusError as error:
        return [Sign("log", f"cannot be read: {error.message}")]
    except Unreachable as error:  # the API server asks the node, which may be down
        return [Sign("log", f"cannot be read: {error}")]
    if len(text.encode()) >= _MOST_READ:
        text = text.rpartition("\n")[0]  # the rest may be a part of a secret, which nobody would recognize
    return [Sign("log", text.strip())]


def _can_answer(service: Raw, workload: Raw) -> bool:
    """Whether requests get an answer. Knative starts a pod for them, as long as its Service is Ready."""
    if deployment_mode(service) is DeploymentMode.KNATIVE:
        return is_true(workload, "Ready")
    return replicas(workload).available > 0


def _url(service: Raw, answers: Collection[bool]) -> Link:
    """The last link. `answers`: whether each predictor can answer, without those that may not be read. IngressReady
    stays True when all pods are gone."""
    status = service.get("status") or {}
    route, url = conditions(service).get("IngressReady"), status.get("url") or ""
    if route is None or not route.is_true or not url:
        state, summary = LinkState.WAITING, "leads nowhere yet"
    elif any(answers):
        is_knative = deployment_mode(service) is DeploymentMode.KNATIVE
        summary = "leads to the pods, which Knative starts when requests come" if is_knative else "leads to the pods"
        state = LinkState.OK
    elif answers:
        state, summary = LinkState.WAITING, "answers 503, because no pod is ready"
    else:
        state, summary = LinkState.UNKNOWN, "has a route, but whether a pod is ready cannot be read"
    return Link(
        kind=LinkKind.URL, name=url, state=state, summary=summary, since=route.since if route is not None else None
    )


async def _warnings(api: Api, raw: Raw) -> list[Sign]:
    """The newest warnings about an object, the newest last, or why there are none."""
    try:
        events = await warnings_of(api, raw)
    except StatusError as error:
        return [Sign("event", f"cannot be read: {error.message}")]
    signs = [_event(event) for event in events if NOISE not in (event.get("message") or "")]
    return sorted(signs, key=lambda sign: str(sign.at or ""))[-_EVENTS:]


def _event(event: Raw) -> Sign:
    return Sign(f"event {event.get('reason')}", event.get("message") or "", last_seen(event))


def _conditions(raw: Raw, *kinds_: str) -> list[Sign]:
    """The conditions that are not True."""
    found = conditions(raw)
    signs = []
    for kind in kinds_:
        if (condition := found.get(kind)) is not None and not condition.is_true:
            text = ": ".join(filter(None, (condition.status, condition.reason, condition.message)))
            signs.append(Sign(f"condition {kind}", text, condition.since))
    return signs


def _link(kind: LinkKind, raw: Raw, *, is_ok: bool, summary: str, signs: Sequence[Sign]) -> Link:
    metadata: dict[str, Any] = raw["metadata"]
    since = time_of(metadata.get("creationTimestamp"))
    return Link(
        kind=kind,
        name=metadata["name"],
        state=LinkState.OK if is_ok else LinkState.WAITING,
        summary=summary,
        since=since,
        signs=tuple(signs),
    )


def _missing(kind: LinkKind, name: str) -> Link:
    return Link(kind=kind, name=name, state=LinkState.WAITING, summary="is not in the cluster")


def _owner(pods: Sequence[Raw]) -> str:
    owners = (owner["name"] for pod in pods for owner in pod["metadata"].get("ownerReferences") or ())
    return next(owners, "")
