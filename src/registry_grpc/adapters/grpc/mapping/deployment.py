"""Deployments between protos and domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from registry_grpc.adapters.grpc.mapping.common import timestamp
from registry_grpc.adapters.grpc.mapping.serving import service_message, version_ids_of
from registry_grpc.adapters.grpc.values import Reader
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import (
    DEFAULT_DEADLINE_SECONDS,
    Deployment,
    DeploymentEvent,
    DeploymentMode,
    DeploymentOptions,
    DeploymentRevision,
    FieldDifference,
    Orphan,
    Phase,
    ScaleMetric,
)
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.gen.modelregistry.v1 import deployment_pb2 as pb
from registry_grpc.services.deployments import Deployed
from registry_grpc.services.planning import Plan

# KServe took other names until 0.15 and still takes them.
_MODES = {
    "": DeploymentMode.STANDARD,
    "Standard": DeploymentMode.STANDARD,
    "RawDeployment": DeploymentMode.STANDARD,
    "Knative": DeploymentMode.KNATIVE,
    "Serverless": DeploymentMode.KNATIVE,
}


def new_deployment(message: pb.NewDeployment) -> NewDeployment:
    reader = Reader(message, "registered_model_id", "serving_environment_id")
    return reader.make(
        NewDeployment,
        registered_model_id=reader.id("registered_model_id"),
        serving_environment_id=reader.id("serving_environment_id"),
        model_version_ids=version_ids_of(message, reader),
        name=message.name,
        labels=dict(message.labels),
        options=reader.read(options_of, DeploymentOptions(), message.options),
    )


def options_of(message: pb.DeploymentOptions) -> DeploymentOptions:
    """Raises InvalidRequest for words that are not known; all other rules are the domain's."""
    unknown = []
    if message.deployment_mode not in _MODES:
        unknown.append(Violation("options.deployment_mode", "must be `Standard` or `Knative`"))
    if message.scale_metric and message.scale_metric not in set(ScaleMetric):
        unknown.append(Violation("options.scale_metric", f"must be one of {', '.join(ScaleMetric)}"))
    if unknown:
        raise InvalidRequest(unknown)
    return DeploymentOptions(
        runtime=message.runtime,
        service_account=message.service_account,
        deployment_mode=_MODES[message.deployment_mode],
        min_replicas=_present(message, "min_replicas"),
        max_replicas=_present(message, "max_replicas"),
        scale_metric=ScaleMetric(message.scale_metric) if message.scale_metric else None,
        scale_target=_present(message, "scale_target"),
        requests=dict(message.resources.requests),
        limits=dict(message.resources.limits),
        env=dict(message.env),
        timeout_seconds=_present(message, "timeout_seconds"),
        deadline_seconds=message.deadline_seconds if message.HasField("deadline_seconds") else DEFAULT_DEADLINE_SECONDS,
        storage_endpoint=message.storage.endpoint,
        storage_region=message.storage.region,
    )


def phase_of(phase: int) -> Phase | None:
    """None for UNSPECIFIED. Raises InvalidRequest for numbers this version does not know."""
    if phase == pb.DEPLOYMENT_PHASE_UNSPECIFIED:
        return None
    try:
        return Phase(pb.DeploymentPhase.Name(phase).removeprefix("DEPLOYMENT_PHASE_"))
    except ValueError as error:
        raise InvalidRequest([Violation("phase", "is not a known phase")]) from error


def time_of(message: pb.GetServedRevisionRequest) -> datetime | None:
    """Raises InvalidRequest for what is no valid google.protobuf.Timestamp."""
    if not message.HasField("at"):
        return None
    try:
        return message.at.ToDatetime(tzinfo=UTC)
    except ValueError as error:
        text = "must be a time of the years 1 to 9999, with 0 to 999999999 nanoseconds"
        raise InvalidRequest([Violation("at", text)]) from error


def deployed_message(deployed: Deployed) -> pb.DeployModelResponse:
    return pb.DeployModelResponse(
        inference_service=service_message(deployed.service),
        status=deployed.status,
        message=deployed.message,
        deployment=deployment_message(deployed.deployment) if deployed.deployment else None,
    )


