"""The chart fits the code and its own schema, without helm (tests/cluster/test_chart.py runs it)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
import yaml

from registry_grpc.settings import IssuerSettings, Settings
from registry_grpc.shipped import PROJECT_ROOT

CHART = PROJECT_ROOT / "deploy" / "chart"
VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
EXAMPLES = sorted((CHART / "ci").glob("*-values.yaml"))


def test_it_has_the_version_of_the_package() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def keys(values: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, bool, bool]]:
    """Each path, with whether values.yaml and the schema have it. Objects that are free in the schema end a path."""
    properties = schema.get("properties", {})
    for key in {*values, *properties} if properties else ():
        yield f"{path}{key}", key in values, key in properties
        if isinstance(values.get(key), dict):
            yield from keys(values[key], properties.get(key, {}), f"{path}{key}.")


def test_the_schema_has_exactly_the_values() -> None:
    assert not [path for path, valued, allowed in keys(VALUES, SCHEMA) if not (valued and allowed) and path != "global"]


@pytest.mark.parametrize("path", [None, *EXAMPLES], ids=lambda path: path.stem if path else "defaults")
def test_defaults_and_examples_keep_the_schema(path: Any) -> None:
    def merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
        result = deepcopy(below)
        for key, value in above.items():
            both = isinstance(value, dict) and isinstance(result.get(key), dict)
            result[key] = merged(result[key], value) if both else value
        return result

    jsonschema.validate(merged(VALUES, yaml.safe_load(path.read_text()) if path else {}), SCHEMA)


def test_issuers_have_the_fields_of_the_settings() -> None:
    issuer = SCHEMA["definitions"]["issuer"]
    assert set(issuer["properties"]) == set(IssuerSettings.model_fields)
    assert set(issuer["required"]) == {
        name for name, field in IssuerSettings.model_fields.items() if field.is_required()
    }


def test_it_only_sets_settings_that_exist() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    values = "".join(path.read_text() for path in EXAMPLES)
    known = {f"REGISTRY_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"REGISTRY_[A-Z_]*[A-Z]", templates + values)) - known <= {
        "REGISTRY_METRICS_PORT",
        "REGISTRY_METRICS_HOST",
    }


def test_settings_of_the_chart_cannot_be_set_twice() -> None:
    check = (CHART / "templates" / "_check.tpl").read_text()
    (ours,) = re.findall(r"\$ours := dict (.*) \}\}", check)
    refused = set(re.findall(r'"([A-Z_]+)"', ours))
    templates = "".join(
        (CHART / "templates" / name).read_text() for name in ("configuration.yaml", "_helpers.tpl", "server.yaml")
    )
    read = {"PORT", "WORKER_PORT", "UI_ISSUER", "UI_CLIENT_ID", "UI_SCOPES"}  # the last three are read from `settings`
    assert refused == set(re.findall(r"REGISTRY_([A-Z_]*[A-Z])\b", templates)) - read
