"""Every field of every request reaches the use case, and every field of every result reaches both answers.

Nothing here names the fields: requests are filled by their descriptors and results by their type hints, so a field that
was added to a proto or to the domain, and nowhere else, fails. What is left out on purpose is listed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from itertools import count
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import UUID, uuid4

import orjson
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from modelregistry.v1.property_pb2 import PropertyMap, PropertyValue
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.adapters.grpc.servicers.artifacts import ArtifactServicer
from registry_grpc.adapters.grpc.servicers.audit import AuditServicer
from registry_grpc.adapters.grpc.servicers.deployments import DeploymentServicer
from registry_grpc.adapters.grpc.servicers.events import EventServicer
from registry_grpc.adapters.grpc.servicers.inference_services import ServingServicer
from registry_grpc.adapters.grpc.servicers.model_aliases import ModelAliasServicer
from registry_grpc.adapters.grpc.servicers.model_artifacts import ModelArtifactServicer
from registry_grpc.adapters.grpc.servicers.model_versions import ModelVersionServicer
from registry_grpc.adapters.grpc.servicers.registered_models import RegisteredModelServicer
from registry_grpc.adapters.grpc.servicers.serve_models import ServeModelServicer
from registry_grpc.adapters.grpc.servicers.serving_environments import ServingEnvironmentServicer
from registry_grpc.adapters.grpc.servicers.transfer import TransferServicer
from registry_grpc.adapters.grpc.servicers.webhooks import WebhookServicer
from registry_grpc.adapters.rest.body import WORDS
from registry_grpc.domain.access import Caller
from registry_grpc.domain.artifact import Artifact
from registry_grpc.domain.paging import Cursor, Page
from registry_grpc.domain.properties import Properties

SERVICERS: list[tuple[type[Any], int]] = [
    (RegisteredModelServicer, 1),
    (ModelVersionServicer, 3),
    (ModelArtifactServicer, 1),
    (ModelAliasServicer, 1),
    (ArtifactServicer, 2),
    (ServingEnvironmentServicer, 2),
    (ServingServicer, 2),
    (ServeModelServicer, 2),
    (DeploymentServicer, 5),
    (EventServicer, 1),
    (AuditServicer, 1),
    (WebhookServicer, 2),
    (TransferServicer, 1),
]
"""Each servicer with the number of parameters of its constructor."""

RPCS = [
    (servicer, use_cases, name, rpc)
    for servicer, use_cases in SERVICERS
    for name, rpc in vars(servicer).items()
    if isinstance(rpc, Rpc)
]
UNARY = [each for each in RPCS if not each[3].takes_stream]
ids = pytest.mark.parametrize(("servicer", "use_cases", "name", "rpc"), RPCS, ids=[name for _, _, name, _ in RPCS])

# Fields with a closed set of values, or with special rules.
VALUES: dict[str, Any] = {
    "sort_by": "name",
    "order": "asc",
    "drift_policy": "report",
    "digest": f"sha256:{1:064}",
    "desired_state": "UNDEPLOYED",
    "current_state": "DEPLOYED",
    "endpoint": "minio.example.com:9000",
    "requests": {"cpu": "250m"},
    "limits": {"cpu": "750m"},
    "env": {"SOME_NAME": "some-value"},
    "operator": 1,  # EQUAL: the other one has no value
    "mount_path": "/mnt/adapters/sql",
    "shared_memory": "3Gi",
    "name": "a-name",
    "types": "model.created",
    "url": "https://example.com/hook",
    "secret": "whsec_" + "A" * 32,
    "limit": 97,
    "traffic_percent": 98,
}
# Fields of requests that do not reach the use case unchanged, and why.
NOT_HANDED_ON = {
    "page_size": "tested with tokens; limit and offset take their place here",
    "page_token": "as page_size",
    "filter": "becomes a tree, tested in test_filter_requests",
    "order_by": "as sort_by, tested in test_filter_requests",
    "sort_by": "becomes the field of a Sort, which has other values for some",
    "order": "becomes a flag of the Sort",
    "all_projects": "chooses the projects, in test_audit",
    "allow_missing": "makes an answer of NotFound",
    "validate_only": "chooses the use case",
    "ndjson": "becomes lines, tested in test_transfer_lines",
    "request_id": "of the handlers, which remember the answer",
    "update_mask": "chooses the fields; tested in test_update_mask",
    "update": "chooses the use case, and has the fields of UpdateDeployment",
    "FindServingEnvironment.external_id": "cannot be combined with the name, which is handed on instead",
    "FindInferenceService.name": "only looked at without an external id (contract 2.3)",
    "FindInferenceService.serving_environment_id": "as the name",
    "deployment.version": "cannot be combined with ids, which are handed on instead",
    "UpdateDeployment.version": "as deployment.version",
    "GetModelVersion.version": "cannot be combined with id, which is handed on instead",
    "FindModelVersion.registered_model_id": "another name of parent_resource_id, which wins",
    "FindModelArtifact.registered_model_id": "another name of parent_resource_id, which wins",
    "WatchDeployment.after_sequence": "cannot be combined with resume_token, which is handed on instead",
    "ListInferenceServices.state": "another name of current_state, which wins",
}
# Fields of answers that are not set, by the ends of their paths.
NOT_IN_MESSAGES = (
    *(
        f"unknown_{what}" for what in ("reason", "phase", "step", "cause", "outcome")
    ),  # only for words of a newer release
    *(
        f"{version}_version.{whose}_by_email"  # quirk Q51
        for version in ("latest", "default")
        for whose in ("created", "updated")
    ),
)
# Fields of results that clients of gRPC or REST do not get, by the name of the type.
NOT_TOLD_TO_GRPC = {
    "Artifact.project_id": "the caller has named it",
    "InferenceService.project_id": "the caller has named it",
    "ServingEnvironment.project_id": "the caller has named it",
    "ServeModel.project_id": "the caller has named it",
    "Webhook.project_id": "the caller has named it",
    "ModelAliasMove.sequence": "page tokens have it",
    "Deployment.project_id": "the caller has named it",
    "DeploymentRevision.deployment_id": "the caller has named it",
    "Deployment.want": "a phase says it",
    "Deployment.revised_at": "of the controller",
    "Deployment.applied_generation": "of the controller",
    "Deployment.applied_at": "of the controller",
    "Deployment.attempts": "of the controller",
    "Deployment.drift_policy": "of the environment",
    "DeploymentSpec.unknown": "of a newer release; plans and refusals name it",
    "Applied.uid": "of the controller",
    "Applied.k8s_generation": "of the controller",
    "Applied.resource_version": "of the controller",
    "Applied.content": "of the controller",
    "Applied.split": "of the controller",
    "Applied.predictor_stamp": "of the controller",
    "Applied.repairs": "of the controller",
    "Applied.stamp": "of the controller",
    "DeploymentSpec.registered_model_id": "told of the deployment",
}
ONLY_FOR_GRPC = (
    "ModelVersion.number",
    "ModelVersion.aliases",
    *(f"{kind}.properties" for kind in ("RegisteredModel", "ModelVersion", "ServingEnvironment", "InferenceService")),
    "RegisteredModel.external_id", "ModelVersion.external_id", "ModelVersion.readme", "ModelVersion.metadata",
    "ModelVersion.digest", "ModelVersion.size_bytes",
    "Deployment.", "DeploymentSpec.", "VersionCopy.", "DeploymentOptions.", "Toleration.", "StorageUri.",
    "FieldDifference.", "Applied.", "Canary.", "Split.", "Replicas.",
)  # fmt: skip
"""The contract's answers have no such fields, and its answer to a deploy has no deployment."""
NOT_SHOWN_BY = {
    # Versions inside a model have no emails (quirk Q51).
    RegisteredModelServicer: {"ModelVersion.created_by_email", "ModelVersion.updated_by_email"},
    ModelArtifactServicer: {
        "ModelVersion.description", "ModelVersion.is_default", "ModelVersion.state", "ModelVersion.status",
        "ModelVersion.model_catalog_name", "ModelVersion.created_by_email", "ModelVersion.updated_by_email",
        "ModelVersion.number", "ModelVersion.aliases",
        "ModelVersion.external_id", "ModelVersion.properties", "ModelVersion.readme", "ModelVersion.metadata",
        "ModelVersion.digest", "ModelVersion.size_bytes",
    },
}  # fmt: skip

