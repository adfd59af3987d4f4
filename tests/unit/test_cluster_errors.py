"""The meaning of a failed write, by reason and causes, or by text if Kubernetes gives nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from registry_grpc.adapters.kserve.errors import Unreachable, reading, refusal_of, status_error, writing
from registry_grpc.domain.errors import ClusterReadFailed, Reason, Unavailable
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.reason import DeploymentReason as Why


def status(message: str = "m", reason: str = "", kind: str = "", causes: Any = ()) -> dict[str, Any]:
    return {"kind": "Status", "message": message, "reason": reason, "details": {"kind": kind, "causes": causes}}


POLICY = "ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no"
KSERVE = "inferenceservice.kserve-webhook-server.validator"
CONFLICT = [{"reason": "FieldManagerConflict", "field": ".spec.predictor.minReplicas"}]
OTHER_UID = [{"reason": "FieldValueInvalid", "field": "metadata.uid"}]
TERMINATING = [{"reason": "NamespaceTerminating", "field": "metadata.namespace"}]


@pytest.mark.parametrize(
    ("code", "body", "refusal"),
    [
        (400, status("unknown field", "BadRequest"), Why.REJECTED),
        (422, status("is invalid", "Invalid"), Why.REJECTED),
        (422, status("is invalid", "Invalid", causes=OTHER_UID), Why.OVERTAKEN),
        (403, status('admission webhook "x" denied the request: no', "Forbidden"), Why.ADMISSION),
        (400, status('admission webhook "x" denied the request: no'), Why.ADMISSION),
        (500, status('admission webhook "x" denied the request: no'), Why.ADMISSION),
        (
            422,
            status(POLICY, "Invalid"),
            Why.ADMISSION,
        ),
        (403, status(f'"iris" is forbidden: {POLICY}', "Forbidden"), Why.ADMISSION),
        (403, status(f'admission webhook "{KSERVE}" denied the request: no', "Forbidden"), Why.REJECTED),
        (403, status("User cannot patch resource", "Forbidden"), Why.FORBIDDEN),
        (401, status("Unauthorized", "Unauthorized"), Why.API_UNAVAILABLE),
        (403, status('"iris" is forbidden: exceeded quota: q', "Forbidden"), Why.QUOTA),
        (403, status("being terminated", "Forbidden", causes=TERMINATING), Why.NAMESPACE_NOT_FOUND),
        (404, status('namespaces "x" not found', "NotFound", "namespaces"), Why.NAMESPACE_NOT_FOUND),
        (404, {}, Why.KSERVE_NOT_INSTALLED),
        (
            404,
            status("the server could not find the requested resource", "NotFound"),
            Why.KSERVE_NOT_INSTALLED,
        ),
        (409, status("Apply failed with 1 conflict", "Conflict", causes=CONFLICT), Why.FIELD_CONFLICT),
        (409, status("the object has been modified", "Conflict"), Why.OVERTAKEN),
        (429, status("too many requests", "TooManyRequests"), Why.API_UNAVAILABLE),
        (
            500,
            status("Internal error occurred: failed calling webhook", "InternalError"),
            Why.API_UNAVAILABLE,
        ),
        (500, status("failed to create typed patch object (a/b): .x: field not declared"), Why.REJECTED),
        (503, {}, Why.API_UNAVAILABLE),
        (504, status("Timeout", "Timeout"), Why.API_UNAVAILABLE),
        (413, {}, Why.REJECTED),
    ],
)
def test_refusals(code: int, body: dict[str, Any], refusal: Why) -> None:
    assert refusal_of(status_error(code, body, "")) is refusal


def test_the_message_is_the_servers_own() -> None:
    assert status_error(403, status("no"), "{...}").message == "no"
    assert status_error(404, {}, "404 page not found\n").message == "404 page not found"
    assert status_error(502, {}, "").message == "HTTP status 502"


def test_retry_after() -> None:
    assert status_error(429, {}, "", retry_after="7").retry_after == 7
    assert status_error(429, {"details": {"retryAfterSeconds": 3}}, "").retry_after == 3
    assert status_error(429, {}, "", retry_after="Wed, 21 Oct 2026 07:28:00 GMT").retry_after is None


@pytest.mark.parametrize("said", ["9" * 400, "9" * 5000, "²"])
def test_a_pause_that_nobody_can_mean_is_ignored(said: str) -> None:
    """A proxy or a webhook may write anything, and the time after it must still be a time."""
    assert status_error(429, {}, "", retry_after=said).retry_after is None
    assert status_error(429, {"details": {"retryAfterSeconds": said}}, "").retry_after is None
    assert status_error(429, {"details": {"retryAfterSeconds": 10**30}}, "").retry_after is None


def test_writes_become_refusals() -> None:
    with pytest.raises(ApplyRefused) as refused, writing():
        raise status_error(429, status("slow down"), "", retry_after="2")
    assert (refused.value.reason, refused.value.message, refused.value.retry_after) == (
        Why.API_UNAVAILABLE,
        "slow down",
        2.0,
    )
    with pytest.raises(ApplyRefused) as refused, writing():
        raise Unreachable("no route")
    assert (refused.value.reason, refused.value.message) == (Why.API_UNAVAILABLE, "no route")


@pytest.mark.parametrize("error", [Unreachable("x"), status_error(429, {}, ""), status_error(500, {}, "")])
def test_reads_that_may_pass_are_unavailable(error: Exception) -> None:
    with pytest.raises(Unavailable) as raised, reading():
        raise error
    assert raised.value.reason is Reason.CLUSTER_UNAVAILABLE


def test_refused_reads_say_why_to_the_log_only() -> None:
    with pytest.raises(ClusterReadFailed) as raised, reading():
        raise status_error(403, status("User cannot get", "Forbidden"), "")
    assert raised.value.cause == "403 Forbidden: User cannot get"
    assert "User" not in raised.value.message
