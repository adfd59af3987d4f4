"""What a kube-apiserver itself refuses: unknown fields, wrong types, bad names and labels, changed constants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import bad_request, cause, invalid
from registry_grpc.devtools.simulated_cluster.api.fields import child_schema
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, SECRETS, SERVICES, Resource
from registry_grpc.devtools.simulated_cluster.api.schemas import Schema

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}


def pruned(obj: dict[str, Any], resource: Resource, *, strict: bool) -> dict[str, Any]:
    """The object without the fields its schema does not declare; when strict, those are a 400 instead."""
    unknown: list[str] = []
    result: dict[str, Any] = _pruned(obj, resource.schema, "", unknown)
    if strict and unknown:
        fields = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {fields}"
        )
    return result


def _pruned(value: Any, schema: Schema | None, path: str, unknown: list[str]) -> Any:
    if schema is None:
        return value
    if isinstance(value, list):
        items = schema.get("items")
        return [_pruned(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    result = {}
    for key, item in value.items():
        place = f"{path}.{key}" if path else key
        if closed and key not in schema["properties"]:
            unknown.append(place)
        else:
            result[key] = _pruned(item, child_schema(schema, key), place, unknown)
    return result


def validate(new: dict[str, Any], old: dict[str, Any] | None, resource: Resource) -> None:
    """Raises the 422 that names every offending field."""
    causes = [*_metadata(new["metadata"], resource), *_schema(new, resource.schema, "")]
    if resource is SECRETS and old is not None:
        causes += _immutable(new, old)
    if causes:
        raise invalid(resource.group, resource.kind, new["metadata"]["name"], causes)


def _metadata(metadata: dict[str, Any], resource: Resource) -> Iterator[dict[str, str]]:
    name = metadata["name"]
    pattern, limit = (_DNS_LABEL, 63) if resource in {NAMESPACES, SERVICES} else (_SUBDOMAIN, 253)
    if len(name) > limit or not pattern.fullmatch(name):
        text = f'Invalid value: "{name}": a lowercase RFC 1123 name of at most {limit} characters is required'
        yield cause("FieldValueInvalid", text, "metadata.name")
    for key, value in metadata.get("labels", {}).items():
        if not isinstance(value, str) or len(value) > 63 or not _LABEL_VALUE.fullmatch(value):
            text = (
                f"Invalid value: {json.dumps(value)}: a valid label must be an empty string or consist of "
                "alphanumeric characters, '-', '_' or '.', and must be no more than 63 characters"
            )
            yield cause("FieldValueInvalid", text, "metadata.labels")
        yield from _qualified_name(key, "metadata.labels")
    for key in metadata.get("annotations", {}):
        yield from _qualified_name(key.lower(), "metadata.annotations")


def _qualified_name(key: str, field: str) -> Iterator[dict[str, str]]:
    prefix, _, name = key.rpartition("/")
    if len(name) > 63 or not _LABEL_NAME.fullmatch(name) or (prefix and not _SUBDOMAIN.fullmatch(prefix)):
        text = f'Invalid value: "{key}": a qualified name must consist of an optional DNS subdomain prefix and a name'
        yield cause("FieldValueInvalid", text, field)


def _schema(value: Any, schema: Schema | None, path: str) -> Iterator[dict[str, str]]:
    if schema is None or value is None:
        return
    expected = schema.get("type")
    if expected and (not isinstance(value, _JSON_TYPES[expected]) or (expected == "integer" and value is True)):
        actual = next(name for name, types in _JSON_TYPES.items() if isinstance(value, types))
        text = f'Invalid value: "{actual}": {path} in body must be of type {expected}: "{actual}"'
        yield cause("FieldValueTypeInvalid", text, path)
        return
    yield from _values(value, schema, path)
    if isinstance(value, dict):
        for key in schema.get("required", ()):
            if key not in value:
                yield cause("FieldValueRequired", "Required value", f"{path}.{key}" if path else key)
        for key, item in value.items():
            yield from _schema(item, child_schema(schema, key), f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _schema(item, schema.get("items"), f"{path}[{index}]")


def _values(value: Any, schema: Schema, path: str) -> Iterator[dict[str, str]]:
    if "enum" in schema and value not in schema["enum"]:
        values = ", ".join(json.dumps(item) for item in schema["enum"])
        text = f"Unsupported value: {json.dumps(value)}: supported values: {values}"
        yield cause("FieldValueNotSupported", text, path)
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        text = f"Invalid value: {json.dumps(value)}: {path} in body should match '{schema['pattern']}'"
        yield cause("FieldValueInvalid", text, path)


def _immutable(new: dict[str, Any], old: dict[str, Any]) -> Iterator[dict[str, str]]:
    if old.get("immutable"):
        text = "Forbidden: field is immutable when `immutable` is set"
        for field in ("immutable", "data"):
            if new.get(field) != old.get(field):
                yield cause("FieldValueForbidden", text, field)
    if new.get("type") != old.get("type"):
        text = f'Invalid value: "{new.get("type")}": field is immutable'
        yield cause("FieldValueInvalid", text, "type")
