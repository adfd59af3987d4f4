"""Writes docs/configuration.md from the settings: `python scripts/configuration.py`."""

from __future__ import annotations

import ast
import inspect
import types
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from registry_grpc.settings import Settings
from registry_grpc.shipped import PROJECT_ROOT

TARGET = PROJECT_ROOT / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

Made from `src/registry_grpc/settings.py` by `python scripts/configuration.py`; change it there.

Settings are environment variables and nothing else; an empty one counts as unset. What is wrong is said at the start,
all of it at once, by variable and without the value. `registry-grpc config` prints what is in force, secrets masked.
The gateway has a configuration of its own, `gateway/envoy.yaml` (see [gateway.md](gateway.md)).

| Variable | Type | Default | Meaning |
|---|---|---|---|
"""
_WORDS = {int: "integer", float: "number", str: "text", bool: "`true` or `false`", Path: "path", SecretStr: "secret"}
_BOUNDS = {"Ge": ("ge", "at least"), "Gt": ("gt", "above"), "Le": ("le", "at most")}


def page() -> str:
    """The whole page."""
    meanings = dict(_docstrings())
    return _INTRODUCTION + "".join(
        f"| `REGISTRY_{name.upper()}` | {_type(field)} | {_default(field)} | {meanings[name]} |\n"
        for name, field in Settings.model_fields.items()
    )


def _docstrings() -> Iterator[tuple[str, str]]:
    """The docstring of every field."""
    (definition,) = ast.parse(inspect.getsource(Settings)).body
    assert isinstance(definition, ast.ClassDef)
    for field, below in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(below, ast.Expr), f"{field.target.id} has no docstring"
            yield field.target.id, " ".join(str(ast.literal_eval(below.value)).split())


def _type(field: FieldInfo) -> str:
    words = _word(field.annotation)
    bounds = [
        f"{text} {getattr(item, attribute):g}"
        for item in field.metadata
        for attribute, text in [_BOUNDS.get(type(item).__name__, ("", ""))]
        if attribute
    ]
    patterns = [item.pattern for item in field.metadata if hasattr(item, "pattern")]
    choices = [" or ".join(f"`{choice}`" for choice in item.strip("^$()").split("|")) for item in patterns]
    return ", ".join([*(choices or [words]), *bounds])


def _word(annotation: Any) -> str:
    if get_origin(annotation) in {Union, types.UnionType}:
        return _word(next(argument for argument in get_args(annotation) if argument is not type(None)))
    if get_origin(annotation) is tuple:
        return "list, comma-separated"
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{member}`" for member in annotation)
    return _WORDS[annotation]


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == ():
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path) and value.is_relative_to(PROJECT_ROOT):
        return f"`{value.relative_to(PROJECT_ROOT)}`, as shipped"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
