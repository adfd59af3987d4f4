"""Many deployments at once, under the registry's own limits: they wait for their turn, and none of them fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import pytest
from tests.cluster.faulty import Fault
from tests.kserve import NO_KEYS
from tests.scenarios.processes import controller_process
from tests.scenarios.world import World

from registry_grpc.adapters.kserve.throttle import Limits
from registry_grpc.domain.deployment import Phase
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.services import reconciliation

pytestmark = pytest.mark.slow

TURN_SECONDS = reconciliation.TURN_SECONDS
ATTEMPT_SECONDS = reconciliation.ATTEMPT_SECONDS
FEW = Limits(requests_per_second=30, burst=15)


@pytest.fixture
def limits(request: pytest.FixtureRequest) -> Limits:
    limits: Limits = request.param
    return limits


@pytest.mark.parametrize(
    ("limits", "number"),
    [
        (FEW, 30),
        pytest.param(Limits(), 300, marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    ],
    ids=["30", "300"],
    indirect=["limits"],
)
async def test_a_burst(
    limited: World,
    own_database_url: str,
    limits: Limits,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconciliation, "TURN_SECONDS", TURN_SECONDS)
    monkeypatch.setattr(reconciliation, "ATTEMPT_SECONDS", ATTEMPT_SECONDS)
    version = await limited.version(keys=NO_KEYS)
    calls = limited.simulated.calls
    kubeconfig = limited.kubernetes.registry
    assert kubeconfig is not None
    with controller_process(own_database_url, kubeconfig, limits.requests_per_second):
        answers = await asyncio.gather(
            *(
                limited.deployments.deploy(limited.project_id, limited.new(version, name=f"iris-{i}"))
                for i in range(number)
            )
        )
        assert Counter((answer.status, answer.message) for answer in answers) == {
            ("PENDING", "Deployment initiated"): number
        }
        reasons = Counter(answer.deployment.reason for answer in answers if answer.deployment)
        assert 0 < reasons[DeploymentReason.QUEUED] < number
        for answer in answers:
            await limited.until_deployed(answer.service.id)
    for answer in answers:
        assert Phase.FAILED not in {event.phase for event in await limited.events(answer.service.id)}
    assert calls.total() <= number * 12, calls  # about 8, and more if pods take long enough to be looked at again


@pytest.mark.parametrize("limits", [Limits(requests_per_second=5, burst=5)], indirect=True)
async def test_waiting_for_our_own_limits_is_no_failure(
    limited: World, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although it takes longer than the API server may take."""
    monkeypatch.setattr(reconciliation, "ATTEMPT_SECONDS", 0.5)
    version = await limited.version(keys=NO_KEYS)
    for i in range(3):
        deployed = await limited.deployments.deploy(limited.project_id, limited.new(version, name=f"iris-{i}"))
        assert (deployed.status, deployed.message) == ("PENDING", "Deployment initiated")
        assert deployed.deployment is not None
        assert deployed.deployment.applied is not None
        for _ in range(limits.burst):
            await limited.cluster.look(limited.kube.namespace, "iris", uuid4())


@pytest.mark.parametrize("limits", [Limits(timeout=0.5)], indirect=True)
async def test_no_answer_of_the_api_server_is_a_failure(limited: World) -> None:
    limited.simulated.faults.add(Fault(verb="get", resource="inferenceservices", delay=60))
    deployed = await limited.deploy()
    assert (deployed.status, deployed.message) == ("FAILED", "the Kubernetes API did not answer in time")
