"""Reads the settings from variables and a file, and says in plain sentences what is wrong with them."""

from __future__ import annotations

import difflib
import os
import re
import types
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import TomlConfigSettingsSource

from registry_grpc.settings import CONFIG_FILE, ConfigurationError, IssuerSettings, Settings

_PREFIX = "REGISTRY_"
# Kubernetes sets the first ones in all pods of a namespace with a Service called registry-…, for example
# REGISTRY_GRPC_PORT. The next is read by podman, buildah and skopeo, then those of the Python client and the command
# `registry`, and the last ones by the tests.
_OF_OTHERS = re.compile(
    r"REGISTRY_((\w+_)?(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)|AUTH_FILE|"
    r"URL|PROJECT|USER|CONTEXT|TEST_\w+)"
)
_WORDS = {int: "an integer", float: "a number", str: "text", bool: "`true` or `false`", Path: "a path"}
_BOUNDS = {"Ge": ("ge", "at least"), "Gt": ("gt", "above"), "Le": ("le", "at most")}
_EXCESS = {"greater_than_equal": "small", "greater_than": "small", "less_than_equal": "large", "too_short": "short"}


def load_settings(**options: Any) -> Settings:
    """The options win over variables, and these over the file.

    Raises ConfigurationError with a line for each thing that is wrong. No line has a value, which may be a secret in
    the wrong place.
    """
    problems, file = list(_unknown_variables(os.environ)), os.environ.get(CONFIG_FILE)
    if file and not Path(file).expanduser().is_file():
        raise ConfigurationError("\n".join([*problems, f"{CONFIG_FILE}: there is no file {file}"]))
    try:
        settings = Settings(**options)
    except ValidationError as error:
        problems += map(_complaint, error.errors())
    except (OSError, ValueError) as error:
        problems.append(f"{CONFIG_FILE}: {file} cannot be read as TOML: {error}")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return settings


def variable_of(name: str) -> str:
    return f"{_PREFIX}{name.upper()}"


def source_of(settings: Settings, name: str) -> str:
    """Where the value of a setting comes from: `variable`, `file` or `default`."""
    if name not in settings.model_fields_set:
        return "default"
    return "variable" if _is_set(name) else "file"


def allowed(field: FieldInfo) -> str:
    """What may be written for a setting, such as `an integer, at least 1`."""
    bounds = [
        f"{text} {getattr(item, attribute):.10g}"
        for item in field.metadata
        for attribute, text in [_BOUNDS.get(type(item).__name__, ("", ""))]
        if attribute
    ]
    patterns = [item.pattern for item in field.metadata if hasattr(item, "pattern")]
    choices = [" or ".join(f"`{choice}`" for choice in item.strip("^$()").split("|")) for item in patterns]
    return ", ".join([*(choices or [_word(field.annotation)]), *bounds])


def _word(annotation: Any) -> str:
    if get_origin(annotation) in {Union, types.UnionType}:
        return _word(next(argument for argument in get_args(annotation) if argument is not type(None)))
    if get_origin(annotation) is tuple:
        return "a list in JSON" if get_args(annotation)[0] is IssuerSettings else "a list, comma-separated"
    if issubclass(annotation, StrEnum):
        return " or ".join(f"`{member}`" for member in annotation)
    return "a secret" if annotation is SecretStr else _WORDS[annotation]


def _is_set(name: str) -> bool:
    """Whether a variable is not empty. Like pydantic-settings, this does not care about case."""
    return any(each.upper() == variable_of(name) and value for each, value in os.environ.items())


def _unknown_variables(environment: Iterable[str]) -> Iterator[str]:
    known = [CONFIG_FILE, *map(variable_of, Settings.model_fields)]
    for name in environment:
        if name.upper().startswith(_PREFIX) and name.upper() not in known and not _OF_OTHERS.fullmatch(name):
            yield f"{name}: there is no such setting; the name most like it is {_nearest(name, known)}"


def _nearest(name: str, known: Iterable[str]) -> str:
    names = {_bare(each): each for each in known}
    return names[difflib.get_close_matches(_bare(name), names, n=1, cutoff=0)[0]]


def _bare(name: str) -> str:
    return name.lower().removeprefix(_PREFIX.lower())


def _complaint(error: ErrorDetails) -> str:
    """`REGISTRY_PORT: …`, or `port in registry.toml: …`, without the value."""
    name, *inside = map(str, error["loc"])
    fields: dict[str, FieldInfo] = Settings.model_fields
    file = os.environ.get(CONFIG_FILE) or None
    in_file = not _is_set(name) and name in TomlConfigSettingsSource(Settings, file).toml_data
    place = f"{name} in {file}" if in_file else variable_of(name)
    if name == "issuers" and len(inside) > 1:
        fields, name = IssuerSettings.model_fields, inside[1]
        place += f": entry {int(inside[0]) + 1}: {name}"
    return f"{place}: {_text(error, fields, name)}"


def _text(error: ErrorDetails, fields: dict[str, FieldInfo], name: str) -> str:
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden":  # in the file
            return f"there is no such setting; the name most like it is {_nearest(name, fields)}"
        case "missing":
            return "it is missing"
        case kind:
            excess = f"it is too {_EXCESS[kind]}; " if kind in _EXCESS else ""
            return f"{excess}it must be {allowed(fields[name])}"
