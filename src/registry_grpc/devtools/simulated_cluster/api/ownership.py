"""Keeps the owners of fields: server-side apply with its conflicts, and the ownership after all other writes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.conditions import timestamp
from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, cause
from registry_grpc.devtools.simulated_cluster.api.fields import (
    PRESENT,
    Path,
    dotted,
    fields_of,
    from_fields_v1,
    put_together,
    to_fields_v1,
)
from registry_grpc.devtools.simulated_cluster.api.schemas import Schema


@dataclass(frozen=True)
class Manager:
    """One writer, as `managedFields` identifies it."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """The key by which entries are sorted."""
        return self.operation, self.name, self.subresource, self.api_version

    def __str__(self) -> str:
        within = f' with subresource "{self.subresource}"' if self.subresource else ""
        using = f" using {self.api_version}" if self.operation == "Update" else ""
        return f'"{self.name}"{within}{using}'


@dataclass(frozen=True)
class Ownership:
    """The fields that one manager owns, and the time of the last change of them."""

    fields: frozenset[Path]
    time: str


Owners = dict[Manager, Ownership]


def read(obj: dict[str, Any]) -> Owners:
    """The owners recorded in an object."""
    return {
        Manager(entry["manager"], entry["operation"], entry["apiVersion"], entry.get("subresource", "")): Ownership(
            from_fields_v1(entry["fieldsV1"]), entry["time"]
        )
        for entry in obj["metadata"].get("managedFields", ())
    }


def write(obj: dict[str, Any], owners: Owners) -> None:
    """Replaces the owners that are recorded in an object."""
    obj["metadata"]["managedFields"] = [
        {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": manager.api_version,
            "time": ownership.time,
            "fieldsType": "FieldsV1",
            "fieldsV1": to_fields_v1(ownership.fields),
            **({"subresource": manager.subresource} if manager.subresource else {}),
        }
        for manager, ownership in sorted(owners.items(), key=lambda item: item[0].place)
    ]


def after_write(old: dict[str, Any], new: dict[str, Any], schema: Schema, manager: Manager) -> Owners:
    """The owners after a create, update or merge patch: the writer becomes the only owner of the fields it changed."""
    before, after = fields_of(old, schema), fields_of(new, schema)
    owners = read(old)
    changed = _changed(before, after)
    result = _left(owners, {other: before.keys() - after.keys() | changed for other in owners if other != manager})
    if manager in owners or changed:
        mine = owners.get(manager, Ownership(frozenset(), timestamp()))
        kept = mine.fields & after.keys() | changed
        if kept:
            result[manager] = Ownership(frozenset(kept), timestamp() if changed else mine.time)
    return result


def apply(
    live: dict[str, Any], config: dict[str, Any], schema: Schema, manager: Manager, *, force: bool
) -> tuple[dict[str, Any], Owners]:
    """Server-side apply: returns the object without its system fields, and its owners afterwards.

    Fields that the manager applied before and now omits are removed, unless somebody else owns them too. A field that
    somebody else owns with another value is a conflict (409), unless forced.
    """
    owners = read(live)
    mine = owners.pop(manager, None)
    before, wanted = fields_of(live, schema), fields_of(config, schema)
    others: set[Path] = set().union(*(ownership.fields for ownership in owners.values()))
    dropped = (mine.fields if mine else frozenset()) - wanted.keys() - others
    after = {path: value for path, value in before.items() if path not in dropped and not _is_replaced(path, wanted)}
    after |= wanted
    changed = _changed(before, after)
    conflicts = {other: sorted(owners[other].fields & changed) for other in owners if owners[other].fields & changed}
    if conflicts and not force:
        raise _conflict(conflicts)
    result = _left(owners, dict.fromkeys(owners, changed | before.keys() - after.keys()))
    if wanted:
        same = mine is not None and mine.fields == wanted.keys() and not changed
        result[manager] = mine if mine and same else Ownership(frozenset(wanted), timestamp())
    return put_together(after), result


def _is_replaced(path: Path, wanted: dict[Path, Any]) -> bool:
    """Whether the field belongs to a larger one that is applied as a whole."""
    return any(wanted.get(path[:length], PRESENT) is not PRESENT for length in range(1, len(path)))


def _left(owners: Owners, taken: dict[Manager, set[Path]]) -> Owners:
    """The owners after these fields are taken from them. An owner without fields is dropped."""
    left = {other: replace(owners[other], fields=owners[other].fields - taken[other]) for other in taken}
    return {other: ownership for other, ownership in left.items() if ownership.fields}


def _changed(before: dict[Path, Any], after: dict[Path, Any]) -> set[Path]:
    return {path for path, value in after.items() if path not in before or before[path] != value}


def _conflict(conflicts: dict[Manager, list[Path]]) -> ApiError:
    named = sorted((str(manager), [dotted(path) for path in paths]) for manager, paths in conflicts.items())
    causes = [cause("FieldManagerConflict", f"conflict with {who}", field) for who, fields in named for field in fields]
    if len(causes) == 1:
        text = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        lines = [line for who, fields in named for line in (f"conflicts with {who}:", *(f"- {f}" for f in fields))]
        text = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", text, details={"causes": causes})
