"""Partial updates."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from registry_grpc.domain.patch import UNSET, Unset, changes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patch:
    first: str | Unset = UNSET
    second: int | Unset = UNSET
    third: bool | Unset | None = UNSET


@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        (_Patch(), {}),
        (_Patch(first=""), {"first": ""}),
        (_Patch(second=0), {"second": 0}),
        (_Patch(third=False), {"third": False}),
        (_Patch(third=None), {"third": None}),
        (_Patch(third=True, first="a"), {"first": "a", "third": True}),
    ],
)
def test_changes_are_the_fields_that_are_set(patch: _Patch, changed: dict[str, object]) -> None:
    assert changes(patch) == changed
    assert list(changes(patch)) == list(changed)
