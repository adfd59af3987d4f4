"""The protos say REQUIRED of exactly those fields without which the service refuses a request, and something of all.

Every RPC is called over a server in this process, with a request in which everything is set, and then without each of
its fields. Nothing is stored, so that a request that is accepted answers NOT_FOUND.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, get_type_hints
from uuid import uuid4

import grpc
import pytest
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass
from tests.fakes.audit import auditing
from tests.fakes.projects import OPEN
from tests.fakes.requests import InMemoryRequests
from tests.unit.test_every_field_arrives import SERVICERS, UNARY, filled

from registry_grpc.adapters.grpc.handlers import handlers_of
from registry_grpc.adapters.grpc.rpc import Rpc
from registry_grpc.domain.errors import NotFound, Reason
from registry_grpc.domain.policy import DeploymentPolicy
from registry_grpc.domain.webhook import Reach
from registry_grpc.services.access import OpenGate
from registry_grpc.services.artifacts import Artifacts
from registry_grpc.services.audit import Audit
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.deployments import Deployments
from registry_grpc.services.drafting import Drafting
from registry_grpc.services.event_log import Events
from registry_grpc.services.explaining import Explaining
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.model_versions import ModelVersions
from registry_grpc.services.planning import Planning
from registry_grpc.services.registered_models import RegisteredModels
from registry_grpc.services.serve_models import ServeModels
from registry_grpc.services.serving_environments import ServingEnvironments
from registry_grpc.services.webhooks import Webhooks

REQUIRED, OPTIONAL = field_behavior_pb2.REQUIRED, field_behavior_pb2.OPTIONAL

# Without these, requests are refused here because of another field that is set, or because another one is not.
DEPENDING = {
    "FindInferenceService.external_id": "or name and serving_environment_id",
    "FindServingEnvironment.name": "or external_id",
    "GetModelVersion.id": "or version with registered_model_id",
    "PlanDeployment.deployment": "or update",
    "CreateArtifact.artifact.value": "of metrics and parameters",
    "CreateModelVersion.model_version.model_framework": "together with the uri",
    "CreateModelVersion.model_version.model_framework_version": "together with the uri",
    "CreateModelVersion.model_version.uri": "of keys, and of digest and size",
    "options.tolerations.key": "except with the operator EXISTS",
    "options.tolerations.effect": "of a toleration_period",
}


LATER = ("UpdateDeployment.options.storage_uris.uri", "UpdateDeployment.options.storage_uris.mount_path")
"""Checked together with the options that stay as they are, when the deployment was found."""


class Nothing:
    """A repository or another port in which there is nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_args, **_kwargs: _NotFound()


class _NotFound:
    def __await__(self) -> Iterator[None]:
        raise NotFound.of(Reason.DEPLOYMENT_NOT_FOUND)

    def __aiter__(self) -> AsyncIterator[None]:
        return self

    async def __anext__(self) -> None:
        raise NotFound.of(Reason.DEPLOYMENT_NOT_FOUND)

    async def aclose(self) -> None:
        pass


def the_use_cases() -> dict[type[Any], Any]:
    """The use cases by their types, on nothing. Whatever else servicers take is a port, or a time."""
    n: Any = Nothing()
    drafting = Drafting(tenants=OPEN, deployments=n, environments=n, models=n, versions=n, policy=DeploymentPolicy())
    planning = Planning(drafting=drafting, services=n, deployments=n, versions=n, cluster=n)
    made = (
        drafting, planning, RegisteredModels(models=n, tenants=OPEN),
        ModelVersions(versions=n, deployments=n, tenants=OPEN), Events(log=n), Artifacts(artifacts=n, tenants=OPEN),
        Audit(log=n),
        ServingEnvironments(environments=n, tenants=OPEN), ServeModels(serve_models=n, services=n, versions=n),
        DeploymentHistory(deployments=n, events=n, tenants=OPEN),
        Explaining(deployments=n, versions=n, tenants=OPEN, cluster=n),
        Webhooks(webhooks=n, sender=n, reach=Reach()),
        Deployments(
            tenants=OPEN, deployments=n, services=n, drafting=drafting, reconciler=n, rehearse=planning.rehearse
        ),
        InferenceServices(
            services=n, environments=n, models=n, versions=n, deployments=n, drafting=drafting, cluster=n, reconciler=n
        ),
    )  # fmt: skip
    return {type(each): each for each in made}


