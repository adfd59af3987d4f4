"""A stock gRPC client of the service behind the gateway."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Final

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure
from grpc_status import rpc_status

from modelregistry.v1.access_pb2_grpc import AccessServiceStub
from modelregistry.v1.artifact_pb2_grpc import ArtifactServiceStub
from modelregistry.v1.deployment_pb2_grpc import DeploymentServiceStub
from modelregistry.v1.inference_service_pb2_grpc import ServingServiceStub
from modelregistry.v1.model_alias_pb2_grpc import ModelAliasServiceStub
from modelregistry.v1.model_artifact_pb2_grpc import ModelArtifactServiceStub
from modelregistry.v1.model_version_pb2_grpc import ModelVersionServiceStub
from modelregistry.v1.registered_model_pb2_grpc import RegisteredModelServiceStub
from modelregistry.v1.serve_model_pb2_grpc import ServeModelServiceStub
from modelregistry.v1.serving_environment_pb2_grpc import ServingEnvironmentServiceStub
from modelregistry.v1.transfer_pb2_grpc import TransferServiceStub

DEADLINE: Final = 20.0

# The generated stubs have no types.
_MODELS: Any = RegisteredModelServiceStub
_VERSIONS: Any = ModelVersionServiceStub
_ARTIFACTS: Any = ModelArtifactServiceStub
_ALIASES: Any = ModelAliasServiceStub
_THINGS: Any = ArtifactServiceStub
_ENVIRONMENTS: Any = ServingEnvironmentServiceStub
_SERVICES: Any = ServingServiceStub
_SERVE_MODELS: Any = ServeModelServiceStub
_DEPLOYMENTS: Any = DeploymentServiceStub
_TRANSFERS: Any = TransferServiceStub
_ACCESS: Any = AccessServiceStub


class Rpc:
    """The stubs of all services, and the metadata of one project."""

    def __init__(self, channel: grpc.Channel, project_id: str | None = None) -> None:
        self.channel = channel
        self.project_id = project_id or str(uuid.uuid4())
        self.models = _MODELS(channel)
        self.versions = _VERSIONS(channel)
        self.artifacts = _ARTIFACTS(channel)
        self.aliases = _ALIASES(channel)
        self.things = _THINGS(channel)
        self.environments = _ENVIRONMENTS(channel)
        self.services = _SERVICES(channel)
        self.serve_models = _SERVE_MODELS(channel)
        self.deployments = _DEPLOYMENTS(channel)
        self.transfers = _TRANSFERS(channel)
        self.access = _ACCESS(channel)

    def of_another_project(self) -> Rpc:
        return Rpc(self.channel)

    def call(self, method: Callable[..., Any], request: Any) -> Any:
        """Call a unary method for this project."""
        return method(request, metadata=[("project-id", self.project_id)], timeout=DEADLINE)

    def refused(self, method: Callable[..., Any], request: Any) -> Refusal:
        """Call a unary method that must fail."""
        with pytest.raises(grpc.RpcError) as raised:
            self.call(method, request)
        return Refusal(raised.value)


class Refusal:
    """An error as a gRPC client gets it: code, text, and the details of google.rpc."""

    def __init__(self, error: Any) -> None:
        self.code: grpc.StatusCode = error.code()
        self.text: str = error.details()
        status = rpc_status.from_call(error)
        assert status is not None, f"no details: {self.code} {self.text}"
        self._details = status.details
        info = self._only(ErrorInfo)
        assert info is not None
        assert info.domain == "modelregistry"
        self.reason: str = info.reason
        self.metadata = dict(info.metadata)
        bad_request = self._only(BadRequest)
        violations = [] if bad_request is None else bad_request.field_violations
        fields = [violation.field for violation in violations]
        missing = [violation.field for violation in violations if violation.description == "is required"]
        assert all(fields.count(field) == 1 for field in missing), f"given, but called missing: {self.text}"
        in_the_way = self._only(PreconditionFailure)
        users = [] if in_the_way is None else in_the_way.violations
        self.in_the_way = [(user.type, user.subject, user.description) for user in users]
        self.violations = {violation.field: violation.description for violation in violations}

    def _only(self, kind: type[Any]) -> Any:
        """The detail of this kind. Each kind occurs at most once (AIP-193)."""
        found = []
        for detail in self._details:
            message = kind()
            if detail.Unpack(message):
                found.append(message)
        assert len(found) <= 1
        return found[0] if found else None
