"""The descriptor set by which the gateway finds the RPC for a REST request. It is derived from the annotated protos.

The registry reads REST requests and writes their answers itself, so Envoy has to pass both on unchanged. Every service
with REST routes has a sibling `modelregistry.v1.rest.<Service>` whose methods take and return `google.api.HttpBody`
under the same paths. Variables in paths become `*` and every rule has a body, so that Envoy only looks at the path.
"""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf import any_pb2, descriptor_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from modelregistry import v1

REST_PACKAGE = "modelregistry.v1.rest"

# Each after those that it imports, as Envoy requires.
_IMPORTED = (descriptor_pb2, http_pb2, annotations_pb2, any_pb2, httpbody_pb2)


def gateway_descriptor_set() -> bytes:
    """The serialized FileDescriptorSet: the REST siblings, after the files that they import."""
    rest = FileDescriptorProto(
        name="modelregistry/v1/rest/services.proto",
        package=REST_PACKAGE,
        syntax="proto3",
        dependency=[annotations_pb2.DESCRIPTOR.name, httpbody_pb2.DESCRIPTOR.name],
    )
    modules = [module.name for module in pkgutil.iter_modules(v1.__path__) if module.name.endswith("_pb2")]
    for name in modules:
        for service in import_module(f"{v1.__name__}.{name}").DESCRIPTOR.services_by_name.values():
            if (sibling := _sibling(service)).method:
                rest.service.append(sibling)
    rest.service.append(_health_service())
    files = [FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb) for module in _IMPORTED]
    return FileDescriptorSet(file=[*files, rest]).SerializeToString(deterministic=True)


def _sibling(service: ServiceDescriptor) -> ServiceDescriptorProto:
    """The service's methods that have routes."""
    sibling = ServiceDescriptorProto(name=service.name)
    for method in service.methods:
        if method.GetOptions().HasExtension(annotations_pb2.http):
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            sibling.method.append(_method(method.name, *map(_raw, (rule, *rule.additional_bindings))))
    return sibling


def _raw(rule: http_pb2.HttpRule) -> http_pb2.HttpRule:
    verb = rule.WhichOneof("pattern") or "custom"
    return http_pb2.HttpRule(**{verb: re.sub(r"{\w+}", "*", getattr(rule, verb))}, body="*")


def _method(name: str, rule: http_pb2.HttpRule, *more: http_pb2.HttpRule) -> MethodDescriptorProto:
    body = f".{httpbody_pb2.HttpBody.DESCRIPTOR.full_name}"
    method = MethodDescriptorProto(name=name, input_type=body, output_type=body)
    method.options.Extensions[annotations_pb2.http].MergeFrom(rule)
    method.options.Extensions[annotations_pb2.http].additional_bindings.extend(more)
    return method


def _health_service() -> ServiceDescriptorProto:
    """GET and HEAD /healthz. gRPC clients ask the standard `grpc.health.v1.Health` instead."""
    head = http_pb2.CustomHttpPattern(kind="HEAD", path="/healthz")
    check = _method("Check", http_pb2.HttpRule(get="/healthz", body="*"), http_pb2.HttpRule(custom=head, body="*"))
    return ServiceDescriptorProto(name="HealthService", method=[check])
