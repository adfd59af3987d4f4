"""The texts of errors are exactly those of the contract (contract 0.8)."""

from __future__ import annotations

from uuid import UUID

import pytest

from registry_grpc.domain.errors import (
    AlreadyExists,
    ClusterReadFailed,
    ConcurrentChange,
    DeploymentBlocked,
    FailedPrecondition,
    InvalidPageToken,
    InvalidRequest,
    NotFound,
    Overloaded,
    ProjectIdRequired,
    Reason,
    RegistryError,
    Violation,
)

CONTRACT_TEXTS = {
    Reason.PROJECT_ID_REQUIRED: "project ID is required (Project-ID header)",
    Reason.REGISTERED_MODEL_NOT_FOUND: "registered model not found",
    Reason.MODEL_VERSION_NOT_FOUND: "model version not found",
    Reason.SERVING_ENVIRONMENT_NOT_FOUND: "serving environment not found",
    Reason.INFERENCE_SERVICE_NOT_FOUND: "inference service not found",
    Reason.SERVE_MODEL_NOT_FOUND: "serve model not found",
    Reason.REGISTERED_MODEL_NAME_TAKEN: "model with this name already exists in the project",
    Reason.MODEL_VERSION_NAME_TAKEN: "version with this name already exists for this model",
    Reason.SERVING_ENVIRONMENT_NAME_TAKEN: "serving environment with this name already exists in the project",
    Reason.INFERENCE_SERVICE_NAME_TAKEN: "inference service with this name already exists",
    Reason.SERVE_MODEL_EXISTS: "serve model already exists for this inference service and version",
    Reason.MODEL_NOT_ARCHIVED: "cannot delete model: must be archived with no READY versions",
    Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS: "model has active deployments",
    Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES: "serving environment has active inference services",
    Reason.INFERENCE_SERVICE_DEPLOYED: "cannot delete deployed inference service",
    Reason.MODEL_VERSION_NOT_READY: "model version is not ready for deployment",
    Reason.CLUSTER_READ_FAILED: "internal server error",
}
# The texts of these depend on the request.
TEXT_OF_ITS_OWN = {Reason.INVALID_REQUEST, Reason.DEPLOYMENT_BLOCKED, Reason.HISTORY_FORGOTTEN} | {
    Reason.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED,
    Reason.NAMESPACE_NOT_ALLOWED,
    Reason.URI_NOT_ALLOWED,
    Reason.RUNTIME_NOT_ALLOWED,
    Reason.QUOTA_EXCEEDED,
    Reason.TOO_MANY_WEBHOOKS,
}


@pytest.mark.parametrize(("reason", "text"), CONTRACT_TEXTS.items())
def test_has_the_text_of_the_contract(reason: Reason, text: str) -> None:
    error = RegistryError(reason)

    assert (error.reason, error.message, str(error)) == (reason, text, text)


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in TEXT_OF_ITS_OWN])
def test_every_reason_has_a_text(reason: Reason) -> None:
    assert RegistryError(reason).message


def test_a_reason_is_its_own_word() -> None:
    assert all(reason.name == reason.value for reason in Reason)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ProjectIdRequired("missing"), Reason.PROJECT_ID_REQUIRED),
        (InvalidPageToken(), Reason.INVALID_PAGE_TOKEN),
        (ConcurrentChange(), Reason.CONCURRENT_CHANGE),
        (Overloaded(), Reason.OVERLOADED),
        (ClusterReadFailed("forbidden"), Reason.CLUSTER_READ_FAILED),
    ],
)
def test_errors_with_one_reason_know_it(error: RegistryError, reason: Reason) -> None:
    assert (error.reason, error.message) == (reason, RegistryError(reason).message)


def test_the_answer_of_the_cluster_is_not_in_the_text() -> None:
    error = ClusterReadFailed("forbidden: user system:serviceaccount:registry")

    assert error.cause == "forbidden: user system:serviceaccount:registry"
    assert str(error) == "internal server error"


def test_not_found_names_the_id_in_its_metadata() -> None:
    id_ = UUID(int=7)

    assert NotFound.of(Reason.SERVE_MODEL_NOT_FOUND, id_).metadata == {"id": str(id_)}
    assert NotFound.of(Reason.SERVE_MODEL_NOT_FOUND).metadata == {}


def test_metadata_is_not_in_the_text() -> None:
    error = AlreadyExists(Reason.REGISTERED_MODEL_NAME_TAKEN, name="x")

    assert (error.message, error.metadata) == (CONTRACT_TEXTS[Reason.REGISTERED_MODEL_NAME_TAKEN], {"name": "x"})


def test_within_adds_the_step_and_keeps_the_error() -> None:
    error = FailedPrecondition(Reason.MODEL_VERSION_NOT_READY, status="PENDING")

    stepped = error.within("version v1")

    assert stepped is error
    assert (stepped.message, str(stepped)) == ("version v1: model version is not ready for deployment",) * 2
    assert (stepped.reason, stepped.metadata) == (
        Reason.MODEL_VERSION_NOT_READY,
        {"status": "PENDING", "step": "version v1"},
    )


def test_invalid_request_tells_every_violation() -> None:
    violations = [Violation("name", "is required"), Violation("uri", "must be at most 500 characters")]

    assert InvalidRequest(violations).message == "name is required; uri must be at most 500 characters"
    assert InvalidRequest(violations).violations == tuple(violations)
    assert InvalidRequest(violations, "model name is required").message == "model name is required"
    assert InvalidRequest(iter(violations)).reason is Reason.INVALID_REQUEST


def test_one_error_for_several_names_each_violation_once() -> None:
    name, uri = Violation("name", "is required"), Violation("uri", "is required")

    together = InvalidRequest.of_all([InvalidRequest([name], "model name is required"), InvalidRequest([uri, name])])

    assert together.violations == (name, uri)
    assert (
        together.message == "model name is required"
    )  # a text of the contract is used even if there are other violations
    assert InvalidRequest.of_all([InvalidRequest([name]), InvalidRequest([uri])]).message == (
        "name is required; uri is required"
    )


def test_a_blocked_deployment_tells_all_that_blocks_it() -> None:
    blocked = DeploymentBlocked([Violation("uri", "no such bucket"), Violation("name", "too long")])

    assert (blocked.message, blocked.reason) == ("no such bucket; too long", Reason.DEPLOYMENT_BLOCKED)
    assert DeploymentBlocked([]).message == "deployment is blocked"


def test_a_detail_is_read_after_the_text() -> None:
    error = FailedPrecondition(
        Reason.MODEL_VERSION_NOT_READY, detail='status is "ready", must be READY', status="ready"
    )
    stepped = error.within("version v1")
    assert (stepped.message, stepped.metadata) == (
        "version v1: model version is not ready for deployment",
        {"status": "ready", "step": "version v1"},
    )
    assert stepped.full_message == f'{stepped.message}: status is "ready", must be READY'
    assert NotFound(Reason.MODEL_VERSION_NOT_FOUND).full_message == "model version not found"
