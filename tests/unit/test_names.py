"""Names in the protos are names in the languages of clients too."""

from __future__ import annotations

import re
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from tests.unit.test_every_field_arrives import SERVICERS

# Keywords of the languages whose fields keep the lower case of the protos: Rust, C++, Python and Ruby.
_WORDS = """
    abstract alignas alignof and as asm assert async await become begin bool box break case catch char class
    concept const continue crate decltype def default defined del delete do double dyn elif else elsif end
    ensure enum except explicit export extern false final finally float fn for friend from gen global goto if
    impl import in inline int is lambda let long loop macro match mod module move mut mutable namespace new next
    nil noexcept nonlocal not operator or override pass priv private protected pub public raise redo ref
    register requires rescue retry return self short signed sizeof static struct super switch template then this
    throw trait true try type typedef typeof undef union unless unsafe unsigned unsized until use using virtual
    void volatile when where while with yield
"""
RESERVED = set(_WORDS.split())
ACCEPTED = {"AuditEntry.type", "Event.type", "Deployment.namespace", "Orphan.namespace", "Toleration.operator"}
"""The names that CloudEvents and Kubernetes have."""
# What the methods of Java end with that belong to another field.
OF_REPEATED, OF_TEXTS, OF_ENUMS = ("_count", "_list", "_map"), ("_bytes",), ("_value",)


def messages() -> Iterator[Descriptor]:
    files: dict[str, FileDescriptor] = {}
    waiting = [servicer.SERVICE.file for servicer, _ in SERVICERS]
    while waiting:
        file = waiting.pop()
        if file.package == "modelregistry.v1" and file.name not in files:
            files[file.name] = file
            waiting += file.dependencies
    for file in files.values():
        yield from file.message_types_by_name.values()


def wrong(message: Descriptor, field: FieldDescriptor) -> Iterator[str]:
    place = f"{message.name}.{field.name}"
    if field.name in RESERVED and place not in ACCEPTED:
        yield f"{place} is a reserved word"
    if field.camelcase_name.lower() == message.name.lower():
        yield f"{place} has the name of its message, to which C# adds an underscore"
    others = OF_REPEATED if field.is_repeated else OF_ENUMS if field.enum_type else OF_TEXTS
    for end in others:
        if field.name + end in message.fields_by_name:
            yield f"{place}{end} collides with a method of {field.name} in Java"
    enum = field.enum_type
    if enum and enum.file.package == message.file.package:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper() + "_"
        for value in enum.values:
            if not value.name.startswith(prefix) or value.name[len(prefix)].isdigit():
                yield f"{value.name} does not begin with {prefix} and a letter, so that C# and Rust cannot shorten it"


def test_no_name_surprises_a_client() -> None:
    found = list(messages())
    assert len(found) > 150
    assert [each for message in found for field in message.fields for each in wrong(message, field)] == []
