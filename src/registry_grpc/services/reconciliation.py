"""Makes the cluster agree with the intent, one pass at a time.

A pass observes the cluster, does what is missing, observes again if it did something, and judges the state of the
deployment by the decision table. A pass depends only on the present row and cluster, not on what an earlier pass did,
so it may be cancelled at any point. No transaction is open while the cluster is called.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID

from registry_grpc.domain.decision import (
    PassResult,
    check_before_apply,
    is_left_to_newer_release,
    judge,
    may_lack_secret,
    needs_apply,
    repairs_with,
    takes_over,
)
from registry_grpc.domain.deployment import Deployment, Phase, Want
from registry_grpc.domain.errors import (
    ClusterReadFailed,
    NotAllowed,
    NotFound,
    PermissionDenied,
    Reason,
    RegistryError,
    Unavailable,
)
from registry_grpc.domain.evidence import ApplyRefused, Evidence
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import Claim, DeploymentQueue
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.projects import Tenants
from registry_grpc.ports.repositories import ModelVersionRepository
from registry_grpc.ports.requests import nothing_to_settle
from registry_grpc.services.known_keys import keys_of
from registry_grpc.services.projects import tenant
from registry_grpc.services.turns import Turns

PASS_SECONDS = 45.0
"""How long the API server may take for a pass."""
RENEW_SECONDS = 2.0
"""So short that a lease survives a few failed renewals."""
ATTEMPT_SECONDS = 5.0
"""How long the API server may take for the first pass, which a request makes."""
TURN_SECONDS = 0.3
"""How long a request waits until it may begin its first pass. Then it leaves the deployment to the controllers."""
FOREGROUND_PASSES = 4
"""How many requests of a process make passes at once."""
_WAIT_FOR_OTHERS_SECONDS = 10.0
_NO_ANSWER = "the Kubernetes API did not answer in time"
_JITTER = 0.2


class Reconciler:
    """Makes passes."""

    def __init__(
        self,
        *,
        queue: DeploymentQueue,
        cluster: Cluster,
        versions: ModelVersionRepository,
        tenants: Tenants,
        settle: Callable[[UUID], Awaitable[None]] = nothing_to_settle,
        may_write: bool = True,
    ) -> None:
        """`settle` is Requests.settle. Without `may_write`, requests leave it to controllers to change the cluster."""
        self._queue = queue
        self._cluster = cluster
        self._versions = versions
        self._tenants = tenants
        self._settle = settle
        self._may_write = may_write
        self._turns = Turns(FOREGROUND_PASSES)

    async def attempt(self, id: UUID) -> None:
        """Make a pass now, inside a request. If it fails or takes too long, or if too many others are under way, the
        controllers continue."""
        await self._settle(id)
        if not self._may_write:
            return
        claim = await self._claim_within(id, ATTEMPT_SECONDS)
        if claim is not None:
            await self._work(claim, self._in_turn(claim))

    async def observe_now(self, id: UUID) -> None:
        """Make a pass now and record it. Raises Unavailable and ClusterReadFailed instead of recording those."""
        claim = await self._claim_within(id, _WAIT_FOR_OTHERS_SECONDS)
        if claim is None:
            return  # another pass on this deployment is under way and records what it sees
        try:
            async with self._renewing(claim):
                evidence = None
                if await self._not_allowed(claim.deployment) is None:
                    async with self._cluster.patience(ATTEMPT_SECONDS):
                        evidence = await self._cluster.observe(claim.deployment)
                if not self._may_write and await self._is_to_write(claim, evidence):
                    await self._queue.release(claim)
                    return
                result = await self._pass(claim, ATTEMPT_SECONDS, evidence)
            await self._queue.record(claim, result)
        except TimeoutError as error:
            await self._queue.release(claim)
            raise Unavailable(Reason.CLUSTER_UNAVAILABLE, _NO_ANSWER) from error
        except BaseException:
            await self._queue.release(claim)
            raise

    async def _is_to_write(self, claim: Claim, evidence: Evidence | None) -> bool:
        """Whether a pass would change the cluster. A lost Secret is restored by the next pass of a controller."""
        deployment = claim.deployment
        if evidence is None:
            return False
        if deployment.want is Want.ABSENT or needs_apply(deployment, evidence):
            return True
        result = await self._judge(claim, deployment, evidence, None)
        return _has_ended_rollout(deployment, result)

    async def work(self, claim: Claim) -> None:
        """Make a pass for a controller."""
        if is_left_to_newer_release(claim.deployment, claim.now):
            await self._queue.release(claim)
        else:
            await self._work(claim, self._pass(claim, PASS_SECONDS))

    async def _work(self, claim: Claim, result: Awaitable[PassResult]) -> None:
        """Record a pass. If it is cancelled, as the caller has gone or the controller stops, give its lease back."""
        try:
            async with self._renewing(claim):
                judged = await result
            await self._queue.record(claim, judged)
        except BaseException:
            await self._queue.release(claim)
            raise

    @asynccontextmanager
    async def _renewing(self, claim: Claim) -> AsyncIterator[None]:
        """Renew the lease meanwhile. If the database fails, a later renewal may still be in time."""

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEW_SECONDS)
                with contextlib.suppress(RegistryError):
                    await self._queue.renew(claim)

        renewing = asyncio.create_task(renew())
        try:
            yield
        finally:
            renewing.cancel()

    async def _in_turn(self, claim: Claim) -> PassResult:
        try:
            await self._turns.take(claim.deployment.project_id, TURN_SECONDS)
        except TimeoutError:
            return await self._judge(claim, claim.deployment, None, ApplyRefused(DeploymentReason.QUEUED, ""))
        try:
            return await self._pass(claim, ATTEMPT_SECONDS)
        finally:
            self._turns.give_back()

    async def _claim_within(self, id: UUID, seconds: float) -> Claim | None:
        until = time.monotonic() + seconds
        while (claim := await self._queue.claim_one(id)) is None and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return claim

    async def _pass(self, claim: Claim, seconds: float, evidence: Evidence | None = None) -> PassResult:
        """A pass that ran out of time after the API server had answered is no failure: there is only much to do."""
        deployment, refused = claim.deployment, None
        if (not_allowed := await self._not_allowed(deployment)) is not None:
            return await self._judge(claim, deployment, None, not_allowed)
        try:
            async with self._cluster.patience(seconds):
                evidence = evidence or await self._cluster.observe(deployment)
                if deployment.want is Want.ABSENT:
                    evidence = await self._remove(claim, evidence)
                elif needs_apply(deployment, evidence):
                    deployment = await self._apply(deployment, evidence)
                    evidence = await self._cluster.observe(deployment)
        except TimeoutError:
            refused = ApplyRefused(DeploymentReason.QUEUED, "") if evidence else _unavailable(_NO_ANSWER)
        except ApplyRefused as error:
            refused = error
        except ClusterReadFailed as error:
            ends = error.namespace_is_ending and deployment.want is Want.PRESENT
            reason = DeploymentReason.NAMESPACE_NOT_FOUND if ends else DeploymentReason.NAMESPACE_NOT_VISIBLE
            refused = ApplyRefused(reason, error.cause)
        except Unavailable as error:
            if error.reason is not Reason.CLUSTER_UNAVAILABLE:
                raise  # the database failed, which says nothing about the cluster
            refused = _unavailable(str(error.__cause__ or error.message))
        result = await self._judge(claim, deployment, evidence, refused)
        if not self._may_write:
            return result
        is_as_applied = refused is None and deployment is claim.deployment
        with contextlib.suppress(ApplyRefused, RegistryError, TimeoutError):
            async with self._cluster.patience(seconds):
                return await self._tend_secrets(deployment, result, may_restore=is_as_applied)
        return result

    async def _not_allowed(self, deployment: Deployment) -> ApplyRefused | None:
        """Why nothing is read or written for the deployment: its project may no longer use the namespace. What the
        registry has made there is still removed when it is undeployed."""
        if deployment.want is Want.ABSENT:
            return None
        try:
            (await tenant(self._tenants, deployment.project_id)).check_namespace(deployment.namespace)
        except (NotAllowed, PermissionDenied) as error:
            return ApplyRefused(DeploymentReason.NAMESPACE_NOT_ALLOWED, error.message)
        return None

    async def _judge(
        self, claim: Claim, deployment: Deployment, evidence: Evidence | None, refused: ApplyRefused | None
    ) -> PassResult:
        spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        result = judge(deployment, claim.now, evidence, refused, spread=spread)
        if not result.message:
            return result
        # Programs that know the keys may have written it.
        keys = await keys_of(self._versions, deployment.project_id, deployment.spec)
        return judge(deployment, claim.now, evidence, refused, keys=keys, spread=spread)

    async def _tend_secrets(self, deployment: Deployment, result: PassResult, *, may_restore: bool) -> PassResult:
        """Delete the Secrets of earlier revisions: now, after the next rollout, or with the object. Restore a lost one,
        also that of the revision beside which another one is tried: now, or in the next pass."""
        if _has_ended_rollout(deployment, result):
            result = replace(result, applied=await self._cluster.clean_up(deployment))
        if may_restore and may_lack_secret(deployment, result):
            await self._cluster.restore_secret(deployment, await self._credentials(deployment))
            if canary := deployment.canary:
                spec = await self._queue.spec_of(deployment.id, canary.stable_generation)
                stable = replace(deployment, spec=spec)
                await self._cluster.restore_secret(stable, await self._credentials(stable))
        return result

    async def _apply(self, deployment: Deployment, evidence: Evidence) -> Deployment:
        if evidence.namespace_is_gone:
            raise ApplyRefused(DeploymentReason.NAMESPACE_NOT_FOUND, f'namespaces "{deployment.namespace}" not found')
        credentials = await self._credentials(deployment)
        keeps_keys = credentials is None and self._cluster.keeps_secret(deployment)
        check_before_apply(deployment, has_credentials=bool(credentials) or keeps_keys)
        force = takes_over(deployment)
        applied = await self._cluster.apply(deployment, credentials, seen=evidence, force=force)
        applied = replace(applied, repairs=repairs_with(deployment, evidence))
        return replace(deployment, applied=applied, applied_generation=deployment.generation, applied_at=evidence.at)

    async def _remove(self, claim: Claim, evidence: Evidence) -> Evidence:
        deployment = claim.deployment
        if _is_there(deployment, evidence):
            await self._cluster.delete(deployment, seen=evidence)
            evidence = await self._cluster.observe(deployment)
        is_foreign = evidence.live is not None and evidence.live.is_foreign  # its Secrets have the same names
        if not _is_there(deployment, evidence) and not evidence.namespace_is_gone and not is_foreign:
            await self._cluster.clean_up(deployment)
        return evidence

    async def _credentials(self, deployment: Deployment) -> Credentials | None:
        """None when the version was deleted or has no keys for the uri of the revision. Raises ApplyRefused if they
        cannot be decrypted."""
        spec = deployment.spec
        try:
            return await self._versions.credentials(deployment.project_id, spec.model_version_id, spec.storage_uri)
        except NotFound:
            return None
        except SecretUnreadable as error:
            raise ApplyRefused(DeploymentReason.CREDENTIALS_UNREADABLE, str(error)) from error


def _has_ended_rollout(before: Deployment, result: PassResult) -> bool:
    """Whether the target serves since now, alone. After a canary was aborted, the revision that serves stays."""
    is_news = before.serving_generation != before.generation or before.phase is not result.phase
    return (
        is_news and result.serving_generation == before.generation and result.phase in {Phase.DEPLOYED, Phase.DRIFTED}
    )


def _is_there(deployment: Deployment, evidence: Evidence) -> bool:
    return evidence.live is not None and evidence.live.is_of(deployment)


def _unavailable(message: str) -> ApplyRefused:
    return ApplyRefused(DeploymentReason.API_UNAVAILABLE, message)
