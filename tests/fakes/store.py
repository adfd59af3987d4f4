"""The rows of all aggregates, which the in-memory repositories share, and the code of lists."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate, count
from typing import Any, Protocol, TypeVar
from uuid import UUID, uuid4

from tests.fakes.clock import FakeClock

from registry_grpc.domain.artifact import Artifact
from registry_grpc.domain.deployment import Deployment, DeploymentEvent, DeploymentRevision, Orphan, Outcome
from registry_grpc.domain.errors import MOST_USERS, AlreadyExists, Reason, Stale, User, Users
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_alias import ModelAlias, ModelAliasMove
from registry_grpc.domain.model_version import Credentials, DeletedModelVersion, ModelVersion
from registry_grpc.domain.paging import OBJECT_BYTES, Cursor, Page, Slice, Sort, View
from registry_grpc.domain.registered_model import RegisteredModel, Tags
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import ServingEnvironment
from registry_grpc.domain.times import NOT_STORED

LEASE = timedelta(seconds=8)
FIRST_PASS_BY_THE_REQUEST = timedelta(seconds=2)

# Stands for an unset id. It is greater than all others, like NULL in PostgreSQL.
_NO_ID = UUID(int=2**128 - 1)

A = TypeVar("A")


@dataclass
class Work:
    """When a deployment is due (None: not before something changes), and who works on it."""

    next_at: datetime | None
    dirty_at: datetime | None = None
    tried_at: datetime | None = None
    holder: str = ""
    lease_until: datetime | None = None

    def is_free(self, now: datetime) -> bool:
        return self.lease_until is None or self.lease_until < now

    def change(self, now: datetime) -> None:
        """A change that a running pass has not seen makes the deployment due."""
        self.dirty_at = now
        self.next_at = min(self.next_at or now, now)


class _Rows(dict[UUID, A]):
    """Rows that get a new etag whenever they are written."""

    _writes = count(1)

    def __setitem__(self, id: UUID, row: A) -> None:
        etag = {"etag": f"w{next(self._writes)}"}
        row_: Any = row
        super().__setitem__(id, row_._replace(**etag) if hasattr(row, "_replace") else replace(row_, **etag))


def check_etag(row: Any, etags: Etags) -> None:
    if etags is not None and row.etag not in etags:
        raise Stale.etag(row.id)


@dataclass
class InMemoryStore:
    """The rows as they were written, without values that are computed when reading (counts, names, served models)."""

    clock: FakeClock = field(default_factory=FakeClock)
    models: dict[UUID, RegisteredModel] = field(default_factory=_Rows)
    versions: dict[UUID, ModelVersion] = field(default_factory=_Rows)
    numbers: dict[UUID, int] = field(default_factory=dict)
    """The last number of a version, by model."""
    credentials: dict[UUID, tuple[str, Credentials]] = field(default_factory=dict)
    aliases: dict[tuple[UUID, str], ModelAlias] = field(default_factory=dict)
    alias_moves: list[tuple[UUID, ModelAliasMove]] = field(default_factory=list)
    deleted_versions: dict[UUID, tuple[DeletedModelVersion, tuple[str, Credentials]]] = field(default_factory=dict)
    environments: dict[UUID, ServingEnvironment] = field(default_factory=_Rows)
    artifacts: dict[UUID, Artifact] = field(default_factory=_Rows)
    services: dict[UUID, InferenceService] = field(default_factory=_Rows)
    serve_models: dict[UUID, ServeModel] = field(default_factory=_Rows)
    deployments: dict[UUID, Deployment] = field(default_factory=dict)
    revisions: dict[UUID, dict[int, DeploymentRevision]] = field(default_factory=dict)
    """By deployment and generation."""
    events: list[DeploymentEvent] = field(default_factory=list)
    orphans: list[Orphan] = field(default_factory=list)
    work: dict[UUID, Work] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    leader: asyncio.Lock = field(default_factory=asyncio.Lock)
    epoch: str = "first"
    serving: dict[UUID, list[tuple[int, datetime, datetime | None]]] = field(default_factory=dict)
    """When which revision of a deployment served, in order: its generation, the beginning and the end."""
    served_known_from: dict[UUID, datetime] = field(default_factory=dict)
    """From when it is known which revision served, for deployments whose older revisions were deleted."""
    _sequences: Iterator[int] = field(default_factory=lambda: count(1))
    _written_at: datetime | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Takes back what the block has written if it raises an error."""
        before = {name: type(rows)(rows) for name, rows in self.__dict__.items() if isinstance(rows, dict | list)}
        try:
            yield
        except BaseException:
            self.__dict__.update(before)
            raise

    def write_time(self, after: datetime = NOT_STORED) -> datetime:
        """The time of a change. As in a database, no two are the same, and it is not before `after`."""
        now = self.clock.now()
        if self._written_at is not None:
            now = max(now, self._written_at + timedelta(microseconds=1))
        self._written_at = now
        return max(now, after)

    def times_of(self, thing: Row, after: datetime = NOT_STORED) -> dict[str, Any]:
        """Set the times of an object that is stored now, unless a test has set them."""
        now = self.write_time(after)
        return {"created_at": now, "updated_at": now} if thing.created_at is NOT_STORED else {}

    def restore(self) -> None:
        """Change the epoch, as if the present rows had been dumped and restored."""
        self.epoch = uuid4().hex
        self.events[:] = [replace(e, resume_token=f"{self.epoch}-{e.sequence}") for e in self.events]

    def forget(self, deployment_id: UUID) -> None:
        """Remove a deployment with everything that refers to it."""
        for rows in (self.deployments, self.revisions, self.serving, self.work):
            rows.pop(deployment_id, None)
        self.events[:] = [event for event in self.events if event.deployment_id != deployment_id]

    def abort_revision(self, deployment_id: UUID, generation: int, now: datetime) -> None:
        """A revision is no longer tried, and no rollback returns to it by itself."""
        revisions = self.revisions[deployment_id]
        tried = revisions[generation]
        until = tried.served_until or (now if tried.served_from else None)
        revisions[generation] = replace(tried, outcome=Outcome.ABORTED, served_until=until)

    def log(self, deployment: Deployment, at: datetime) -> None:
        """Add an event with the current state of the deployment."""
        self.events.append(
            DeploymentEvent(
                sequence=(sequence := next(self._sequences)),
                resume_token=f"{self.epoch}-{sequence}",
                occurred_at=at,
                deployment_id=deployment.id,
                generation=deployment.generation,
                serving_generation=deployment.serving_generation,
                phase=deployment.phase,
                reason=deployment.reason,
                message=deployment.message,
                next_step=deployment.next_step,
            )
        )


