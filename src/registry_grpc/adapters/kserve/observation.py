"""Fetches the objects of one deployment and returns their state as `domain.evidence`, with as few reads as possible.

A deployment that is well takes two reads, and one that KServe has not seen yet takes one. Otherwise there are up to
four: pods explain why a rollout does not complete, and events tell errors that KServe reports in no status. A canary
takes two more: its own workload, and the route that divides the requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.canaries import canary_names, share_by_route, share_by_status, share_of_latest
from registry_grpc.adapters.kserve.errors import StatusError, terminating
from registry_grpc.adapters.kserve.evidence import (
    Raw,
    deployment_mode,
    live_object,
    min_replicas,
    predictor_of,
    warning,
)
from registry_grpc.adapters.kserve.namespaces import GONE, TERMINATING, phase_of
from registry_grpc.adapters.kserve.rollouts import (
    deployment_rollout,
    is_owned_by,
    knative_rollout,
    newest_pods,
    replicas,
    revision_of_template,
)
from registry_grpc.adapters.kserve.shapes import HTTP_ROUTE, INFERENCE_SERVICE, KNATIVE_SERVICE, shaped
from registry_grpc.domain.canary import Split
from registry_grpc.domain.deployment import Deployment, Want
from registry_grpc.domain.deployment_options import DeploymentMode
from registry_grpc.domain.evidence import Evidence, Rollout

_BY_SERVICE = "serving.kserve.io/inferenceservice"
_BY_REVISION = "serving.knative.dev/revision"


async def observe(api: Api, deployment: Deployment, *, registry_id: str) -> Evidence:
    """Raises Unreachable and StatusError."""
    try:
        answer = await api.get(kinds.INFERENCE_SERVICES.at(deployment.namespace, deployment.name))
    except StatusError as error:
        if error.code == HTTPStatus.NOT_FOUND:
            return Evidence(at=error.at)
        if error.code == HTTPStatus.FORBIDDEN:
            # The registry's rights in a namespace go with it, or before it.
            phase = await phase_of(api, deployment.namespace)
            if phase == GONE:
                return Evidence(at=error.at, namespace_is_gone=True)
            if phase == TERMINATING:
                raise terminating(deployment.namespace, error.at) from error
        raise
    live = live_object(answer.body, deployment.applied, registry_id=registry_id)
    # For an object that is to be deleted the rest is not read, so that missing rights on it do not stop the deletion.
    # Before KServe has written conditions, there is nothing else to read.
    if not live.is_of(deployment) or deployment.want is Want.ABSENT or not live.has_conditions:
        return Evidence(at=answer.at, live=live)
    rollout, split = await _rollout(api, shaped(answer.body, INFERENCE_SERVICE), deployment)
    # The events are about errors that prevent the rollout.
    has_begun = rollout is not None and rollout.is_observed and rollout.revision == deployment.stamp
    warned = None if has_begun else warning(await warnings_of(api, answer.body))
    return Evidence(at=answer.at, live=live, rollout=rollout, split=split, warning=warned)


async def _rollout(api: Api, raw: Raw, deployment: Deployment) -> tuple[Rollout | None, Split | None]:
    """None while KServe has not made a workload for this object."""
    main = await workload_of(api, raw)
    if deployment_mode(raw) is DeploymentMode.KNATIVE:
        split = Split(percent=share_of_latest(main)) if main is not None else None
        return await _read(api, raw, main, knative_rollout), split
    if deployment.canary is None:
        return await _read(api, raw, main, partial(deployment_rollout, min_replicas=min_replicas(raw))), None
    return await _canary_rollout(api, raw, deployment, main)


async def _canary_rollout(
    api: Api, raw: Raw, deployment: Deployment, main: Json | None
) -> tuple[Rollout | None, Split | None]:
    """The rollout of the target: in its own workload, or, if it cannot take over that, in the main one when it is
    promoted."""
    name = canary_name(raw, deployment)
    own = await workload_of(api, raw, name) if name else None
    has_moved = main is not None and revision_of_template(main) == deployment.stamp
    workload = main if has_moved else own
    least = replicas(workload).wanted if workload else 1
    rollout = await _read(api, raw, workload, partial(deployment_rollout, min_replicas=least))
    if has_moved and rollout is not None and rollout.is_complete:
        share: int | None = 100
    else:
        share = await _share(api, raw, name) if name else 0
    return rollout, Split(percent=share, target=replicas(own) if own else None, stable=replicas(main) if main else None)


def canary_name(raw: Raw, deployment: Deployment) -> str:
    """The name of the target's canary in the object, or else of any one; empty if it has none."""
    return min(canary_names(raw), key=lambda name: name != deployment.canary_name, default="")


