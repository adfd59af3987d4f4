"""Turns patches into SQL."""

from __future__ import annotations

from collections.abc import Sequence


def assignments(names: Sequence[str], *, first: int) -> str:
    """For SET: each column takes its parameter, from `$first` on, or keeps its value if the parameter is NULL.

    Only for columns that a patch cannot set to NULL.
    """
    return ", ".join(f"{name} = coalesce(${i}, {name})" for i, name in enumerate(names, first))