class Row(Protocol):
    """The fields of every aggregate."""

    @property
    def id(self) -> UUID: ...

    @property
    def created_at(self) -> datetime: ...


R = TypeVar("R", bound=Row)


def check_external_id(new: Any, others: Iterable[Any]) -> None:
    for other in others:
        if new.external_id and other.external_id == new.external_id:
            raise AlreadyExists.held(Reason.EXTERNAL_ID_TAKEN, other.id, other.name)


def check_name(new: Any, others: Iterable[Any], reason: Reason) -> None:
    for other in others:
        if other.name == new.name:
            raise AlreadyExists.held(reason, other.id, other.name)


def oldest_first(rows: Iterable[R]) -> tuple[R, ...]:
    return tuple(sorted(rows, key=lambda row: (row.created_at, row.id)))


def newest_first(rows: Iterable[R]) -> tuple[R, ...]:
    return oldest_first(rows)[::-1]


def page_of(rows: Iterable[R], sort: Sort, slice: Slice) -> Page[R]:
    """Sort the rows, ties by id in the same direction, and cut the slice out.

    Texts are compared by code point, as PostgreSQL does with its C collations.
    """
    ordered = sorted(rows, key=lambda row: (_value(row, sort), row.id), reverse=sort.descending)
    if not slice.by_cursor:
        return Page(fitting(ordered[slice.offset :], slice), total=len(ordered))
    if slice.after is not None:
        ordered = [row for row in ordered if _is_beyond(row, slice.after, sort)]
    items = fitting(ordered, slice)
    has_more = len(ordered) > len(items)
    return Page(items, next=Cursor(_value(items[-1], sort), items[-1].id) if has_more else None)


def is_after(value: Any, sort: Sort, slice: Slice) -> bool:
    """Whether a row with this value is on this page or a later one."""
    if slice.after is None:
        return True
    return bool(value < slice.after.value if sort.descending else value > slice.after.value)


def users(found: Iterable[User]) -> Users | None:
    """The first of them by kind and name, and how many there are."""
    ordered = sorted(set(found), key=lambda user: (user.kind, user.name, user.id))
    return Users(tuple(ordered[:MOST_USERS]), len(ordered)) if ordered else None


def fitting(rows: Sequence[A], slice: Slice) -> tuple[A, ...]:
    """The first rows that fit. Raises InvalidRequest like `list`."""
    wanted = rows[: slice.limit]
    sizes = list(accumulate(_size_of(row, slice.view) for row in wanted))
    slice.check(sizes[-1] if sizes else 0)
    return tuple(row for place, row in enumerate(wanted) if place == 0 or sizes[place] <= slice.max_bytes)


def _size_of(row: Any, view: View) -> int:
    versions = 0
    if isinstance(row, RegisteredModel) and view is View.FULL:
        parts = (row.latest_version, row.default_version)
        versions = sum(_size_of(part, view) if part else OBJECT_BYTES for part in parts)
    texts = (getattr(row, name, "") for name in ("description", "readme", "last_error", "message"))
    json_values = (
        getattr(row, name, None) for name in ("tags", "labels", "properties", "metadata", "spec", "drift", "applied")
    )
    return versions + OBJECT_BYTES + sum(len(text.encode()) for text in texts) + sum(map(_json_bytes, json_values))


def _json_bytes(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, Tags):
        value = value._asdict()
    return len(json.dumps(value, default=_as_json, ensure_ascii=False).encode())


def _as_json(value: Any) -> Any:
    return {field.name: getattr(value, field.name) for field in fields(value)} if is_dataclass(value) else str(value)


def _value(row: Row, sort: Sort) -> Any:
    # Models can be sorted by `owner_id`, a column that no request can set.
    value = sort.value_of(row)
    return _NO_ID if value is None else value


def _is_beyond(row: Row, cursor: Cursor, sort: Sort) -> bool:
    here, there = (_value(row, sort), row.id), (cursor.value, cursor.id)
    return here < there if sort.descending else here > there


def search_matches(search: str, text: str) -> bool:
    """SQL's `text ILIKE '%search%'`: `%` and `_` in the search are wildcards, a backslash escapes (contract 0.10)."""
    return re.fullmatch(_regex_of_like(f"%{_lower(search)}%"), _lower(text), re.DOTALL) is not None


def _regex_of_like(pattern: str) -> str:
    parts = []
    characters = iter(pattern)
    for character in characters:
        if character == "%":
            parts.append(".*")
        elif character == "_":
            parts.append(".")
        else:
            parts.append(re.escape(next(characters) if character == "\\" else character))
    return "".join(parts)


def _lower(text: str) -> str:
    """Unicode's simple case mapping, which maps single characters, as in PostgreSQL's built-in C.UTF-8 locale."""
    return "".join(character.lower()[0] for character in text)
