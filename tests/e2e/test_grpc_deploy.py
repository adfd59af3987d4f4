"""Deployment control by gRPC: plan, deploy, watch, update, roll back, undeploy."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc import StatusCode
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_service, an_environment, an_id, fresh
from tests.e2e.deployments import PATIENCE, Place, served_states
from tests.e2e.rpc import DEADLINE, Rpc
from tests.e2e.stack import Addresses

from modelregistry.v1 import deployment_pb2 as d
from modelregistry.v1 import deployment_reason_pb2 as reasons

DEPLOYED = d.DEPLOYMENT_PHASE_DEPLOYED
UNDEPLOYED = d.DEPLOYMENT_PHASE_UNDEPLOYED
FAILED = d.DEPLOYMENT_PHASE_FAILED


@pytest.fixture(scope="module")
def channel(simulated_stack: Addresses) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(simulated_stack.target) as channel:
        yield channel


class Deployer(Place):
    """A place, and a gRPC client that deploys to it."""

    def __init__(self, api: Api, channel: grpc.Channel, **fields: str) -> None:
        super().__init__(api, **fields)
        self.rpc = Rpc(channel, api.project_id)
        self.stub = self.rpc.deployments

    def new(self, **fields: Any) -> d.NewDeployment:
        ids = {"registered_model_id": self.model["id"], "serving_environment_id": self.environment["id"]}
        return d.NewDeployment(**ids | fields)

    def make(self, **fields: Any) -> Any:
        """A deployment right after it was accepted."""
        answer = self.rpc.call(self.stub.DeployModel, d.DeployModelRequest(deployment=self.new(**fields)))
        assert answer.status == "PENDING"
        return answer.deployment

    def set_status(self, version: JSON, status: str) -> None:
        assert self.api.patch(f"/model_versions/{version['id']}", {"status": status}).status_code == 200

    def get(self, deployment_id: str) -> Any:
        return self.rpc.call(self.stub.GetDeployment, d.GetDeploymentRequest(id=deployment_id)).deployment

    def until(self, deployment_id: str, reached: Callable[[Any], bool]) -> Any:
        """The deployment once it is as expected."""
        deadline = time.monotonic() + PATIENCE
        while not reached(deployment := self.get(deployment_id)):
            assert time.monotonic() < deadline, deployment
            time.sleep(0.1)
        return deployment

    def serving(self, revision: int) -> Callable[[Any], bool]:
        return lambda now: bool(now.phase == DEPLOYED and now.serving_revision == revision)

    def revisions(self, deployment_id: str) -> list[Any]:
        request = d.ListDeploymentRevisionsRequest(id=deployment_id)
        return list(self.rpc.call(self.stub.ListDeploymentRevisions, request).revisions)


@pytest.fixture
def planner(simulated_http: httpx.Client, channel: grpc.Channel) -> Deployer:
    """A deployer to a namespace that exists, because plans check that."""
    deployer = Deployer(Api(simulated_http), channel)
    deployer.environment = an_environment(deployer.api, "Default", external_id="default")
    return deployer


@pytest.fixture
def deployer(simulated_http: httpx.Client, channel: grpc.Channel) -> Deployer:
    return Deployer(Api(simulated_http), channel)


def test_a_deployment_is_watched_from_its_first_event_to_deployed(deployer: Deployer) -> None:
    deployment = deployer.make()
    assert deployment.target_revision == 1
    request = d.WatchDeploymentRequest(id=deployment.id, after_sequence=0)
    metadata = [("project-id", deployer.rpc.project_id)]
    stream = deployer.stub.WatchDeployment(request, metadata=metadata, timeout=DEADLINE)
    events = []
    for answer in stream:
        events.append(answer.event)
        if answer.event.phase == DEPLOYED:
            stream.cancel()
            break
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    assert {event.deployment_id for event in events} == {deployment.id}
    assert events[0].phase == d.DEPLOYMENT_PHASE_PENDING
    assert (events[-1].phase, events[-1].serving_revision) == (DEPLOYED, 1)
    after = deployer.get(deployment.id)
    assert after.url.startswith("http")
    assert (after.phase, after.target_revision, after.serving_revision) == (DEPLOYED, 1, 1)


def test_a_watch_goes_on_where_it_was_left(deployer: Deployer) -> None:
    deployment = deployer.make()
    deployer.until(deployment.id, deployer.serving(1))
    metadata = [("project-id", deployer.rpc.project_id)]

    def first(after: int | None) -> Any:
        request = d.WatchDeploymentRequest(id=deployment.id, after_sequence=after)
        stream = deployer.stub.WatchDeployment(request, metadata=metadata, timeout=DEADLINE)
        event = next(stream).event
        stream.cancel()
        return event

    newest = first(None)
    assert newest.phase == DEPLOYED
    oldest = first(0)
    assert oldest.sequence < newest.sequence
    assert first(oldest.sequence).sequence > oldest.sequence


def test_planning_answers_the_effect_and_changes_nothing(planner: Deployer) -> None:
    plan = planner.rpc.call(planner.stub.PlanDeployment, d.PlanDeploymentRequest(deployment=planner.new()))
    assert "storageUri" in plan.manifest
    assert not [finding for finding in plan.findings if finding.blocking]
    bad = planner.new(name="Not A Name")
    plan = planner.rpc.call(planner.stub.PlanDeployment, d.PlanDeploymentRequest(deployment=bad))
    blocking = [finding for finding in plan.findings if finding.blocking]
    assert blocking
    assert all(finding.code and finding.message for finding in blocking)
    assert planner.api.read("/inference_services")["total"] == 0


def test_a_name_that_a_record_has_is_found_before_the_deploy(planner: Deployer) -> None:
    named = a_service(planner.api, planner.environment, planner.model, "taken")
    new = planner.new(name=named["name"])
    plan = planner.rpc.call(planner.stub.PlanDeployment, d.PlanDeploymentRequest(deployment=new))
    assert [f.code for f in plan.findings if f.blocking] == [reasons.DEPLOYMENT_REASON_INFERENCE_SERVICE_NAME_TAKEN]
    refusals = [
        planner.rpc.refused(planner.stub.DeployModel, d.DeployModelRequest(deployment=new, validate_only=only))
        for only in (True, False)
    ]
    assert {(r.code, r.reason) for r in refusals} == {(StatusCode.ALREADY_EXISTS, "INFERENCE_SERVICE_NAME_TAKEN")}
    assert len({r.text for r in refusals}) == 1


def test_options_that_cannot_be_are_named(planner: Deployer) -> None:
    options = d.DeploymentOptions(
        deadline=Duration(seconds=0),
        timeout=Duration(nanos=500_000_000),
        probes=d.ProbeOptions(startup=Duration(seconds=-1)),
        resources=d.ResourceRequirements(requests={"cpu": "lots"}, limits={"memory": "-1Gi"}),
    )
    names = ["deadline", "timeout", "probes.startup", "resources.requests.cpu", "resources.limits.memory"]
    deploy = d.DeployModelRequest(deployment=planner.new(options=options))
    refusal = planner.rpc.refused(planner.stub.DeployModel, deploy)
    assert refusal.code == StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {f"deployment.options.{name}" for name in names}
    deployment = planner.make()
    update = d.UpdateDeploymentRequest(id=deployment.id, options=options)
    refusal = planner.rpc.refused(planner.stub.UpdateDeployment, update)
    assert set(refusal.violations) == {f"options.{name}" for name in names}
    refusal = planner.rpc.refused(planner.stub.PlanDeployment, d.PlanDeploymentRequest(update=update))
    assert set(refusal.violations) == {f"update.options.{name}" for name in names}
    assert planner.get(deployment.id).target_revision == 1


def test_validate_only_stores_nothing(planner: Deployer) -> None:
    good = d.DeployModelRequest(deployment=planner.new(), validate_only=True)
    planner.rpc.call(planner.stub.DeployModel, good)
    bad = d.DeployModelRequest(deployment=planner.new(name="Not A Name"), validate_only=True)
    refusal = planner.rpc.refused(planner.stub.DeployModel, bad)
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "DEPLOYMENT_BLOCKED")
    assert planner.api.read("/inference_services")["total"] == 0


def test_a_repeated_request_id_deploys_once(deployer: Deployer) -> None:
    request = d.DeployModelRequest(deployment=deployer.new(), request_id=fresh("request"))
    answers = [deployer.rpc.call(deployer.stub.DeployModel, request) for _ in range(3)]
    assert len({answer.inference_service.id for answer in answers}) == 1
    assert deployer.api.read("/inference_services")["total"] == 1


def test_a_request_id_is_for_one_request(deployer: Deployer) -> None:
    request = d.DeployModelRequest(deployment=deployer.new(name="first"), request_id=fresh("request"))
    first = deployer.rpc.call(deployer.stub.DeployModel, request)
    id_ = first.deployment.id
    other = d.DeployModelRequest(deployment=deployer.new(name="other"), request_id=request.request_id)
    refusal = deployer.rpc.refused(deployer.stub.DeployModel, other)
    assert (refusal.code, set(refusal.violations)) == (StatusCode.INVALID_ARGUMENT, {"request_id"})
    long = d.DeployModelRequest(deployment=deployer.new(), request_id="x" * 3000)
    refusal = deployer.rpc.refused(deployer.stub.DeployModel, long)
    assert (refusal.code, set(refusal.violations)) == (StatusCode.INVALID_ARGUMENT, {"request_id"})

    deployer.set_status(deployer.version, "FAILED")
    assert deployer.rpc.call(deployer.stub.DeployModel, request) == first
    deployer.rpc.call(deployer.stub.UndeployModel, d.UndeployModelRequest(id=id_))
    deployer.until(id_, lambda now: bool(now.phase == UNDEPLOYED))
    assert deployer.api.delete(f"/inference_services/{id_}").status_code == 204
    assert deployer.rpc.call(deployer.stub.DeployModel, request) == first
    assert deployer.api.read("/inference_services")["total"] == 0


def test_every_revision_is_checked_like_a_deploy(deployer: Deployer) -> None:
    deployment = deployer.make()
    other: JSON = deployer.another_version(uri="s3://bucket/other")
    update = d.UpdateDeploymentRequest(id=deployment.id, model_version_id=other["id"])
    deployer.rpc.call(deployer.stub.UpdateDeployment, update)
    deployer.set_status(deployer.version, "FAILED")
    back = d.RollbackDeploymentRequest(id=deployment.id, revision=1)
    refusal = deployer.rpc.refused(deployer.stub.RollbackDeployment, back)
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "MODEL_VERSION_NOT_READY")
    assert refusal.text.endswith(': status is "FAILED", must be READY')
    deployer.until(deployment.id, deployer.serving(2))
    knative = d.UpdateDeploymentRequest(
        id=deployment.id, options=d.DeploymentOptions(deployment_mode=d.DEPLOYMENT_MODE_KNATIVE)
    )
    refusal = deployer.rpc.refused(deployer.stub.UpdateDeployment, knative)
    assert (refusal.code, set(refusal.violations)) == (StatusCode.INVALID_ARGUMENT, {"options.deployment_mode"})
    assert len(deployer.revisions(deployment.id)) == 2


def test_a_redeployment_by_rest_is_checked_too(deployer: Deployer) -> None:
    path = f"/inference_services/{deployer.make().id}"
    assert deployer.api.patch(path, {"desired_state": "UNDEPLOYED"}).status_code == 200
    deployer.set_status(deployer.version, "FAILED")
    refused = deployer.api.patch(path, {"desired_state": "DEPLOYED"})
    text = f"version {deployer.version['name']}: model version is not ready for deployment"
    assert (refused.status_code, refused.json()) == (400, {"error": text})
    assert deployer.api.read(path)["desired_state"] == "UNDEPLOYED"
    deployer.set_status(deployer.version, "READY")
    assert deployer.api.patch(path, {"desired_state": "DEPLOYED"}).status_code == 200


def test_updating_and_rolling_back(deployer: Deployer) -> None:
    deployment = deployer.make()
    deployer.until(deployment.id, deployer.serving(1))
    other: JSON = deployer.another_version(uri="s3://bucket/other")
    update = d.UpdateDeploymentRequest(id=deployment.id, model_version_id=other["id"])
    updated = deployer.rpc.call(deployer.stub.UpdateDeployment, update).deployment
    assert (updated.target_revision, updated.model_version_id) == (2, other["id"])
    deployer.until(deployment.id, deployer.serving(2))
    back = d.RollbackDeploymentRequest(id=deployment.id)
    rolled = deployer.rpc.call(deployer.stub.RollbackDeployment, back).deployment
    assert (rolled.target_revision, rolled.model_version_id) == (3, deployer.version["id"])
    deployer.until(deployment.id, deployer.serving(3))
    revisions = deployer.revisions(deployment.id)
    causes = [(revision.revision, revision.cause) for revision in revisions]
    assert causes == [(3, d.REVISION_CAUSE_ROLLBACK), (2, d.REVISION_CAUSE_UPDATE), (1, d.REVISION_CAUSE_DEPLOY)]
    served = deployer.rpc.call(deployer.stub.GetServedRevision, d.GetServedRevisionRequest(id=deployment.id))
    assert served.revision.revision == 3
    first = d.GetServedRevisionRequest(id=deployment.id, at=revisions[2].served_from)
    assert deployer.rpc.call(deployer.stub.GetServedRevision, first).revision.revision == 1
    missing = d.RollbackDeploymentRequest(id=deployment.id, revision=99)
    refusal = deployer.rpc.refused(deployer.stub.RollbackDeployment, missing)
    assert (refusal.code, refusal.reason) == (StatusCode.NOT_FOUND, "REVISION_NOT_FOUND")


@pytest.mark.slow
def test_a_canary_is_tried_promoted_and_aborted(deployer: Deployer) -> None:
    id_ = deployer.make().id
    deployer.until(id_, lambda now: bool(now.phase == DEPLOYED))
    other: JSON = deployer.another_version(uri="s3://bucket/other")
    update = d.UpdateDeploymentRequest(id=id_, model_version_id=other["id"], traffic_percent=20)
    plan = deployer.rpc.call(deployer.stub.PlanDeployment, d.PlanDeploymentRequest(update=update))
    assert [difference.path for difference in plan.differences] == ["spec.canary"]
    assert deployer.get(id_).target_revision == 1
    both = d.PlanDeploymentRequest(update=update, deployment=deployer.new())
    assert set(deployer.rpc.refused(deployer.stub.PlanDeployment, both).violations) == {"update"}
    for percent in (0, 100):
        wrong = d.UpdateDeploymentRequest(id=id_, model_version_id=other["id"], traffic_percent=percent)
        refusal = deployer.rpc.refused(deployer.stub.UpdateDeployment, wrong)
        assert (refusal.code, set(refusal.violations)) == (StatusCode.INVALID_ARGUMENT, {"traffic_percent"})

    deployer.rpc.call(deployer.stub.UpdateDeployment, update)
    tried = deployer.until(id_, lambda now: bool(now.reason == reasons.DEPLOYMENT_REASON_CANARY))
    assert (tried.phase, tried.target_revision, tried.serving_revision) == (d.DEPLOYMENT_PHASE_UPDATING, 2, 1)
    canary = tried.canary
    assert (canary.stable_revision, canary.stable_version_id) == (1, deployer.version["id"])
    assert (canary.step, canary.percent, canary.share, canary.actual_share) == (d.CANARY_STEP_TRY, 20, 20, 20)
    assert (canary.target_replicas.available, canary.stable_replicas.available) == (1, 1)
    service = deployer.api.read(f"/inference_services/{id_}")
    assert service["model_version_id"] == deployer.version["id"]
    assert served_states(service) == {"RUNNING"}
    refusal = deployer.rpc.refused(deployer.stub.AbortDeployment, d.AbortDeploymentRequest(id=id_, revision=1))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "CANARY_UNDER_WAY")

    deployer.rpc.call(deployer.stub.AbortDeployment, d.AbortDeploymentRequest(id=id_, revision=2))
    aborted = deployer.until(id_, lambda now: bool(now.phase == DEPLOYED))
    assert (aborted.target_revision, aborted.serving_revision, aborted.HasField("canary")) == (1, 1, False)
    refusal = deployer.rpc.refused(deployer.stub.PromoteDeployment, d.PromoteDeploymentRequest(id=id_))
    assert (refusal.code, refusal.reason) == (StatusCode.FAILED_PRECONDITION, "NO_CANARY")

    deployer.rpc.call(deployer.stub.UpdateDeployment, update)
    deployer.until(id_, lambda now: bool(now.reason == reasons.DEPLOYMENT_REASON_CANARY))
    deployer.rpc.call(deployer.stub.PromoteDeployment, d.PromoteDeploymentRequest(id=id_, revision=3))
    promoted = deployer.until(id_, lambda now: bool(now.phase == DEPLOYED))
    assert (promoted.target_revision, promoted.serving_revision) == (3, 3)
    deployer.rpc.call(deployer.stub.PromoteDeployment, d.PromoteDeploymentRequest(id=id_, revision=3))
    assert deployer.api.read(f"/inference_services/{id_}")["model_version_id"] == other["id"]
    page = deployer.rpc.call(deployer.stub.ListDeploymentRevisions, d.ListDeploymentRevisionsRequest(id=id_))
    outcomes = [revision.outcome for revision in page.revisions]
    assert outcomes == [d.REVISION_OUTCOME_SERVED, d.REVISION_OUTCOME_ABORTED, d.REVISION_OUTCOME_SERVED]


def test_a_version_that_does_not_load_fails_and_the_old_one_keeps_serving(deployer: Deployer) -> None:
    deployment = deployer.make()
    deployer.until(deployment.id, deployer.serving(1))
    broken = deployer.another_version(uri="s3://bucket/corrupt-model")
    update = d.UpdateDeploymentRequest(id=deployment.id, model_version_id=broken["id"])
    deployer.rpc.call(deployer.stub.UpdateDeployment, update)
    failed = deployer.until(deployment.id, lambda now: bool(now.phase == FAILED))
    assert (failed.target_revision, failed.serving_revision) == (2, 1)
    assert failed.reason == reasons.DEPLOYMENT_REASON_MODEL_LOAD
    assert failed.next_step
    why = deployer.rpc.call(deployer.stub.ExplainDeployment, d.ExplainDeploymentRequest(id=deployment.id))
    assert (why.deployment, why.next_step) == (failed, failed.next_step)
    assert why.cause.startswith("Container kserve-container: ended with exit code 1")
    (server,) = [link for link in why.chain if link.summary in why.cause]
    assert (server.kind, server.state) == (d.CHAIN_LINK_KIND_CONTAINER, d.CHAIN_LINK_STATE_FAILED)
    assert server.signs[0].source == "log"
    assert server.signs[0].text
    deployer.rpc.call(deployer.stub.RollbackDeployment, d.RollbackDeploymentRequest(id=deployment.id))
    deployer.until(deployment.id, deployer.serving(3))


def test_undeploying(deployer: Deployer) -> None:
    deployment = deployer.make()
    deployer.until(deployment.id, deployer.serving(1))
    for _ in range(2):
        deployer.rpc.call(deployer.stub.UndeployModel, d.UndeployModelRequest(id=deployment.id))
    gone = deployer.until(deployment.id, lambda now: bool(now.phase == UNDEPLOYED))
    assert not gone.HasField("serving_revision")
    assert gone.url == ""


def test_deployments_are_listed_by_pages(deployer: Deployer) -> None:
    made = [deployer.make(name=fresh("svc")).id for _ in range(3)]
    seen: list[str] = []
    request = d.ListDeploymentsRequest(page_size=2)
    for _ in range(5):
        answer = deployer.rpc.call(deployer.stub.ListDeployments, request)
        seen += [deployment.id for deployment in answer.deployments]
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert seen == made[::-1]
    other = d.ListDeploymentsRequest(registered_model_id=an_id())
    assert not deployer.rpc.call(deployer.stub.ListDeployments, other).deployments


def test_other_projects_see_nothing_of_it(deployer: Deployer) -> None:
    deployment = deployer.make()
    stranger = deployer.rpc.of_another_project()
    for method, request in [
        (stranger.deployments.GetDeployment, d.GetDeploymentRequest(id=deployment.id)),
        (stranger.deployments.ExplainDeployment, d.ExplainDeploymentRequest(id=deployment.id)),
        (stranger.deployments.UpdateDeployment, d.UpdateDeploymentRequest(id=deployment.id)),
        (stranger.deployments.RollbackDeployment, d.RollbackDeploymentRequest(id=deployment.id, revision=1)),
        (stranger.deployments.ListDeploymentRevisions, d.ListDeploymentRevisionsRequest(id=deployment.id)),
        (stranger.deployments.GetServedRevision, d.GetServedRevisionRequest(id=deployment.id)),
        (stranger.deployments.UndeployModel, d.UndeployModelRequest(id=deployment.id)),
        (stranger.deployments.SyncInferenceService, d.SyncInferenceServiceRequest(id=deployment.id)),
    ]:
        assert stranger.refused(method, request).code == StatusCode.NOT_FOUND
    assert not stranger.call(stranger.deployments.ListDeployments, d.ListDeploymentsRequest()).deployments
    stream = stranger.deployments.WatchDeployment(
        d.WatchDeploymentRequest(id=deployment.id), metadata=[("project-id", stranger.project_id)], timeout=DEADLINE
    )
    with pytest.raises(grpc.RpcError) as raised:
        next(stream)
    error: Any = raised.value
    assert error.code() == StatusCode.NOT_FOUND
