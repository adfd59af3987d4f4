"""Reads what users write for labels, properties, options and durations."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from registry_cli.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> float:
    """Of `90`, `90s`, `15m`, `1h` or `30d`."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if not match:
        raise UsageError(f"{text!r} is no duration.", hint="Write it like 90s, 15m, 1h or 30d.")
    return float(match[1]) * _UNITS[match[2] or "s"]


def new(fields: object, **more: Any) -> dict[str, Any]:
    """The fields of an object to create, of those options that were given."""
    return _converted(fields, None, more)


def change(
    kind: str, present: Any, fields: object, clear: Iterable[str] | None, etag: str, **more: Any
) -> dict[str, Any]:
    """A request that changes an object. Labels and properties are set as a whole, so it must be as it was read then."""
    patch = _converted(fields, present, more)
    merged = patch.keys() & {"labels", "properties"}
    return {
        "id": present.id,
        kind: patch,
        "update_mask": mask(patch, clear),
        "etag": etag or (present.etag if merged else ""),
    }


def _converted(fields: object, present: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in {**more, **(vars(fields) if fields else {})}.items():
        if value is None:
            continue
        if name in {"labels", "properties"}:
            merged = _merged(present, name, value)
            result[name] = {"values": merged} if name == "properties" and present is not None else merged
        elif name in {"framework", "keys"}:
            result |= _CONVERTERS[name](value)
        else:
            result[name] = _CONVERTERS[name](value) if name in _CONVERTERS else value
    return result


def _merged(present: Any, name: str, changes: Iterable[str]) -> dict[str, Any]:
    """The map with the changes made."""
    result = dict(getattr(present, name)) if present is not None else {}
    option, convert = ("--label", str) if name == "labels" else ("--property", property_value)
    for text in changes:
        key, equals, value = text.partition("=")
        if equals and key:
            result[key] = convert(value)
        elif not equals and key.endswith("-") and len(key) > 1:
            result.pop(key[:-1], None)
        else:
            raise UsageError(f"{option} {text!r} is neither KEY=VALUE nor KEY-.")
    return result


def _tags(texts: Iterable[str]) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for text in texts:
        kind, _, tag = text.partition("=")
        if kind not in {"framework", "architecture", "task", "subject"} or not tag:
            raise UsageError(
                f"--tag {text!r} is not like framework=sklearn.", hint="Or architecture=, task=, subject=."
            )
        tags.setdefault(f"{kind}s", []).append(tag)
    return tags


def property_value(text: str) -> dict[str, Any]:
    """The fields of a PropertyValue. Only JSON's numbers and truth values, and times with a zone, are not strings."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    match value:
        case bool():
            return {"bool_value": value}
        case int():
            return {"int_value": value}
        case float():
            return {"double_value": value}
        case str() if value == text and re.match(r"\d{4}-\d\d-\d\dT.*(Z|[+-]\d\d:\d\d)$", text):
            return {"timestamp_value": dt.datetime.fromisoformat(text)}
        case str():
            return {"string_value": value}
    return {"string_value": text}


def text_or_file(text: str | None) -> str | None:
    """The text itself, or the content of the file of `@FILE`; `@-` is stdin."""
    return read(text[1:]) if text and text.startswith("@") else text


def read(file: str) -> str:
    """The content of a file; `-` is stdin."""
    import sys

    try:
        return (sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()).decode()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{file}: this is not text in UTF-8.") from None


def options(file: str, settings: Iterable[str] | None) -> dict[str, Any]:
    """DeploymentOptions as JSON: those of a YAML file, changed by settings such as `resources.limits.cpu=2`."""
    from modelregistry.v1.deployment_pb2 import DeploymentOptions
    from registry_client.config import parsed

    given = parsed(read(file), file) if file else {}
    if not isinstance(given, dict):
        raise UsageError(f"{file}: this must be a mapping of options.")
    for text in settings or ():
        path, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set {text!r} is not OPTION=VALUE.")
        _set(given, DeploymentOptions.DESCRIPTOR, path, value)
    return given


def _set(target: dict[str, Any], descriptor: Any, path: str, value: str) -> None:
    """Set one option. What follows the name of a map is its key, dots and all: `resources.limits.nvidia.com/gpu`."""
    from registry_client.values import prefix_of

    name, _, rest = path.partition(".")
    field = descriptor.fields_by_name.get(name)
    if field is None:
        raise UsageError(f"There is no option {name!r}.", hint=f"Options: {', '.join(descriptor.fields_by_name)}.")
    if field.enum_type is not None:
        prefix = prefix_of(field.enum_type)
        target[name] = prefix + value.upper().removeprefix(prefix)
    elif field.message_type is None or field.message_type.name == "Duration":
        target[name] = [*target.get(name, ()), value] if field.is_repeated else _plain(value, field)
    elif not rest:
        raise UsageError(f"{name} needs a name after it: {name}.NAME=VALUE.")
    elif field.message_type.GetOptions().map_entry:
        target.setdefault(name, {})[rest] = value
    elif field.is_repeated:
        raise UsageError(f"{name} is a list of objects: write it in the file of --options.")
    else:
        _set(target.setdefault(name, {}), field.message_type, rest, value)


def _plain(value: str, field: Any) -> Any:
    if field.message_type is not None:  # a duration
        return f"{seconds(value):g}s"
    return value.lower() == "true" if field.type == field.TYPE_BOOL else value


def given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was not given."""
    return {name: value for name, value in fields.items() if value is not None}


def mask(patch: Mapping[str, Any], cleared: Iterable[str] | None) -> dict[str, Any] | None:
    """The update mask of a patch that also clears fields; None if it clears none."""
    if not cleared:
        return None
    return {"paths": [*given(patch), *(name.replace("-", "_") for name in cleared)]}


def time(text: str) -> dt.datetime:
    """A point in time with its zone, or how long ago: `2h`."""
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds(text))
    return parsed if parsed.tzinfo else parsed.astimezone()


def new_webhook_secret() -> str:
    """One of our own, because the registry only makes one for requests that cannot be repeated."""
    import base64
    import secrets

    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _json_object(text: str | None) -> dict[str, Any]:
    try:
        value = json.loads(text or "")
    except ValueError as error:
        raise UsageError(f"--metadata is no JSON: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError("--metadata must be a JSON object.")
    return value


def _framework(text: str) -> dict[str, str]:
    name, _, version = text.partition(":")
    return {"model_framework": name, "model_framework_version": version}


def _keys(file: str) -> dict[str, str]:
    access_key, _, secret_key = read(file).strip().partition("\n")
    return {"access_key": access_key.strip(), "secret_key": secret_key.strip()}


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "description": text_or_file,
    "readme": text_or_file,
    "metadata": lambda text: _json_object(text_or_file(text)),
    "tags": _tags,
    "value": property_value,
    "kind": lambda kind: f"ARTIFACT_KIND_{kind.upper()}",
    "status": str.upper,
    "state": str.upper,
    "framework": _framework,
    "keys": _keys,
}
"""What options mean, by the names of their fields."""
