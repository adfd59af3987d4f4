"""Rules of the contract that an OpenAPI document cannot express, so that Schemathesis takes them for failures."""

from __future__ import annotations

import re
from typing import Any

import httpx

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

# Refusals of requests that fit their schemas: which parameters go together, the state of what they name, the texts that
# Kubernetes accepts, and that 5.0 is an integer for JSON Schema but not for the contract (0.5).
_REFUSAL = (
    "either externalId or .* is required"
    "|cannot delete .*|serving environment has active inference services"
    "|model version is not ready for deployment"
    r"|options\.min_replicas must be at least 1, except in Knative mode"
    r"|options\.max_replicas must not be less than options\.min_replicas"
    r"|options\.(resources\.(requests|limits)\..*|shared_memory) must (be a Kubernetes quantity, .*|not be negative)"
    r"|options\.tolerations\[\d+\]\.\w+ (is required|must be (empty|absent)).* the (operator|effect) `\w+`"
    r"|options\.storage_uris\[\d+\]\.mount_path must be .* folder .*"
    r"|[\w.\[\]]+ must be an integer from -\d+ to \d+"
)
_REFUSALS = re.compile(f"({_REFUSAL})(; ({_REFUSAL}))*", re.DOTALL)


def is_refusal_beyond_schemas(response: Response | httpx.Response) -> bool:
    """Whether a request may have got this answer 400 although it fits its schema."""
    return _REFUSALS.fullmatch(response.json()["error"]) is not None


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: Response
) -> bool:
    """Whether it is one."""
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        return not is_refusal_beyond_schemas(response)
    return not (isinstance(failure, AcceptedNegativeData) and _is_ignored(case))


def _is_ignored(case: schemathesis.Case[Any]) -> bool:
    """Whether only the query of a list is wrong, of which lists ignore what they cannot read (contract 0.9, 0.10, Q23,
    Q36)."""
    if not case.operation.definition.raw["operationId"].startswith("list"):
        return False
    parts = case.meta.components.items() if case.meta else ()
    return {location for location, part in parts if part.mode.is_negative} == {ParameterLocation.QUERY}