ENUMS = (
    "ARTIFACT_KIND_",
    "CANARY_STEP_",
    "CHAIN_LINK_KIND_",
    "CHAIN_LINK_STATE_",
    "DEPLOYMENT_MODE_",
    "DEPLOYMENT_PHASE_",
    "DEPLOYMENT_REASON_",
    "MODEL_VERSION_VIEW_",
    "REGISTERED_MODEL_VIEW_",
    "REVISION_CAUSE_",
    "REVISION_OUTCOME_",
    "SCALE_METRIC_",
    "SERVING_PROTOCOL_",
    "TAINT_EFFECT_",
    "TOLERATION_OPERATOR_",
    "WEBHOOK_DELIVERY_STATE_",
    "WEBHOOK_STATE_",
)
NAMED_ENUMS = {*WORDS, "LinkKind"}
"""Enums of the domain whose words are those of Kubernetes or KServe: their names are those of the protos."""

_numbers = count(11)


class Recorder:
    """A use case that records all arguments."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        def use(*args: Any, **kwargs: Any) -> Any:
            self.seen += [*args, *kwargs.values()]
            return _Nothing()

        return use


class _Nothing:
    def __await__(self) -> Iterator[None]:
        return iter(())

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        raise StopAsyncIteration

    async def aclose(self) -> None: ...


def filled(message: Any, rpc: str, path: str = "") -> dict[str, Any]:  # noqa: C901, PLR0912 - one branch a kind of field
    """Fill all fields. Returns the values by their paths."""
    values: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        name = f"{path}{field.name}"
        if {name, field.name, f"{rpc}.{field.name}"} & NOT_HANDED_ON.keys():
            continue
        value = VALUES.get(field.name)
        if field.name == "properties":
            value = {f"key-{next(_numbers)}": f"text-{next(_numbers)}"}
            properties = getattr(message, field.name)
            for key, text in value.items():
                (properties.values if field.message_type is PropertyMap.DESCRIPTOR else properties)[
                    key
                ].string_value = text
            values[name] = value
        elif field.message_type is PropertyValue.DESCRIPTOR:
            values[name] = f"text-{next(_numbers)}"
            getattr(message, field.name).string_value = values[name]
        elif field.message_type and field.message_type.GetOptions().map_entry:
            value = value or {f"key-{next(_numbers)}": f"text-{next(_numbers)}"}
            getattr(message, field.name).update(value)
            values[name] = value
        elif field.message_type is Struct.DESCRIPTOR:
            value = {f"key-{next(_numbers)}": f"text-{next(_numbers)}"}
            getattr(message, field.name).update(value)
            values[name] = value
        elif field.message_type is Timestamp.DESCRIPTOR:
            moment = datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=next(_numbers))
            getattr(message, field.name).FromDatetime(moment)
            values[name] = moment
        elif field.message_type is Duration.DESCRIPTOR:
            values[name] = next(_numbers)
            getattr(message, field.name).seconds = values[name]
        elif field.message_type and field.is_repeated:
            values |= filled(getattr(message, field.name).add(), rpc, f"{name}[0].")
        elif field.message_type:
            inner = getattr(message, field.name)
            inner.SetInParent()
            values |= filled(inner, rpc, f"{name}.")
        elif field.is_repeated:
            value = [value] if value is not None else [_scalar(field), _scalar(field)]
            getattr(message, field.name).extend(value)
            values[name] = value
        else:
            value = value if value is not None else _scalar(field)
            setattr(message, field.name, value)
            values[name] = value if field.enum_type is None else field.enum_type.values_by_number[value].name
    return values


def _scalar(field: FieldDescriptor) -> Any:
    if field.enum_type:
        return field.enum_type.values[-1].number
    if field.type == FieldDescriptor.TYPE_BOOL:
        return True
    if field.type == FieldDescriptor.TYPE_STRING:
        is_id = field.name.endswith(("id", "ids")) and field.name != "request_id"
        return str(uuid4()) if is_id else f"text-{next(_numbers)}"
    return next(_numbers)


def leaves(value: Any) -> Iterator[Any]:  # noqa: C901, PLR0912 - one line a kind of value
    """All atomic values in a value."""
    match value:
        case Timestamp():
            yield value.ToDatetime(tzinfo=UTC)
        case Duration():
            yield value.seconds
        case Struct():
            yield from leaves(dict(value))
        case Message():
            for descriptor, inner in value.ListFields():
                names = descriptor.enum_type and descriptor.enum_type.values_by_number
                yield from [word(names[inner].name)] if names else leaves(inner)
        case Mapping():
            for key, inner in value.items():
                yield from leaves(inner) if key == "string" else (key, *leaves(inner))  # the type of a property
        case Enum():
            yield value.name if type(value).__name__ in NAMED_ENUMS else str(value)
        case UUID():
            yield str(value)
        case str() | bytes():
            yield value
        case Sequence():
            for inner in value:
                yield from leaves(inner)
        case _ if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from leaves(getattr(value, field.name))
        case _:
            yield value


def word(name: str) -> str:
    """A value of a proto enum as the domain has it."""
    for prefix in ENUMS:
        name = name.removeprefix(prefix)
    return name


ANN = Caller(name="ann", method="none")


def request_of(rpc: Rpc) -> Any:
    """An empty request, or part of one."""
    kind = get_type_hints(rpc.serve)["request"]
    return GetMessageClass((get_args(kind) or (kind,))[0].DESCRIPTOR)()


async def _stream_of(request: Any) -> AsyncIterator[Any]:
    yield request


@ids
async def test_every_field_of_a_request_reaches_the_use_case(
    servicer: Any, use_cases: int, name: str, rpc: Rpc
) -> None:
    request = request_of(rpc)
    sent = filled(request, name)
    recorder = Recorder()
    given = _stream_of(request) if rpc.takes_stream else request
    served = rpc.serve(servicer(*[recorder] * use_cases), given, Call(method=name, project_id=uuid4(), caller=ANN))
    if not rpc.is_stream:
        await served
    seen = list(leaves(recorder.seen))
    for path, value in sent.items():
        for leaf in leaves(value):
            wanted = word(leaf) if isinstance(leaf, str) else leaf
            assert wanted in seen, f"{path} does not reach the use case"


def made(kind: Any) -> Any:  # noqa: C901, PLR0912 - one line a kind of type
    """A value of a type with all fields set to different values."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return made(next(each for each in arguments if each is not NoneType))
    if origin is Page:
        return Page((made(arguments[0]),), total=next(_numbers), next=Cursor(made(datetime), uuid4()))
    if origin is tuple or (origin is not None and issubclass(origin, Sequence)):
        return (made(arguments[0]),)
    if kind is PropertyValue:
        return {"string": f"text-{next(_numbers)}"}
    if kind == Properties:
        return {f"key-{next(_numbers)}": {"string": f"text-{next(_numbers)}"}}
    if origin is not None and issubclass(origin, Mapping):
        return {f"key-{next(_numbers)}": made(arguments[1])}
    if kind is datetime:
        return datetime(2026, 3, 4, tzinfo=UTC) + timedelta(seconds=next(_numbers))
    if kind is UUID:
        return uuid4()
    if kind is bool:
        return True
    if kind is bytes:
        return b"part"
    if kind is int:
        return next(_numbers)
    if kind is str or kind is Any:
        return f"text-{next(_numbers)}"
    if issubclass(kind, Enum):
        return list(kind)[-1]
    hints = get_type_hints(kind)
    if kind is Artifact:
        hints["value"] = PropertyValue
    if hasattr(kind, "_fields"):
        return kind(**{field: made(hints[field]) for field in kind._fields})
    return kind(**{field.name: made(hints[field.name]) for field in dataclasses.fields(kind)})


