"""Bringing the cluster to the intent, one pass at a time.

A pass looks at the cluster, does what is missing, looks again if it did something, and lets the decision table say
where the deployment stands. Passes are level-triggered: nothing depends on what an earlier pass did, only on the row
and the cluster as they are, so that a pass may be broken off anywhere. No transaction is open while the
cluster is called.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from registry_grpc.domain.decision import Situation, Verdict, decide, is_withdrawn
from registry_grpc.domain.deployment import Deployment, Phase, Want
from registry_grpc.domain.errors import ClusterReadFailed, NotFound, Reason, RegistryError, Unavailable
from registry_grpc.domain.evidence import ApplyRefused, Evidence, Refusal
from registry_grpc.domain.inference_service import (
    InferenceService,
    InferenceServicePatch,
    ServiceState,
    fitting_error,
)
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.preflight import findings
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.domain.serving_environment import DriftPolicy
from registry_grpc.ports.cluster import Cluster
from registry_grpc.ports.deployments import Claim, DeploymentQueue, PassResult, ServiceView
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.repositories import InferenceServiceRepository, ModelVersionRepository

PASS_SECONDS = 45.0
"""Less than a lease, so that nobody works on a row whose lease is over."""
ATTEMPT_SECONDS = 5.0
"""How long a request waits for its first pass."""
_WAIT_FOR_OTHERS_SECONDS = 10.0
_NEWER_GOES_FIRST = timedelta(seconds=30)
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
        services: InferenceServiceRepository,
    ) -> None:
        self._queue = queue
        self._cluster = cluster
        self._versions = versions
        self._services = services

    async def attempt(self, id: UUID) -> None:
        """Make a pass now, inside a request. What fails or takes too long is left to the controllers."""
        claim = await self._claim_within(id, ATTEMPT_SECONDS)
        if claim is None:
            return
        await self._work(claim, ATTEMPT_SECONDS)

    async def observe_now(self, id: UUID) -> None:
        """Make a pass now and record it. Raises Unavailable and ClusterReadFailed instead of recording those."""
        claim = await self._claim_within(id, _WAIT_FOR_OTHERS_SECONDS)
        if claim is None:
            return  # somebody else is at it right now, and has just recorded or will record what it sees
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                evidence = await self._cluster.observe(claim.deployment)
                result = await self._pass(claim, evidence)
            await self._queue.record(claim, result)
        except TimeoutError as error:
            await self._queue.release(claim)
            raise Unavailable(Reason.CLUSTER_UNAVAILABLE, _NO_ANSWER) from error
        except BaseException:
            await self._queue.release(claim)
            raise

    async def work(self, claim: Claim) -> None:
        """Make a pass for a controller."""
        if _is_for_a_newer_release(claim):
            await self._queue.release(claim)
        else:
            await self._work(claim, PASS_SECONDS)

    async def _work(self, claim: Claim, seconds: float) -> None:
        """A pass that is broken off, by a caller who has gone or a controller that stops, gives its lease back."""
        try:
            try:
                async with asyncio.timeout(seconds):
                    result = await self._pass(claim)
            except TimeoutError:
                result = _judged(claim, claim.deployment, None, _unavailable(_NO_ANSWER))
            await self._queue.record(claim, result)
        except BaseException:
            await self._queue.release(claim)
            raise

    async def observe_uncontrolled(self, service: InferenceService, namespace: str) -> InferenceService:
        """Let a service that is a record only follow an object of its name (contract 2.4, sync; quirk Q17).

        Raises Unavailable, ClusterReadFailed.
        """
        live = await self._cluster.look(namespace, service.name)
        if live is None:
            patch = InferenceServicePatch(
                current_state=ServiceState.UNDEPLOYED, url="", last_error="the object is not in the cluster"
            )
        elif live.ready is not None and live.ready.is_true:
            patch = InferenceServicePatch(
                current_state=ServiceState.DEPLOYED, url=live.url, last_error="", external_id=live.uid
            )
        else:
            message = live.ready.message if live.ready else ""
            patch = InferenceServicePatch(last_error=fitting_error(message) or UNSET, external_id=live.uid)
        state = ServeModelState.RUNNING if patch.current_state == ServiceState.DEPLOYED else None
        return await self._services.follow(
            service.project_id, service.id, patch, state, unchanged_since=service.updated_at
        )

    async def _claim_within(self, id: UUID, seconds: float) -> Claim | None:
        until = time.monotonic() + seconds
        while (claim := await self._queue.claim_one(id)) is None and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        return claim

    async def _pass(self, claim: Claim, evidence: Evidence | None = None) -> PassResult:
        deployment, refused = claim.deployment, None
        try:
            evidence = evidence or await self._cluster.observe(deployment)
            if deployment.want is Want.ABSENT:
                evidence = await self._remove(claim, evidence)
            elif _needs_apply(deployment, evidence):
                deployment = await self._apply(deployment, evidence)
                evidence = await self._cluster.observe(deployment)
        except ApplyRefused as error:
            refused = error
        except ClusterReadFailed as error:
            refused = ApplyRefused(Refusal.FORBIDDEN, error.cause)
        except Unavailable as error:
            if error.reason is not Reason.CLUSTER_UNAVAILABLE:
                raise  # nothing is known of the cluster then
            refused = _unavailable(str(error.__cause__ or error.message))
        result = _judged(claim, deployment, evidence, refused)
        if result.phase is Phase.DEPLOYED and deployment.serving_generation != deployment.generation:
            await self._drop_old_secrets(deployment)
        return result

    async def _drop_old_secrets(self, deployment: Deployment) -> None:
        """Those of earlier revisions; what fails here, the garbage collector does when the object goes."""
        with contextlib.suppress(ApplyRefused, RegistryError):
            await self._cluster.clean_up(deployment)

    async def _apply(self, deployment: Deployment, evidence: Evidence) -> Deployment:
        credentials = await self._credentials(deployment)
        _check_before_apply(deployment, has_credentials=bool(credentials))
        force = deployment.drift_policy is DriftPolicy.ENFORCE
        applied = await self._cluster.apply(deployment, credentials, seen=evidence, force=force)
        return replace(deployment, applied=applied, applied_generation=deployment.generation, applied_at=evidence.at)

    async def _remove(self, claim: Claim, evidence: Evidence) -> Evidence:
        deployment = claim.deployment
        if _is_there(deployment, evidence):
            await self._cluster.delete(deployment, seen=evidence)
            evidence = await self._cluster.observe(deployment)
        if not _is_there(deployment, evidence):
            credentials: Credentials | None = None
            with contextlib.suppress(ApplyRefused):  # what was applied names its Secret, too
                credentials = await self._credentials(deployment)
            await self._cluster.clean_up(deployment, credentials)
        return evidence

    async def _credentials(self, deployment: Deployment) -> Credentials | None:
        """None when they went with the version, or when its uri was changed to another place. Raises ApplyRefused for
        those that cannot be decrypted."""
        spec = deployment.spec
        try:
            return await self._versions.credentials(deployment.project_id, spec.model_version_id, spec.storage_uri)
        except NotFound:
            return None
        except SecretUnreadable as error:
            raise ApplyRefused(Refusal.REJECTED, str(error), reason="CREDENTIALS_UNREADABLE") from error


def _is_for_a_newer_release(claim: Claim) -> bool:
    """While two releases run side by side, the newer one brings about what this one does not know. Only when it has not
    done so for a while, this one says that it cannot."""
    deployment = claim.deployment
    is_news = deployment.want is Want.PRESENT and deployment.applied_generation < deployment.generation
    return bool(deployment.spec.unknown) and is_news and claim.now - deployment.revised_at < _NEWER_GOES_FIRST


def _is_there(deployment: Deployment, evidence: Evidence) -> bool:
    return evidence.live is not None and evidence.live.deployment_id == str(deployment.id)


def _needs_apply(deployment: Deployment, evidence: Evidence) -> bool:
    live, applied = evidence.live, deployment.applied
    if live is not None and live.deleting_since is not None:
        return False  # rows 4 and 8 wait until it is gone
    if live is not None and _is_there(deployment, evidence) and _is_newer(live.revision_stamp, deployment):
        return False
    if applied is None or is_withdrawn(deployment):
        return True
    if live is None or live.uid != applied.uid:
        return False  # row 7 tells that it is gone and forgets it; the next pass makes it again
    # Drift is told by row 9 before it is put right, so that the log knows of it.
    was_told = deployment.phase is Phase.DRIFTED and deployment.reason == "SPEC_CHANGED"
    is_enforced = deployment.drift_policy is DriftPolicy.ENFORCE
    return deployment.applied_generation < deployment.generation or (bool(live.drift) and is_enforced and was_told)


def _is_newer(stamp: str, deployment: Deployment) -> bool:
    """Somebody with a newer row was here meanwhile; this pass knows too little to write."""
    return stamp.isdigit() and int(stamp) > deployment.generation


def _check_before_apply(deployment: Deployment, *, has_credentials: bool) -> None:
    """What is sure to fail is not sent: KServe would take it and fail later, without a word."""
    found = findings(deployment.name, deployment.namespace, deployment.spec, has_credentials=has_credentials)
    blocking = [finding for finding in found if finding.blocking]
    if blocking:
        message = "; ".join(finding.message for finding in blocking)
        raise ApplyRefused(Refusal.REJECTED, message, reason=blocking[0].code)


def _unavailable(message: str) -> ApplyRefused:
    return ApplyRefused(Refusal.UNAVAILABLE, message)


def _judged(
    claim: Claim, deployment: Deployment, evidence: Evidence | None, refused: ApplyRefused | None
) -> PassResult:
    deployment = replace(deployment, serving_generation=_still_serves(claim.deployment, evidence))
    verdict = decide(Situation(deployment=deployment, now=claim.now, evidence=evidence, refused=refused))
    forgotten = verdict.phase is Phase.UNDEPLOYED or verdict.reason == "DELETED_EXTERNALLY"
    applied = None if forgotten else deployment.applied
    serving = _serving(deployment, verdict)
    live = evidence.live if evidence else None
    url = ""
    if serving is not None:
        url = live.url if live is not None else deployment.url
    temporary = refused is not None and refused.refusal in {Refusal.UNAVAILABLE, Refusal.STALE}
    return PassResult(
        phase=verdict.phase,
        reason=verdict.reason,
        message=verdict.message,
        next_step=verdict.next_step,
        url=url,
        drift=live.drift if live is not None and verdict.phase is Phase.DRIFTED else (),
        applied=applied,
        applied_generation=0 if applied is None else deployment.applied_generation,
        applied_at=None if applied is None else deployment.applied_at,
        serving_generation=serving,
        attempts=deployment.attempts + 1 if temporary else 0,
        again_in=_jittered(verdict.again_in),
        service=_service_view(deployment, verdict, refused, url, serving),
    )


def _still_serves(deployment: Deployment, evidence: Evidence | None) -> int | None:
    """Which revision served when the pass looked: none without the object that was applied; the one rolled out, where a
    newer revision came before a pass had seen that."""
    if evidence is None:
        return deployment.serving_generation
    live, applied, rollout = evidence.live, deployment.applied, evidence.rollout
    if live is None or applied is None or live.uid != applied.uid:
        return None
    if live.ready is not None and live.ready.is_true and rollout is not None and rollout.is_complete:
        stamp = rollout.revision_stamp
        if stamp.isdecimal() and int(stamp) < deployment.generation:
            return int(stamp)
    return deployment.serving_generation


def _serving(deployment: Deployment, verdict: Verdict) -> int | None:
    if verdict.phase is Phase.DEPLOYED:
        return deployment.generation
    nothing_serves = verdict.phase in {Phase.UNDEPLOYED, Phase.STOPPED} or verdict.reason == "DELETED_EXTERNALLY"
    return None if nothing_serves or deployment.want is Want.ABSENT else deployment.serving_generation


def _service_view(
    deployment: Deployment, verdict: Verdict, refused: ApplyRefused | None, url: str, serving: int | None
) -> ServiceView:
    message = verdict.message
    if refused is not None and message and deployment.want is Want.PRESENT:
        message = f"create kserve inferenceservice: {message}"  # the contract's words, 2.4
    never_reached = verdict.reason == "API_UNAVAILABLE" and deployment.applied is None
    if deployment.want is Want.PRESENT and (verdict.phase is Phase.FAILED or never_reached):
        served_state = ServeModelState.FAILED
    else:
        served_state = ServeModelState.RUNNING if serving == deployment.generation else ServeModelState.PENDING
    return ServiceView(
        current_state=ServiceState.UNDEPLOYED if serving is None else ServiceState.DEPLOYED,
        external_id="" if deployment.applied is None or deployment.want is Want.ABSENT else deployment.applied.uid,
        url=url,
        last_error="" if verdict.phase is Phase.DEPLOYED else fitting_error(message) or None,
        served_state=served_state,
    )


def _jittered(delay: timedelta | None) -> timedelta | None:
    """So that a thousand deployments made at once are not looked at at once for ever."""
    return delay and delay * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
