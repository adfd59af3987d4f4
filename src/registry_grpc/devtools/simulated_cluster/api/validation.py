"""What a kube-apiserver itself refuses: unknown fields, wrong types, bad names and labels, changed constants."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from registry_grpc.devtools.simulated_cluster.api.errors import bad_request, cause, invalid
from registry_grpc.devtools.simulated_cluster.api.fields import child_schema, is_closed
from registry_grpc.devtools.simulated_cluster.api.resources import NAMESPACES, SECRETS, Resource
from registry_grpc.devtools.simulated_cluster.api.schemas import Schema

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_DNS_LABEL.pattern}(\.{_DNS_LABEL.pattern})*")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_JSON_TYPES: dict[type, str] = {
    dict: "object", list: "array", str: "string", int: "integer", bool: "boolean", float: "number"
}  # fmt: skip


def validated(
    new: dict[str, Any], old: dict[str, Any] | None, resource: Resource, *, strict: bool = False
) -> dict[str, Any]:
    """The object without the fields its schema does not declare, which are a 400 when strict.

    Raises the 422 that names every offending field.
    """
    check = _Check()
    result: dict[str, Any] = check.against(resource.schema, new, "")
    if strict and check.unknown:
        fields = ", ".join(f'unknown field "{path}"' for path in check.unknown)
        raise bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"strict decoding error: {fields}"
        )
    causes = [*_of_metadata(new["metadata"], resource), *check.causes]
    if resource is SECRETS and old is not None:
        causes += _of_constants(new, old)
    if causes:
        raise invalid(resource, new["metadata"]["name"], causes)
    return result


class _Check:
    """One way through an object along its schema, and what was found on it."""

    def __init__(self) -> None:
        self.unknown: list[str] = []
        self.causes: list[dict[str, str]] = []

    def against(self, schema: Schema, value: Any, path: str) -> Any:
        """The value without unknown fields."""
        expected, actual = schema.get("type"), _JSON_TYPES.get(type(value))
        if value is None or (expected and expected != actual):
            if value is not None:
                text = f'Invalid value: "{actual}": {path} in body must be of type {expected}: "{actual}"'
                self.causes.append(cause("FieldValueTypeInvalid", text, path))
            return value
        self._check_value(schema, value, path)
        if isinstance(value, list):
            items = schema.get("items", {})
            return [self.against(items, item, f"{path}[{index}]") for index, item in enumerate(value)]
        return self._of_object(schema, value, f"{path}." if path else "") if isinstance(value, dict) else value

    def _of_object(self, schema: Schema, value: dict[str, Any], prefix: str) -> dict[str, Any]:
        missing = [key for key in schema.get("required", ()) if key not in value]
        self.causes += [cause("FieldValueRequired", "Required value", prefix + key) for key in missing]
        unknown = [key for key in value if is_closed(schema) and key not in schema["properties"]]
        self.unknown += [prefix + key for key in unknown]
        return {
            key: self.against(child_schema(schema, key), item, prefix + key)
            for key, item in value.items()
            if key not in unknown
        }

    def _check_value(self, schema: Schema, value: Any, path: str) -> None:
        if "enum" in schema and value not in schema["enum"]:
            values = ", ".join(json.dumps(item) for item in schema["enum"])
            text = f"Unsupported value: {json.dumps(value)}: supported values: {values}"
            self.causes.append(cause("FieldValueNotSupported", text, path))
        if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
            text = f"Invalid value: {json.dumps(value)}: {path} in body should match '{schema['pattern']}'"
            self.causes.append(cause("FieldValueInvalid", text, path))


def _of_metadata(metadata: dict[str, Any], resource: Resource) -> Iterator[dict[str, str]]:
    name = metadata["name"]
    pattern, limit = (_DNS_LABEL, 63) if resource is NAMESPACES else (_SUBDOMAIN, 253)
    if len(name) > limit or not pattern.fullmatch(name):
        text = f'Invalid value: "{name}": a lowercase RFC 1123 name of at most {limit} characters is required'
        yield cause("FieldValueInvalid", text, "metadata.name")
    labels = metadata.get("labels", {})
    for value in labels.values():
        if value and not (isinstance(value, str) and len(value) <= 63 and _LABEL_NAME.fullmatch(value)):
            text = (
                f"Invalid value: {json.dumps(value)}: a valid label must be an empty string or consist of "
                "alphanumeric characters, '-', '_' or '.', and must be no more than 63 characters"
            )
            yield cause("FieldValueInvalid", text, "metadata.labels")
    for field, keys in (("labels", labels), ("annotations", metadata.get("annotations", {}))):
        for key in keys:
            prefix, _, short = key.rpartition("/")
            valid = len(short) <= 63 and _LABEL_NAME.fullmatch(short)
            if not valid or (prefix and not _SUBDOMAIN.fullmatch(prefix)):
                text = f'Invalid value: "{key}": a qualified name must consist of an optional DNS prefix and a name'
                yield cause("FieldValueInvalid", text, f"metadata.{field}")


def _of_constants(new: dict[str, Any], old: dict[str, Any]) -> Iterator[dict[str, str]]:
    if old.get("immutable"):
        text = "Forbidden: field is immutable when `immutable` is set"
        for field in ("immutable", "data"):
            if new.get(field) != old.get(field):
                yield cause("FieldValueForbidden", text, field)
    if new.get("type") != old.get("type"):
        text = f'Invalid value: "{new.get("type")}": field is immutable'
        yield cause("FieldValueInvalid", text, "type")
