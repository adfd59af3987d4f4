"""What PostgreSQL refuses, in the words of the domain: by SQLSTATE class and constraint name, never by text."""

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
    "uq_serve_model_isvc_version": Reason.SERVE_MODEL_EXISTS,
}
# A row that is written names one that has gone meanwhile…
_GONE = {
    "fk_registered_model_parent": Reason.REGISTERED_MODEL_NOT_FOUND,
    "fk_model_version_registered_model": Reason.REGISTERED_MODEL_NOT_FOUND,
    "fk_inference_service_serving_environment": Reason.SERVING_ENVIRONMENT_NOT_FOUND,
    "fk_inference_service_registered_model": Reason.REGISTERED_MODEL_NOT_FOUND,
    "fk_inference_service_model_version": Reason.MODEL_VERSION_NOT_FOUND,
    "fk_serve_model_inference_service": Reason.INFERENCE_SERVICE_NOT_FOUND,
    "fk_serve_model_model_version": Reason.MODEL_VERSION_NOT_FOUND,
}
# …or a row that is deleted is named by others.
_IN_USE = {
    "fk_inference_service_serving_environment": Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES,
    "fk_inference_service_registered_model": Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS,
    "fk_serve_model_model_version": Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS,
    "fk_traffic_variant_model_version": Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS,
}

# asyncpg's own connection errors and those of the operating system.
CONNECTION_LOST = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its own record of the connection is broken: "cannot switch to state 12"
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
    """The domain's error for a driver's error; None for one that nobody foresaw."""
    match error:
        case asyncpg.CharacterNotInRepertoireError() | asyncpg.UntranslatableCharacterError():
            return InvalidRequest((), "text must not hold NUL characters")
        case asyncpg.DataError():  # a value of the wrong type; asyncpg counts it among its interface errors
            return None
        case asyncpg.UniqueViolationError() if error.constraint_name in _UNIQUE:
            return AlreadyExists(_UNIQUE[error.constraint_name])
        case asyncpg.ForeignKeyViolationError() | asyncpg.RestrictViolationError():
            constraint = error.constraint_name
            if deleting and constraint in _IN_USE:
                return FailedPrecondition(_IN_USE[constraint])
            return NotFound(_GONE[constraint]) if constraint in _GONE else None
        # The last two: a migration has changed a table meanwhile; the statement is prepared anew when it comes again.
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
            | asyncpg.UndefinedTableError()  # it is being restored
            | asyncpg.InsufficientResourcesError()
            | asyncpg.InvalidSQLStatementNameError()  # a pooler has changed to transaction mode (see sessions)
        ):
            return unavailable()
        case _ if isinstance(error, CONNECTION_LOST):
            return unavailable()
    return None
