"""Rows of deployments, revisions, events and orphans to domain objects, and specs to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from uuid import UUID

from registry_grpc.adapters.postgres.columns import of_table, select_list
from registry_grpc.domain.deployment import (
    Applied,
    Cause,
    Deployment,
    DeploymentEvent,
    DeploymentMode,
    DeploymentOptions,
    DeploymentRevision,
    DeploymentSpec,
    FieldDifference,
    Outcome,
    Phase,
    ScaleMetric,
    Want,
)
from registry_grpc.domain.model_version import COPIED
from registry_grpc.domain.serving_environment import DriftPolicy

DEPLOYMENT_FIELDS = (
    "id", "project_id", "created_at", "updated_at", "namespace", "name", "want", "spec", "generation", "revised_at",
    "applied_generation", "applied", "applied_at", "serving_generation", "phase", "phase_since", "reason", "message",
    "next_step", "url", "drift", "observed_at", "attempts",
)  # fmt: skip
# The drift policy is the environment's. Environment and version may be gone when only the object is left to remove.
DEPLOYMENT_READ = of_table("d", DEPLOYMENT_FIELDS) | {
    "drift_policy": "coalesce(e.drift_policy, 'report')",
    "version_now": f"CASE WHEN v.id IS NOT NULL THEN ARRAY[{', '.join(f'v.{name}' for name in COPIED)}] END",
}
DEPLOYMENT_COLUMNS = select_list(DEPLOYMENT_READ)
DEPLOYMENT_JOINS = """
LEFT JOIN serving_environment e ON e.id = d.serving_environment_id
LEFT JOIN model_version v ON v.id = (d.spec->>'model_version_id')::uuid
"""
REVISION_FIELDS = (
    "deployment_id", "generation", "created_at", "created_by", "cause", "spec", "outcome", "reason", "served_from",
    "served_until",
)  # fmt: skip
EVENT_FIELDS = (
    "sequence", "occurred_at", "deployment_id", "generation", "serving_generation", "phase", "reason", "message",
    "next_step",
)  # fmt: skip


def deployment_from(record: Any) -> Deployment:
    values = {name: record[name] for name in DEPLOYMENT_FIELDS}
    spec = spec_from(record["spec"])
    return Deployment(
        **values
        | {
            "want": Want(record["want"]),
            "spec": spec,
            "applied": Applied(**record["applied"]) if record["applied"] else None,
            "phase": Phase(record["phase"]),
            "drift": tuple(FieldDifference(**difference) for difference in record["drift"]),
            "drift_policy": DriftPolicy(record["drift_policy"]),
            "edited_version_fields": spec.edited_fields(record["version_now"] or spec.copied),
        }
    )


def revision_from(record: Any) -> DeploymentRevision:
    values = {name: record[name] for name in REVISION_FIELDS}
    return DeploymentRevision(
        **values
        | {
            "cause": Cause(record["cause"]),
            "spec": spec_from(record["spec"]),
            "outcome": Outcome(record["outcome"]),
        }
    )


def event_from(record: Any) -> DeploymentEvent:
    values = {name: record[name] for name in EVENT_FIELDS}
    return DeploymentEvent(**values | {"phase": Phase(record["phase"])})


def spec_to_json(spec: DeploymentSpec) -> dict[str, Any]:
    return {
        "registered_model_id": str(spec.registered_model_id),
        "model_version_id": str(spec.model_version_id),
        "served_version_ids": [str(id_) for id_ in spec.served_version_ids],
        "model_format": spec.model_format,
        "model_format_version": spec.model_format_version,
        "storage_uri": spec.storage_uri,
        "container_image": spec.container_image,
        "labels": dict(spec.labels),
        "options": {field.name: getattr(spec.options, field.name) for field in fields(spec.options)},
    }


def spec_from(stored: Mapping[str, Any]) -> DeploymentSpec:
    options = dict(stored["options"])
    metric = options["scale_metric"]
    options["scale_metric"] = ScaleMetric(metric) if metric else None
    options["deployment_mode"] = DeploymentMode(options["deployment_mode"])
    if "runtime" in stored:  # as it was stored before 2026-11-28, when a runtime asked for hid that of the version
        stored = {**stored, "container_image": "" if options["runtime"] else stored["runtime"]}
        del stored["runtime"]
    return DeploymentSpec(
        **{
            **stored,
            "registered_model_id": UUID(stored["registered_model_id"]),
            "model_version_id": UUID(stored["model_version_id"]),
            "served_version_ids": tuple(UUID(id_) for id_ in stored["served_version_ids"]),
            "options": DeploymentOptions(**options),
        }
    )


def applied_to_json(applied: Applied | None) -> dict[str, Any] | None:
    if applied is None:
        return None
    return {
        "uid": applied.uid,
        "k8s_generation": applied.k8s_generation,
        "resource_version": applied.resource_version,
        "content": dict(applied.content),
    }


def drift_to_json(drift: tuple[FieldDifference, ...]) -> list[dict[str, str]]:
    return [{"path": d.path, "applied": d.applied, "found": d.found} for d in drift]
