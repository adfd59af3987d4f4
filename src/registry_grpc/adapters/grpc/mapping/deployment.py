"""Maps deployments between protos and domain."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from registry_grpc.adapters.grpc.mapping.common import message_of
from registry_grpc.adapters.grpc.request_fields import Reader, version_ids_of
from registry_grpc.domain.canary import Canary, Split
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import (
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    DeploymentSpec,
    Orphan,
    Phase,
)
from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    DeploymentOptions,
    ScaleMetric,
    ServingProtocol,
    StorageUri,
    Toleration,
)
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.explanation import Explanation
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.gen.modelregistry.v1 import deployment_pb2 as pb
from registry_grpc.gen.modelregistry.v1 import deployment_reason_pb2
from registry_grpc.gen.modelregistry.v1.inference_service_pb2 import InferenceService
from registry_grpc.services.deployments import Deployed
from registry_grpc.services.planning import Plan

# RawDeployment and Serverless are the names that KServe used until 0.15 and still accepts.
_MODES = {
    "": DeploymentMode.STANDARD,
    "Standard": DeploymentMode.STANDARD,
    "RawDeployment": DeploymentMode.STANDARD,
    "Knative": DeploymentMode.KNATIVE,
    "Serverless": DeploymentMode.KNATIVE,
}
_READ_APART = (
    "deployment_mode", "scale_metric", "protocol_version", "resources", "storage", "tolerations",
    "storage_uris", "probes",
)  # fmt: skip
_LINK_STATES = dict(pb.LinkState.items())
_PHASES = dict(pb.DeploymentPhase.items())
_REASONS = dict(deployment_reason_pb2.DeploymentReason.items())


def new_deployment(message: pb.NewDeployment) -> NewDeployment:
    reader = Reader(
        message,
        required=("registered_model_id", "serving_environment_id"),
        but=("model_version_id", "model_version_ids", "options"),
    )
    return reader.make(
        NewDeployment,
        model_version_ids=version_ids_of(message, reader),
        options=reader.read(options_of, DeploymentOptions(), message.options),
    )


def options_of(message: pb.DeploymentOptions) -> DeploymentOptions:
    """Raises InvalidRequest for an unknown mode, metric or protocol. All other rules are in the domain."""
    unknown = []
    if message.deployment_mode not in _MODES:
        unknown.append(Violation("options.deployment_mode", "must be `Standard` or `Knative`"))
    if message.scale_metric and message.scale_metric not in set(ScaleMetric):
        unknown.append(Violation("options.scale_metric", f"must be one of {', '.join(ScaleMetric)}"))
    if message.protocol_version and message.protocol_version not in set(ServingProtocol):
        unknown.append(Violation("options.protocol_version", f"must be one of {', '.join(ServingProtocol)}"))
    if unknown:
        raise InvalidRequest(unknown)
    storage, probes = message.storage, message.probes
    return Reader(message, but=_READ_APART).make(
        DeploymentOptions,
        deployment_mode=_MODES[message.deployment_mode],
        scale_metric=ScaleMetric(message.scale_metric) if message.scale_metric else None,
        protocol_version=ServingProtocol(message.protocol_version) if message.protocol_version else None,
        requests=dict(message.resources.requests),
        limits=dict(message.resources.limits),
        tolerations=tuple(Reader(each).make(Toleration) for each in message.tolerations),
        storage_uris=tuple(Reader(each).make(StorageUri) for each in message.storage_uris),
        probe_startup_seconds=probes.startup_seconds if probes.HasField("startup_seconds") else None,
        probe_timeout_seconds=probes.timeout_seconds if probes.HasField("timeout_seconds") else None,
        storage_endpoint=storage.endpoint,
        storage_region=storage.region,
        storage_anonymous=storage.anonymous if storage.HasField("anonymous") else None,
        storage_ca_bundle=storage.ca_bundle,
        storage_verify_ssl=storage.verify_ssl if storage.HasField("verify_ssl") else None,
    )


def phase_of(phase: int) -> Phase | None:
    """None for UNSPECIFIED. Raises InvalidRequest for a number that this release does not know."""
    if phase == pb.DEPLOYMENT_PHASE_UNSPECIFIED:
        return None
    try:
        return Phase(pb.DeploymentPhase.Name(phase).removeprefix("DEPLOYMENT_PHASE_"))
    except ValueError as error:
        raise InvalidRequest([Violation("phase", "is not a known phase")]) from error


def time_of(message: pb.GetServedRevisionRequest) -> datetime | None:
    """None if no time is given. Raises InvalidRequest if it is not a valid google.protobuf.Timestamp."""
    if not message.HasField("at"):
        return None
    try:
        return message.at.ToDatetime(tzinfo=UTC)
    except ValueError as error:
        text = "must be a time in the years 1 to 9999, with 0 to 999999999 nanoseconds"
        raise InvalidRequest([Violation("at", text)]) from error


def deployed_message(deployed: Deployed) -> pb.DeployModelResponse:
    return pb.DeployModelResponse(
        inference_service=message_of(InferenceService, deployed.service),
        status=deployed.status,
        message=deployed.message,
        deployment=deployment_message(deployed.deployment) if deployed.deployment else None,
    )


def deployment_message(deployment: Deployment) -> pb.Deployment:
    return message_of(
        pb.Deployment,
        deployment,
        registered_model_id=str(deployment.spec.registered_model_id),
        model_version_id=str(deployment.spec.model_version_id),
        target_revision=deployment.generation,
        serving_revision=deployment.serving_generation,
        phase=_PHASES.get(f"DEPLOYMENT_PHASE_{deployment.phase}"),
        **_reason(deployment.reason),
        options=_options_message(deployment.spec.options),
        snapshot=_snapshot(deployment.spec),
        canary=_canary(deployment.canary, deployment.split) if deployment.canary else None,
    )


def _canary(canary: Canary, split: Split | None) -> pb.Canary:
    target, stable = (split.target, split.stable) if split else (None, None)
    return message_of(
        pb.Canary,
        canary,
        stable_revision=canary.stable_generation,
        actual_share=split.percent if split else None,
        target_replicas=message_of(pb.Replicas, target) if target else None,
        stable_replicas=message_of(pb.Replicas, stable) if stable else None,
    )


def revision_message(revision: DeploymentRevision) -> pb.DeploymentRevision:
    return message_of(
        pb.DeploymentRevision,
        revision,
        revision=revision.generation,
        model_version_id=str(revision.spec.model_version_id),
        **_reason(revision.reason),
        options=_options_message(revision.spec.options),
        snapshot=_snapshot(revision.spec),
    )


def served_message(revision: DeploymentRevision | None) -> pb.GetServedRevisionResponse:
    return pb.GetServedRevisionResponse(revision=revision_message(revision) if revision else None)


def event_message(event: DeploymentEvent) -> pb.DeploymentEvent:
    return message_of(
        pb.DeploymentEvent,
        event,
        target_revision=event.generation,
        serving_revision=event.serving_generation,
        phase=_PHASES.get(f"DEPLOYMENT_PHASE_{event.phase}"),
        **_reason(event.reason),
    )


def plan_message(plan: Plan) -> pb.PlanDeployResponse:
    findings = [message_of(pb.Finding, it, code=_reason(it.code)["reason"]) for it in plan.findings]
    return message_of(pb.PlanDeployResponse, plan, findings=findings)


def explanation_message(explanation: Explanation) -> pb.ExplainDeploymentResponse:
    links = [message_of(pb.Link, link, state=_LINK_STATES[f"LINK_STATE_{link.state}"]) for link in explanation.chain]
    return message_of(
        pb.ExplainDeploymentResponse, explanation, deployment=deployment_message(explanation.deployment), chain=links
    )


def orphans_message(orphans: Iterable[Orphan]) -> pb.ListOrphansResponse:
    return pb.ListOrphansResponse(orphans=[message_of(pb.Orphan, orphan) for orphan in orphans])


def _reason(reason: DeploymentReason) -> dict[str, Any]:
    """The reason, or for one that only a newer release knows, its stored word."""
    number = _REASONS.get(f"DEPLOYMENT_REASON_{reason}", 0)
    return {"reason": number, "unknown_reason": "" if number else str(reason)}


def _snapshot(spec: DeploymentSpec) -> pb.Snapshot:
    return message_of(
        pb.Snapshot,
        spec,
        model_version_ids=map(str, spec.served_version_ids),
        uri=spec.storage_uri,
        model_framework=spec.model_format,
        model_framework_version=spec.model_format_version,
        versions=[message_of(pb.ServedVersion, copy) for copy in spec.versions],
    )


def _options_message(options: DeploymentOptions) -> pb.DeploymentOptions:
    return message_of(
        pb.DeploymentOptions,
        options,
        scale_metric=options.scale_metric or "",
        protocol_version=options.protocol_version or "",
        resources=pb.ResourceRequirements(requests=options.requests, limits=options.limits),
        probes=pb.ProbeOptions(
            startup_seconds=options.probe_startup_seconds, timeout_seconds=options.probe_timeout_seconds
        ),
        storage=pb.StorageOptions(
            endpoint=options.storage_endpoint,
            region=options.storage_region,
            anonymous=options.storage_anonymous,
            ca_bundle=options.storage_ca_bundle,
            verify_ssl=options.storage_verify_ssl,
        ),
    )
