"""The content of a project as a sequence of records, which another project can take in (docs/decisions/transfer.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias, TypeVar
from uuid import UUID, uuid5

from registry_grpc.domain import artifact, model_version, registered_model, serving_environment
from registry_grpc.domain.artifact import Artifact, ArtifactKind
from registry_grpc.domain.errors import InvalidRequest, RegistryError, Violation
from registry_grpc.domain.model_alias import AliasChange, ModelAlias
from registry_grpc.domain.model_version import ModelVersion, file_errors
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.rules import Size, check_fields
from registry_grpc.domain.serving_environment import ServingEnvironment

FORMAT_VERSION = 1
E = TypeVar("E", bound=RegistryError)

MOST_VERSIONS = 2**53
_KINDS = set(ArtifactKind) - {ArtifactKind.MODEL}
MOST_TOLD = 100
"""How many versions without keys an import names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first record."""

    format_version: int = FORMAT_VERSION
    project_id: UUID
    exported_at: datetime

    def __post_init__(self) -> None:
        if not 1 <= self.format_version <= FORMAT_VERSION:
            rule = (
                f"is {self.format_version}, but this release reads {FORMAT_VERSION} at most: import the file with a "
                "release as new as the one that has exported it"
            )
            raise InvalidRequest([Violation("format_version", rule)])

    def id_in(self, project_id: UUID, id: UUID) -> UUID:
        """The id that an object of the file gets in a project: its own if it returns to where it was exported, and
        otherwise another one, which is the same in every import."""
        return id if project_id == self.project_id else uuid5(project_id, str(id))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParent:
    """That a model was derived from another one."""

    registered_model_id: UUID
    registered_model_name: str
    parent_model_id: UUID
    parent_model_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trailer:
    """The last record."""

    record_count: int


Content: TypeAlias = (
    Header | ServingEnvironment | RegisteredModel | ModelVersion | ModelAlias | Artifact | ModelParent | Trailer
)
_COUNTED: Mapping[type, str] = {
    ServingEnvironment: "serving_environments",
    RegisteredModel: "registered_models",
    ModelVersion: "model_versions",
    ModelAlias: "model_aliases",
    Artifact: "artifacts",
}
_RULES: Mapping[type, tuple[Mapping[str, int], Mapping[str, Size]]] = {
    ServingEnvironment: (serving_environment.LIMITS, serving_environment.SIZES),
    RegisteredModel: (registered_model.LIMITS | {"slug": 100}, registered_model.SIZES),
    ModelVersion: (model_version.LIMITS, model_version.SIZES),
    Artifact: (artifact.LIMITS, artifact.SIZES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A part of a project. Raises InvalidRequest for an object that breaks a rule.

    Objects need not be as complete as new ones must be: updates and the Go service may have left them so.
    """

    content: Content
    last_version_number: int = 0
    """Of a model: the last number that was given to one of its versions."""
    has_keys: bool = False
    """Of a version: whether it has keys, which are not exported."""
    model_version_name: str = ""
    """Of an alias and an artifact: the name of its version."""

    def __post_init__(self) -> None:
        content: Any = self.content
        others = [*_errors_in(content), *_number_errors(last_version_number=self.last_version_number)]
        if isinstance(content, ModelAlias):
            AliasChange(name=content.name)
        limits, sizes = _RULES.get(type(content), ({}, {}))
        limits = {name: limit for name, limit in limits.items() if hasattr(content, name)}
        check_fields(content, limits=limits, sizes=sizes, required=("name",) if limits else (), others=others)


def _errors_in(content: Content) -> Sequence[InvalidRequest]:
    match content:
        case ServingEnvironment(drift_policy=policy):
            return serving_environment.drift_policy_errors(policy)
        case ModelVersion(number=number):
            return [*file_errors(content), *_number_errors(number=number)]
        case Artifact(kind=kind, value=value):
            wrong = [] if kind in _KINDS else [_error("kind", "must be DOCUMENT, DATASET, METRIC or PARAMETER")]
            return [*wrong, *file_errors(content), *artifact.value_errors(value)]
        case ModelAlias(name=model_version.DEFAULT):
            return [_error("name", f"must not be {model_version.DEFAULT}: is_default of the version says it")]
        case ModelParent(registered_model_id=id_, parent_model_id=parent_id) if id_ == parent_id:
            return [_error("parent_model_id", "must be another model")]
    return ()


def _number_errors(**numbers: int) -> list[InvalidRequest]:
    """Numbers that are higher would leave none for new versions."""
    rule = f"must be from 0 to {MOST_VERSIONS}"
    return [_error(name, rule) for name, number in numbers.items() if not 0 <= number <= MOST_VERSIONS]


def _error(name: str, rule: str) -> InvalidRequest:
    return InvalidRequest([Violation(name, rule)])


def at_line(line: int, error: E) -> E:
    """The error with the line of the file that caused it."""
    error.metadata["line"] = str(line)
    return error.within(f"line {line}")


class Added(NamedTuple):
    """An object of a file in the project: a new one, or the one that was there. The last two are of versions."""

    id: UUID
    created: bool
    number: int = 0
    has_keys: bool = False


@dataclass(slots=True)
class Count:
    """How many objects of a kind were added, and how many were there already."""

    created: int = 0
    existing: int = 0


@dataclass(slots=True, kw_only=True)
class Imported:
    """What an import has done."""

    serving_environments: Count = field(default_factory=Count)
    registered_models: Count = field(default_factory=Count)
    model_versions: Count = field(default_factory=Count)
    model_aliases: Count = field(default_factory=Count)
    artifacts: Count = field(default_factory=Count)
    renumbered_versions: int = 0
    versions_without_keys: int = 0
    first_version_ids_without_keys: tuple[UUID, ...] = ()

    def add(self, record: Record, added: Added) -> None:
        count: Count = getattr(self, _COUNTED[type(record.content)])
        count.created += added.created
        count.existing += not added.created
        if isinstance(record.content, ModelVersion):
            self.renumbered_versions += added.created and added.number != record.content.number
            if record.has_keys and not added.has_keys:
                self.versions_without_keys += 1
                self.first_version_ids_without_keys = (*self.first_version_ids_without_keys, added.id)[:MOST_TOLD]
