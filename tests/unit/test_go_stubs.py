"""The committed code in stubs/go is what the protos give. `make stubs` generates it."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

ROOT: Final = Path(__file__).resolve().parents[2]
STUBS: Final = ROOT / "stubs" / "go"
BUF: Final = str(Path(sys.executable).with_name("buf"))
PROTOS: Final = sorted(path.relative_to(ROOT / "proto") for path in (ROOT / "proto").rglob("*.proto"))

_DESCRIPTOR = re.compile(r"_rawDesc = \"\" \+\n((?:\t\".*\"(?: \+)?\n)+)")
_ESCAPE = re.compile(r'\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[abfnrtv\\"])')


@cache
def files() -> dict[str, FileDescriptorProto]:
    built = [BUF, "build", "proto", "--output", "-"]
    image = subprocess.run(built, cwd=ROOT, check=True, capture_output=True).stdout
    return {file.name: file for file in FileDescriptorSet.FromString(image).file}


def bytes_of(literal: str) -> bytes:
    """What a string literal of Go means. \\x is a byte there, and other characters are written as UTF-8."""
    found, end = b"", 0
    for escape in _ESCAPE.finditer(literal):
        text = ast.literal_eval(f'"{escape[0]}"')
        found += literal[end : escape.start()].encode() + text.encode("latin-1" if escape[0][1] == "x" else "utf-8")
        end = escape.end()
    return found + literal[end:].encode()


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.stem)
def test_the_go_stubs_have_the_messages_and_services_of_the_protos(proto: Path) -> None:
    """Go is not needed for this."""
    code = (STUBS / proto).with_suffix(".pb.go").read_text(encoding="utf-8")
    literals = _DESCRIPTOR.search(code)
    assert literals is not None
    lines = re.findall(r"^\t\"(.*)\"(?: \+)?$", literals[1], re.MULTILINE)
    generated = FileDescriptorProto.FromString(b"".join(map(bytes_of, lines)))
    expected = FileDescriptorProto.FromString(files()[proto.as_posix()].SerializeToString())
    expected.ClearField("source_code_info")
    expected.DiscardUnknownFields()  # those of buf
    generated.DiscardUnknownFields()
    assert generated == expected, f"stubs/go is not up to date for {proto}: run `make stubs`"
    assert (STUBS / proto).with_suffix("").with_name(f"{proto.stem}_grpc.pb.go").exists() == bool(expected.service)


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.stem)
def test_the_go_stubs_have_the_comments_of_the_protos(proto: Path) -> None:
    code = (STUBS / proto).with_suffix("")
    files_of_go = [path for path in (code.with_suffix(".pb.go"), Path(f"{code}_grpc.pb.go")) if path.exists()]
    lines = {line.strip() for path in files_of_go for line in path.read_text(encoding="utf-8").splitlines()}
    comments = [found.leading_comments for found in files()[proto.as_posix()].source_code_info.location]
    missing = [line for comment in comments for line in comment.splitlines() if f"//{line}".strip() not in lines]
    assert missing == [], f"stubs/go is not up to date for {proto}: run `make stubs`"


@pytest.mark.golang
@pytest.mark.timeout(900)  # the first run compiles the generators
@pytest.mark.skipif(shutil.which("go") is None, reason="generating the stubs of Go needs it")
def test_the_go_stubs_are_what_the_generators_make(tmp_path: Path) -> None:
    generate = [BUF, "generate", "--template", "buf.gen.go.yaml", "--output", str(tmp_path)]
    subprocess.run(generate, cwd=ROOT, check=True, capture_output=True)
    made, committed = (
        {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.pb.go")}
        for folder in (tmp_path / "stubs" / "go", STUBS)
    )
    assert made.keys() == committed.keys()
    stale = [name for name in made if made[name] != committed[name]]
    assert stale == [], "run `make stubs`"
