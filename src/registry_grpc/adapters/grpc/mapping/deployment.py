"""Maps deployments between protos and domain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from modelregistry.v1 import deployment_pb2 as pb
from modelregistry.v1.inference_service_pb2 import InferenceService
from registry_grpc.adapters.grpc.mapping.common import duration_of, message_of, seconds_in
from registry_grpc.adapters.grpc.request_fields import Reader, unknown_path, version_ids_of
from registry_grpc.domain.canary import Canary, Split
from registry_grpc.domain.deploy_request import NewDeployment
from registry_grpc.domain.deployment import Deployment, DeploymentEvent, DeploymentRevision, DeploymentSpec, Orphan
from registry_grpc.domain.deployment_options import (
    DeploymentOptions,
    StorageUri,
    Toleration,
    TolerationOperator,
    path_of_option,
)
from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.explanation import Explanation
from registry_grpc.services.deployments import Deployed
from registry_grpc.services.planning import Plan

_READ_APART = ("resources", "storage", "tolerations", "storage_uris", "probes")
_OPTIONS_AT = {path_of_option(field.name): field.name for field in fields(DeploymentOptions)}
"""The options by their paths in a request."""


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
    """Raises InvalidRequest for an unknown word or a wrong duration, and then for all other faults too."""
    storage, probes = message.storage, message.probes
    reader = Reader(message, but=_READ_APART, at="options.")

    def made(**options: Any) -> DeploymentOptions:
        made = DeploymentOptions(**options)
        if reader.has_errors:
            made.check()
        return made

    return reader.make(
        made,
        requests=dict(message.resources.requests),
        limits=dict(message.resources.limits),
        tolerations=tuple(_toleration(each, place, reader) for place, each in enumerate(message.tolerations)),
        storage_uris=tuple(Reader(each).make(StorageUri) for each in message.storage_uris),
        probe_startup_seconds=reader.read(seconds_in, None, probes, "startup", "options.probes."),
        probe_timeout_seconds=reader.read(seconds_in, None, probes, "timeout", "options.probes."),
        storage_endpoint=storage.endpoint,
        storage_region=storage.region,
        storage_anonymous=storage.anonymous if storage.HasField("anonymous") else None,
        storage_ca_bundle=storage.ca_bundle,
        storage_verify_ssl=storage.verify_ssl if storage.HasField("verify_ssl") else None,
    )


def _toleration(message: pb.Toleration, place: int, reader: Reader) -> Toleration:
    any_taint = Toleration(operator=TolerationOperator.EXISTS)
    return reader.read(Reader(message, at=f"options.tolerations[{place}].").make, any_taint, Toleration)


def option_names_of(options: pb.DeploymentOptions, mask: FieldMask) -> set[str]:
    """The names of the options that a request changes: those in its mask, or else those that are present, and maps and
    lists that are not empty. Raises InvalidRequest if the mask names what is no field of an update."""
    if not mask.paths:
        return {name for path, name in _OPTIONS_AT.items() if _is_present(options, path.split(".")[1:])}
    outside = ("model_version_id", "version", "traffic_percent")
    names: set[str] = set()
    unknown = []
    for path in mask.paths:
        found = {name for place, name in _OPTIONS_AT.items() if f"{place}.".startswith(f"{path}.")}
        names |= found
        if not found and path not in outside:
            unknown.append(unknown_path(path))
    if unknown:
        raise InvalidRequest(unknown)
    return names


def _is_present(message: Any, path: list[str]) -> bool:
    name, *inner = path
    if inner:
        return _is_present(getattr(message, name), inner)
    has_presence = message.DESCRIPTOR.fields_by_name[name].has_presence
    return bool(message.HasField(name) if has_presence else getattr(message, name))


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
        model_version_id=str(revision.spec.model_version_id),
        options=_options_message(revision.spec.options),
        snapshot=_snapshot(revision.spec),
    )


def served_message(revision: DeploymentRevision | None) -> pb.GetServedRevisionResponse:
    return pb.GetServedRevisionResponse(revision=revision_message(revision) if revision else None)


def event_message(event: DeploymentEvent) -> pb.DeploymentEvent:
    return message_of(
        pb.DeploymentEvent, event, target_revision=event.generation, serving_revision=event.serving_generation
    )


def plan_message(plan: Plan) -> pb.PlanDeploymentResponse:
    return message_of(pb.PlanDeploymentResponse, plan)


def explanation_message(explanation: Explanation) -> pb.ExplainDeploymentResponse:
    return message_of(pb.ExplainDeploymentResponse, explanation, deployment=deployment_message(explanation.deployment))


def orphans_message(orphans: Iterable[Orphan]) -> pb.ListOrphansResponse:
    return pb.ListOrphansResponse(orphans=[message_of(pb.Orphan, orphan) for orphan in orphans])


def _snapshot(spec: DeploymentSpec) -> pb.DeploymentSnapshot:
    return message_of(
        pb.DeploymentSnapshot,
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
        resources=pb.ResourceRequirements(requests=options.requests, limits=options.limits),
        probes=pb.ProbeOptions(
            startup=duration_of(options.probe_startup_seconds), timeout=duration_of(options.probe_timeout_seconds)
        ),
        storage=pb.StorageOptions(
            endpoint=options.storage_endpoint,
            region=options.storage_region,
            anonymous=options.storage_anonymous,
            ca_bundle=options.storage_ca_bundle,
            verify_ssl=options.storage_verify_ssl,
        ),
    )
