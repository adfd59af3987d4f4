"""Where the fields of a request stand, and what clients call them. Only requests that are refused need to know."""

from __future__ import annotations

from google.api import annotations_pb2
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor

from registry_grpc.adapters.grpc.call import Call

# Parameters that the contract spells otherwise than the protos.
_QUERY_NAMES = {"external_id": "externalId", "parent_resource_id": "parentResourceId"}


def method_of(call: Call) -> MethodDescriptor:
    """The typed method; a REST call has come to its sibling."""
    service, _, name = call.rpc.name.replace(".rest.", ".").partition("/")
    return descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]


def path_of(call: Call, field: str) -> str:
    """From the request to a field that a rule names as in JSON: `name` becomes `registered_model.name`."""
    request = method_of(call).input_type
    first = field.partition(".")[0]
    if first not in request.fields_by_name:
        for outer in request.fields:
            if outer.message_type and first in outer.message_type.fields_by_name:
                return f"{outer.name}.{field}"
    return field


def client_name(call: Call, path: str) -> str:
    """What the client calls the field at a path from the request: in JSON the body stands for itself."""
    if call.rpc.body:
        return path.removeprefix(f"{call.rpc.body}.")
    return _QUERY_NAMES.get(path, path) if call.rpc.is_rest else path


def is_in_route(call: Call, path: str) -> bool:
    """Whether a field of the request is a variable in the path of its route."""
    rule = method_of(call).GetOptions().Extensions[annotations_pb2.http]
    bindings = (rule, *rule.additional_bindings)
    return any(f"{{{path}}}" in getattr(each, each.WhichOneof("pattern") or "get") for each in bindings)
