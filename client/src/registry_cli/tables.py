"""The columns of all objects that the command shows.

A column is the path of a field or a function, with another title after a colon. Those after `|` are for `-o wide`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry_cli.output import Column, Table, item


def _table(spec: str, name: str = "name", **functions: Any) -> Table:
    return Table(_columns(spec, **functions), name)


def _columns(spec: str, **functions: Any) -> tuple[Column, ...]:
    columns = []
    normal, _, wide = spec.partition("|")
    for part, is_wide in ((normal, False), (wide, True)):
        for text in part.split():
            path, _, title = text.partition(":")
            value = functions.get(path, path)
            columns.append(Column((title or path).upper().replace("_", " "), value, wide=is_wide))
    return tuple(columns)


def _framework(version: Any) -> str:
    return f"{version.model_framework} {version.model_framework_version}".strip()


def _event_details(event: Any) -> str:
    return " ".join(
        [*sorted(event.changed_fields), *(f"{key}={value}" for key, value in sorted(event.details.items()))]
    )


def _time(event: Any) -> str:
    return str(event.occurred_at.ToJsonString())


MODELS = _table(
    "name state version_count:versions model_type:type labels created_at:age"
    " | owner_email:owner properties updated_at:updated id"
)
VERSIONS = _table(
    "number name status aliases framework uri created_at:age | state labels properties id", framework=_framework
)
DELETED_VERSIONS = _table(
    "model_version.number:number model_version.name:name deleted_by deleted_at:deleted until model_version.id:id",
    "model_version.id",
    until=lambda each: each.expires_at.ToJsonString(),
)
ALIASES = _table(
    "name:alias version_number:version is_protected:protected moved_by moved_at:moved | model_version_id:version_id"
)
ALIAS_MOVES = _table(
    "name:alias version moved_by moved_at:moved | model_version_id:version_id",
    version=lambda each: each.version_number or "none",
)
ARTIFACTS = _table(
    "name kind value uri size created_at:age | labels model_version_id:version_id id",
    value=lambda each: item(each.value),
    size=lambda each: each.size_bytes or "",
)
ENVIRONMENTS = _table(
    "name namespace drift_policy:drift description created_at:age | properties id",
    namespace=lambda each: each.external_id or each.name,
)
DEPLOYMENT_EVENTS = _table(
    "time phase reason revision message next",
    "sequence",
    time=_time,
    revision=lambda each: f"revision {each.target_revision}",
    next=lambda each: each.next_step and f"next step: {each.next_step}",
)
ORPHANS = _table("namespace name uid seen_at:seen")
DIFFERENCES = _table("path:field applied found", "path")
FINDINGS = _table(
    "severity code field message hint", "code", severity=lambda each: "BLOCKING" if each.blocking else "WARNING"
)
EVENTS = _table("time type name actor:by details | resource_id id", "id", time=_time, details=_event_details)
AUDIT_ENTRIES = _table(
    "position time type about:name actor:by address:from details | rpc request_id before after",
    "position",
    time=_time,
    about=lambda each: each.name or (each.rpc.rpartition("/")[2] if each.type == "call.refused" else ""),
    details=lambda each: each.details.get("message") or " ".join(sorted(each.changed_fields)),
)
PROJECTS = _table("name id namespaces description created_at:age | uris service_accounts runtimes", "id")
MEMBERS = _table("kind name role created_at:age")
TOKENS = _table(
    "name role created_by last_used_at:last_used expires revoked_at:revoked | created_at:created id",
    expires=lambda each: each.expires_at.ToJsonString(),
)
WEBHOOKS = _table(
    "url types state disabled_reason:why created_at:age id", "id", types=lambda each: list(each.types) or "all"
)
DELIVERIES = _table(
    "event.type:event event.name:name state attempts status error attempted_at:sent event.id:event_id", "event.id"
)
# These are only shown one by one.
CALLER = _table("")
EXPLANATION = _table("", "cause")
WEBHOOK_TEST = _table("", "status")
PROJECT_USAGE = _table("", "project.id")
NEW_TOKEN = _table("", "token")
IMPORTED = _table("", "registered_models.created")


# With the names of the models and the numbers of the versions, by their ids; deleted ones have none.


def deployments(models: Mapping[str, str], numbers: Mapping[str, int]) -> Table:
    return _table(
        "name model version namespace phase phase_since:since reason url"
        " | message next_step target_revision:revision id",
        model=lambda each: models.get(each.registered_model_id, each.registered_model_id),
        version=lambda each: numbers.get(each.model_version_id, "deleted"),
    )


def deployment(models: Mapping[str, str], numbers: Mapping[str, int]) -> Table:
    return Table(
        (),
        facts=_columns(
            "name model version namespace phase reason message next_step url target_revision serving_revision options"
            " edited_version_fields drift",
            model=lambda each: models.get(each.registered_model_id, each.registered_model_id),
            version=lambda each: _version(each, numbers),
        ),
    )


def revisions(numbers: Mapping[str, int]) -> Table:
    return _table(
        "revision cause outcome reason version created_by:by created_at:age"
        " | served_from served_until snapshot.uri:uri",
        "revision",
        version=lambda each: _version(each, numbers),
    )


def _version(each: Any, numbers: Mapping[str, int]) -> str:
    """What the request called the version, and its number; a request that gave the id called it nothing."""
    return each.snapshot.requested_version or f"version {numbers.get(each.model_version_id, 'deleted')}"
