"""Traces of passes."""

from __future__ import annotations

from registry_grpc.adapters.spans import pass_span
from registry_grpc.ports.deployments import Claim
from registry_grpc.services.reconciliation import Reconciler


class TracedReconciler(Reconciler):
    """The passes of controllers have spans of their own. Those of requests are beneath the request."""

    async def work(self, claim: Claim) -> None:
        with pass_span(claim.deployment.id):
            await super().work(claim)
