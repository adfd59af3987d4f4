"""The tree of a filter, in no particular grammar. A parser makes comparisons, and `fields.checked` makes conditions.

A comparison with a value that is absent (a key that a map lacks, an unset id or time) is false, whatever its operator.
`Not` is true wherever its term is not. So a grammar in which `!=` holds for an absent key makes `Not` of an equality.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, NamedTuple, TypeAlias, TypeVar, Union

from registry_grpc.domain.errors import InvalidRequest, Violation

_LONGEST_QUOTE = 60

L = TypeVar("L")
M = TypeVar("M")


class Operator(StrEnum):
    """How a field is compared with a value."""

    EQ = "="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="
    HAS = ":"


@dataclass(frozen=True, slots=True)
class And(Generic[L]):
    """True if all terms are."""

    terms: tuple[Node[L], ...]


@dataclass(frozen=True, slots=True)
class Or(Generic[L]):
    """True if one of the terms is."""

    terms: tuple[Node[L], ...]


@dataclass(frozen=True, slots=True)
class Not(Generic[L]):
    """True if the term is not."""

    term: Node[L]


Node: TypeAlias = Union["And[L]", "Or[L]", "Not[L]", L]


class Name(NamedTuple):
    """A part of the path to a field. Positions count the characters of the filter from 1."""

    text: str
    position: int


class Value(NamedTuple):
    """What a field is compared with: the texts between the wildcards, so a value without wildcards has one."""

    parts: tuple[str, ...]
    position: int
    is_quoted: bool = False

    @property
    def text(self) -> str:
        return "*".join(self.parts)

    @property
    def is_any(self) -> bool:
        """Whether it is only a wildcard."""
        return self.parts == ("", "")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator and a value, as they were written."""

    path: tuple[Name, ...]
    operator: Operator
    value: Value


def mapped(node: Node[L], leaf: Callable[[L], M]) -> Node[M]:
    """The same tree with other leaves."""
    match node:
        case And(terms):
            return And(tuple(mapped(term, leaf) for term in terms))
        case Or(terms):
            return Or(tuple(mapped(term, leaf) for term in terms))
        case Not(term):
            return Not(mapped(term, leaf))
    return leaf(node)


def invalid(position: int, text: str) -> InvalidRequest:
    """The error for what is wrong at this character of the filter."""
    return InvalidRequest([Violation("filter", f"at character {position}: {text}")])


def quoted(text: str) -> str:
    """A part of the filter for an error, which must not be long."""
    return f'"{text[:_LONGEST_QUOTE]}{"…" * (len(text) > _LONGEST_QUOTE)}"'
