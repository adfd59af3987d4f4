"""Writes docs/configuration.md from the settings: `python scripts/configuration.py`."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

from pydantic.fields import FieldInfo

from registry_grpc.configuration import allowed
from registry_grpc.settings import Settings
from registry_grpc.shipped import PROJECT_ROOT

TARGET = PROJECT_ROOT / "docs" / "configuration.md"

_INTRODUCTION = """\
# Configuration

Made from `src/registry_grpc/settings.py` by `python scripts/configuration.py`; change it there.

Settings are environment variables; an empty one counts as unset. `REGISTRY_CONFIG_FILE` may name a TOML file that has
some or all of them, in small letters and without the prefix. A variable wins over the file:

```toml
workers = 4
cluster = "in-cluster"
watch_namespaces = ["models", "staging"]

[[issuers]]
issuer = "https://dex.example.com"
audiences = ["registry"]
```

Every command refuses wrong values, combinations without an effect, and names that do not exist. It says what is wrong
with all of them at once, by name and without the value. `registry-grpc config` (`--json`) prints the value of each
setting and whether it comes from a variable, the file, or is the default; of a secret only whether it is set.
The gateway has a configuration of its own, `gateway/envoy.yaml` (see [gateway.md](gateway.md)).

| Variable | Type | Default | Meaning |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    meanings = dict(_docstrings())
    return _INTRODUCTION + "".join(
        f"| `REGISTRY_{name.upper()}` | {allowed(field)} | {_default(field)} | {meanings[name]} |\n"
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


def _default(field: FieldInfo) -> str:
    value = field.default if field.default_factory is None else ()
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        return f"`{','.join(value)}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Path) and value.is_relative_to(PROJECT_ROOT):
        return f"`{value.relative_to(PROJECT_ROOT)}`, as shipped"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
