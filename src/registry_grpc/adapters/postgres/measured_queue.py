"""Counts passes, and tells the span to which a pass belongs of it."""

from __future__ import annotations

import time

from registry_grpc.adapters.metrics import PASS_SECONDS, PASSES
from registry_grpc.adapters.postgres.deployment_queue import PostgresDeploymentQueue
from registry_grpc.adapters.spans import current
from registry_grpc.domain.decision import PassResult
from registry_grpc.ports.deployments import Claim


class MeasuredDeploymentQueue(PostgresDeploymentQueue):
    """A claim begins a pass, and what becomes of the claim is the outcome."""

    async def record(self, claim: Claim, result: PassResult) -> bool:
        is_held = await super().record(claim, result)
        _count(claim, result.phase if is_held else "lease lost")
        return is_held

    async def release(self, claim: Claim) -> None:
        _count(claim, "released")
        await super().release(claim)


def _count(claim: Claim, outcome: str) -> None:
    PASSES.labels(outcome).inc()
    PASS_SECONDS.observe(time.monotonic() - claim.claimed_at)
    if (span := current()) is not None:
        span.set_attributes({"registry.deployment.id": str(claim.deployment.id), "registry.pass.outcome": outcome})