@pytest.fixture(scope="module")
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    use_cases, server = the_use_cases(), grpc.aio.server()
    kinds = [get_type_hints(servicer.__init__) for servicer, _ in SERVICERS]
    servicers = [
        servicer(*(use_cases.get(kind, Nothing()) for name, kind in hints.items() if name != "return"))
        for (servicer, _), hints in zip(SERVICERS, kinds, strict=True)
    ]
    server.add_generic_rpc_handlers(tuple(handlers_of(servicers, InMemoryRequests(), OpenGate(OPEN), auditing())))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(None)


async def code_of(channel: grpc.aio.Channel, service: str, name: str, rpc: Rpc, request: Any) -> grpc.StatusCode:
    metadata, path = (("project-id", str(uuid4())),), f"/{service}/{name}"
    try:
        if rpc.is_stream:
            async for _ in channel.unary_stream(path)(request.SerializeToString(), metadata=metadata):
                break
        else:
            await channel.unary_unary(path)(request.SerializeToString(), metadata=metadata)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def places(message: Any, *above: str) -> Iterator[tuple[tuple[str, ...], FieldDescriptor]]:
    """All fields by their places. Those that are not set stay so, and the service accepts the request without them."""
    for field in message.DESCRIPTOR.fields:
        yield (*above, field.name), field
        value = getattr(message, field.name)
        if is_ours(field.message_type) and (value if field.is_repeated else message.HasField(field.name)):
            yield from places(value[0] if field.is_repeated else value, *above, field.name)


def without(request: Any, place: tuple[str, ...]) -> Any:
    """A copy of the request without the field."""
    copy = type(request).FromString(request.SerializeToString())
    message = copy
    for name in place[:-1]:
        message = getattr(message, name)
        message = message[0] if hasattr(message, "add") else message
    message.ClearField(place[-1])
    return copy


def is_ours(kind: Descriptor | None) -> bool:
    """Whether its fields say what they are. Values say it by their oneof."""
    if kind is None or kind.GetOptions().map_entry:
        return False
    return kind.full_name.startswith("modelregistry.") and kind.name != "PropertyValue"


def behavior(field: FieldDescriptor) -> set[int]:
    return set(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


@pytest.mark.parametrize(("servicer", "_use_cases", "name", "rpc"), UNARY, ids=[name for _, _, name, _ in UNARY])
async def test_required_is_what_is_refused_without(
    channel: grpc.aio.Channel, servicer: Any, _use_cases: int, name: str, rpc: Rpc
) -> None:
    request = GetMessageClass(get_type_hints(rpc.serve)["request"].DESCRIPTOR)()
    filled(request, name)
    service = servicer.SERVICE.full_name
    whole = await code_of(channel, service, name, rpc, request)
    assert whole is grpc.StatusCode.NOT_FOUND
    wrong = {}
    for place, field in places(request):
        path = ".".join((name, *place))
        code = await code_of(channel, service, name, rpc, without(request, place))
        is_refused = code is grpc.StatusCode.INVALID_ARGUMENT and not path.endswith(tuple(DEPENDING))
        if is_refused != (REQUIRED in behavior(field)) and path not in LATER:
            wrong[path] = "is refused without it" if is_refused else "is accepted without it"
    assert wrong == {}


def test_every_field_of_a_request_says_what_it_is() -> None:
    kinds: set[Any] = set()

    def add(kind: Any) -> None:
        if is_ours(kind) and kind not in kinds:
            kinds.add(kind)
            for field in kind.fields:
                add(field.message_type)

    for _, _, _, rpc in UNARY:
        add(get_type_hints(rpc.serve)["request"].DESCRIPTOR)
    fields = [field for kind in kinds for field in kind.fields]
    assert [f.full_name for f in fields if len(behavior(f) & {REQUIRED, OPTIONAL}) != 1] == []
    secret = {"access_key", "secret_key", "secret"}
    assert {f.name for f in fields if field_behavior_pb2.INPUT_ONLY in behavior(f)} == secret
    for field in fields:
        if field.name in secret:
            assert field_behavior_pb2.INPUT_ONLY in behavior(field), field.full_name
            assert field.GetOptions().debug_redact, field.full_name
