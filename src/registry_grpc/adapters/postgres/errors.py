"""Translates errors of PostgreSQL into errors of the domain, by SQLSTATE and constraint name, never by text."""

from __future__ import annotations

import asyncpg

from registry_grpc.domain.errors import (
    AlreadyExists,
    ConcurrentChange,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Reason,
    RegistryError,
    Unavailable,
)

_UNIQUE = {
    "uq_registered_model_project_name": Reason.REGISTERED_MODEL_NAME_TAKEN,
    "uq_model_version_model_name": Reason.MODEL_VERSION_NAME_TAKEN,
    "uq_serving_environment_project_name": Reason.SERVING_ENVIRONMENT_NAME_TAKEN,
    "uq_inference_service_env_name": Reason.INFERENCE_SERVICE_NAME_TAKEN,
    "uq_registered_model_external_id": Reason.EXTERNAL_ID_TAKEN,
    "uq_model_version_external_id": Reason.EXTERNAL_ID_TAKEN,
    "uq_artifact_version_name": Reason.ARTIFACT_NAME_TAKEN,
    "uq_artifact_project_name": Reason.ARTIFACT_NAME_TAKEN,
    "uq_artifact_external_id": Reason.EXTERNAL_ID_TAKEN,
    "project_pkey": Reason.PROJECT_EXISTS,
    "uq_project_name": Reason.PROJECT_EXISTS,
    "uq_api_token_project_name": Reason.API_TOKEN_NAME_TAKEN,
    "uq_serve_model_isvc_version": Reason.SERVE_MODEL_EXISTS,
}
# A row that is written refers to a row that was deleted meanwhile.
_GONE = {
    "fk_registered_model_parent": Reason.REGISTERED_MODEL_NOT_FOUND,
    "fk_model_version_registered_model": Reason.REGISTERED_MODEL_NOT_FOUND,
    "fk_inference_service_serving_environment": Reason.SERVING_ENVIRONMENT_NOT_FOUND,
    "fk_inference_service_registered_model": Reason.REGISTERED_MODEL_NOT_FOUND,
    "fk_inference_service_model_version": Reason.MODEL_VERSION_NOT_FOUND,
    "fk_model_alias_version": Reason.MODEL_VERSION_NOT_FOUND,
    "fk_serve_model_inference_service": Reason.INFERENCE_SERVICE_NOT_FOUND,
    "fk_serve_model_model_version": Reason.MODEL_VERSION_NOT_FOUND,
    "fk_artifact_model_version": Reason.MODEL_VERSION_NOT_FOUND,
}
# Other rows refer to a row that is to be deleted.
_IN_USE = {
    "fk_inference_service_serving_environment": Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES,
    "fk_inference_service_registered_model": Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS,
    "fk_serve_model_model_version": Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS,
    "fk_traffic_variant_model_version": Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS,
}

# Connection errors of asyncpg and of the operating system.
CONNECTION_LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the client's state of the connection is broken: "cannot switch to state 12"
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


def unavailable() -> Unavailable:
    return Unavailable(Reason.DATABASE_UNAVAILABLE)


def translate(error: Exception, *, deleting: bool = False) -> RegistryError | None:
    """The error of the domain for an error of the driver; None for an unexpected one."""
    match error:
        case asyncpg.CharacterNotInRepertoireError() | asyncpg.UntranslatableCharacterError():
            return InvalidRequest((), "text must not hold NUL characters")
        case asyncpg.DataError():  # a value of the wrong type, which asyncpg makes an InterfaceError
            return None
        case asyncpg.UniqueViolationError() if error.constraint_name in _UNIQUE:
            return AlreadyExists(_UNIQUE[error.constraint_name])
        case asyncpg.ForeignKeyViolationError() | asyncpg.RestrictViolationError():
            constraint = error.constraint_name
            if deleting and constraint in _IN_USE:
                return FailedPrecondition(_IN_USE[constraint])
            return NotFound(_GONE[constraint]) if constraint in _GONE else None
        # The last two mean that a migration has changed a table. The next try prepares the statement again.
        case (
            asyncpg.SerializationError()
            | asyncpg.DeadlockDetectedError()
            | asyncpg.InvalidCachedStatementError()
            | asyncpg.OutdatedSchemaCacheError()
        ):
            return ConcurrentChange()
        case asyncpg.ReadOnlySQLTransactionError():
            return Unavailable(Reason.DATABASE_READ_ONLY)
        case (
            asyncpg.QueryCanceledError()
            | asyncpg.LockNotAvailableError()
            | asyncpg.UndefinedTableError()  # the database is being restored
            | asyncpg.InsufficientResourcesError()
            | asyncpg.PostgresSystemError()  # its disk fails
            | asyncpg.InvalidSQLStatementNameError()  # a pooler is in transaction mode now (see sessions)
        ):
            return unavailable()
        case _ if isinstance(error, CONNECTION_LOST):
            return unavailable()
    return None
