"""Who owns which field: server-side apply with its conflicts, and the book-keeping for every other write."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from registry_grpc.devtools.simulated_cluster.api import fields
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, cause
from registry_grpc.devtools.simulated_cluster.api.fields import FieldSet, Path
from registry_grpc.devtools.simulated_cluster.api.merging import merged, without
from registry_grpc.devtools.simulated_cluster.api.resources import Resource


@dataclass(frozen=True)
class Manager:
    """One writer as `managedFields` tells writers apart."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True)
class Ownership:
    """The fields one manager owns, and when that last changed."""

    fields: FieldSet
    time: str


Owners = dict[Manager, Ownership]


def read(obj: dict[str, Any]) -> Owners:
    """The owners recorded in an object."""
    owners: Owners = {}
    for entry in obj["metadata"].get("managedFields", []):
        manager = Manager(entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", ""))
        owners[manager] = Ownership(fields.from_fields_v1(entry["fieldsV1"]), entry.get("time", ""))
    return owners


def write(obj: dict[str, Any], owners: Owners) -> None:
    """Records the owners in an object, replacing what it said."""
    entries = []
    for manager, ownership in owners.items():
        entry: dict[str, Any] = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": ownership.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields.to_fields_v1(ownership.fields),
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        entries.append(entry)
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def after_write(
    old: dict[str, Any] | None, new: dict[str, Any], resource: Resource, manager: Manager, now: str
) -> Owners:
    """Owners after a create, update or merge patch: the writer takes what it changed, from whomever had it."""
    owners = read(old) if old else {}
    # Most writes change one part of an object, and taking the others apart is what makes a write slow.
    same = {key for key, value in new.items() if old and old.get(key) == value}
    before = fields.owned_values(_without_parts(old or {}, same), resource.schema)
    after = fields.owned_values(_without_parts(new, same), resource.schema)
    changed = _changed(before, after)
    gone = before.keys() - after.keys()
    result: Owners = {}
    for other, ownership in owners.items():
        kept = ownership.fields - gone if other == manager else ownership.fields - gone - changed
        if kept:
            result[other] = replace(ownership, fields=kept)
    if changed:
        mine = result[manager].fields if manager in result else frozenset()
        result[manager] = Ownership(frozenset(mine | changed), now)
    return result


def apply(
    live: dict[str, Any], applied: dict[str, Any], resource: Resource, manager: Manager, *, force: bool, now: str
) -> tuple[dict[str, Any], Owners]:
    """Server-side apply: the object and its owners afterwards.

    Fields the manager applied before and now leaves out are removed unless somebody else owns them too. A field
    of another owner with another value is a conflict (409) unless forced. `live` is not changed.
    """
    owners = read(live)
    configured = frozenset(fields.owned_values(applied, resource.schema))
    previous = owners[manager].fields if manager in owners else frozenset()
    others = {other: ownership for other, ownership in owners.items() if other != manager}

    result = merged(live, applied, resource.schema)
    kept = fields.with_parents(configured.union(*(ownership.fields for ownership in others.values())))
    result = without(result, fields.with_parents(previous) - kept, resource.schema)

    before = fields.owned_values(live, resource.schema)
    after = fields.owned_values(result, resource.schema)
    changed = _changed(before, after)
    conflicts = {other: sorted(ownership.fields & changed) for other, ownership in others.items()}
    if any(conflicts.values()) and not force:
        raise _conflict({other: paths for other, paths in conflicts.items() if paths})
    remaining: Owners = {}
    for other, ownership in others.items():
        left = ownership.fields - changed - (before.keys() - after.keys())
        if left:
            remaining[other] = replace(ownership, fields=left)
    time = owners[manager].time if manager in owners and previous == configured and not changed else now
    if configured:
        remaining[manager] = Ownership(configured, time)
    return result, remaining


def _without_parts(obj: dict[str, Any], parts: set[str]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in parts}


def _changed(before: dict[Path, Any], after: dict[Path, Any]) -> set[Path]:
    return {path for path, value in after.items() if path not in before or before[path] != value}


def _conflict(conflicts: dict[Manager, list[Path]]) -> ApiError:
    named = sorted((_described(manager), paths) for manager, paths in conflicts.items())
    causes = [
        cause("FieldManagerConflict", f"conflict with {who}", fields.dotted(path))
        for who, paths in named
        for path in paths
    ]
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = []
        for who, paths in named:
            lines.append(f"conflicts with {who}:")
            lines.extend(f"- {fields.dotted(path)}" for path in paths)
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", text, details={"causes": causes})


def _described(manager: Manager) -> str:
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    if manager.operation == "Update":
        text += f" using {manager.api_version}"
    return text
