"""The pages of the site about the gRPC API: each file of proto/ with its comments, and the roles and REST routes of its
RPCs."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path

from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from registry_grpc.adapters.grpc import servicers
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.shipped import PROJECT_ROOT

PACKAGE = "modelregistry.v1"
_PROTOS = PROJECT_ROOT / "proto"
_REST = "/api/v1/model-registry"
REPOSITORY = "https://github.com/registrygrpc/registry-grpc"
_INTRODUCTION = """\
# gRPC reference

All services and messages of the package `modelregistry.v1`, made from
[proto/modelregistry/v1](https://github.com/registrygrpc/registry-grpc/tree/main/proto/modelregistry/v1). The
[guide to the API](../api.md) tells how they work together: the metadata of calls, retries, masks, lists and errors.
Every call may be refused with one of the [reasons of errors](grpc/error_reason.md). The role is the least that the
caller needs in the project, if the registry [asks for tokens](../access.md). REST routes are written without the
`/api/v1/model-registry` with which they begin.

"""


def pages() -> dict[str, str]:
    """The texts of the pages by their names."""
    found = sorted((it for it in _descriptors().file if it.package == PACKAGE), key=lambda it: it.name)
    owners = {name: Path(file.name).stem for file in found for name in _types_of(file)}
    roles = declared_roles()
    return {"index.md": _overview(found, roles)} | {
        f"grpc/{Path(file.name).stem}.md": _Page(file, owners, roles).text() for file in found
    }


def declared_roles() -> dict[str, str]:
    """The least role of the callers of each RPC."""
    modules = [
        importlib.import_module(f"{servicers.__name__}.{it.name}") for it in pkgutil.iter_modules(servicers.__path__)
    ]
    classes = {
        it for module in modules for it in vars(module).values() if inspect.isclass(it) and hasattr(it, "SERVICE")
    }
    return {name: rpc.least.name for it in classes for name, rpc in vars(it).items() if isinstance(rpc, Rpc)}


def _descriptors() -> FileDescriptorSet:
    """Those of the Python stubs have no comments."""
    names = sorted(str(path.relative_to(_PROTOS)) for path in _PROTOS.rglob("*.proto"))
    includes = (_PROTOS, PROJECT_ROOT / "third_party" / "proto", files("grpc_tools") / "_proto")
    with tempfile.NamedTemporaryFile() as target:
        options = [f"-I{folder}" for folder in includes]
        options += [f"--descriptor_set_out={target.name}", "--include_source_info", "--include_imports"]
        if protoc.main(["protoc", *options, *names]) != 0:
            sys.exit("protoc failed")
        return FileDescriptorSet.FromString(Path(target.name).read_bytes())


def _types_of(file: FileDescriptorProto) -> Iterator[str]:
    yield from (f".{PACKAGE}.{it.name}" for it in (*file.message_type, *file.enum_type))


def _overview(found: Iterable[FileDescriptorProto], roles: Mapping[str, str]) -> str:
    lines = []
    for file in found:
        page = f"grpc/{Path(file.name).stem}.md"
        for service in file.service:
            lines += [f"## {service.name}", "", "| RPC | Role | REST |", "|---|---|---|"]
            for method in service.method:
                name = f"[{method.name}]({page}#{method.name.lower()})"
                lines.append(f"| {name} | {roles[method.name]} | {_route_of(method)} |")
            lines.append("")
    return _INTRODUCTION + "\n".join(lines)


def _route_of(method: MethodDescriptorProto) -> str:
    """Of REST; empty if it has none."""
    rule = method.options.Extensions[annotations_pb2.http]
    verb = rule.WhichOneof("pattern")
    return f"`{verb.upper()} {getattr(rule, verb).removeprefix(_REST)}`" if verb else ""


class _Page:
    """The page of one file."""

    def __init__(self, file: FileDescriptorProto, owners: Mapping[str, str], roles: Mapping[str, str]) -> None:
        self._file, self._owners, self._roles = file, owners, roles
        self._stem = Path(file.name).stem
        self._comments = {tuple(it.path): it.leading_comments for it in file.source_code_info.location}

    def text(self) -> str:
        title = self._stem.replace("_", " ").capitalize()
        source = f"[proto/{self._file.name}]({REPOSITORY}/blob/main/proto/{self._file.name})"
        lines = [f"# {title}", "", f"Made from {source}.", ""]
        for place, service in enumerate(self._file.service):
            lines += self._service(service, (6, place))
        if self._file.message_type:
            lines += ["## Messages", ""]
        for place, message in enumerate(self._file.message_type):
            lines += self._message(message, (4, place), message.name)
        if self._file.enum_type:
            lines += ["## Enums", ""]
        for place, enum in enumerate(self._file.enum_type):
            lines += self._enum(enum, (5, place), enum.name)
        return "\n".join(lines)

    def _service(self, service: ServiceDescriptorProto, path: tuple[int, ...]) -> Iterator[str]:
        yield from (f"## {service.name}", "", self._comment(path), "")
        for place, method in enumerate(service.method):
            yield from (f"### {method.name}", "", self._comment((*path, 2, place)), "")
            asked, answered = (self._link(it) for it in (method.input_type, method.output_type))
            streams = ["stream of " if it else "" for it in (method.client_streaming, method.server_streaming)]
            yield f"- Request: {streams[0]}{asked}"
            yield f"- Answer: {streams[1]}{answered}"
            yield f"- Role: {self._roles[method.name]}"
            if route := _route_of(method):
                yield f"- REST: {route}"
            yield ""

    def _message(self, message: DescriptorProto, path: tuple[int, ...], name: str) -> Iterator[str]:
        yield from (f"### {name}", "", self._comment(path), "")
        if message.field:
            yield from ("| Field | Type | Meaning |", "|---|---|---|")
        entries = {it.name: it for it in message.nested_type if it.options.map_entry}
        for place, field in enumerate(message.field):
            meaning = self._cell((*path, 2, place))
            if field_behavior_pb2.REQUIRED in field.options.Extensions[field_behavior_pb2.field_behavior]:
                meaning = f"**Required.** {meaning}"
            yield f"| `{field.name}` | {self._type(field, entries)} | {meaning} |"
        yield ""
        for place, nested in enumerate(message.nested_type):
            if not nested.options.map_entry:
                yield from self._message(nested, (*path, 3, place), f"{name}.{nested.name}")
        for place, enum in enumerate(message.enum_type):
            yield from self._enum(enum, (*path, 4, place), f"{name}.{enum.name}")

    def _enum(self, enum: EnumDescriptorProto, path: tuple[int, ...], name: str) -> Iterator[str]:
        yield from (f"### {name}", "", self._comment(path), "", "| Value | Number | Meaning |", "|---|---|---|")
        for place, value in enumerate(enum.value):
            yield f"| `{value.name}` | {value.number} | {self._cell((*path, 2, place))} |"
        yield ""

    def _type(self, field: FieldDescriptorProto, entries: Mapping[str, DescriptorProto]) -> str:
        if entry := entries.get(field.type_name.rpartition(".")[2]):
            key, value = (self._type(it, {}) for it in entry.field)
            return f"map of {key} to {value}"
        scalar = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
        kind = self._link(field.type_name) if field.type_name else scalar
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {kind}"
        return f"optional {kind}" if field.proto3_optional else kind

    def _link(self, type_name: str) -> str:
        name = type_name.removeprefix(f".{PACKAGE}.")
        top = name.partition(".")[0]
        owner = self._owners.get(f".{PACKAGE}.{top}")
        if owner is None:
            return f"`{type_name.removeprefix('.')}`"
        page = "" if owner == self._stem else f"{owner}.md"
        return f"[{name}]({page}#{name.lower().replace('.', '')})"

    def _cell(self, path: tuple[int, ...]) -> str:
        return " ".join(self._comment(path).split()).replace("|", "\\|")

    def _comment(self, path: tuple[int, ...]) -> str:
        return "\n".join(line.removeprefix(" ") for line in self._comments.get(path, "").splitlines()).strip()
