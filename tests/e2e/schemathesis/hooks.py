"""Rules of the contract that an OpenAPI document cannot express, so that Schemathesis takes them for failures."""

from __future__ import annotations

import re
from typing import Any

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

# Refusals of requests that fit their schemas: which parameters go together, the state of what they name, and that 5.0
# is an integer for JSON Schema but not for the contract (0.5).
_REFUSALS = re.compile(
    "either externalId or .* is required"
    "|cannot delete .*|serving environment has active inference services"
    "|.*model version is not ready for deployment"
    "|.* must be an integer from .*"
)


@schemathesis.hook
def filter_failure(
    _context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case[Any], response: Response
) -> bool:
    """Whether it is one."""
    if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
        return not _REFUSALS.fullmatch(response.json()["error"])
    return not (isinstance(failure, AcceptedNegativeData) and _is_only_the_query_wrong(case))


def _is_only_the_query_wrong(case: schemathesis.Case[Any]) -> bool:
    """Lists ignore what they cannot read in a query (contract 0.9, 0.10, Q23, Q36)."""
    parts = case.meta.components.items() if case.meta else ()
    return {location for location, part in parts if part.mode.is_negative} == {ParameterLocation.QUERY}
