"""Deployments: what shall serve, and how it stands."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Self, Unpack

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from modelregistry.v1 import deployment_pb2 as pb
from modelregistry.v1.deployment_pb2_grpc import DeploymentServiceStub
from modelregistry.v1.inference_service_pb2 import (
    DeleteInferenceServiceRequest,
    InferenceService,
    ListInferenceServicesRequest,
)
from modelregistry.v1.inference_service_pb2_grpc import ServingServiceStub
from registry_client.aio import runtime
from registry_client.aio.listing import Listed, Listing
from registry_client.aio.watching import watched
from registry_client.deploying import DeploymentEvent, DeploymentRecord, Explanation, Plan, Revision
from registry_client.errors import (
    AlreadyExists,
    DeadlineExceeded,
    DeploymentFailed,
    Error,
    NotFound,
    OutOfRange,
    RegistryError,
    WaitTimeout,
)
from registry_client.options import Options, options_message
from registry_client.patches import is_id
from registry_client.progress import Listener, Progress
from registry_client.resources import EnvironmentRecord, ModelRecord, VersionRecord
from registry_client.values import quoted, timestamp

if TYPE_CHECKING:
    from registry_client.aio.client import AsyncClient

DEFAULT_WAIT: Final = 900.0
# In these phases, nothing more happens by itself.
_ENDS: Final = {"DEPLOYED", "STOPPED", "UNDEPLOYED"}
# What a deployment gets of a new one that has its name.
_UPDATED: Final = {"version", "model_version_id", "options"}


class Deployment(DeploymentRecord):
    """A version that shall serve in an environment."""

    def __init__(self, client: AsyncClient, message: pb.Deployment) -> None:
        super().__init__(message)
        self._stub: Any = client.stub(DeploymentServiceStub)
        self._records: Any = client.stub(ServingServiceStub)

    async def refresh(self) -> Self:
        """Read it again, as it was last recorded."""
        self.proto = (await self._stub.GetDeployment(pb.GetDeploymentRequest(id=self.id))).deployment
        return self

    async def wait(
        self, phase: str = "DEPLOYED", *, timeout: float = DEFAULT_WAIT, progress: bool | Listener = True
    ) -> Self:
        """Wait until it is in the phase. A canary is waited for until it gets its share of the requests.

        The progress is shown in notebooks and on terminals; a function gets each event instead. Raises DeploymentFailed
        with the reason and what to do about it, WaitTimeout.
        """
        deadline = time.monotonic() + timeout
        shown = Progress(self.name, wanted=progress)
        try:
            while not await self._is_in(phase, max(deadline - time.monotonic(), 0), shown):
                await runtime.sleep(0.2)  # the event log has changed: watch it from its newest event
        except DeadlineExceeded:
            await self.refresh()
            raise WaitTimeout(
                f"The deployment {self.name} is {self.phase} and not {phase} after {timeout:g} s: "
                f"{(self.message or self.reason or 'no reason is known yet').rstrip('.')}.",
                self.next_step,
            ) from None
        finally:
            shown.end()
        return self

    async def _is_in(self, phase: str, timeout: float, shown: Progress) -> bool:
        """False if the events could not be read to the end."""
        try:
            async with aclosing(self.watch(timeout=timeout)) as events:
                async for event in events:
                    if event.target_revision < self.target_revision:
                        continue  # it is about what was wanted before
                    shown.tell(event)
                    if await self._has_reached(phase, event):
                        return True
        except OutOfRange:
            await self.refresh()
        return False

    async def _has_reached(self, phase: str, event: DeploymentEvent) -> bool:
        if event.phase in {phase, "UPDATING"}:
            await self.refresh()
            canary = self.proto.canary
            is_tried = canary.step == pb.CANARY_STEP_TRY and canary.actual_share == canary.share
            return self.phase == phase or (phase == "DEPLOYED" and is_tried)
        if event.phase == "FAILED" or event.phase in _ENDS:
            await self.refresh()
            if self.phase == event.phase:
                raise await self._failure()
        return False

    async def _failure(self) -> DeploymentFailed:
        """Why it will not be in the phase that is waited for."""
        cause, next_step = self.message, self.next_step
        if self.phase == "FAILED":
            try:
                explanation = await self.explain()
                cause, next_step = explanation.cause or cause, explanation.next_step or next_step
            except RegistryError:
                pass  # the cluster does not answer; what was recorded is good enough
        return DeploymentFailed(self.name, self.phase, self.reason, cause, next_step)

    async def explain(self) -> Explanation:
        """Why it is in its phase, as the cluster says now, down to the log of the container."""
        return Explanation.of(await self._stub.ExplainDeployment(pb.ExplainDeploymentRequest(id=self.id)))

    async def update(
        self,
        *,
        version: VersionRecord | str | int | None = None,
        traffic_percent: int | None = None,
        clear: Iterable[str] = (),
        expected_revision: int = 0,
        **options: Unpack[Options],
    ) -> Self:
        """Serve another version, or with other options; what is not given stays. `clear` names options that get their
        default again.

        With `traffic_percent`, the new revision is tried as a canary beside the one that serves: `promote` or `abort`
        ends that. With `expected_revision`, nothing is done if another one is wanted meanwhile: Aborted.
        """
        request = self._update(version, traffic_percent, clear, options)
        request.expected_revision = expected_revision
        self.proto = (await self._stub.UpdateDeployment(request)).deployment
        return self

    async def plan(
        self,
        *,
        version: VersionRecord | str | int | None = None,
        traffic_percent: int | None = None,
        clear: Iterable[str] = (),
        **options: Unpack[Options],
    ) -> Plan:
        """What `update` would do, and what is wrong with it."""
        request = pb.PlanDeploymentRequest(update=self._update(version, traffic_percent, clear, options))
        return Plan.of(await self._stub.PlanDeployment(request))

    def _update(
        self,
        version: VersionRecord | str | int | None,
        traffic_percent: int | None,
        clear: Iterable[str],
        options: Options,
    ) -> pb.UpdateDeploymentRequest:
        which: dict[str, Any] = {**_which(version)}
        if traffic_percent is not None:
            which["traffic_percent"] = traffic_percent
        request = pb.UpdateDeploymentRequest(id=self.id, options=options_message(options) if options else None, **which)
        if cleared := [f"options.{name}" for name in clear]:
            request.update_mask.CopyFrom(FieldMask(paths=[*which, *(f"options.{name}" for name in options), *cleared]))
        return request

    async def promote(self, revision: int = 0) -> Self:
        """Give all requests to the revision that is tried."""
        request = pb.PromoteDeploymentRequest(id=self.id, revision=revision)
        self.proto = (await self._stub.PromoteDeployment(request)).deployment
        return self

    async def abort(self, revision: int = 0) -> Self:
        """Take all requests from the revision that is tried, and end that."""
        request = pb.AbortDeploymentRequest(id=self.id, revision=revision)
        self.proto = (await self._stub.AbortDeployment(request)).deployment
        return self

    async def rollback(self, revision: int = 0, *, expected_revision: int = 0) -> Self:
        """Serve what an earlier revision had; without a number, the last one that served before."""
        request = pb.RollbackDeploymentRequest(id=self.id, revision=revision, expected_revision=expected_revision)
        self.proto = (await self._stub.RollbackDeployment(request)).deployment
        return self

    async def undeploy(self, *, expected_revision: int = 0) -> Self:
        """Remove it from the cluster; `wait("UNDEPLOYED")` waits for the end of that. It stays as a record, with its
        history, until `delete`."""
        await self._stub.UndeployModel(pb.UndeployModelRequest(id=self.id, expected_revision=expected_revision))
        return await self.refresh()

    async def delete(self) -> None:
        """Delete its record, which keeps its model and environment from being deleted. It must be undeployed."""
        await self._records.DeleteInferenceService(DeleteInferenceServiceRequest(id=self.id))

    async def watch(self, *, from_start: bool = False, timeout: float | None = None) -> runtime.Stream[DeploymentEvent]:
        """Each change when it happens, beginning with the newest one, or with the first one. A watch that breaks goes
        on by itself, and misses nothing.

        Raises OutOfRange if the database was restored; DeadlineExceeded after the timeout.
        """
        first = {"after_sequence": 0} if from_start else {}

        def request_after(token: str) -> pb.WatchDeploymentRequest:
            return pb.WatchDeploymentRequest(id=self.id, **({"resume_token": token} if token else first))

        answers = watched(
            self._stub.WatchDeployment, request_after, lambda answer: str(answer.event.resume_token), timeout
        )
        async with aclosing(answers):
            async for answer in answers:
                yield DeploymentEvent(answer.event)

    def history(self, *, filter: str = "") -> Listing[Revision]:
        """Its revisions, the newest first."""
        request = pb.ListDeploymentRevisionsRequest(id=self.id, filter=filter, page_size=100)
        return Listing(self._stub.ListDeploymentRevisions, request, "revisions", Revision)

    async def served_at(self, at: datetime) -> Revision | None:
        """The revision that served at that time; None if none did."""
        answer = await self._stub.GetServedRevision(pb.GetServedRevisionRequest(id=self.id, at=timestamp(at)))
        return Revision(answer.revision) if answer.HasField("revision") else None


class Deployments(Listed[Deployment]):
    """The deployments of the project."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._stub: Any = client.stub(DeploymentServiceStub)

    async def get(self, name_or_id: str) -> Deployment:
        """By its id, or by its name if only one has it. Raises NotFound, and ValueError if several have the name."""
        if is_id(name_or_id):
            answer = await self._stub.GetDeployment(pb.GetDeploymentRequest(id=name_or_id))
            return Deployment(self._client, answer.deployment)
        found = await self.list(filter=f"name = {quoted(name_or_id)}").all(limit=2)
        if not found:
            raise NotFound(f"There is no deployment called {name_or_id!r}.", reason="DEPLOYMENT_NOT_FOUND")
        if len(found) > 1:
            raise ValueError(f"Several deployments are called {name_or_id!r}: use the id of one.")
        return found[0]

    def list(self, *, model: ModelRecord | None = None, filter: str = "", order_by: str = "") -> Listing[Deployment]:
        """Those that match the filter, such as `phase = FAILED`, the newest first unless `order_by` says otherwise."""
        request = pb.ListDeploymentsRequest(
            registered_model_id=model.id if model is not None else "", filter=filter, order_by=order_by, page_size=100
        )
        return Listing(self._stub.ListDeployments, request, "deployments", partial(Deployment, self._client))

    async def create(
        self,
        version: VersionRecord,
        environment: EnvironmentRecord | str,
        *,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        or_update: bool = False,
        **options: Unpack[Options],
    ) -> Deployment:
        """Deploy a version into an environment, an object or its name. It answers at once; `wait` waits until it
        serves.

        Raises FailedPrecondition if the version is not READY, AlreadyExists if the name is taken. With `or_update`, a
        deployment of the model that has the name is updated instead, to the version and the options that are given.
        """
        wanted = await self._wanted(version, environment, name, labels, options)
        return await self.create_from(wanted, or_update=or_update)

    async def create_from(
        self, wanted: pb.NewDeployment, *, or_update: bool = False, request_id: str = ""
    ) -> Deployment:
        """As `create`, from a message of the API, whose version can also be an alias or the default one. With a request
        id, the call takes effect once, however often it is made.
        """
        try:
            answer = await self._stub.DeployModel(pb.DeployModelRequest(deployment=wanted, request_id=request_id))
        except AlreadyExists as error:
            if not or_update or error.reason != "INFERENCE_SERVICE_NAME_TAKEN":
                raise
            change = _as_update(wanted, (await self.get(error.metadata["id"])).proto)
            change.request_id = request_id and f"{request_id}/2"  # each request needs its own
            answer = await self._stub.UpdateDeployment(change)
        if not answer.HasField("deployment"):
            raise Error("The registry has no cluster to deploy to. It has only recorded what should serve.")
        return Deployment(self._client, answer.deployment)

    async def plan(
        self,
        version: VersionRecord,
        environment: EnvironmentRecord | str,
        *,
        name: str = "",
        labels: Mapping[str, str] | None = None,
        or_update: bool = False,
        **options: Unpack[Options],
    ) -> Plan:
        """What `create` would do, and all problems that can be found beforehand."""
        wanted = await self._wanted(version, environment, name, labels, options)
        return await self.plan_from(wanted, or_update=or_update)

    async def plan_from(self, wanted: pb.NewDeployment, *, or_update: bool = False) -> Plan:
        """What `create_from` would do."""
        request = pb.PlanDeploymentRequest(deployment=wanted)
        if or_update:
            named = ListInferenceServicesRequest(
                serving_environment_id=wanted.serving_environment_id, filter=f"name = {quoted(wanted.name)}"
            )
            for there in (await self._client.stub(ServingServiceStub).ListInferenceServices(named)).inference_services:
                request = pb.PlanDeploymentRequest(update=_as_update(wanted, there))
        return Plan.of(await self._stub.PlanDeployment(request))

    async def _wanted(
        self,
        version: VersionRecord,
        environment: EnvironmentRecord | str,
        name: str,
        labels: Mapping[str, str] | None,
        options: Options,
    ) -> pb.NewDeployment:
        if isinstance(environment, str):
            environment = await self._client.environments.get(environment)
        return pb.NewDeployment(
            registered_model_id=version.registered_model_id,
            model_version_id=version.id,
            serving_environment_id=environment.id,
            name=name,
            labels=labels,
            options=options_message(options) if options else None,
        )


def _as_update(wanted: pb.NewDeployment, there: pb.Deployment | InferenceService) -> pb.UpdateDeploymentRequest:
    """What is wanted of a new deployment, as a change of the one that has its name. Raises AlreadyExists."""
    if there.registered_model_id != wanted.registered_model_id:
        raise AlreadyExists(
            f"The deployment {there.name} is of another model.",
            code=grpc.StatusCode.ALREADY_EXISTS,
            reason="INFERENCE_SERVICE_NAME_TAKEN",
            metadata={"id": there.id, "name": there.name},
            hint="Choose another `name`.",
        )
    changed = {field.name: value for field, value in wanted.ListFields() if field.name in _UPDATED}
    return pb.UpdateDeploymentRequest(id=there.id, **changed)


def _which(version: VersionRecord | str | int | None) -> dict[str, str]:
    if version is None:
        return {}
    if isinstance(version, VersionRecord):
        return {"model_version_id": version.id}
    if isinstance(version, str) and is_id(version):
        return {"model_version_id": version}
    return {"version": str(version)}
