"""Fetches the objects of one deployment and returns their state as `domain.evidence`, with as few reads as possible.

A deployment that is well takes two reads, and one that KServe has not seen yet takes one. Otherwise there are up to
four: pods explain why a rollout does not complete, and events tell errors that KServe reports in no status.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.errors import StatusError, terminating
from registry_grpc.adapters.kserve.evidence import Raw, deployment_mode, live_object, min_replicas, warning
from registry_grpc.adapters.kserve.namespaces import GONE, TERMINATING, phase_of
from registry_grpc.adapters.kserve.rollouts import deployment_rollout, is_owned_by, knative_rollout, newest_pods
from registry_grpc.domain.deployment import Deployment, Want
from registry_grpc.domain.deployment_options import DeploymentMode
from registry_grpc.domain.evidence import Evidence, Rollout, WarningEvent

_BY_SERVICE = "serving.kserve.io/inferenceservice"
_BY_REVISION = "serving.knative.dev/revision"


async def observe(api: Api, deployment: Deployment) -> Evidence:
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
    live = live_object(answer.body, deployment.applied)
    # For an object that is to be deleted the rest is not read, so that missing rights on it do not stop the deletion.
    # Before KServe has written conditions, there is nothing else to read.
    if not live.is_of(deployment) or deployment.want is Want.ABSENT or not live.has_conditions:
        return Evidence(at=answer.at, live=live)
    rollout = await _rollout(api, answer.body)
    # The events are about errors that prevent the rollout.
    has_begun = rollout is not None and rollout.is_observed and rollout.revision == deployment.stamp
    return Evidence(
        at=answer.at, live=live, rollout=rollout, warning=None if has_begun else await _warning(api, answer.body)
    )


async def _rollout(api: Api, raw: Raw) -> Rollout | None:
    """None while KServe has not made a workload for this object."""
    workload = await workload_of(api, raw)
    if workload is None:
        return None
    is_knative = deployment_mode(raw) is DeploymentMode.KNATIVE
    read = knative_rollout if is_knative else partial(deployment_rollout, min_replicas=min_replicas(raw))
    rollout = read(workload)
    return rollout if rollout.is_complete else read(workload, pods=await pods_of(api, raw, workload))


async def workload_of(api: Api, raw: Raw) -> Json | None:
    """The workload of an InferenceService; None while there is none. A predecessor's with the same name does not
    count."""
    metadata, is_knative = raw["metadata"], deployment_mode(raw) is DeploymentMode.KNATIVE
    kind = kinds.KNATIVE_SERVICES if is_knative else kinds.DEPLOYMENTS
    workload = await api.find(kind, f"{metadata['name']}-predictor", namespace=metadata["namespace"])
    return workload if workload and is_owned_by(workload, metadata["uid"]) else None


async def pods_of(api: Api, raw: Raw, workload: Raw) -> Sequence[Raw]:
    """The pods of the newest ReplicaSet, or of the newest Knative revision."""
    path = kinds.PODS.within(raw["metadata"]["namespace"])
    if deployment_mode(raw) is not DeploymentMode.KNATIVE:
        pods = await api.list(path, labelSelector=f"{_BY_SERVICE}={raw['metadata']['name']}")
        return newest_pods(workload, pods.items)
    revision = (workload.get("status") or {}).get("latestCreatedRevisionName")
    return (await api.list(path, labelSelector=f"{_BY_REVISION}={revision}")).items if revision else ()


async def _warning(api: Api, raw: Raw) -> WarningEvent | None:
    metadata = raw["metadata"]
    events = await api.list(
        kinds.EVENTS.within(metadata["namespace"]), fieldSelector=f"involvedObject.uid={metadata['uid']},type=Warning"
    )
    return warning(events.items)
