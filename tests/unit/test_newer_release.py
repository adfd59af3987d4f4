"""Fields of a newer release that this one does not know are kept, and errors name them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.deployments import BORN, a_deployment, a_spec

from modelregistry.v1.deployment_pb2 import (
    CANARY_STEP_UNSPECIFIED,
    DEPLOYMENT_PHASE_UNSPECIFIED,
    REVISION_CAUSE_UNSPECIFIED,
    REVISION_OUTCOME_UNSPECIFIED,
)
from modelregistry.v1.deployment_reason_pb2 import DEPLOYMENT_REASON_UNSPECIFIED
from registry_grpc.adapters.grpc.mapping.deployment import deployment_message, event_message, revision_message
from registry_grpc.adapters.postgres.deployment_rows import (
    DEPLOYMENT_FIELDS,
    deployment_from,
    event_from,
    revision_from,
    spec_from,
    spec_to_json,
)
from registry_grpc.domain.decision import judge
from registry_grpc.domain.deployment import Applied, Phase, VersionCopy
from registry_grpc.domain.deployment_options import (
    DeploymentMode,
    DeploymentOptions,
    ScaleMetric,
    ServingProtocol,
    StorageUri,
    Toleration,
)
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.preflight import findings
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serving_environment import DriftPolicy

OPTIONS = DeploymentOptions(
    deployment_mode=DeploymentMode.KNATIVE,
    scale_metric=ScaleMetric.RPS,
    env={"A": "1"},
    protocol_version=ServingProtocol.V2,
    args=("--a",),
    image_pull_secrets=("pull",),
    tolerations=(Toleration(key="spot"),),
    storage_uris=(StorageUri(uri="s3://b/a", mount_path="/mnt/a"),),
)


def test_a_spec_comes_back_as_it_was_stored() -> None:
    spec = a_spec(options=OPTIONS, labels={"team": "flowers"})
    assert spec_from(spec_to_json(spec)) == spec


@pytest.mark.parametrize(
    ("change", "unknown"),
    [
        ({"options": {"gpu_sharing": "mig"}}, {"options.gpu_sharing": "mig"}),
        ({"options": {"canary": 0}}, {"options.canary": 0}),
        ({"options": {"deployment_mode": "Ray"}}, {"options.deployment_mode": "Ray"}),
        ({"options": {"scale_metric": "queue"}}, {"options.scale_metric": "queue"}),
        ({"options": {"protocol_version": "v3"}}, {"options.protocol_version": "v3"}),
        (
            {"options": {"tolerations": [{"key": "a"}, {"key": "b", "numeric": 5}]}},
            {"options.tolerations": [{"key": "a"}, {"key": "b", "numeric": 5}]},
        ),
        *(
            ({"options": {"tolerations": [{"key": "a", **word}]}}, {"options.tolerations": [{"key": "a", **word}]})
            for word in ({"operator": "Lt"}, {"effect": "NoEntry"})
        ),
        ({"sidecar": {"image": "x"}}, {"sidecar": {"image": "x"}}),
        ({"options": {"gpu_sharing": None, "note": "", "hosts": [], "more": {}}, "sidecar": None}, {}),
    ],
    ids=str,
)
def test_unknown_fields_are_kept_and_named(change: dict[str, Any], unknown: dict[str, Any]) -> None:
    stored = spec_to_json(a_spec(options=OPTIONS))
    stored |= change | {"options": stored["options"] | change.get("options", {})}

    spec = spec_from(stored)

    assert spec.unknown == unknown
    written = spec_to_json(spec)
    for place, value in unknown.items():
        option = place.removeprefix("options.")
        assert (written if option == place else written["options"])[option] == value
    found = findings("iris", "models", spec, has_credentials=False)
    named = [(finding.code, finding.field, finding.blocking) for finding in found if finding.code == "NEWER_RELEASE"]
    assert named == [("NEWER_RELEASE", place, True) for place in unknown]
    assert all(place in finding.message for place, finding in zip(unknown, found, strict=False))


def test_fields_that_an_older_release_did_not_store_have_defaults() -> None:
    stored = spec_to_json(a_spec())
    for name in (
        "scale_metric",
        "deployment_mode",
        "env",
        "storage_region",
        "args",
        "tolerations",
        "storage_anonymous",
    ):
        del stored["options"][name]
    del stored["labels"], stored["others"]
    assert spec_from(stored) == a_spec()


def test_a_release_without_the_newest_options_reads_specs_that_do_not_use_them() -> None:
    newest = {"protocol_version", "args", "tolerations", "storage_uris", "storage_anonymous", "storage_verify_ssl"}
    stored = spec_to_json(a_spec())["options"]
    assert {name: stored[name] for name in newest if stored[name] not in (None, "", [], {})} == {"args": ()}
    assert json.loads(json.dumps(stored["args"])) == []


def test_older_releases_only_refuse_specs_that_need_keys_or_were_deployed_by_name() -> None:
    assert not {"needs_keys", "requested_version"} & spec_to_json(a_spec()).keys()
    needing = a_spec(needs_keys=True, requested_version="champion → version 7")
    assert spec_from(spec_to_json(needing)) == needing


def test_copies_of_versions_may_have_unknown_fields() -> None:
    copy = VersionCopy(UUID(int=1), "s3://b/k", "onnx", "1", "triton")
    stored = spec_to_json(a_spec(others=(copy,)))
    stored["others"][0]["format_of_2030"] = "x"
    assert spec_from(stored).others == (copy,)


def test_words_and_fields_of_rows_may_be_unknown_too() -> None:
    deployment = a_deployment()
    record: dict[str, Any] = {name: getattr(deployment, name) for name in DEPLOYMENT_FIELDS} | {
        "spec": spec_to_json(deployment.spec),
        "phase": "HIBERNATING",
        "reason": "TOO_COLD",
        "drift_policy": "ask",
        "versions_now": None,
        "canary": {"stable_generation": 1, "stable_version_id": str(uuid4()), "step": "SHADOW", "percent": 5},
        "drift": [{"path": "p", "applied": "1", "found": "2", "since": "today"}],
        "applied": {"uid": "u", "k8s_generation": 1, "resource_version": "2", "content": {}, "by": "me"},
    }
    read = deployment_from(record)
    assert (read.phase, read.drift_policy, read.drift[0].found) == ("HIBERNATING", DriftPolicy.REPORT, "2")
    assert_told(read.phase, deployment_message(read))
    canary = deployment_message(read).canary
    assert (canary.step, canary.unknown_step) == (CANARY_STEP_UNSPECIFIED, "SHADOW")
    assert_kept(read.reason, deployment_message(read))
    assert read.applied is not None
    assert read.applied.uid == "u"

    revision = revision_from(
        {"deployment_id": deployment.id, "generation": 1, "created_at": BORN, "created_by": "", "reason": "TOO_COLD"}
        | {"served_from": None, "served_until": None, "spec": record["spec"], "cause": "CLONE", "outcome": "LATE"}
    )
    message = revision_message(revision)
    assert (revision.cause, revision.outcome) == ("CLONE", "LATE")
    assert (message.cause, message.unknown_cause) == (REVISION_CAUSE_UNSPECIFIED, "CLONE")
    assert (message.outcome, message.unknown_outcome) == (REVISION_OUTCOME_UNSPECIFIED, "LATE")
    assert_kept(revision.reason, revision_message(revision))
    event = event_from(
        {
            "sequence": 1,
            "resume_token": "a-1",
            "occurred_at": BORN + timedelta(1),
            "deployment_id": deployment.id,
            "generation": 1,
        }
        | {"serving_generation": None, "phase": "HIBERNATING", "reason": "TOO_COLD", "message": "", "next_step": ""}
    )
    assert_told(event.phase, event_message(event))
    assert_kept(event.reason, event_message(event))


def assert_told(phase: Phase, message: Any) -> None:
    assert phase not in set(Phase)
    assert (message.phase, message.unknown_phase) == (DEPLOYMENT_PHASE_UNSPECIFIED, "HIBERNATING")


def assert_kept(reason: DeploymentReason, message: Any) -> None:
    """A pass that changes nothing stores the word again, and clients are told it."""
    assert reason == reason.value == reason.name == "TOO_COLD"
    assert "newer release" in reason.next_step
    assert reason not in set(DeploymentReason)
    assert (message.reason, message.unknown_reason) == (DEPLOYMENT_REASON_UNSPECIFIED, "TOO_COLD")


def test_a_pass_without_an_answer_leaves_words_that_it_does_not_know() -> None:
    applied = Applied(uid="u", k8s_generation=1, resource_version="1", content={})
    reason, phase = DeploymentReason.stored("TOO_COLD"), Phase.stored("HIBERNATING")
    before = a_deployment(applied=applied, applied_generation=1, phase=phase, reason=reason, message="brr")
    away = ApplyRefused(DeploymentReason.API_UNAVAILABLE, "away")
    result = judge(before, BORN, None, away)
    assert (result.phase, result.reason, result.message) == ("HIBERNATING", "TOO_COLD", "brr")
