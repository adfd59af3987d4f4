"""Converts rows of deployments, revisions and events to domain objects, and specs to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from registry_grpc.adapters.postgres.columns import known, of_table, select_list
from registry_grpc.domain.canary import Canary, CanaryStep, Replicas, Split
from registry_grpc.domain.deployment import (
    Applied,
    Cause,
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    DeploymentSpec,
    FieldDifference,
    Outcome,
    Phase,
    VersionCopy,
    Want,
)
from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    DeploymentOptions,
    ScaleMetric,
    ServingProtocol,
    StorageUri,
    TaintEffect,
    Toleration,
    TolerationOperator,
)
from registry_grpc.domain.model_version import COPIED
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serving_environment import DriftPolicy

T = TypeVar("T")

DEPLOYMENT_FIELDS = (
    "id", "project_id", "created_at", "updated_at", "namespace", "name", "want", "spec", "generation", "revised_at",
    "applied_generation", "applied", "applied_at", "serving_generation", "phase", "phase_since", "reason", "message",
    "next_step", "url", "drift", "observed_at", "attempts", "split",
)  # fmt: skip
# The environment has the drift policy. Environment and versions may be deleted while the object is still to be removed.
DEPLOYMENT_READ = of_table("d", DEPLOYMENT_FIELDS) | {
    "drift_policy": "coalesce(e.drift_policy, 'report')",
    "canary": """CASE WHEN d.stable_generation IS NOT NULL THEN jsonb_build_object(
        'stable_generation', d.stable_generation, 'step', d.canary_step, 'percent', d.canary_percent,
        'stable_version_id', (
            SELECT spec->'model_version_id' FROM deployment_revision
            WHERE deployment_id = d.id AND generation = d.stable_generation
        )
    ) END""",
    "versions_now": f"""(
        SELECT jsonb_object_agg(id, ARRAY[{", ".join(COPIED)}]) FROM model_version
        WHERE id = ANY(ARRAY(SELECT jsonb_array_elements_text(d.spec->'served_version_ids')::uuid))
    )""",
}
DEPLOYMENT_COLUMNS = select_list(DEPLOYMENT_READ)
DEPLOYMENT_JOINS = "LEFT JOIN serving_environment e ON e.id = d.serving_environment_id"
REVISION_FIELDS = (
    "deployment_id", "generation", "created_at", "created_by", "cause", "spec", "outcome", "reason", "served_from",
    "served_until",
)  # fmt: skip
EVENT_FIELDS = (
    "sequence", "resume_token", "occurred_at", "deployment_id", "generation", "serving_generation", "phase",
    "reason", "message", "next_step",
)  # fmt: skip


_OPTIONS = "options."
_CLOSED_OPTIONS = (
    ("deployment_mode", DeploymentMode, DeploymentMode.STANDARD),
    ("scale_metric", ScaleMetric, None),
    ("protocol_version", ServingProtocol, None),
)
_LISTS = ("args", "image_pull_secrets")
_WORDS_OF_ITEMS: Mapping[str, type[StrEnum]] = {"operator": TolerationOperator, "effect": TaintEffect}
_ITEMS_OF_OPTIONS: Mapping[str, type[Any]] = {"tolerations": Toleration, "storage_uris": StorageUri}
_NOTHING: tuple[Any, ...] = (None, "", [], {})


def deployment_from(record: Any) -> Deployment:
    values = {name: record[name] for name in DEPLOYMENT_FIELDS}
    spec = spec_from(record["spec"])
    versions_now = {UUID(id_): now for id_, now in (record["versions_now"] or {}).items()}
    return Deployment(
        **values
        | {
            "want": Want(record["want"]),
            "spec": spec,
            "applied": _made(Applied, record["applied"]) if record["applied"] else None,
            "phase": Phase.stored(record["phase"]),
            "reason": DeploymentReason.stored(record["reason"]),
            "drift": tuple(_made(FieldDifference, difference) for difference in record["drift"]),
            "drift_policy": known(DriftPolicy, record["drift_policy"], DriftPolicy.REPORT),
            "edited_version_fields": spec.edited_fields(versions_now),
            "canary": _canary_from(record["canary"]) if record["canary"] else None,
            "split": _split_from(record["split"]) if record["split"] else None,
        }
    )


def _canary_from(stored: Mapping[str, Any]) -> Canary:
    said = {"step": CanaryStep.stored(stored["step"]), "stable_version_id": UUID(stored["stable_version_id"])}
    return Canary(**{**stored, **said})


def _split_from(stored: Mapping[str, Any]) -> Split:
    target, stable = (Replicas(*stored[name]) if stored[name] else None for name in ("target", "stable"))
    return Split(percent=stored["percent"], target=target, stable=stable)


def split_to_json(split: Split | None) -> dict[str, Any] | None:
    if split is None:
        return None
    target, stable = ([each.wanted, each.available] if each else None for each in (split.target, split.stable))
    return {"percent": split.percent, "target": target, "stable": stable}


def revision_from(record: Any) -> DeploymentRevision:
    values = {name: record[name] for name in REVISION_FIELDS}
    return DeploymentRevision(
        **values
        | {
            "cause": Cause.stored(record["cause"]),
            "spec": spec_from(record["spec"]),
            "outcome": Outcome.stored(record["outcome"]),
            "reason": DeploymentReason.stored(record["reason"]),
        }
    )


def event_from(record: Any) -> DeploymentEvent:
    values = {name: record[name] for name in EVENT_FIELDS}
    said = {"phase": Phase.stored(record["phase"]), "reason": DeploymentReason.stored(record["reason"])}
    return DeploymentEvent(**values | said)


def spec_to_json(spec: DeploymentSpec) -> dict[str, Any]:
    stored: dict[str, Any] = {
        "registered_model_id": str(spec.registered_model_id),
        "model_version_id": str(spec.model_version_id),
        "served_version_ids": [str(id_) for id_ in spec.served_version_ids],
        "model_format": spec.model_format,
        "model_format_version": spec.model_format_version,
        "storage_uri": spec.storage_uri,
        "container_image": spec.container_image,
        "others": [copy._asdict() | {"model_version_id": str(copy.model_version_id)} for copy in spec.others],
        "labels": dict(spec.labels),
        "options": _options_to_json(spec.options),
    }
    # These are only written when they are used, because an older release refuses what it does not know.
    if spec.needs_keys:
        stored["needs_keys"] = True
    if spec.requested_version:
        stored["requested_version"] = spec.requested_version
    for place, value in spec.unknown.items():
        option = place.removeprefix(_OPTIONS)
        (stored["options"] if option != place else stored)[option] = value
    return stored


def _options_to_json(options: DeploymentOptions) -> dict[str, Any]:
    stored: dict[str, Any] = {field.name: getattr(options, field.name) for field in fields(options)}
    return stored | {name: [asdict(item) for item in stored[name]] for name in _ITEMS_OF_OPTIONS}


def spec_from(stored: Mapping[str, Any]) -> DeploymentSpec:
    """Fields that only a newer release knows go to `unknown`, unless they are empty: that release writes all fields."""
    if "runtime" in stored:  # the format before 2026-11-28, which had one field for options.runtime and container_image
        stored = {**stored, "container_image": "" if stored["options"].get("runtime") else stored["runtime"]}
        del stored["runtime"]
    unknown = _strange(stored, DeploymentSpec, "") | _strange(stored["options"], DeploymentOptions, _OPTIONS)
    options = dict(stored["options"])
    for name, kind, default in _CLOSED_OPTIONS:
        if value := options.pop(name, None):
            options[name] = known(kind, value, default)
            if options[name] != value:
                unknown[_OPTIONS + name] = value
    for name in _LISTS:
        options[name] = tuple(options.get(name) or ())
    for name, kind in _ITEMS_OF_OPTIONS.items():
        items = options.pop(name, None) or ()
        if any(_strange(item, kind, "") or _has_strange_word(item) for item in items):
            unknown[_OPTIONS + name] = items
        else:
            options[name] = tuple(_made(kind, item) for item in items)
    return _made(
        DeploymentSpec,
        {
            **stored,
            "registered_model_id": UUID(stored["registered_model_id"]),
            "model_version_id": UUID(stored["model_version_id"]),
            "served_version_ids": tuple(UUID(id_) for id_ in stored["served_version_ids"]),
            "others": tuple(
                VersionCopy(UUID(copy["model_version_id"]), *(copy[name] for name in COPIED))
                for copy in stored.get("others", ())
            ),
            "options": _made(DeploymentOptions, options),
            "unknown": unknown,
        },
    )


def _strange(stored: Mapping[str, Any], kind: Any, prefix: str) -> dict[str, Any]:
    names = {field.name for field in fields(kind)}
    return {prefix + name: value for name, value in stored.items() if name not in names and value not in _NOTHING}


def _has_strange_word(item: Mapping[str, Any]) -> bool:
    return any(item.get(name) and item[name] not in set(kind) for name, kind in _WORDS_OF_ITEMS.items())


def _made(kind: type[T], stored: Mapping[str, Any]) -> T:
    """Make an object from the fields that this release knows."""
    return kind(**{field.name: stored[field.name] for field in fields(kind) if field.name in stored})  # type: ignore[arg-type]


def applied_to_json(applied: Applied | None) -> dict[str, Any] | None:
    if applied is None:
        return None
    return {
        "uid": applied.uid,
        "k8s_generation": applied.k8s_generation,
        "resource_version": applied.resource_version,
        "content": dict(applied.content),
        "stamp": applied.stamp,
        "predictor_stamp": applied.predictor_stamp,
        "split": applied.split,
        "repairs": dict(applied.repairs),
    }


def drift_to_json(drift: tuple[FieldDifference, ...]) -> list[dict[str, str]]:
    return [{"path": d.path, "applied": d.applied, "found": d.found} for d in drift]
