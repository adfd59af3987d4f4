"""The comments of the protos, in the words of REST."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from registry_grpc.shipped import PROJECT_ROOT

_PROTOS = PROJECT_ROOT / "proto"
_FOLDERS = (_PROTOS, PROJECT_ROOT / "third_party" / "proto", files("grpc_tools") / "_proto")

_SENTENCES = re.compile(r"(?<=[.:])\s+(?=[A-Z`])")
# `at most 250 characters (REST: 100)`
_OTHER_LIMIT = re.compile(r"[\d,]+ characters \(REST: ([\d,]+)\)")


def comment(name: str) -> str:
    """That of the service, method, message, field, enum or value with this full name: without the name with which it
    may begin, and without what is not about REST."""
    text = _comments()[name]
    own = name.rpartition(".")[2]
    if text.startswith(f"{own} "):
        text = text.removeprefix(f"{own} ")
        for verb in ("is ", "are ", "has ", "carries ", "names "):
            text = text.removeprefix(verb)
        text = text[0].upper() + text[1:]
    about_rest = [sentence for sentence in _SENTENCES.split(text) if "gRPC" not in sentence]
    return _OTHER_LIMIT.sub(r"\1 characters", " ".join(about_rest or [text]))


@cache
def _comments() -> dict[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "protos"
        sources = sorted(str(path.relative_to(_PROTOS)) for path in _PROTOS.rglob("*.proto"))
        options = ["--include_source_info", f"--descriptor_set_out={target}"]
        if protoc.main(["protoc", *(f"-I{folder}" for folder in _FOLDERS), *options, *sources]) != 0:
            raise RuntimeError("protoc failed")
        protos = FileDescriptorSet.FromString(target.read_bytes())
    return {
        name: " ".join(location.leading_comments.split("\n\n")[0].split())
        for file in protos.file
        for location in file.source_code_info.location
        if (name := _name(file, location.path))
    }


def _name(element: Any, path: Any) -> str:
    """The full name of the element at this path of numbers, which are those of fields and places in them by turns.
    Empty for what has no name, for example an option."""
    names = [element.package]
    for number, place in zip(path[::2], path[1::2], strict=False):
        children = getattr(element, element.DESCRIPTOR.fields_by_number[number].name)
        element = children[place] if hasattr(children, "__len__") and not isinstance(children, str) else None
        if not hasattr(element, "name"):
            return ""
        names.append(element.name)
    return ".".join(names) if len(path) > 1 and len(path) % 2 == 0 else ""
