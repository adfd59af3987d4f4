"""JSON schemas of what a client sends, made of the descriptors by which adapters.rest.body and .requests read it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from scripts.openapi.comments import comment

from modelregistry._validate import validate_pb2
from registry_grpc.adapters.grpc.mapping.common import LONGEST_DURATION
from registry_grpc.adapters.rest.body import BITS, WORDS, is_of_contract, key_of, numbers_of
from registry_grpc.domain.model_version import FILES
from registry_grpc.domain.rules import CONTRACT_LIMITS

JSON = dict[str, Any]

UUID: JSON = {"type": "string", "format": "uuid"}
_RULES: Any = vars(validate_pb2)["field"]
# By gRPC, a version can be made without files, and an environment can be found by its external id.
_REQUIRED_BY_REST = {"NewModelVersion": FILES, "FindServingEnvironmentRequest": ("name",)}
_NAMES = {"Tags": "NewTags"}  # answers have Tags with all lists


def bodies_in(kind: Descriptor) -> dict[str, JSON]:
    """The schema of the message, and of those in it, by name."""
    fields = [field for field in kind.fields if is_of_contract(field)]
    found = {name_of(kind): _object(kind, fields)}
    for field in fields:
        if inner := _message_of(field):
            found |= bodies_in(inner)
    return found


def name_of(kind: Descriptor) -> str:
    return _NAMES.get(kind.name, kind.name)


def has_ids(kind: Descriptor) -> bool:
    """Whether a request of this kind can name an object of the project."""
    return any(
        field.name.endswith(("_id", "_ids")) and field.name != "external_id"
        for field in kind.fields
        if is_of_contract(field)
    )


def parameter(field: FieldDescriptor, sort_fields: Collection[str]) -> JSON:
    """The schema of a parameter of the query."""
    if field.name == "sort_by":
        return {"type": "string", "enum": list(sort_fields)}
    return _value(field, _rules(field)) | ({"minLength": 1} if is_required(field) else {})


def _object(kind: Descriptor, fields: list[FieldDescriptor]) -> JSON:
    required = [field.name for field in fields if is_required(field)]
    return {
        "type": "object",
        "description": comment(kind.full_name),
        **({"required": required} if required else {}),
        "properties": {key_of(field): _property(field) for field in fields},
    }


def is_required(field: FieldDescriptor) -> bool:
    message = field.full_name.split(".")[-2]
    if field.name in _REQUIRED_BY_REST.get(message, ()):
        return True
    return field_behavior_pb2.REQUIRED in field.GetOptions().Extensions[field_behavior_pb2.field_behavior]


def _property(field: FieldDescriptor) -> JSON:
    schema = _schema(field)
    if is_required(field):
        if schema["type"] == "string" and "format" not in schema:
            schema["minLength"] = 1
    else:
        schema = _or_null(schema)
    return schema | {"description": _description(field)}


def _or_null(schema: JSON) -> JSON:
    """A null counts as absent."""
    if "$ref" in schema or schema.get("format") == "uuid":
        return {"anyOf": [schema, {"type": "null"}]}
    if "enum" in schema:
        schema |= {"enum": [*schema["enum"], None]}
    return schema | {"type": [schema["type"], "null"]}


def _description(field: FieldDescriptor) -> str:
    text = comment(field.full_name)
    if field.enum_type:
        words, enum = WORDS[field.enum_type.name], field.enum_type
        values = {value.number: f"{enum.full_name}.{value.name}" for value in enum.values}
        names = {name: values[number] for name, number in numbers_of(enum).items() if number}
        text = " ".join([text, *(f"`{words[name]}`: {comment(value)}" for name, value in names.items())])
    return text


def _schema(field: FieldDescriptor) -> JSON:
    rules = _rules(field)
    inner = field.message_type
    if inner is Struct.DESCRIPTOR or (inner and inner.GetOptions().map_entry):
        return _map(rules)
    if inner is Duration.DESCRIPTOR:
        low = rules.duration.gte.seconds or -LONGEST_DURATION
        return _integer(64, low, rules.duration.lte.seconds or LONGEST_DURATION)
    value = {"$ref": f"#/components/schemas/{name_of(inner)}"} if inner else _value(field, rules)
    if not field.is_repeated:
        return value
    if not inner:
        value = _value(field, rules.repeated.items)
        value = value if "format" in value else _or_null(value)  # a null is an empty text
    limit = {"maxItems": rules.repeated.max_items} if rules.repeated.HasField("max_items") else {}
    return {"type": "array", "items": value, **limit}


def _value(field: FieldDescriptor, rules: Any) -> JSON:
    if field.enum_type:
        words = WORDS[field.enum_type.name]
        # An empty text is the unspecified value.
        return {"type": "string", "enum": [str(words[name]) if name else "" for name in numbers_of(field.enum_type)]}
    if field.type == FieldDescriptor.TYPE_BOOL:
        return {"type": "boolean"}
    if field.type in BITS:
        ints = rules.int32 if BITS[field.type] == 32 else rules.int64
        low, high = (getattr(ints, name) if ints.HasField(name) else None for name in ("gte", "lte"))
        return _integer(BITS[field.type], low, high)
    schema = _text(field.name, rules.string)
    if "enum" in schema and rules.ignore == validate_pb2.IGNORE_IF_ZERO_VALUE:
        schema["enum"] = ["", *schema["enum"]]
    return schema


def _integer(bits: int, low: int | None, high: int | None) -> JSON:
    limits = {"minimum": low, "maximum": high}
    return {"type": "integer", "format": f"int{bits}"} | {name: at for name, at in limits.items() if at is not None}


def _text(name: str, rules: Any) -> JSON:
    if rules.uuid:
        return dict(UUID)
    if words := list(getattr(rules, "in")):
        return {"type": "string", "enum": words}
    schema: JSON = {"type": "string"}
    if rules.min_len:
        schema["minLength"] = rules.min_len
    # A text of so many bytes has at most as many characters.
    if limit := rules.max_len or rules.max_bytes:
        schema["maxLength"] = min(limit, CONTRACT_LIMITS.get(name, limit))
    return schema


def _map(rules: Any) -> JSON:
    value = _or_null(_text("", rules.map.values.string))
    keys = _text("", rules.map.keys.string)
    return {
        "type": "object",
        "additionalProperties": value,
        **({"propertyNames": keys} if len(keys) > 1 else {}),
        **({"maxProperties": rules.map.max_pairs} if rules.map.HasField("max_pairs") else {}),
    }


def _rules(field: FieldDescriptor) -> Any:
    return field.GetOptions().Extensions[_RULES]


def _message_of(field: FieldDescriptor) -> Descriptor | None:
    kind = field.message_type
    is_value = kind is None or kind.GetOptions().map_entry or kind in {Struct.DESCRIPTOR, Duration.DESCRIPTOR}
    return None if is_value else kind
