"""A canary: the object that divides the requests, what the cluster tells about it, and when it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.deployments import BORN, a_deployment, a_spec

from registry_grpc.adapters.kserve.canaries import (
    divided,
    share_by_route,
    share_by_status,
    share_of_latest,
    stable_part,
)
from registry_grpc.adapters.kserve.identity import MODEL_VERSION_ID, REVISION
from registry_grpc.adapters.kserve.manifests import STORAGE_SECRET_NAME, Fit, inference_service
from registry_grpc.adapters.kserve.stamps import stamp_of, stamp_pods
from registry_grpc.domain.canary import Canary, CanaryStep, Split
from registry_grpc.domain.decision import PassResult, judge, needs_apply
from registry_grpc.domain.deployment import Applied, Deployment, Phase
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, StorageUri
from registry_grpc.domain.evidence import ApplyRefused, Condition, Evidence, LiveObject, Rollout
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.preflight import ClusterFacts, canary_findings
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.runtimes import ModelFormat
from registry_grpc.domain.serve_model import ServeModelState

SKLEARN = Fit(ModelFormat("sklearn", "1", None), {})
OLD, NEW = UUID(int=1), UUID(int=2)
TRUE = Condition(status="True")
STABLE = a_spec(model_version_id=OLD, storage_uri="s3://models/old", options=DeploymentOptions(min_replicas=4))
TARGET = a_spec(model_version_id=NEW, storage_uri="s3://models/new", options=DeploymentOptions(min_replicas=4))
KNATIVE = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)


def manifest_of(deployment: Deployment, secret: str = "", fit: Fit = SKLEARN) -> dict[str, Any]:
    manifest = inference_service(deployment, fit, registry_id="r", secret_name=secret)
    stamp_pods(manifest, deployment)
    return divided(manifest, deployment)


def applied(deployment: Deployment, secret: str = "") -> Deployment:
    """The deployment after its object was stored as it was sent."""
    manifest, before = manifest_of(deployment, secret), deployment.applied
    alone = inference_service(deployment, SKLEARN, registry_id="r", secret_name=secret)
    content: dict[str, Any] = {
        "spec": manifest["spec"],
        "ours": manifest["spec"],
        "stamps": stamp_pods(alone, deployment),
        **{kind: manifest["metadata"][kind] for kind in ("labels", "annotations")},
    }
    stamp = stamp_of(manifest)
    stamps: dict[str, Any] = {"stamp": stamp}
    if before and deployment.canary:
        content["stable"] = stable_part(before, deployment.canary)
        stamps = {"stamp": deployment.generation, "predictor_stamp": stamp}
    stored = Applied(
        uid="u", k8s_generation=1, resource_version="1", content=content, split=deployment.wanted_split, **stamps
    )
    return replace(deployment, applied=stored, applied_generation=deployment.generation, applied_at=BORN)


def tried(
    target: Any = TARGET, stable: Any = STABLE, percent: int = 25, secret: str = "", new_secret: str = ""
) -> Deployment:
    """Revision 2 is tried beside revision 1, and the object is applied."""
    before = applied(a_deployment(spec=stable, serving_generation=1), secret)
    return applied(before.tried(target, percent), new_secret)


def step(deployment: Deployment, to: CanaryStep) -> Deployment:
    assert deployment.canary is not None
    return replace(deployment, canary=replace(deployment.canary, step=to))


def promoted(deployment: Deployment) -> Deployment:
    return replace(deployment, canary=None)


def aborted(deployment: Deployment) -> Deployment:
    return replace(deployment, canary=None, generation=1, spec=STABLE)


# The object -----------------------------------------------------------------------------------------------------------


def test_the_stable_part_stays_as_it_was() -> None:
    before = applied(a_deployment(spec=STABLE), "old-creds")
    after = manifest_of(before.tried(TARGET, 25), "new-creds")
    plain = manifest_of(a_deployment(spec=STABLE, id=before.id), "old-creds")
    assert after["metadata"] == plain["metadata"]
    assert after["spec"]["predictor"] == plain["spec"]["predictor"]
    [entry] = after["spec"]["canary"]
    assert entry["trafficPercent"] == 25
    assert entry["predictor"] == {
        "name": "r2",
        "labels": {MODEL_VERSION_ID: str(NEW)},
        "annotations": {REVISION: "2", STORAGE_SECRET_NAME: "new-creds"},
        "model": {**plain["spec"]["predictor"]["model"], "storageUri": "s3://models/new"},
    }


def test_keys_of_the_stable_revision_do_not_reach_the_canary() -> None:
    [entry] = manifest_of(tried(secret="old-creds"))["spec"]["canary"]
    assert entry["predictor"]["annotations"][STORAGE_SECRET_NAME] == ""
    [entry] = manifest_of(tried())["spec"]["canary"]
    assert STORAGE_SECRET_NAME not in entry["predictor"]["annotations"]


def test_what_a_promotion_applies() -> None:
    deployment = tried(new_secret="new-creds")
    promoting = step(deployment, CanaryStep.PROMOTE)
    whole = manifest_of(promoting, "new-creds")
    assert whole["spec"]["predictor"]["model"]["storageUri"] == "s3://models/old"
    assert whole["spec"]["canary"][0]["trafficPercent"] == 100
    done = manifest_of(promoted(applied(promoting, "new-creds")), "new-creds")
    assert "canary" not in done["spec"]
    assert done["spec"]["predictor"]["name"] == "r2"
    assert done["spec"]["predictor"]["minReplicas"] == 4
    assert done["metadata"]["labels"][MODEL_VERSION_ID] == str(NEW)
    assert done["metadata"]["annotations"][STORAGE_SECRET_NAME] == "new-creds"
    later = manifest_of(replace(applied(promoted(applied(promoting))), generation=3, spec=STABLE))
    assert later["spec"]["predictor"]["name"] == "r2"


def test_the_same_model_is_promoted_in_place() -> None:
    """KServe refuses another name for it."""
    deployment = tried(replace(TARGET, storage_uri=STABLE.storage_uri))
    promoting = step(deployment, CanaryStep.PROMOTE)
    whole = manifest_of(promoting)
    assert whole["spec"]["predictor"]["annotations"] == {REVISION: "2"}
    assert whole["spec"]["canary"][0]["trafficPercent"] == 25
    done = manifest_of(promoted(applied(promoting)))
    assert "canary" not in done["spec"]
    assert "name" not in done["spec"]["predictor"]


def test_what_an_abort_applies() -> None:
    before = manifest_of(a_deployment(spec=STABLE))
    aborting = step(tried(), CanaryStep.ABORT)
    whole = manifest_of(aborting)
    assert whole["spec"]["canary"][0]["trafficPercent"] == 0
    done = manifest_of(aborted(applied(aborting)))
    assert done["spec"] == before["spec"]
    assert done["metadata"]["labels"][MODEL_VERSION_ID] == str(OLD)
    another_runtime = Fit(ModelFormat("sklearn", "2", None), {})
    assert manifest_of(aborted(applied(aborting)), fit=another_runtime)["spec"] == before["spec"], "no pod restarts"


def test_a_revision_that_ends_a_canary_keeps_the_name_of_the_stable_one() -> None:
    after = replace(promoted(tried()), generation=3, spec=replace(TARGET, storage_uri="s3://models/third"))
    assert "name" not in manifest_of(after)["spec"]["predictor"]


def test_a_canary_of_the_same_pods_has_its_own_stamp() -> None:
    [entry] = manifest_of(tried(replace(STABLE, options=DeploymentOptions(min_replicas=2))))["spec"]["canary"]
    assert entry["predictor"]["annotations"][REVISION] == "2"


def test_knative_sends_the_latest_revision_its_share() -> None:
    """The stable revision is put back with no share, or Knative would send everything to the canary until it is up."""
    stable, target = (replace(spec, options=KNATIVE) for spec in (STABLE, TARGET))
    deployment = tried(target, stable)
    predictor = manifest_of(deployment)["spec"]["predictor"]
    assert (predictor["annotations"][REVISION], predictor["canaryTrafficPercent"]) == ("2", 25)
    assert manifest_of(step(deployment, CanaryStep.PROMOTE))["spec"]["predictor"]["canaryTrafficPercent"] == 100
    aborting = step(deployment, CanaryStep.ABORT)
    predictor = manifest_of(aborting)["spec"]["predictor"]
    assert (predictor["annotations"][REVISION], predictor["canaryTrafficPercent"]) == ("1", 0)
    done = manifest_of(replace(aborted(applied(aborting)), spec=stable))["spec"]["predictor"]
    assert (done["annotations"][REVISION], "canaryTrafficPercent" in done) == ("1", False)
    assert "canary" not in manifest_of(deployment)["spec"]


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        (DeploymentOptions(env={"A": "1"}), "model.env"),
        (DeploymentOptions(limits={"cpu": "1"}, requests={"cpu": "1"}), "model.resources"),
        (DeploymentOptions(runtime="mine", service_account="reader"), "model.runtime, serviceAccountName"),
    ],
)
def test_what_only_the_stable_revision_has_is_refused(options: DeploymentOptions, fields: str) -> None:
    with pytest.raises(ApplyRefused, match=fields) as refused:
        tried(stable=replace(STABLE, options=options))
    assert refused.value.reason == "CANARY_UNSUPPORTED"
    scaled = DeploymentOptions(min_replicas=2, max_replicas=3)
    tried(stable=replace(STABLE, options=scaled), target=replace(TARGET, options=DeploymentOptions()))


def test_a_canary_is_applied_again_with_the_same_words() -> None:
    assert Fit.as_applied(tried()) == SKLEARN
    assert Fit.as_applied(replace(tried(), generation=3)) is None


# What the cluster tells -----------------------------------------------------------------------------------------------


def test_shares() -> None:
    backends = [{"name": "a", "weight": 150}, {"name": "b", "weight": 50}]
    route = {"spec": {"rules": [{"backendRefs": backends}]}}
    assert (share_by_route(route, "b"), share_by_route(route, "c")) == (25, 0)
    assert share_by_route({"spec": {"rules": [{"backendRefs": [{"name": "a"}]}]}}, "a") == 100
    assert share_by_route({"spec": {"rules": []}}, "a") == 0
    statuses = [{"name": "r2", "ready": True, "trafficPercent": 30}, {"name": "r1", "trafficPercent": 20}]
    service = {"status": {"canaryStatuses": statuses}}
    assert [share_by_status(service, name) for name in ("r2", "r1", "r3")] == [30, 0, 0]
    traffic = [{"revisionName": "x-2", "percent": 25}, {"revisionName": "x-1", "percent": 75}]
    assert share_of_latest({"status": {"latestCreatedRevisionName": "x-2", "traffic": traffic}}) == 25
    assert share_of_latest({"status": {"latestCreatedRevisionName": "x-3", "traffic": traffic}}) == 0
    assert share_of_latest({}) == 0


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (ClusterFacts(has_canary_field=False, gateway_api_installed=False), "KServe 0.20"),
        (
            ClusterFacts(has_canary_field=True, gateway_api_installed=False, has_route=False),
            "the Gateway API is not installed",
        ),
        (ClusterFacts(gateway_api_installed=True, has_route=False), "enableGatewayApi"),
    ],
)
def test_what_is_missing_is_named(facts: ClusterFacts, words: str) -> None:
    [finding] = canary_findings(tried(), facts)
    assert (finding.code, finding.blocking, finding.field) == ("CANARY_UNSUPPORTED", True, "traffic_percent")
    assert words in finding.message
    knative = replace(tried(), spec=replace(TARGET, options=KNATIVE))
    assert list(canary_findings(knative, facts)) == []


def test_a_canary_of_adapters_is_refused() -> None:
    """KServe passes only `storageUri` on to the pods of a canary."""
    adapters = DeploymentOptions(storage_uris=(StorageUri(uri="s3://models/lora", mount_path="/mnt/lora"),))
    [finding] = canary_findings(replace(tried(), spec=replace(TARGET, options=adapters)), ClusterFacts())
    assert (finding.code, finding.blocking) == ("CANARY_UNSUPPORTED", True)


def test_a_canary_needs_room_for_its_name() -> None:
    assert list(canary_findings(tried(), ClusterFacts())) == []
    [finding] = canary_findings(replace(tried(), name="a" * 46), ClusterFacts())
    assert finding.code == "NAME_TOO_LONG"


# When it ends ---------------------------------------------------------------------------------------------------------

UP = Rollout(revision=2, is_observed=True, is_complete=True, is_available=True)


def judged(
    deployment: Deployment, share: int | None, rollout: Rollout | None = UP, uid: str = "u", **live: Any
) -> PassResult:
    seen = LiveObject(
        uid=uid, k8s_generation=1, resource_version="1", deployment_id=str(deployment.id), registry_id="r",
        has_conditions=True, ready=TRUE, predictor_ready=TRUE, ingress_ready=TRUE, url="http://iris", **live,
    )  # fmt: skip
    now = BORN + timedelta(minutes=1)
    return judge(deployment, now, Evidence(at=now, live=seen, rollout=rollout, split=Split(percent=share)), None)


def test_both_revisions_serve() -> None:
    result = judged(tried(), 25)
    assert (result.phase, result.serving_generation, result.is_shared, result.ended) == (Phase.UPDATING, 1, True, None)
    assert result.service.served_state is ServeModelState.RUNNING
    result = judged(tried(), 0)
    assert (result.serving_generation, result.is_shared) == (1, False)
    assert result.service.served_state is not ServeModelState.RUNNING


def test_the_stable_revision_serves_again_after_a_stop() -> None:
    result = judged(replace(tried(), serving_generation=None), 25)
    assert (result.serving_generation, result.is_shared) == (1, True)
    assert result.service.current_state is ServiceState.DEPLOYED


STARTING = replace(UP, is_complete=False)
OF_THE_STABLE = replace(UP, revision=1)


@pytest.mark.parametrize(
    ("to", "share", "rollout", "ends"),
    [
        (CanaryStep.TRY, 25, UP, False),
        (CanaryStep.PROMOTE, 25, UP, False),
        (CanaryStep.PROMOTE, 100, STARTING, False),
        (CanaryStep.PROMOTE, 100, UP, True),
        (CanaryStep.ABORT, 25, UP, False),
        (CanaryStep.ABORT, None, UP, False),
        (CanaryStep.ABORT, 0, None, True),
        (CanaryStep.ABORT, 0, STARTING, True),
        (CanaryStep.ABORT, 0, replace(OF_THE_STABLE, is_complete=False), False),
        (CanaryStep.ABORT, 0, OF_THE_STABLE, True),
    ],
)
def test_a_step_ends_when_the_cluster_is_there(
    to: CanaryStep, share: int | None, rollout: Rollout | None, ends: bool
) -> None:
    deployment = applied(step(tried(), to))
    assert judged(deployment, share, rollout).ended == (to if ends else None)
    assert judged(step(tried(), to), share, rollout).ended is None, "the step is not applied yet"


def test_the_canary_of_an_object_that_others_deleted_ends() -> None:
    result = judge(tried(), BORN, Evidence(at=BORN), None)
    assert (result.phase, result.reason) == (Phase.DRIFTED, "DELETED_EXTERNALLY")
    assert result.ended is CanaryStep.ABORT
    promoted = judge(step(tried(), CanaryStep.PROMOTE), BORN, Evidence(at=BORN), None)
    assert promoted.ended is CanaryStep.PROMOTE, "its service already names the new version"
    unread = judge(tried(), BORN, None, ApplyRefused(DeploymentReason.API_UNAVAILABLE, ""))
    assert unread.ended is None


def test_every_change_of_the_split_is_applied() -> None:
    deployment = tried()
    live = LiveObject(
        uid="u", k8s_generation=1, resource_version="1", deployment_id=str(deployment.id), registry_id="r", revision=1
    )
    seen = Evidence(at=BORN, live=live)
    assert not needs_apply(deployment, seen)
    assert needs_apply(deployment, Evidence(at=BORN, live=replace(live, revision=2))), "a late pass has overwritten it"
    canary = deployment.canary
    assert canary is not None
    for other in (
        replace(deployment, canary=replace(canary, percent=50)),
        step(deployment, CanaryStep.PROMOTE),
        step(deployment, CanaryStep.ABORT),
        promoted(deployment),
        aborted(deployment),
    ):
        assert needs_apply(other, seen)


def test_the_share_of_each_step() -> None:
    canary = Canary(stable_generation=1, stable_version_id=OLD, percent=25)
    assert [replace(canary, step=each).share for each in CanaryStep] == [25, 0, 100]
