"""What a pass does, and what follows from the verdict for the row and for the inference service."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.deployments import BORN, a_deployment, a_spec

from registry_grpc.domain.decision import (
    PassResult,
    check_before_apply,
    is_left_to_newer_release,
    is_overtaken,
    judge,
    may_lack_secret,
    needs_apply,
    of_record,
    repairs_with,
)
from registry_grpc.domain.decision.judgement import WITHOUT_TURN
from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference, Phase, Want
from registry_grpc.domain.evidence import ApplyRefused, Condition, Evidence, LiveObject, Rollout
from registry_grpc.domain.inference_service import ServiceState
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.domain.serving_environment import DriftPolicy

NOW = BORN + timedelta(minutes=1)
TRUE, FALSE = Condition(status="True"), Condition(status="False", message="no pods")
APPLIED = Applied(uid="u", k8s_generation=1, resource_version="1", content={})
ROW = a_deployment(
    generation=3, applied=APPLIED, applied_generation=3, applied_at=BORN, serving_generation=2, url="http://old"
)
LIVE = LiveObject(
    uid="u",
    k8s_generation=1,
    resource_version="1",
    deployment_id=str(ROW.id),
    registry_id="r",
    revision=3,
    has_conditions=True,
    ready=TRUE,
    ingress_ready=TRUE,
    url="http://new",
)
ROLLED_OUT = Rollout(revision=3, is_observed=True, is_complete=True, is_available=True)
DRIFT = (FieldDifference("spec", "1", "2"),)


def seen(live: LiveObject | None = LIVE, rollout: Rollout | None = ROLLED_OUT) -> Evidence:
    return Evidence(at=NOW, live=live, rollout=rollout)


def judged(row: Deployment, evidence: Evidence | None = None, refused: ApplyRefused | None = None) -> PassResult:
    return judge(row, NOW, evidence, refused)


# What a pass does


@pytest.mark.parametrize(
    ("row", "live", "is_needed"),
    [
        ({"applied": None}, None, True),
        ({"applied_generation": 2}, LIVE, True),
        ({}, LIVE, False),
        ({"applied_generation": 0}, LIVE, True),  # it was withdrawn by an undeployment
        ({"applied_generation": 0}, None, True),
        ({"applied_generation": 2}, None, False),  # that it is gone is told first
        ({"applied_generation": 2}, replace(LIVE, uid="other"), False),
        ({"applied": None}, replace(LIVE, deleting_since=NOW), False),
        ({"applied_generation": 2}, replace(LIVE, revision=4), False),
        ({"applied": None}, replace(LIVE, revision=4, deployment_id="another"), True),  # the adapter refuses it
    ],
)
def test_when_to_apply(row: dict[str, Any], live: LiveObject | None, is_needed: bool) -> None:
    assert needs_apply(replace(ROW, **row), seen(live)) is is_needed


@pytest.mark.parametrize(
    ("policy", "phase", "reason", "is_needed"),
    [
        (DriftPolicy.ENFORCE, Phase.DRIFTED, Why.SPEC_CHANGED, True),
        (DriftPolicy.ENFORCE, Phase.DRIFTED, Why.FIELD_CONFLICT, False),
        (DriftPolicy.ENFORCE, Phase.DEPLOYED, Why.SPEC_CHANGED, False),
        (DriftPolicy.REPORT, Phase.DRIFTED, Why.SPEC_CHANGED, False),
    ],
)
def test_drift_is_corrected_once_it_was_reported(
    policy: DriftPolicy, phase: Phase, reason: Why, is_needed: bool
) -> None:
    row = replace(ROW, drift_policy=policy, phase=phase, reason=reason)
    assert needs_apply(row, seen(replace(LIVE, drift=DRIFT))) is is_needed
    assert not needs_apply(row, seen(LIVE))


LONG_AGO = {"phase_since": NOW - timedelta(minutes=12), "revised_at": NOW - timedelta(minutes=12)}
NOT_READY = replace(LIVE, ready=FALSE)
STARTING = replace(ROLLED_OUT, is_complete=False)


@pytest.mark.parametrize(
    ("row", "evidence", "refused", "waits"),
    [
        ({}, seen(), Why.REJECTED, True),
        ({}, seen(), Why.QUEUED, False),
        ({}, seen(), Why.FIELD_CONFLICT, True),
        ({"serving_generation": 3}, seen(replace(LIVE, drift=DRIFT)), None, True),
        ({"serving_generation": 3, "drift_policy": DriftPolicy.ENFORCE}, seen(replace(LIVE, drift=DRIFT)), None, False),
        ({}, seen(), Why.API_UNAVAILABLE, False),
        ({"attempts": 6}, seen(), Why.API_UNAVAILABLE, True),
        ({}, None, Why.NAMESPACE_NOT_VISIBLE, True),
        ({"want": Want.ABSENT}, None, Why.NAMESPACE_NOT_VISIBLE, False),
        ({}, seen(None), Why.NAMESPACE_NOT_FOUND, True),
        ({}, None, Why.NAMESPACE_NOT_FOUND, False),  # it is being deleted
        ({}, seen(), None, False),
        ({"phase": Phase.DEPLOYED, **LONG_AGO}, seen(), None, False),
        ({"phase": Phase.UPDATING}, seen(NOT_READY, STARTING), None, False),
        ({"serving_generation": 3, "phase": Phase.DEPLOYED, **LONG_AGO}, seen(NOT_READY, STARTING), None, False),
        ({"serving_generation": 3, "phase": Phase.DEGRADED, **LONG_AGO}, seen(NOT_READY, STARTING), None, False),
        ({"phase": Phase.UPDATING, **LONG_AGO}, seen(NOT_READY, STARTING), None, False),  # it has an hour
        ({"want": Want.ABSENT, "phase": Phase.UNDEPLOYED, **LONG_AGO}, seen(None), None, False),
    ],
)
def test_what_time_does_not_change_waits_for_its_turn(
    row: dict[str, Any], evidence: Evidence | None, refused: Why | None, *, waits: bool
) -> None:
    deadline = 3600 if row.get("phase") is Phase.UPDATING else 60
    spec = replace(ROW.spec, options=replace(ROW.spec.options, deadline_seconds=deadline))
    result = judged(replace(ROW, spec=spec, **row), evidence, ApplyRefused(refused, "no") if refused else None)
    assert result.waits_for_turn is waits
    assert (result.again_in == WITHOUT_TURN) is waits


@pytest.mark.parametrize(
    ("repairs", "seconds", "is_needed"),
    [
        ({}, 0, True),
        ({"spec": 1}, 1, False),
        ({"spec": 1}, 2, True),
        ({"spec": 3}, 7, False),
        ({"spec": 3}, 8, True),
        ({"spec": 1000}, 299, False),
        ({"spec": 1000}, 300, True),
        ({"another": 3}, 0, True),
    ],
)
def test_a_field_is_put_right_ever_less_often(repairs: dict[str, int], seconds: float, *, is_needed: bool) -> None:
    row = replace(
        ROW, drift_policy=DriftPolicy.ENFORCE, phase=Phase.DRIFTED, reason=Why.DRIFT_FIGHT,
        applied=replace(APPLIED, repairs=repairs), applied_at=NOW - timedelta(seconds=seconds),
    )  # fmt: skip
    evidence = seen(replace(LIVE, drift=DRIFT))
    assert needs_apply(row, evidence) is is_needed
    assert needs_apply(replace(row, generation=4), evidence), "a new revision does not wait"
    assert repairs_with(row, evidence) == repairs | {"spec": repairs.get("spec", 0) + 1, "": 1}
    assert repairs_with(row, seen()) == repairs
    assert repairs_with(replace(row, drift_policy=DriftPolicy.REPORT), evidence) == repairs
    assert repairs_with(replace(row, applied=None), evidence) == {"spec": 1, "": 1}
    assert repairs_with(replace(row, applied_at=NOW - timedelta(hours=1)), evidence) == {"spec": 1, "": 1}


def test_a_writer_of_ever_new_fields_is_damped() -> None:
    row, waits = replace(ROW, drift_policy=DriftPolicy.ENFORCE, phase=Phase.DRIFTED, reason=Why.SPEC_CHANGED), []
    for number in range(100):
        evidence = seen(replace(LIVE, drift=(FieldDifference(f"spec.{number}", "", "1"),), changed_by="argocd"))
        result = judged(row, evidence)
        assert result.again_in is not None
        waits.append(result.again_in.total_seconds())
        applied = replace(APPLIED, repairs=repairs_with(row, evidence))
        row = replace(row, applied=applied, applied_at=NOW)
    assert waits[:9] == [0] * 9, "somebody at work"
    assert waits[9:12] == [2, 4, 8]
    assert waits[-1] == 300
    assert (result.reason, result.message) == (
        Why.DRIFT_FIGHT, "argocd changes other fields after each repair, now spec.99"
    )  # fmt: skip
    assert row.applied is not None
    assert len(row.applied.repairs) <= 21


def test_the_fields_that_are_fought_over_are_not_forgotten_for_others() -> None:
    many = tuple(FieldDifference(f"spec.{number}", "", "1") for number in range(100))
    applied = replace(APPLIED, repairs={"spec.fought": 7, "": 7})
    row = replace(ROW, drift_policy=DriftPolicy.ENFORCE, applied=applied)
    repairs = repairs_with(row, seen(replace(LIVE, drift=many)))
    assert (repairs["spec.fought"], repairs[""], len(repairs)) == (7, 8, 21)


@pytest.mark.parametrize(
    ("live", "is_newer"),
    [
        (LIVE, False),
        (replace(LIVE, revision=4), True),
        (replace(LIVE, revision=0), False),
        (replace(LIVE, revision=4, deployment_id="another"), True),  # by its uid it is ours
        (replace(LIVE, revision=4, deployment_id="another", uid="other"), False),
    ],
)
def test_an_object_that_a_newer_row_has_applied(live: LiveObject, is_newer: bool) -> None:
    assert is_overtaken(ROW, live) is is_newer


@pytest.mark.parametrize(
    ("row", "seconds", "is_left"),
    [
        ({}, 29, True),
        ({}, 30, False),
        ({"want": Want.ABSENT}, 1, False),
        ({"applied_generation": 3}, 1, False),
        ({"spec": a_spec()}, 1, False),
    ],
)
def test_options_of_a_newer_release_are_left_to_it_for_a_while(
    row: dict[str, Any], seconds: float, is_left: bool
) -> None:
    new = replace(ROW, spec=a_spec(unknown={"options.gpu": 1}), applied_generation=2)
    assert is_left_to_newer_release(replace(new, **row), new.revised_at + timedelta(seconds=seconds)) is is_left


def test_certain_failures_are_refused_with_the_first_reason_and_all_messages() -> None:
    with pytest.raises(ApplyRefused) as refused:
        check_before_apply(replace(ROW, name="Not a name", namespace="Nor one"), has_credentials=False)
    assert refused.value.reason is Why.NAME_INVALID
    assert "`Not a name`" in refused.value.message
    assert "`Nor one`" in refused.value.message
    check_before_apply(ROW, has_credentials=False)


# What follows


def test_a_revision_that_is_up_serves() -> None:
    result = judged(ROW, seen())
    assert (result.phase, result.serving_generation, result.url) == (Phase.DEPLOYED, 3, "http://new")
    assert (result.applied, result.applied_generation, result.applied_at) == (APPLIED, 3, BORN)
    view = result.service
    assert (view.current_state, view.served_state) == (ServiceState.DEPLOYED, ServeModelState.RUNNING)
    assert (view.external_id, view.url, view.last_error) == ("u", "http://new", "")


@pytest.mark.parametrize(
    ("live", "serves"),
    [
        ({}, 3),
        ({"ingress_ready": FALSE}, 2),
        ({"ready": FALSE}, 2),
        ({"k8s_generation": 2}, 3),  # changed while it started
    ],
)
def test_a_revision_serves_even_if_others_have_changed_it(live: dict[str, Any], serves: int) -> None:
    row = replace(ROW, drift_policy=DriftPolicy.ENFORCE)
    result = judged(row, seen(replace(LIVE, drift=DRIFT, **live)))
    assert (result.phase, result.serving_generation) == (Phase.DRIFTED, serves)


@pytest.mark.parametrize(
    ("evidence", "serves"),
    [
        (None, 2),
        (seen(None, None), None),
        (seen(replace(LIVE, uid="other")), None),
        (seen(LIVE, replace(ROLLED_OUT, revision=1)), 2),  # revision 2 has the pods of revision 1
        (seen(replace(LIVE, ingress_ready=FALSE)), 2),  # rolled out, but nothing leads to it yet
        (seen(LIVE, replace(ROLLED_OUT, revision=0)), 2),
        (seen(LIVE, replace(ROLLED_OUT, revision=4)), 2),
        (seen(LIVE, replace(ROLLED_OUT, revision=1, is_complete=False)), 2),
        (seen(replace(LIVE, ready=FALSE), replace(ROLLED_OUT, revision=1)), 2),
        (seen(LIVE, None), 2),
        (seen(replace(LIVE, is_stopped=True)), None),
        (seen(replace(LIVE, is_stopped=True, k8s_generation=2, drift=DRIFT), None), None),
    ],
)
def test_the_serving_revision_while_the_target_does_not_serve(evidence: Evidence | None, serves: int | None) -> None:
    refused = ApplyRefused(Why.API_UNAVAILABLE, "away") if evidence is None else None
    result = judged(ROW, evidence, refused)
    assert result.serving_generation == serves
    assert bool(result.url) is (serves is not None)
    assert result.service.current_state == (ServiceState.UNDEPLOYED if serves is None else ServiceState.DEPLOYED)


@pytest.mark.parametrize("serving", [1, None])
def test_a_revision_that_rolled_out_unseen_serves(serving: int | None) -> None:
    row = replace(ROW, serving_generation=serving)
    assert judged(row, seen(LIVE, replace(ROLLED_OUT, revision=2))).serving_generation == 2


def test_a_revision_with_the_pods_of_an_earlier_one() -> None:
    row = replace(ROW, applied=replace(APPLIED, stamp=1))
    assert row.stamp == 1
    assert replace(row, generation=4).stamp == 4, "it is not applied yet"
    rolled_out = seen(replace(LIVE, revision=1), replace(ROLLED_OUT, revision=1))
    result = judged(row, rolled_out)
    assert (result.phase, result.serving_generation) == (Phase.DEPLOYED, 3)
    assert not needs_apply(row, rolled_out)
    assert judged(row, seen(LIVE, replace(ROLLED_OUT, revision=3))).phase is Phase.UPDATING


def test_an_object_that_a_late_pass_has_overwritten() -> None:
    row = replace(ROW, applied=replace(APPLIED, stamp=1))
    overwritten = replace(LIVE, revision=2)
    assert needs_apply(row, seen(overwritten))
    assert not needs_apply(row, seen(replace(overwritten, changed_by="kubectl"))), "that is drift"
    assert not needs_apply(row, seen(replace(overwritten, revision=0))), "somebody has removed the stamp"


@pytest.mark.parametrize(
    ("row", "phase"),
    [({"want": Want.ABSENT}, Phase.UNDEPLOYED), ({}, Phase.DRIFTED)],
    ids=["undeployed", "deleted by others"],
)
def test_an_object_that_is_gone_is_forgotten(row: dict[str, Any], phase: Phase) -> None:
    result = judged(replace(ROW, **row), seen(None, None))
    assert (result.phase, result.serving_generation, result.url) == (phase, None, "")
    assert (result.applied, result.applied_generation, result.applied_at) == (None, 0, None)


def test_drift_is_reported_as_long_as_it_exists() -> None:
    assert judged(ROW, seen(replace(LIVE, drift=DRIFT))).drift == DRIFT
    assert judged(ROW, seen(replace(LIVE, drift=DRIFT, is_stopped=True))).drift == DRIFT
    assert judged(replace(ROW, want=Want.ABSENT), seen(replace(LIVE, drift=DRIFT))).drift == ()


@pytest.mark.parametrize(
    ("rollout", "serves"),
    [(ROLLED_OUT, 2), (replace(ROLLED_OUT, is_available=False), None), (None, None)],
    ids=["pods", "no pods", "no workload"],
)
def test_an_object_that_is_being_deleted_serves_as_long_as_its_pods(
    rollout: Rollout | None, serves: int | None
) -> None:
    result = judged(ROW, seen(replace(LIVE, deleting_since=NOW), rollout))
    assert (result.reason, result.serving_generation, bool(result.url)) == (Why.BEING_DELETED, serves, bool(serves))


def test_nothing_serves_in_a_namespace_that_is_being_deleted() -> None:
    result = judged(ROW, None, ApplyRefused(Why.NAMESPACE_NOT_FOUND, "being deleted"))
    assert (result.serving_generation, result.url, result.applied) == (None, "", APPLIED)
    assert (result.service.current_state, result.service.url) == (ServiceState.UNDEPLOYED, "")


@pytest.mark.parametrize(("waited_for", "last_error"), [(Why.NAMESPACE_NOT_VISIBLE, ""), (Why.NONE, None)])
def test_an_undeployment_keeps_only_the_error_of_what_came_before_it(waited_for: Why, last_error: str | None) -> None:
    row = replace(ROW, want=Want.ABSENT, phase=Phase.DELETING, reason=waited_for)
    result = judged(row, seen(None, None))
    assert (result.phase, result.service.last_error) == (Phase.UNDEPLOYED, last_error)


def test_the_next_pass_comes_when_the_deadline_has_passed() -> None:
    began = NOW - timedelta(seconds=898)
    row = replace(
        ROW, serving_generation=None, phase=Phase.DEPLOYING, phase_since=began, revised_at=began, applied_at=began
    )
    starting = seen(replace(LIVE, ready=FALSE), replace(ROLLED_OUT, is_complete=False))
    assert judge(row, NOW, starting, None, spread=1.2).again_in == timedelta(seconds=3)


@pytest.mark.parametrize(
    ("reason", "attempts", "served_state"),
    [
        (Why.API_UNAVAILABLE, 5, ServeModelState.FAILED),
        (Why.OVERTAKEN, 5, ServeModelState.FAILED),
        (Why.REJECTED, 0, ServeModelState.FAILED),
        (Why.FIELD_CONFLICT, 0, ServeModelState.PENDING),
    ],
)
def test_a_first_apply_that_was_refused(reason: Why, attempts: int, served_state: ServeModelState) -> None:
    new = replace(ROW, applied=None, applied_generation=0, serving_generation=None, attempts=4)
    result = judged(new, seen(None, None), ApplyRefused(reason, "no"))
    assert (result.reason, result.attempts) == (reason, attempts)
    view = result.service
    assert (view.served_state, view.external_id) == (served_state, "")
    assert view.last_error == "create kserve inferenceservice: no"


def test_a_later_refused_apply_keeps_the_serving_revision() -> None:
    view = judged(replace(ROW, attempts=4), None, ApplyRefused(Why.API_UNAVAILABLE, "no")).service
    assert (view.current_state, view.served_state) == (ServiceState.DEPLOYED, ServeModelState.PENDING)
    assert view.external_id == "u"


def test_an_unwanted_object_reports_what_holds_it() -> None:
    going = replace(ROW, want=Want.ABSENT, serving_generation=None)
    result = judged(going, seen(), ApplyRefused(Why.FORBIDDEN, "no"))
    assert (result.phase, result.serving_generation) == (Phase.FAILED, None)
    view = result.service
    assert (view.last_error, view.external_id, view.served_state) == ("no", "", ServeModelState.PENDING)
    assert judged(going, seen()).service.last_error is None
    assert judged(replace(ROW, want=Want.ABSENT), seen()).serving_generation is None


@pytest.mark.parametrize(
    ("live", "state", "url", "last_error", "uid"),
    [
        (None, "UNDEPLOYED", "", "the object is not in the cluster", UNSET),
        (LIVE, "DEPLOYED", "http://new", "", "u"),
        (replace(LIVE, ready=FALSE), UNSET, UNSET, "no pods", "u"),
        (replace(LIVE, ready=None), UNSET, UNSET, UNSET, "u"),
    ],
)
def test_how_a_record_follows_an_object(
    live: LiveObject | None, state: object, url: object, last_error: object, uid: object
) -> None:
    patch = of_record(live)
    assert (patch.current_state, patch.url, patch.last_error, patch.external_id) == (state, url, last_error, uid)


@pytest.mark.parametrize(
    ("phase", "reason", "may"),
    [
        (Phase.DEPLOYED, Why.NONE, True),
        (Phase.FAILED, Why.MODEL_DOWNLOAD, True),
        (Phase.DEPLOYING, Why.NONE, False),
        (Phase.UPDATING, Why.SECRET_MISSING, True),
        (Phase.DEPLOYING, Why.CONTAINER_CONFIG, True),
        (Phase.STOPPED, Why.STOPPED, False),
        (Phase.DRIFTED, Why.BEING_DELETED, False),
    ],
)
def test_when_the_secret_may_be_lacking(phase: Phase, reason: Why, *, may: bool) -> None:
    applied = replace(APPLIED, content={"secrets": ["s"]})
    result = replace(judged(ROW, seen()), phase=phase, reason=reason, applied=applied)
    assert may_lack_secret(ROW, result) is may
    assert not may_lack_secret(ROW, replace(result, applied_generation=2))
    assert not may_lack_secret(ROW, replace(result, applied=replace(APPLIED, content={})))
    assert not may_lack_secret(ROW, replace(result, applied=None))


def test_the_fields_of_an_object_that_has_taken_the_name_are_not_recorded() -> None:
    others = replace(LIVE, uid="other", deployment_id="somebody else's", drift=DRIFT)
    result = judged(ROW, seen(others))
    assert (result.phase, result.reason, result.drift) == (Phase.DRIFTED, Why.DELETED_EXTERNALLY, ())