def deployment_message(deployment: Deployment) -> pb.Deployment:
    return pb.Deployment(
        id=str(deployment.id),
        created_at=timestamp(deployment.created_at),
        updated_at=timestamp(deployment.updated_at),
        name=deployment.name,
        namespace=deployment.namespace,
        registered_model_id=str(deployment.spec.registered_model_id),
        model_version_id=str(deployment.spec.model_version_id),
        target_revision=deployment.generation,
        serving_revision=deployment.serving_generation,
        phase=_phase(deployment.phase),
        reason=deployment.reason,
        message=deployment.message,
        next_step=deployment.next_step,
        url=deployment.url,
        phase_since=timestamp(deployment.phase_since),
        observed_at=timestamp(deployment.observed_at) if deployment.observed_at else None,
        options=_options_message(deployment.spec.options),
        drift=_differences(deployment.drift),
    )


def revision_message(revision: DeploymentRevision) -> pb.DeploymentRevision:
    return pb.DeploymentRevision(
        revision=revision.generation,
        created_at=timestamp(revision.created_at),
        created_by=revision.created_by,
        cause=revision.cause,
        model_version_id=str(revision.spec.model_version_id),
        options=_options_message(revision.spec.options),
        outcome=revision.outcome,
        reason=revision.reason,
        served_from=timestamp(revision.served_from) if revision.served_from else None,
        served_until=timestamp(revision.served_until) if revision.served_until else None,
    )


def served_message(revision: DeploymentRevision | None) -> pb.GetServedRevisionResponse:
    return pb.GetServedRevisionResponse(revision=revision_message(revision) if revision else None)


def event_message(event: DeploymentEvent) -> pb.DeploymentEvent:
    return pb.DeploymentEvent(
        sequence=event.sequence,
        occurred_at=timestamp(event.occurred_at),
        deployment_id=str(event.deployment_id),
        target_revision=event.generation,
        serving_revision=event.serving_generation,
        phase=_phase(event.phase),
        reason=event.reason,
        message=event.message,
        next_step=event.next_step,
    )


def plan_message(plan: Plan) -> pb.PlanDeployResponse:
    return pb.PlanDeployResponse(
        manifest=plan.manifest,
        differences=_differences(plan.differences),
        findings=[
            pb.Finding(
                code=finding.code,
                message=finding.message,
                hint=finding.hint,
                blocking=finding.blocking,
                field=finding.field,
            )
            for finding in plan.findings
        ],
    )


def orphans_message(orphans: Iterable[Orphan]) -> pb.ListOrphansResponse:
    return pb.ListOrphansResponse(
        orphans=[
            pb.Orphan(
                namespace=orphan.namespace,
                name=orphan.name,
                uid=orphan.uid,
                deployment_id=orphan.deployment_id,
                seen_at=timestamp(orphan.seen_at),
            )
            for orphan in orphans
        ]
    )


def _present(message: pb.DeploymentOptions, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


def _phase(phase: Phase) -> pb.DeploymentPhase:
    return getattr(pb, f"DEPLOYMENT_PHASE_{phase}")  # type: ignore[no-any-return]


def _options_message(options: DeploymentOptions) -> pb.DeploymentOptions:
    return pb.DeploymentOptions(
        runtime=options.runtime,
        service_account=options.service_account,
        deployment_mode=options.deployment_mode,
        min_replicas=options.min_replicas,
        max_replicas=options.max_replicas,
        scale_metric=options.scale_metric or "",
        scale_target=options.scale_target,
        resources=pb.ResourceRequirements(requests=options.requests, limits=options.limits),
        env=options.env,
        timeout_seconds=options.timeout_seconds,
        deadline_seconds=options.deadline_seconds,
        storage=pb.StorageOptions(endpoint=options.storage_endpoint, region=options.storage_region),
    )


def _differences(differences: Iterable[FieldDifference]) -> list[pb.FieldDifference]:
    return [pb.FieldDifference(path=d.path, applied=d.applied, found=d.found) for d in differences]
