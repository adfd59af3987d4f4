"""The descriptor set from which the gateway transcodes REST, derived from the annotated protos.

Envoy needs services that return `google.api.HttpBody`, because only the registry can write the preserved JSON; gRPC
clients need the typed ones. So for every service with REST routes there is a sibling `modelregistry.v1.rest.<Service>`:
its methods take the same requests under the same `google.api.http` rules and return HttpBody.

    python -m registry_grpc.devtools.gateway_descriptor gateway/registry.pb
"""

from __future__ import annotations

import argparse
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from google.api import annotations_pb2, httpbody_pb2
from google.protobuf import empty_pb2
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
    """The serialized FileDescriptorSet: the protos, all they import, and the REST siblings, in dependency order."""
    api_files = [
        import_module(f"{v1.__name__}.{module.name}").DESCRIPTOR
        for module in pkgutil.iter_modules(v1.__path__)
        if module.name.endswith("_pb2")
    ]
    rest = rest_file(api_files)
    files: dict[str, FileDescriptorProto] = {}
    for file in (*api_files, annotations_pb2.DESCRIPTOR, httpbody_pb2.DESCRIPTOR, empty_pb2.DESCRIPTOR):
        add_with_imports(files, file)
    return FileDescriptorSet(file=[*files.values(), rest]).SerializeToString(deterministic=True)


def rest_file(api_files: list[FileDescriptor]) -> FileDescriptorProto:
    """The file that declares the REST siblings."""
    rest = FileDescriptorProto(
        name="modelregistry/v1/rest/services.proto",
        package=REST_PACKAGE,
        syntax="proto3",
        dependency=[
            file.name
            for file in (
                *api_files,
                annotations_pb2.DESCRIPTOR,
                httpbody_pb2.DESCRIPTOR,
                empty_pb2.DESCRIPTOR,
            )
        ],
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
            sibling = MethodDescriptorProto()
            method.CopyToProto(sibling)
            sibling.output_type = f".{httpbody_pb2.HttpBody.DESCRIPTOR.full_name}"
            yield sibling


def health_service() -> ServiceDescriptorProto:
    """GET /healthz. It has no typed counterpart: gRPC clients ask the standard `grpc.health.v1.Health`."""
    check = MethodDescriptorProto(
        name="Check",
        input_type=f".{empty_pb2.Empty.DESCRIPTOR.full_name}",
        output_type=f".{httpbody_pb2.HttpBody.DESCRIPTOR.full_name}",
    )
    rule = check.options.Extensions[annotations_pb2.http]
    rule.get = "/healthz"
    head = rule.additional_bindings.add().custom
    head.kind, head.path = "HEAD", "/healthz"
    return ServiceDescriptorProto(name="HealthService", method=[check])


def add_with_imports(files: dict[str, FileDescriptorProto], file: FileDescriptor) -> None:
    """Add a file after the files it imports, the order in which Envoy can load them."""
    if file.name in files:
        return
    for imported in file.dependencies:
        add_with_imports(files, imported)
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    files[file.name] = proto


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the gateway's descriptor set.")
    parser.add_argument("out", type=Path, help="the file to write")
    parser.parse_args().out.write_bytes(gateway_descriptor_set())


if __name__ == "__main__":
    main()
