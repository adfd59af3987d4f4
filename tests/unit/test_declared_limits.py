"""The rules that the protos declare for clients (buf.validate) are those by which the server refuses a request.

Nothing here names a limit: each declared rule of each field of each request is probed at its limit and one beyond it,
and protovalidate has to decide as the server does. The other way round, a text field without a rule takes long texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, get_type_hints
from uuid import uuid4

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from tests.fakes.requests import InMemoryRequests
from tests.unit.test_every_field_arrives import NOT_HANDED_ON, UNARY, Recorder, filled

from modelregistry._validate import validate_pb2
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.handlers import _once
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.domain.access import Caller
from registry_grpc.domain.canary import check_percent
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest

LONG = 10_000
RULES: Any = vars(validate_pb2)["field"]

# The texts of fields that do not take just any characters.
TEXT_OF: dict[str, Callable[[int], str]] = {
    "filter": lambda length: " " * length,
    "shared_memory": lambda length: "1" * length,
    "url": lambda length: "https://example.com/".ljust(length, "a") if length else "",
}
SAMPLES = {
    "^(sha256:[0-9a-f]{64})?$": (
        "", f"sha256:{'0a' * 32}", f"sha256:{'0A' * 32}", f"sha256:{'0a' * 31}0", f"sha256:{'0a' * 32}0", "0a" * 32,
        f"sha256:{'0a' * 32}\n",
    ),
}  # fmt: skip
"""For each declared pattern, texts that match it and others that nearly do."""
UUIDS = (str(uuid4()), str(uuid4()).upper(), "", "x", f"{uuid4()}0", f"{{{uuid4()}}}", f"{uuid4()}\n")
# The server also takes the 32 digits of a UUID without dashes, as REST clients may send them.
MORE_UUIDS = (uuid4().hex,)
# What would be in the way of a value, by the fields that are probed.
IN_THE_WAY = {
    "max_replicas": ("min_replicas",),
    "model_version_ids": ("model_version_id",),
    "version": ("id", "model_version_id", "model_version_ids"),
    "FindServingEnvironment.external_id": ("name",),
    "FindModelVersion.registered_model_id": ("parent_resource_id",),
    "FindModelArtifact.registered_model_id": ("parent_resource_id",),
    "FindInferenceService.serving_environment_id": ("external_id",),
}
NEEDED = {"FindInferenceService.serving_environment_id": {"name": "s"}}
# These may be empty, but not beside the other fields of the base.
NOT_ALONE = {
    *(f"CreateModelVersion.model_version.{name}" for name in ("uri", "model_framework", "model_framework_version")),
    "FindInferenceService.serving_environment_id",
    "GetModelVersion.id",
}
# Fields without a rule that do not take long texts, and why.
WITHOUT_RULE = {
    "page_token": "is only taken from an answer",
    "resume_token": "as page_token",
    "sort_by": "has a closed set of values",
    "order_by": "has a closed set of values",
    "event_id": "is only taken from an answer",
    "operator": "has a closed set of values",
    "effect": "has a closed set of values",
    "secret": "has a form of its own",
    "expected_version_id": "is an id, or empty for no version",
    "mount_path": "has a form of its own",
    "SetModelAlias.name": "has a form of its own",
    "DeleteModelAlias.name": "has a form of its own",
    "ListModelAliasMoves.name": "has a form of its own",
}


class Place(NamedTuple):
    """A field of a request: the fields that lead to it, and itself."""

    names: tuple[str, ...]
    field: FieldDescriptor

    @property
    def rules(self) -> Any:
        return self.field.GetOptions().Extensions[RULES]

    def __str__(self) -> str:
        return ".".join((*self.names, self.field.name))

    def container(self, request: Message) -> Any:
        """The message that has the field. Of a list, it is the first item."""
        message: Any = request
        for name in self.names:
            inner = getattr(message, name)
            message = inner[0] if message.DESCRIPTOR.fields_by_name[name].is_repeated else inner
        return message


def places(kind: Descriptor, rpc: str, names: tuple[str, ...] = ()) -> Iterator[Place]:
    """All fields of a request. What chooses another use case is a request of its own."""
    for field in kind.fields:
        yield Place(names, field)
        message = field.message_type
        skipped = {*NOT_HANDED_ON} & {field.name, ".".join((*names, field.name))}
        if message and not skipped and not message.GetOptions().map_entry and message.file.package == kind.file.package:
            yield from places(message, rpc, (*names, field.name))


def request_of(rpc: Rpc) -> Any:
    return GetMessageClass(get_type_hints(rpc.serve)["request"].DESCRIPTOR)()


def base(rpc: Rpc, name: str) -> Any:
    request = request_of(rpc)
    filled(request, name)
    return request


class Checking(Recorder):
    """A use case that checks what its arguments do not check when they are made, as the real ones do (Drafting)."""

    def __getattr__(self, name: str) -> Any:
        use = super().__getattr__(name)

        def checked(*args: Any, **kwargs: Any) -> Any:
            for each in (*args, *kwargs.values()):
                if isinstance(each, DeploymentOptions):
                    each.check()
            if (percent := kwargs.get("traffic_percent")) is not None:
                check_percent(percent)
            return use(*args, **kwargs)

        return checked


ANN = Caller(name="ann", method="none")
Served = tuple[type[Any], int, str, Rpc]


async def is_refused(served: Served, request: Any) -> bool:
    """Whether the server refuses the request as invalid, independent of what is stored."""
    servicer_type, use_cases, name, rpc = served
    servicer: Any = servicer_type(*[Checking()] * use_cases)
    call = Call(method=name, project_id=uuid4(), caller=ANN)
    try:
        if getattr(request, "request_id", ""):
            requests: Any = InMemoryRequests()
            await _once(requests, rpc, servicer, request, call, request.request_id, lambda _: b"")
        elif rpc.is_stream:
            async for _ in rpc.serve(servicer, request, call):
                pass
        else:
            await rpc.serve(servicer, request, call)
    except InvalidRequest:
        return True
    return False


def texts(name: str, length: int, *, in_bytes: bool = False) -> list[str]:
    """Texts of this length in characters or bytes."""
    if make := TEXT_OF.get(name):
        return [make(length)]
    many = ("a", "é", "\U0001f916") if length > 1 else ("a",)
    if not in_bytes:
        return [character * length for character in many]
    return [(each * (length // len(each.encode()))) + "a" * (length % len(each.encode())) for each in many]


def probes(place: Place) -> Iterator[tuple[str, Any]]:
    """Values at each limit of the field and beyond it, each with the way to set it."""
    rules, name = place.rules, place.field.name
    kind = rules.WhichOneof("type")
    mine = getattr(rules, kind)
    if kind == "string":
        for text in string_probes(name, mine):
            yield "set", text
    elif kind in {"int32", "int64"}:
        for limit in (mine.gte, mine.lte):
            yield from (("set", value) for value in (limit - 1, limit, limit + 1))
    elif kind == "duration":
        for limit in (mine.gte.seconds, mine.lte.seconds):
            yield from (("seconds", value) for value in (limit - 1, limit, limit + 1))
    elif kind == "repeated":
        yield from (("repeat", count) for count in (mine.max_items, mine.max_items + 1) if mine.max_items)
        yield from (("item", text) for text in string_probes(name, mine.items.string))
    elif kind == "map":
        yield from (("pairs", count) for count in (mine.max_pairs, mine.max_pairs + 1))
        yield from (("key", text) for text in string_probes(name, mine.keys.string))
        digits = (mine.values.string.max_bytes, mine.values.string.max_bytes + 1)
        yield from (("value", "1" * length) for length in digits)
    else:
        pytest.fail(f"{place} has rules of a kind that is not probed: {kind}")


def string_probes(name: str, rules: Any) -> Iterator[str]:
    known = {"min_len", "max_len", "max_bytes", "uuid", "pattern", "in"}
    assert {field.name for field, _ in rules.ListFields()} <= known
    if rules.max_len:
        yield from texts(name, rules.max_len)
        yield from texts(name, rules.max_len + 1)
    if rules.max_bytes:
        yield from texts(name, rules.max_bytes, in_bytes=True)
        yield from texts(name, rules.max_bytes + 1, in_bytes=True)
    if rules.pattern:
        yield from SAMPLES[rules.pattern]
    if rules.uuid:
        yield from UUIDS
    if words := list(getattr(rules, "in")):
        yield from (*words, "", words[0].lower().title())
    if rules.min_len or rules.max_len:
        assert rules.min_len <= 1
        yield ""
        yield from texts(name, 1) if name != "url" else ()


def put(rpc: str, place: Place, request: Any, how: str, value: Any) -> None:
    """Set the probed value."""
    message, name = place.container(request), place.field.name
    for other in IN_THE_WAY.get(f"{rpc}.{name}") or IN_THE_WAY.get(name, ()):
        if other in message.DESCRIPTOR.fields_by_name and (rpc, other) != ("UpdateDeployment", "id"):
            message.ClearField(other)
    for other, text in NEEDED.get(f"{rpc}.{name}", {}).items():
        setattr(message, other, text)
    content = getattr(message, name)
    if how == "set":
        setattr(message, name, value)
    elif how == "seconds":
        content.FromSeconds(value)
    elif how == "repeat":
        repeat(name, content, value)
    else:
        put_into(content, how, value)


def put_into(content: Any, how: str, value: Any) -> None:
    """Set the probed value in a list or map."""
    match how:
        case "item":
            content[0] = value
        case "pairs":
            one = next(iter(content.values()))
            content.clear()
            content.update({f"k{number}": one for number in range(value)})
        case "key":
            content[value] = next(iter(content.values()))
        case "value":
            content[next(iter(content))] = value


def repeat(name: str, items: Any, count: int) -> None:
    """So many items like the first one."""
    one = items[0]
    del items[:]
    for number in range(count):
        if isinstance(one, Message):
            items.add().CopyFrom(one)
            if name == "storage_uris":
                items[-1].mount_path += str(number)
        else:
            items.append(str(uuid4()) if name.endswith("_ids") else one)


PLACES = [(served, place) for served in UNARY for place in places(request_of(served[3]).DESCRIPTOR, served[2])]
DECLARED = [(served, place) for served, place in PLACES if place.rules.WhichOneof("type")]
UNDECLARED = [
    (served, place)
    for served, place in PLACES
    if place.field.type == FieldDescriptor.TYPE_STRING
    and not place.field.is_repeated
    and not place.rules.WhichOneof("type")
    and not {place.field.name, str(place), f"{served[2]}.{place.field.name}"} & WITHOUT_RULE.keys()
]


def names_of(cases: list[tuple[Served, Place]]) -> list[str]:
    return [f"{served[2]}.{place}" for served, place in cases]


def test_there_are_rules() -> None:
    assert len(DECLARED) > 200
    kinds = {kind.name for _, place in DECLARED if (kind := place.field.containing_type)}
    assert {"NewRegisteredModel", "ModelVersionPatch", "DeploymentOptions", "ResourceRequirements"} <= kinds


@pytest.mark.parametrize("served", UNARY, ids=[name for _, _, name, _ in UNARY])
async def test_a_right_request_is_right_for_both(served: Served) -> None:
    request = base(served[3], served[2])

    assert [str(violation.proto) for violation in protovalidate.collect_violations(request)] == []
    assert not await is_refused(served, request)


@pytest.mark.parametrize(("served", "place"), DECLARED, ids=names_of(DECLARED))
async def test_protovalidate_decides_as_the_server(served: Served, place: Place) -> None:
    decisions = set()
    for how, value in probes(place):
        request = base(served[3], served[2])
        put(served[2], place, request, how, value)
        if value == "" and f"{served[2]}.{place}" in NOT_ALONE:
            continue
        declared = bool(protovalidate.collect_violations(request))

        assert await is_refused(served, request) is declared, (how, value)
        decisions.add(declared)
    assert decisions == {True, False}


@pytest.mark.parametrize(("served", "place"), DECLARED, ids=names_of(DECLARED))
async def test_the_server_takes_uuids_without_dashes_too(served: Served, place: Place) -> None:
    if not place.rules.string.uuid:
        return
    for value in MORE_UUIDS:
        request = base(served[3], served[2])
        put(served[2], place, request, "set", value)
        assert protovalidate.collect_violations(request)
        assert not await is_refused(served, request)


@pytest.mark.parametrize(("served", "place"), UNDECLARED, ids=names_of(UNDECLARED))
async def test_a_text_without_a_rule_may_be_long(served: Served, place: Place) -> None:
    request = base(served[3], served[2])
    put(served[2], place, request, "set", "a" * LONG)

    assert not await is_refused(served, request)