def unset(message: Message, path: str) -> Iterator[str]:
    """The paths of unset fields, beginning with the name of the message."""
    present = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        name = f"{path}.{field.name}"
        if field.name not in present:
            yield name
        elif field.message_type and not field.message_type.GetOptions().map_entry:
            inner = present[field.name]
            for each in inner if field.is_repeated else [inner]:
                if not isinstance(each, Timestamp | Duration | Struct | PropertyValue):
                    yield from unset(each, name)


def untold(result: Any, told: Sequence[Any]) -> Iterator[str]:
    """The fields of a result and its parts whose values are not in the answer."""
    if isinstance(result, Page):
        yield from untold(result.items[0], told)
        return
    if isinstance(result, bytes):
        yield from [] if result in told else ["bytes"]
        return
    names = getattr(result, "_fields", None) or [field.name for field in dataclasses.fields(result)]
    for name in names:
        value = getattr(result, name)
        parts = value if isinstance(value, tuple) and not hasattr(value, "_fields") else (value,)
        for part in parts:
            if dataclasses.is_dataclass(part) or hasattr(part, "_fields"):
                yield from untold(part, told)
            elif not all(shown(leaf) in told for leaf in leaves(part)):
                yield f"{type(result).__name__}.{name}"


def shown(leaf: Any) -> Any:
    return leaf.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(leaf, datetime) else leaf


