"""The checks of a kube-apiserver itself: unknown fields, wrong types, bad names and labels, immutable fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import bad_request, cause, invalid
from registry_grpc.devtools.simulated_cluster.api.fields import child_schema
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, SECRETS, Resource
from registry_grpc.devtools.simulated_cluster.api.schemas import Schema

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_JSON_TYPES = {
    dict: "object", list: "array", str: "string", int: "integer", bool: "boolean", float: "number", type(None): "null"
}  # fmt: skip


def validated(
    new: dict[str, Any], old: dict[str, Any] | None, resource: Resource, *, strict: bool = False
) -> dict[str, Any]:
    """The object without the fields that its schema does not declare. If strict, such a field raises a 400.

    Raises a 422 that names all invalid fields.
    """
    unknown: list[str] = []
    causes = [*_of_metadata(new["metadata"], resource), *_of_constants(new, old, resource)]
    result: dict[str, Any] = _checked(new, resource.schema, "", unknown, causes)
    if strict and unknown:
        fields = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {fields}"
        )
    if causes:
        raise invalid(resource, new["metadata"]["name"], causes)
    return result


def undeclared(obj: dict[str, Any], schema: Schema) -> list[str]:
    """The fields that the schema does not declare."""
    unknown: list[str] = []
    _checked(obj, schema, "", unknown, [])
    return unknown


def _checked(value: Any, schema: Schema, path: str, unknown: list[str], causes: list[dict[str, str]]) -> Any:
    """The value without unknown fields. Adds these to `unknown`, and errors to `causes`."""
    actual = _JSON_TYPES[type(value)]
    if value is not None and schema.get("type", actual) != actual:
        text = f'Invalid value: "{actual}": {path} in body must be of type {schema["type"]}: "{actual}"'
        causes.append(cause("FieldValueTypeInvalid", text, path))
        return value
    if "enum" in schema and value not in schema["enum"]:
        values = ", ".join(json.dumps(item) for item in schema["enum"])
        text = f"Unsupported value: {json.dumps(value)}: supported values: {values}"
        causes.append(cause("FieldValueNotSupported", text, path))
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        text = f"Invalid value: {json.dumps(value)}: {path} in body should match '{schema['pattern']}'"
        causes.append(cause("FieldValueInvalid", text, path))
    if isinstance(value, list):
        items = schema.get("items", {})
        return [_checked(item, items, f"{path}[{number}]", unknown, causes) for number, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    prefix = f"{path}." if path else ""
    missing = [key for key in schema.get("required", ()) if key not in value]
    causes += [cause("FieldValueRequired", "Required value", prefix + key) for key in missing]
    is_closed = "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields")
    unwanted = [key for key in value if is_closed and key not in schema["properties"]]
    unknown += [prefix + key for key in unwanted]
    return {
        key: _checked(item, child_schema(schema, key), prefix + key, unknown, causes)
        for key, item in value.items()
        if key not in unwanted
    }


def _of_metadata(metadata: dict[str, Any], resource: Resource) -> Iterator[dict[str, str]]:
    name = metadata["name"]
    pattern, limit = (_DNS_LABEL, 63) if resource is NAMESPACES else (_SUBDOMAIN, 253)
    if len(name) > limit or not pattern.fullmatch(name):
        text = f'Invalid value: "{name}": a lowercase RFC 1123 name of at most {limit} characters is required'
        yield cause("FieldValueInvalid", text, "metadata.name")
    for value in metadata.get("labels", {}).values():
        if not (isinstance(value, str) and _LABEL.fullmatch(value)):
            text = (
                f"Invalid value: {json.dumps(value)}: a valid label must be an empty string or consist of "
                "alphanumeric characters, '-', '_' or '.', and must be no more than 63 characters"
            )
            yield cause("FieldValueInvalid", text, "metadata.labels")


def _of_constants(new: dict[str, Any], old: dict[str, Any] | None, resource: Resource) -> Iterator[dict[str, str]]:
    if resource is SECRETS and old and old.get("immutable"):
        for field in ("immutable", "data"):
            if new.get(field) != old.get(field):
                text = "Forbidden: field is immutable when `immutable` is set"
                yield cause("FieldValueForbidden", text, field)
