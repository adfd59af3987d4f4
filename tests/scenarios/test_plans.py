"""Plans in a cluster that refuses something: findings, as long as the API server answers."""

from __future__ import annotations

import re

import pytest
from tests.cluster.failures import throttled, unavailable, webhook_denied, webhook_down
from tests.cluster.faulty import Fault
from tests.refusals import refused
from tests.scenarios.world import World

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.domain.errors import DeploymentBlocked, Reason, Unavailable

REGISTRY = "registry"
MISSING = ApiError(404, "NotFound", 'namespaces "models" not found', details={"name": "models", "kind": "namespaces"})
TERMINATING = ApiError(
    403,
    "Forbidden",
    "unable to create new content in namespace models because it is being terminated",
    details={"causes": [{"reason": "NamespaceTerminating"}]},
)
BROKEN = ApiError(500, "InternalError", "conversion webhook failed")
NOT_ALLOWED = ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(verb="patch", resource="inferenceservices", error=MISSING), "NAMESPACE_NOT_FOUND"),
        (Fault(verb="patch", resource="*", error=TERMINATING), "NAMESPACE_NOT_FOUND"),
        (Fault(verb="patch", resource="inferenceservices", error=webhook_denied("no")), "ADMISSION"),
        (Fault(verb="patch", resource="inferenceservices", error=webhook_down()), "API_UNAVAILABLE"),
        (Fault(verb="get", resource="inferenceservices", error=BROKEN), "API_UNAVAILABLE"),
        (Fault(user=REGISTRY, error=unavailable()), "API_UNAVAILABLE"),
        (Fault(user=REGISTRY, error=throttled(0)), "API_UNAVAILABLE"),
        (Fault(user=REGISTRY, error=NOT_ALLOWED), "REJECTED"),
        (Fault(verb="create", resource="selfsubjectaccessreviews", error=NOT_ALLOWED), ""),
        (Fault(verb="list", resource="servingruntimes", error=BROKEN), ""),
        (Fault(verb="get", resource="namespaces", error=BROKEN), ""),
    ],
    ids=lambda value: (
        f"{value.verb}-{value.resource}-{value.error and value.error.code}" if isinstance(value, Fault) else None
    ),
)
async def test_a_refusal_is_a_finding(faulty: World, fault: Fault, code: str) -> None:
    new = faulty.new(await faulty.version(), name="iris")
    faulty.simulated.faults.add(fault)
    plan = await faulty.planning.plan(faulty.project_id, new)
    assert [finding.code for finding in plan.blocking] == [code] * bool(code)
    assert "storageUri" in plan.manifest
    if code:
        with pytest.raises(DeploymentBlocked, match=re.escape(plan.blocking[0].message)):
            await faulty.planning.validate(faulty.project_id, new)


async def test_a_namespace_without_rights(faulty: World) -> None:
    new = faulty.new(await faulty.version(), name="iris")
    faulty.simulated.faults.forbid("*", "*", user=REGISTRY)
    plan = await faulty.planning.plan(faulty.project_id, new)
    assert {finding.code for finding in plan.blocking} == {"FORBIDDEN"}


async def test_a_cluster_out_of_reach(faulty: World) -> None:
    new = faulty.new(await faulty.version(), name="iris")
    faulty.simulated.faults.add(Fault(user=REGISTRY, drop=True))
    with refused(Unavailable, Reason.CLUSTER_UNAVAILABLE):
        await faulty.planning.plan(faulty.project_id, new)
