"""Whatever varies in the text of a refusal is in its metadata too, so that no client has to parse texts (AIP-193)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from tests.fakes.builders import a_model, a_version

import registry_grpc
from modelregistry.v1.deployment_pb2 import DeployModelRequest
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.errors import refusal_of
from registry_grpc.domain import errors
from registry_grpc.domain.errors import (
    AliasMoved,
    AlreadyExists,
    ClusterReadFailed,
    ConcurrentChange,
    DeploymentBlocked,
    EventLogChanged,
    FailedPrecondition,
    FilterTooExpensive,
    HistoryForgotten,
    InvalidPageToken,
    InvalidRequest,
    LimitReached,
    NotAllowed,
    NotFound,
    Overloaded,
    PermissionDenied,
    ProjectIdRequired,
    QuotaExceeded,
    Reason,
    RegistryError,
    RequestIdReused,
    Stale,
    Unauthenticated,
    Unavailable,
    User,
    Users,
    Violation,
)
from registry_grpc.domain.inference_service import still_deployed
from registry_grpc.domain.model_alias import AliasChange, ModelAlias, no_such_alias
from registry_grpc.domain.model_version import already_attached, no_such_version
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.registered_model import NewRegisteredModel, not_archived
from registry_grpc.services.drafting import _archived, _not_ready

SOURCE = Path(registry_grpc.__file__).parent
REQUEST: Any = DeployModelRequest.DESCRIPTOR


class Values(NamedTuple):
    """Values that are nowhere else in a text."""

    id: UUID
    name: str
    number: int
    state: str


ONE = Values(UUID(int=1), "eins", 11, "ICH")
OTHER = Values(UUID(int=2), "zwei", 22, "DU")


def used(values: Values) -> FailedPrecondition:
    users = tuple(User("ALIAS", f"{values.name}{n}", f"{values.name}{n}") for n in range(3))
    return FailedPrecondition(Reason.MODEL_VERSION_IN_USE, users=Users(users, 3 + values.number), id=str(values.id))


def refused(work: Callable[[], object]) -> RegistryError:
    with pytest.raises(RegistryError) as refusal:
        work()
    return refusal.value


def protected(values: Values) -> RegistryError:
    alias = ModelAlias(
        registered_model_id=values.id,
        name=values.name,
        model_version_id=values.id,
        version_number=values.number,
        is_protected=True,
    )
    return refused(lambda: AliasChange(name=values.name).check(alias))


def a_version_of(values: Values) -> Any:
    return a_version(a_model(values.id), id=values.id, name=values.name, status=values.state)


CASES: list[tuple[type[RegistryError], Callable[[Values], RegistryError]]] = [
    (InvalidRequest, lambda v: InvalidRequest([Violation(v.name, f"must be at most {v.number} {v.state}", v.number)])),
    (InvalidRequest, lambda v: refused(lambda: NewRegisteredModel(name="n" * 251, owner_email=""))),
    (RequestIdReused, lambda v: RequestIdReused()),
    (Unauthenticated, lambda v: Unauthenticated("the token is expired")),
    (PermissionDenied, lambda v: PermissionDenied(f"A{v.number}", f"B{v.number}")),
    (NotAllowed, lambda v: NotAllowed(Reason.URI_NOT_ALLOWED, "uri", v.name, [v.state, "x"])),
    (QuotaExceeded, lambda v: QuotaExceeded(v.name, limit=v.number, used=v.number + 1)),
    (ProjectIdRequired, lambda v: ProjectIdRequired("it is missing")),
    (InvalidPageToken, lambda v: InvalidPageToken()),
    (NotFound, lambda v: NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, v.id)),
    (NotFound, lambda v: NotFound.of(Reason.REGISTERED_MODEL_NOT_FOUND, v.id).within(f"get model {v.name}")),
    (NotFound, lambda v: no_such_version(v.id, v.name)),
    (NotFound, lambda v: no_such_alias(v.id, v.name)),
    (AlreadyExists, lambda v: AlreadyExists.held(Reason.MODEL_VERSION_NAME_TAKEN, v.id, v.name)),
    (AlreadyExists, lambda v: AlreadyExists.held(Reason.SERVE_MODEL_EXISTS, v.id)),
    (FailedPrecondition, used),
    (FailedPrecondition, protected),
    (FailedPrecondition, lambda v: not_archived(v.id, v.state)),
    (FailedPrecondition, lambda v: still_deployed(v.id, v.name)),
    (FailedPrecondition, lambda v: already_attached(v.id, v.name)),
    (FailedPrecondition, lambda v: _not_ready(a_version_of(v)._replace(uri=""))),
    (FailedPrecondition, lambda v: _archived(a_version_of(v))),
    (
        DeploymentBlocked,
        lambda v: DeploymentBlocked([Violation(DeploymentReason.OPTION_NOT_ALLOWED, f"{v.name} {v.id}")]),
    ),
    (EventLogChanged, lambda v: EventLogChanged()),
    (HistoryForgotten, lambda v: HistoryForgotten(v.id, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(v.number))),
    (AliasMoved, lambda v: AliasMoved(v.name, v.id)),
    (AliasMoved, lambda v: AliasMoved(v.name, None)),
    (ConcurrentChange, lambda v: ConcurrentChange()),
    (Stale, lambda v: Stale.etag(v.id)),
    (Stale, lambda v: Stale.revision(v.id, v.number)),
    (Overloaded, lambda v: Overloaded()),
    (LimitReached, lambda v: LimitReached(Reason.TOO_MANY_WEBHOOKS, v.number, "webhooks")),
    (FilterTooExpensive, lambda v: FilterTooExpensive(v.number)),
    (Unavailable, lambda v: Unavailable(Reason.DATABASE_UNAVAILABLE)),
    (ClusterReadFailed, lambda v: ClusterReadFailed(v.name)),
]


@pytest.mark.parametrize(("kind", "make"), CASES)
def test_what_varies_in_a_text_is_in_the_metadata(
    kind: type[RegistryError], make: Callable[[Values], RegistryError]
) -> None:
    error, other = make(ONE), make(OTHER)
    assert type(error) is kind
    refusal = refusal_of(error, Call(method="m"), REQUEST)
    info = refusal.details[0]
    assert isinstance(info, ErrorInfo)
    known = " ".join(info.metadata.values())

    varying = set(error.full_message.split()) - set(other.full_message.split())

    assert [word for word in varying if word.strip('":;,') not in known] == []


def kinds_of(kind: type[RegistryError]) -> Iterator[type[RegistryError]]:
    for each in kind.__subclasses__():
        yield from (each, *kinds_of(each))


def test_every_kind_of_error_is_tested() -> None:
    ours = {kind for kind in kinds_of(RegistryError) if kind.__module__ == errors.__name__}

    assert {kind for kind, _ in CASES} == ours


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, dict[str, ast.expr]]]:
    """The calls that make an error, with what its function has assigned to local names before."""
    names = {kind.__name__ for kind in kinds_of(RegistryError)}
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        assigned: dict[str, ast.expr] = {}
        for node in sorted(ast.walk(function), key=lambda node: getattr(node, "lineno", 0)):
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    assigned[name] = value
                case ast.Call(func=ast.Name(id=name)) if name in names - {"InvalidRequest", "DeploymentBlocked"}:
                    yield node, dict(assigned)


def missing(call: ast.Call, assigned: dict[str, ast.expr]) -> set[str]:
    """The expressions in the texts of an error that none of its metadata has."""
    texts = [*call.args[1:], *(k.value for k in call.keywords if k.arg in {"message", "detail"})]
    values = [k.value for k in call.keywords if k.arg not in {"message", "detail"}]
    known = {ast.unparse(node) for value in values for node in ast.walk(value)}
    return {part for text in texts for part in parts(text, assigned)} - known


def parts(text: ast.expr, assigned: dict[str, ast.expr]) -> Iterator[str]:
    """The expressions that are formatted in a text, or in a local name in it. A constant is no variable."""
    if isinstance(text, ast.Name) and text.id in assigned:
        text = assigned[text.id]
    for part in (node.value for node in ast.walk(text) if isinstance(node, ast.FormattedValue)):
        if isinstance(part, ast.Name) and (inner := set(parts(part, assigned))):
            yield from inner
        elif not (isinstance(part, ast.Name) and part.id.isupper()):
            yield ast.unparse(part)


def test_no_error_is_made_with_a_variable_in_its_text_only() -> None:
    found = {
        f"{path.relative_to(SOURCE)}:{call.lineno}": lacking
        for path in sorted(SOURCE.rglob("*.py"))
        if path != SOURCE / "domain" / "errors.py"
        for call, assigned in calls(ast.parse(path.read_text()))
        if (lacking := missing(call, assigned))
    }

    assert found == {}
