"""DeploymentService."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, TypedDict
from uuid import UUID

from modelregistry.v1 import deployment_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.mapping import deployment as mapping
from registry_grpc.adapters.grpc.mapping.common import cursor_slice_of, order_of, time_of, word_in
from registry_grpc.adapters.grpc.request_fields import body_id, filter_id, ids_of, path_id, within
from registry_grpc.adapters.grpc.rpc import (
    Resource,
    cursor_page,
    no_result,
    nothing,
    one,
    only_grpc,
    rpc,
    several,
    stream_rpc,
)
from registry_grpc.adapters.grpc.servicers.inference_services import SERVICE_RECORD
from registry_grpc.adapters.rest import encoders
from registry_grpc.domain.access import Role
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deployment import (
    FILTER_FIELDS,
    REVISION_FILTER_FIELDS,
    REVISION_SORT_FIELDS,
    SORT_FIELDS,
    Deployment,
    DeploymentEvent,
    DeploymentRevision,
    Orphan,
    Phase,
)
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.explanation import Explanation
from registry_grpc.domain.filter.fields import parse_filter
from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.paging import NEWEST_FIRST, Page
from registry_grpc.ports.deployments import NEWEST_REVISION_FIRST, DeploymentFilter
from registry_grpc.services.deployment_history import DeploymentHistory
from registry_grpc.services.deployments import Deployed, Deployments
from registry_grpc.services.explaining import Explaining
from registry_grpc.services.inference_services import InferenceServices
from registry_grpc.services.planning import Plan, Planning

DEPLOYED = Resource(mapping.deployed_message, encoders.deployed)


async def _present(servicer: DeploymentServicer, id: UUID, call: Call) -> Deployment:
    return await servicer._history.get(call.project_id, id)  # noqa: SLF001 - a method that is named before its class


class DeploymentServicer:
    """The RPCs on deployments."""

    SERVICE = pb.DESCRIPTOR.services_by_name["DeploymentService"]

    def __init__(
        self,
        deployments: Deployments,
        services: InferenceServices,
        history: DeploymentHistory,
        planning: Planning,
        explaining: Explaining,
    ) -> None:
        self._deployments = deployments
        self._services = services
        self._history = history
        self._planning = planning
        self._explaining = explaining

    @rpc(
        one(DEPLOYED, lambda response: response, status=202),
        Role.DEPLOYER,
        resume=lambda self, id_, call: self._deployments.deployed(call.project_id, id_),
    )
    async def DeployModel(self, request: pb.DeployModelRequest, call: Call) -> Deployed:
        new = mapping.new_deployment(request.deployment)
        if request.validate_only:
            return await self._planning.validate(call.project_id, new)
        return await self._deployments.deploy(call.project_id, new, user=call.user, ignore_archived=call.is_rest)

    @rpc(nothing(pb.UndeployModelResponse), Role.DEPLOYER, resume=no_result)
    async def UndeployModel(self, request: pb.UndeployModelRequest, call: Call) -> None:
        await self._services.undeploy(
            call.project_id,
            path_id(request.id, message="invalid inference service id"),
            call.user,
            expected_revision=_revision(request, "expected_revision"),
        )

    @rpc(one(SERVICE_RECORD, lambda it: pb.SyncInferenceServiceResponse(inference_service=it)), Role.DEPLOYER)
    async def SyncInferenceService(self, request: pb.SyncInferenceServiceRequest, call: Call) -> InferenceService:
        return await self._services.sync(call.project_id, path_id(request.id, message="invalid inference service id"))

    @rpc(only_grpc(mapping.plan_message), Role.EDITOR)
    async def PlanDeployment(self, request: pb.PlanDeploymentRequest, call: Call) -> Plan:
        if request.HasField("update"):
            if request.HasField("deployment"):
                raise InvalidRequest([Violation("update", "cannot be combined with deployment: give one of them")])
            with within("update"):
                id_ = path_id(request.update.id)
                return await self._planning.plan_update(call.project_id, id_, **_update(request.update))
        return await self._planning.plan(call.project_id, mapping.new_deployment(request.deployment))

    @rpc(
        only_grpc(mapping.deployment_message, lambda it: pb.UpdateDeploymentResponse(deployment=it)),
        Role.DEPLOYER,
        resume=_present,
    )
    async def UpdateDeployment(self, request: pb.UpdateDeploymentRequest, call: Call) -> Deployment:
        expected = _revision(request, "expected_revision")
        return await self._deployments.update(
            call.project_id, path_id(request.id), **_update(request), user=call.user, expected_revision=expected
        )

    @rpc(
        only_grpc(mapping.deployment_message, lambda it: pb.PromoteDeploymentResponse(deployment=it)),
        Role.DEPLOYER,
        resume=_present,
    )
    async def PromoteDeployment(self, request: pb.PromoteDeploymentRequest, call: Call) -> Deployment:
        return await self._deployments.end_canary(
            call.project_id, path_id(request.id), CanaryStep.PROMOTE, _revision(request), call.user
        )

    @rpc(
        only_grpc(mapping.deployment_message, lambda it: pb.AbortDeploymentResponse(deployment=it)),
        Role.DEPLOYER,
        resume=_present,
    )
    async def AbortDeployment(self, request: pb.AbortDeploymentRequest, call: Call) -> Deployment:
        return await self._deployments.end_canary(
            call.project_id, path_id(request.id), CanaryStep.ABORT, _revision(request), call.user
        )

    @rpc(
        only_grpc(mapping.deployment_message, lambda it: pb.RollbackDeploymentResponse(deployment=it)),
        Role.DEPLOYER,
        resume=_present,
    )
    async def RollbackDeployment(self, request: pb.RollbackDeploymentRequest, call: Call) -> Deployment:
        expected = _revision(request, "expected_revision")
        return await self._deployments.roll_back(
            call.project_id, path_id(request.id), _revision(request), call.user, expected_revision=expected
        )

    @rpc(only_grpc(mapping.deployment_message, lambda it: pb.GetDeploymentResponse(deployment=it)), Role.VIEWER)
    async def GetDeployment(self, request: pb.GetDeploymentRequest, call: Call) -> Deployment:
        return await self._history.get(call.project_id, path_id(request.id))

    @rpc(
        several(mapping.deployment_message, lambda items: pb.BatchGetDeploymentsResponse(deployments=items)),
        Role.VIEWER,
    )
    async def BatchGetDeployments(self, request: pb.BatchGetDeploymentsRequest, call: Call) -> Sequence[Deployment]:
        return await self._history.batch(call.project_id, ids_of(request))

    @rpc(only_grpc(mapping.explanation_message), Role.VIEWER)
    async def ExplainDeployment(self, request: pb.ExplainDeploymentRequest, call: Call) -> Explanation:
        return await self._explaining.explain(call.project_id, path_id(request.id))

    @rpc(
        cursor_page(
            mapping.deployment_message,
            lambda items, token: pb.ListDeploymentsResponse(deployments=items, next_page_token=token),
        ),
        Role.VIEWER,
    )
    async def ListDeployments(self, request: pb.ListDeploymentsRequest, call: Call) -> Page[Deployment]:
        filter_ = DeploymentFilter(
            registered_model_id=filter_id(request.registered_model_id, "registered_model_id", call),
            phase=word_in(request, "phase", Phase),
            where=parse_filter(request.filter, FILTER_FIELDS),
        )
        sort = order_of(request, SORT_FIELDS, NEWEST_FIRST)
        return await self._history.list(call.project_id, filter_, cursor_slice_of(request, call), sort)

    @rpc(
        cursor_page(
            mapping.revision_message,
            lambda items, token: pb.ListDeploymentRevisionsResponse(revisions=items, next_page_token=token),
        ),
        Role.VIEWER,
    )
    async def ListDeploymentRevisions(
        self, request: pb.ListDeploymentRevisionsRequest, call: Call
    ) -> Page[DeploymentRevision]:
        id_, where = path_id(request.id), parse_filter(request.filter, REVISION_FILTER_FIELDS)
        sort = order_of(request, REVISION_SORT_FIELDS, NEWEST_REVISION_FIRST)
        return await self._history.revisions(call.project_id, id_, cursor_slice_of(request, call, int), sort, where)

    @rpc(only_grpc(mapping.served_message), Role.VIEWER)
    async def GetServedRevision(self, request: pb.GetServedRevisionRequest, call: Call) -> DeploymentRevision | None:
        return await self._history.served_at(call.project_id, path_id(request.id), time_of(request, "at"))

    @stream_rpc(only_grpc(mapping.event_message, lambda it: pb.WatchDeploymentResponse(event=it)), Role.VIEWER)
    def WatchDeployment(self, request: pb.WatchDeploymentRequest, call: Call) -> AsyncIterator[DeploymentEvent]:
        after = request.after_sequence if request.HasField("after_sequence") else None
        if request.resume_token and after is not None:
            raise InvalidRequest(
                [Violation("resume_token", "cannot be combined with after_sequence: give one of them")]
            )
        return self._history.watch(call.project_id, path_id(request.id), request.resume_token or after)

    @rpc(only_grpc(mapping.orphans_message), Role.VIEWER)
    async def ListOrphans(self, request: pb.ListOrphansRequest, call: Call) -> Sequence[Orphan]:  # noqa: ARG002
        return await self._history.orphans(call.project_id)


class _Update(TypedDict):
    """What an update changes."""

    model_version_id: UUID | str | None
    options: DeploymentOptions | None
    option_names: Collection[str]
    traffic_percent: int | None


def _update(request: pb.UpdateDeploymentRequest) -> _Update:
    mask = request.update_mask

    def has(field: str) -> bool:
        is_present = bool(request.version) if field == "version" else request.HasField(field)
        return is_present and (not mask.paths or field in mask.paths)

    version: UUID | str | None = request.version if has("version") else None
    cleared = [name for name in ("model_version_id", "version") if name in mask.paths and not has(name)]
    if cleared:
        raise InvalidRequest(Violation(name, "cannot be cleared") for name in cleared)
    if has("model_version_id"):
        if version:
            raise InvalidRequest([Violation("version", "cannot be combined with model_version_id: give one of them")])
        version = body_id(request.model_version_id, "model_version_id")
    names = mapping.option_names_of(request.options, mask)
    changes_options = bool(names) if mask.paths else request.HasField("options")
    return _Update(
        model_version_id=version,
        options=mapping.options_of(request.options) if changes_options else None,
        option_names=names,
        traffic_percent=request.traffic_percent if has("traffic_percent") else None,
    )


def _revision(request: Any, field: str = "revision") -> int | None:
    """The revision that is named; None for 0. Raises InvalidRequest for a negative one."""
    revision: int = getattr(request, field)
    if revision < 0:
        raise InvalidRequest([Violation(field, "must not be negative")])
    return revision or None
