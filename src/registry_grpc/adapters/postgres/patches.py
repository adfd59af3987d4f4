"""What a patch changes of a row."""

from __future__ import annotations

from collections.abc import Sequence


def assignments(names: Sequence[str], *, first: int) -> str:
    """For SET: each column takes its parameter, from `$first` on in this order, and stays as it is where that is NULL.

    For fields that a patch cannot clear, so that NULL can mean: keep.
    """
    return ", ".join(f"{name} = coalesce(${i}, {name})" for i, name in enumerate(names, first))