async def _share(api: Api, raw: Raw, name: str) -> int:
    """The percentage of the requests that a canary gets, from KServe's status only if the route may not be read."""
    metadata = raw["metadata"]
    try:
        route = await api.find(kinds.HTTP_ROUTES, metadata["name"], namespace=metadata["namespace"])
    except StatusError:
        return share_by_status(raw, name)
    return share_by_route(shaped(route, HTTP_ROUTE), workload_name(metadata["name"], name)) if route else 0


async def _read(api: Api, raw: Raw, workload: Json | None, read: Callable[..., Rollout]) -> Rollout | None:
    if workload is None:
        return None
    rollout = read(workload)
    return rollout if rollout.is_complete else read(workload, pods=await pods_of(api, raw, workload))


def workload_name(service: str, predictor: str = "") -> str:
    """The name of the Deployment and the Service that KServe makes for a predictor."""
    return "-".join(part for part in (service, predictor, "predictor") if part)


async def workload_of(api: Api, raw: Raw, canary: str = "") -> Json | None:
    """The workload of an InferenceService, or of its canary with this name; None while there is none. A predecessor's
    with the same name does not count."""
    metadata, is_knative = raw["metadata"], deployment_mode(raw) is DeploymentMode.KNATIVE
    predictor = canary or predictor_of(raw).get("name", "")
    kind = kinds.KNATIVE_SERVICES if is_knative else kinds.DEPLOYMENTS
    workload = await api.find(kind, workload_name(metadata["name"], predictor), namespace=metadata["namespace"])
    if workload is None or not is_owned_by(workload, metadata["uid"]):
        return None
    found: Json = shaped(workload, KNATIVE_SERVICE) if is_knative else workload
    return found


async def pods_of(api: Api, raw: Raw, workload: Raw) -> Sequence[Raw]:
    """The pods of the newest ReplicaSet, or of the newest Knative revision."""
    return (await pods_by_age(api, raw, workload))[0]


async def pods_by_age(api: Api, raw: Raw, workload: Raw) -> tuple[Sequence[Raw], Sequence[Raw]]:
    """The pods of the newest ReplicaSet and those of earlier ones, or only those of the newest Knative revision."""
    path = kinds.PODS.within(raw["metadata"]["namespace"])
    if deployment_mode(raw) is DeploymentMode.KNATIVE:
        revision = (workload.get("status") or {}).get("latestCreatedRevisionName")
        return (await api.list(path, labelSelector=f"{_BY_REVISION}={revision}")).items if revision else (), ()
    pods = (await api.list(path, labelSelector=f"{_BY_SERVICE}={raw['metadata']['name']}")).items
    newest = newest_pods(workload, pods)
    selected = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    own = (pod for pod in pods if selected.items() <= (pod["metadata"].get("labels") or {}).items())
    return newest, [pod for pod in own if pod not in newest]


async def warnings_of(api: Api, raw: Raw) -> Sequence[Raw]:
    """The Warning events about an object."""
    metadata = raw["metadata"]
    events = await api.list(
        kinds.EVENTS.within(metadata["namespace"]), fieldSelector=f"involvedObject.uid={metadata['uid']},type=Warning"
    )
    return events.items
