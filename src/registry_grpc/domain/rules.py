"""Rules on single fields that all aggregates share (REST contract 0.5 and the tables of Parts 1 and 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from registry_grpc.domain.errors import InvalidRequest, Violation


def check_fields(
    subject: Any, *, limits: Mapping[str, int], required: Iterable[str] = (), others: Iterable[InvalidRequest] = ()
) -> None:
    """Raise InvalidRequest naming every field that is required and empty, or longer than its limit, and what `others`
    name: the errors of the subject's own rules.

    Limits count characters (code points). Fields that a patch leaves UNSET are passed over.
    """
    violations = [Violation(field, "is required") for field in required if not getattr(subject, field)]
    violations += [
        Violation(field, f"must be at most {limit} characters")
        for field, limit in limits.items()
        if isinstance(value := getattr(subject, field), str) and len(value) > limit
    ]
    errors = [*([InvalidRequest(violations)] if violations else []), *others]
    if errors:
        raise InvalidRequest.of_all(errors)


def renaming_errors(name: object, message: str) -> list[InvalidRequest]:
    """An error with the contract's text when an object would lose its name (quirk Q28)."""
    return [InvalidRequest([Violation("name", "is required")], message)] if name == "" else []