def result_of(rpc: Rpc) -> Any:
    """The type of the result; None if the RPC answers every success in the same way."""
    kind = get_type_hints(rpc.serve)["return"]
    if get_origin(kind) is not None and issubclass(get_origin(kind) or object, AsyncIterator):
        kind = get_args(kind)[0]
    return None if kind is NoneType else made(kind)


@ids
def test_every_field_of_a_result_reaches_both_answers(servicer: Any, use_cases: int, name: str, rpc: Rpc) -> None:
    result = result_of(rpc)
    if result is None:
        return
    request = request_of(rpc)
    message = rpc.answer.message(result, request, Call(method=name, project_id=uuid4()))
    assert [path for path in unset(message, "") if not path.endswith(NOT_IN_MESSAGES)] == []
    allowed = NOT_TOLD_TO_GRPC.keys() | NOT_SHOWN_BY.get(servicer, set())
    told = [shown(leaf) for leaf in leaves(message)]
    is_list = isinstance(result, tuple) and not hasattr(result, "_fields")
    for each in result if is_list else (result,):
        assert set(untold(each, told)) <= allowed
        if rpc.answer.status:
            json = list(leaves(orjson.loads(rpc.answer.json(result, request))))
            not_in_bodies = {path for path in untold(each, json) if not path.startswith(ONLY_FOR_GRPC)}
            assert {path for path in not_in_bodies if not path.endswith(".etag")} <= allowed
