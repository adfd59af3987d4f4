"""Turns patches into SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from registry_grpc.domain.patch import changes

_NULLABLE = {"parent_model_id", "prebuilt_container_id", "model_version_id"}
_NULL = UUID(int=0)
"""Stands for NULL, because a parameter that is NULL keeps the value. It is no id of any object."""


def assignments(names: Sequence[str], *, first: int) -> str:
    """For SET: each column takes its parameter, from `$first` on, or keeps its value if the parameter is NULL."""
    taken = ((name, f"coalesce(${i}, {name})") for i, name in enumerate(names, first))
    return ", ".join(f"{name} = nullif({v}, '{_NULL}')" if name in _NULLABLE else f"{name} = {v}" for name, v in taken)


def assigned(patch: Any, names: Sequence[str]) -> list[Any]:
    """The parameters of `assignments`."""
    changed = changes(patch)
    return [_NULL if name in changed and changed[name] is None else changed.get(name) for name in names]
