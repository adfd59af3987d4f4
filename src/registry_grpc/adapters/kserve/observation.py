"""Fetches the objects of one deployment and returns their state as `domain.evidence`, with as few reads as possible.

A deployment that is well takes two reads, and one that KServe has not seen yet takes one. Otherwise there are up to
four: pods explain why a rollout does not complete, and events tell errors that KServe reports in no status.
"""

from __future__ import annotations

from http import HTTPStatus

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json, Kind
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
    """None while KServe has not made a workload for this object. A predecessor's with the same name does not count."""
    if deployment_mode(raw) is DeploymentMode.KNATIVE:
        return await _knative_rollout(api, raw)
    workload = await _workload(api, kinds.DEPLOYMENTS, raw)
    if workload is None:
        return None
    least = min_replicas(raw)
    rollout = deployment_rollout(workload, min_replicas=least)
    if rollout.is_complete:
        return rollout
    metadata = raw["metadata"]
    pods = await api.list(kinds.PODS.within(metadata["namespace"]), labelSelector=f"{_BY_SERVICE}={metadata['name']}")
    return deployment_rollout(workload, min_replicas=least, pods=newest_pods(workload, pods.items))


async def _knative_rollout(api: Api, raw: Raw) -> Rollout | None:
    service = await _workload(api, kinds.KNATIVE_SERVICES, raw)
    if service is None:
        return None
    revision = (service.get("status") or {}).get("latestCreatedRevisionName")
    rollout = knative_rollout(service)
    if rollout.is_complete or not revision:
        return rollout
    pods = await api.list(kinds.PODS.within(raw["metadata"]["namespace"]), labelSelector=f"{_BY_REVISION}={revision}")
    return knative_rollout(service, pods=pods.items)


async def _workload(api: Api, kind: Kind, raw: Raw) -> Json | None:
    metadata = raw["metadata"]
    workload = await api.find(kind, f"{metadata['name']}-predictor", namespace=metadata["namespace"])
    return workload if workload and is_owned_by(workload, metadata["uid"]) else None


async def _warning(api: Api, raw: Raw) -> WarningEvent | None:
    metadata = raw["metadata"]
    events = await api.list(
        kinds.EVENTS.within(metadata["namespace"]), fieldSelector=f"involvedObject.uid={metadata['uid']},type=Warning"
    )
    return warning(events.items)
