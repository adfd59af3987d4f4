"""The descriptor set by which the gateway finds the RPC for a REST request. It is derived from the annotated protos.

The registry reads REST requests and writes their answers itself, so Envoy has to pass both on unchanged. Every service
with REST routes has a sibling `modelregistry.v1.rest.<Service>` whose methods take and return `google.api.HttpBody`
under the same paths. Variables in paths become `*` and every rule has a body, so that Envoy only looks at the path.

`registry-grpc gateway FOLDER` writes the set next to the gateway's other files.
"""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from importlib import import_module

from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from registry_grpc.gen.modelregistry import v1

REST_PACKAGE = "modelregistry.v1.rest"


def gateway_descriptor_set() -> bytes:
    """The serialized FileDescriptorSet: the REST siblings, after the files that they import."""
    api_files = [
        import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR
        for module in pkgutil.iter_modules(v1.__path__)
        if module.name.endswith("_pb2")
    ]
    rest = rest_file(api_files)
    files: dict[str, FileDescriptorProto] = {}
    for file in (annotations_pb2.DESCRIPTOR, httpbody_pb2.DESCRIPTOR):
        add_with_imports(files, file)
    return FileDescriptorSet(file=[*files.values(), rest]).SerializeToString(deterministic=True)


def rest_file(api_files: list[FileDescriptor]) -> FileDescriptorProto:
    """The file that declares the REST siblings."""
    rest = FileDescriptorProto(
        name="modelregistry/v1/rest/services.proto",
        package=REST_PACKAGE,
        syntax="proto3",
        dependency=[annotations_pb2.DESCRIPTOR.name, httpbody_pb2.DESCRIPTOR.name],
    )
    for file in api_files:
        for service in file.services_by_name.values():
            methods = list(rest_methods(service))
            if methods:
                rest.service.append(ServiceDescriptorProto(name=service.name, method=methods))
    rest.service.append(health_service())
    return rest


def rest_methods(service: ServiceDescriptor) -> Iterator[MethodDescriptorProto]:
    for method in service.methods:
        if method.GetOptions().HasExtension(annotations_pb2.http):
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            yield raw_method(method.name, *(raw_rule(each) for each in (rule, *rule.additional_bindings)))


def raw_rule(rule: http_pb2.HttpRule) -> http_pb2.HttpRule:
    verb = rule.WhichOneof("pattern") or "custom"
    path = re.sub(r"{\w+}", "*", getattr(rule, verb))
    return http_pb2.HttpRule(**{verb: path}, body="*")


def raw_method(name: str, rule: http_pb2.HttpRule, *more: http_pb2.HttpRule) -> MethodDescriptorProto:
    body = f".{httpbody_pb2.HttpBody.DESCRIPTOR.full_name}"
    method = MethodDescriptorProto(name=name, input_type=body, output_type=body)
    method.options.Extensions[annotations_pb2.http].MergeFrom(rule)
    method.options.Extensions[annotations_pb2.http].additional_bindings.extend(more)
    return method


def health_service() -> ServiceDescriptorProto:
    """GET and HEAD /healthz. gRPC clients ask the standard `grpc.health.v1.Health` instead."""
    head = http_pb2.CustomHttpPattern(kind="HEAD", path="/healthz")
    check = raw_method("Check", http_pb2.HttpRule(get="/healthz", body="*"), http_pb2.HttpRule(custom=head, body="*"))
    return ServiceDescriptorProto(name="HealthService", method=[check])


def add_with_imports(files: dict[str, FileDescriptorProto], file: FileDescriptor) -> None:
    """Add a file after the files that it imports, as Envoy requires."""
    if file.name in files:
        return
    for imported in file.dependencies:
        add_with_imports(files, imported)
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    files[file.name] = proto
