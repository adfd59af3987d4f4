"""Exports projects, imports them into others, and copies versions between projects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from registry_grpc.domain.artifact import Artifact
from registry_grpc.domain.errors import (
    ConcurrentChange,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Overloaded,
    Reason,
    RegistryError,
    Unavailable,
    Violation,
)
from registry_grpc.domain.model_alias import ModelAlias
from registry_grpc.domain.model_version import Credentials, ModelVersion, ModelVersionPatch
from registry_grpc.domain.project import Project
from registry_grpc.domain.registered_model import RegisteredModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.domain.times import NOT_STORED
from registry_grpc.domain.transfer import Added, Header, Imported, ModelParent, Record, Trailer, at_line
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import ModelVersionRepository
from registry_grpc.ports.transfer import Batch, TransferRepository
from registry_grpc.services.projects import tenant

_MOST_LINES = 100
_MOST_BYTES = 4 * 1024 * 1024
_TRIES = 12
"""Enough to find one of a batch's lines by halves, and to repeat it five times."""


class Line(NamedTuple):
    """A line of a file, counted from 1, with its size in bytes."""

    number: int
    size: int
    record: Record


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy of a version."""

    model_version: ModelVersion
    keys_left_out: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfers:
    """Use cases on whole projects."""

    transfers: TransferRepository
    versions: ModelVersionRepository
    tenants: Tenants

    async def export(self, project_id: UUID) -> AsyncGenerator[Record, None]:
        """As TransferRepository.export, between header and trailer."""
        count = 1
        yield Record(content=Header(project_id=project_id, exported_at=datetime.now(UTC)))
        async with aclosing(self.transfers.export(project_id)) as records:
            async for record in records:
                count += 1
                yield record
        yield Record(content=Trailer(record_count=count))

    async def import_(self, project_id: UUID, lines: AsyncIterator[Line], user: str) -> Imported:
        """Adds what is missing in the project, in batches of which each is stored whole. Raises InvalidRequest,
        AlreadyExists and NotFound with the number of the line, and as Batch; the lines before stay stored."""
        first = await anext(lines, None)
        if first is None:
            raise InvalidRequest([Violation("ndjson", "has no line: send the file of an export")])
        if not isinstance(first.record.content, Header):
            raise at_line(first.number, _wrong("must be the header of an export"))
        intake = _Intake(project_id, first.record.content, user, last_line=first.number)
        waiting, size = list[Line](), 0
        async for line in lines:
            waiting.append(line)
            size += line.size
            if len(waiting) >= _MOST_LINES or size >= _MOST_BYTES:
                intake = await self._store(intake, waiting)
                waiting, size = [], 0
        if waiting:
            intake = await self._store(intake, waiting)
        if not intake.has_ended:
            rule = "is the last line, but no trailer: the file is not whole, export it again"
            raise at_line(intake.last_line, _wrong(rule))
        return intake.imported

    async def _store(self, before: _Intake, lines: list[Line], tries: int = _TRIES) -> _Intake:
        """Takes the lines in, in one transaction. If it is refused, its halves are tried, so that the line that is
        wrong, or collides with another one, is found."""
        intake, project = replace(before), await tenant(self.tenants, before.project_id)
        try:
            for line in lines:
                _check_allowed(project, line.record.content)
            async with (
                self.tenants.bounded(project, "models", "versions", "bytes"),
                self.transfers.batch(before.project_id, before.user) as batch,
            ):
                added = await intake.take(lines, batch)
        except (Unavailable, Overloaded):
            raise
        except RegistryError as error:
            if len(lines) == 1 and not (tries and isinstance(error, ConcurrentChange)):
                raise at_line(lines[0].number, error) from error
        else:
            for record, each in added:
                intake.imported.add(record, each)
            return intake
        middle = len(lines) // 2
        for half in filter(None, (lines[:middle], lines[middle:])):
            before = await self._store(before, half, tries - 1)
        return before

    async def copy(
        self,
        project_id: UUID,
        registered_model_id: UUID,
        source_project_id: UUID,
        id: UUID,
        *,
        name: str = "",
        with_keys: bool = False,
    ) -> Copied:
        """Adds a copy of a version, and of its artifacts, to a model of the project. Raises NotFound, AlreadyExists for
        the name, NotAllowed, QuotaExceeded; FailedPrecondition if keys cannot be decrypted."""
        source = await self.versions.get(source_project_id, id)
        project = await tenant(self.tenants, project_id)
        project.check_uri(source.uri)
        keys = Credentials()
        if with_keys:
            try:
                keys = await self.versions.credentials(source_project_id, id, source.uri) or keys
            except SecretUnreadable as error:
                raise FailedPrecondition(Reason.KEYS_UNREADABLE, detail=str(error), id=str(id)) from error
        has_keys = await self.versions.keys_uri(source_project_id, id) is not None
        ModelVersionPatch(name=name or source.name)  # checks it
        copy = source._replace(
            id=uuid4(), created_at=NOT_STORED, updated_at=NOT_STORED, registered_model_id=registered_model_id,
            name=name or source.name, is_default=False, external_id="", number=0, aliases=None,
        )  # fmt: skip
        async with self.tenants.bounded(project, "versions", "bytes"):
            stored = await self.versions.create(project_id, copy, keys, artifacts_of=id)
        return Copied(stored, has_keys and not keys)


def _check_allowed(project: Project, content: object) -> None:
    """Raises NotAllowed."""
    if isinstance(content, ServingEnvironment):
        project.check_namespace(content.namespace)
    elif isinstance(content, ModelVersion):
        project.check_uri(content.uri)


def _wrong(rule: str) -> InvalidRequest:
    return InvalidRequest((), rule)


@dataclass(slots=True)
class _Intake:
    """How far an import has come."""

    project_id: UUID
    header: Header
    user: str
    last_line: int
    imported: Imported = field(default_factory=Imported)
    has_ended: bool = False
    model: UUID | None = None
    """The model, by its id in the file, to which versions, aliases and artifacts belong: the one before them."""
    models: Mapping[UUID | None, UUID] = field(default_factory=dict)
    """Its id in the project, by its id in the file."""

    async def take(self, lines: Sequence[Line], batch: Batch) -> Sequence[tuple[Record, Added]]:
        """Adds the objects of the lines, one kind after the other. Returns them with those that were there."""
        records = defaultdict[type, list[tuple[Record, UUID | None]]](list)
        for line in lines:
            self._check(line)
            records[type(line.record.content)].append((line.record, self.model))
        models, done = dict(self.models), list[tuple[Record, Added]]()
        for kind in (ServingEnvironment, RegisteredModel, ModelVersion, ModelAlias, Artifact):
            if not (found := [record for record, _ in records[kind]]):
                continue
            places: list[tuple[Any, Any]] = [(record.content, models.get(model)) for record, model in records[kind]]
            sought = [
                (model, self._own(it.model_version_id), record.model_version_name)
                for record, (it, model) in zip(found, places, strict=True)
                if _has_version(it)
            ]
            versions = iter(await batch.find_versions(sought) if sought else ())
            objects = [self._here(it, model, next(versions) if _has_version(it) else None) for it, model in places]
            added = await batch.add(objects)
            done += zip(found, added, strict=True)
            if kind is RegisteredModel:
                models |= {model: each.id for (_, model), each in zip(records[kind], added, strict=True)}
                last = [record.last_version_number for record in found]
                await batch.reserve_numbers(zip((each.id for each in added), last, strict=True))
        if records[ModelParent]:
            await batch.set_parents([self._with_own_ids(record.content) for record, _ in records[ModelParent]])
        self.models = {self.model: models[self.model]} if self.model else {}
        return done

    def _with_own_ids(self, it: Any) -> ModelParent:
        model_id, parent_id = self._own(it.registered_model_id), self._own(it.parent_model_id)
        return replace(it, registered_model_id=model_id, parent_model_id=parent_id)  # type: ignore[no-any-return]

    def _here(self, content: Any, model_id: UUID | None, version_id: UUID | None) -> Any:
        """The object with the ids that it gets here."""
        ids = {"project_id": self.project_id, "registered_model_id": model_id, "model_version_id": version_id}
        values = {name: id_ for name, id_ in ids.items() if hasattr(content, name)}
        values |= {"id": self._own(content.id)} if hasattr(content, "id") else {}
        return content._replace(**values) if hasattr(content, "_replace") else replace(content, **values)

    def _check(self, line: Line) -> None:
        """Whether the line may follow those before it."""
        if self.has_ended:
            raise _wrong("follows the trailer, which must be the last line")
        self.last_line = line.number
        match line.record.content:
            case Header():
                raise _wrong("is a second header")
            case Trailer(record_count=count):
                if count != line.number - 1:
                    raise _wrong(f"counts {count} lines before it, but there are {line.number - 1}")
                self.has_ended = True
            case RegisteredModel(id=id_):
                self.model = id_
            case ModelVersion(registered_model_id=id_) | ModelAlias(registered_model_id=id_) if id_ != self.model:
                raise _not_before_it()
            case Artifact(model_version_id=id_) if id_ and not self.model:
                raise _not_before_it()

    def _own(self, id: UUID) -> UUID:
        return self.header.id_in(self.project_id, id)


def _has_version(content: Any) -> bool:
    """Whether it belongs to a version, as aliases and most artifacts do."""
    return getattr(content, "model_version_id", None) is not None


def _not_before_it() -> NotFound:
    return NotFound(Reason.REGISTERED_MODEL_NOT_FOUND, "its model is not the one before it")
