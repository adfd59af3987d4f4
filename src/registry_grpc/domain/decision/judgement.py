"""The result of a pass: the verdict of the table, and what it means for the row and its inference service."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from registry_grpc.domain.canary import CanaryStep, Split
from registry_grpc.domain.decision import canary
from registry_grpc.domain.decision.repairs import takes_over
from registry_grpc.domain.decision.serving import lacks_route, serves
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.table import decide, look_again_in
from registry_grpc.domain.decision.verdict import RESYNC, Verdict
from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference, Phase, Want
from registry_grpc.domain.evidence import ApplyRefused, Evidence, LiveObject
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState, fitting_error
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.redaction import redacted
from registry_grpc.domain.serve_model import ServeModelState

_TEMPORARY = (Why.API_UNAVAILABLE, Why.OVERTAKEN)
_TRIES_BEFORE_TURNS = 6
_IN_PROGRESS = (Why.QUEUED, Why.DELETED_EXTERNALLY)
_LONGEST_LIMIT = timedelta(minutes=11)
WITHOUT_TURN = timedelta(hours=6)
"""When a deployment that waits for its turn is tried if it gets none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceView:
    """The state of a deployment in its inference service, by the state machine of the contract (contract 2.4).

    `last_error` None keeps the current text. `served_state` is for the versions of the target revision.
    """

    current_state: ServiceState
    external_id: str
    url: str
    last_error: str | None
    served_state: ServeModelState


@dataclass(frozen=True, slots=True, kw_only=True)
class PassResult(Verdict):
    """The result of a pass."""

    url: str
    drift: tuple[FieldDifference, ...]
    applied: Applied | None
    applied_generation: int
    applied_at: datetime | None
    serving_generation: int | None
    attempts: int
    split: Split | None = None
    is_shared: bool = False
    """Whether the target serves beside `serving_generation`, as a canary."""
    ended: CanaryStep | None = None
    """How the canary ends: the target stays, or the stable revision becomes the target again."""
    has_seen: bool
    """Whether the cluster could be read."""
    waits_for_turn: bool = False
    """Whether only others can help, so that it takes turns with those in its namespace that have the same reason. What
    happens to its object makes it due at once."""
    service: ServiceView


def judge(
    deployment: Deployment,
    now: datetime,
    evidence: Evidence | None,
    refused: ApplyRefused | None,
    *,
    keys: Iterable[Credentials] = (),
    spread: float = 1.0,
) -> PassResult:
    """`deployment` includes what the pass has applied; `now` is the database's time of the claim. The message has none
    of the keys. With different values of `spread`, deployments that were made together do not stay due together."""
    deployment = replace(deployment, serving_generation=_still_serves(deployment, evidence))
    situation = Situation(deployment=deployment, now=now, evidence=evidence, refused=refused)
    verdict = decide(situation)
    verdict = replace(verdict, message=redacted(verdict.message, keys))
    is_forgotten = verdict.phase is Phase.UNDEPLOYED or verdict.reason is Why.DELETED_EXTERNALLY
    applied = None if is_forgotten else deployment.applied
    serving = _serving(situation, verdict)
    live = situation.live
    url = "" if serving is None else (live or deployment).url
    waits_for_turn = _waits_for_turn(situation, verdict)
    is_shared = serving not in {None, deployment.generation} and bool(situation.canary and situation.share)
    return PassResult(
        phase=verdict.phase,
        reason=verdict.reason,
        message=verdict.message,
        again_in=look_again_in(situation, _until_turn(verdict) if waits_for_turn else verdict, spread),
        waits_for_turn=waits_for_turn,
        url=url,
        drift=live.drift if live is not None and situation.wants(Want.PRESENT) else (),
        applied=applied,
        applied_generation=0 if applied is None else deployment.applied_generation,
        applied_at=None if applied is None else deployment.applied_at,
        serving_generation=serving,
        attempts=deployment.attempts + 1 if situation.was_refused(*_TEMPORARY) else 0,
        split=evidence.split if evidence else deployment.split,
        is_shared=is_shared,
        ended=canary.ended(situation),
        has_seen=evidence is not None,
        service=_service_view(situation, verdict, url, serving, is_shared=is_shared),
    )


def _waits_for_turn(s: Situation, verdict: Verdict) -> bool:
    """Whether time alone changes nothing: it has failed, or has been as it is for longer than any of the time limits
    in the table. Hundreds of these would keep the API server busy if each were tried for itself."""
    if verdict.again_in is None or verdict.again_in >= RESYNC or verdict.reason in _IN_PROGRESS:
        return False
    if s.was_refused(*_TEMPORARY):
        return s.deployment.attempts >= _TRIES_BEFORE_TURNS
    is_ending = s.was_refused(Why.NAMESPACE_NOT_FOUND) and s.evidence is None
    is_unseen = s.was_refused(Why.NAMESPACE_NOT_VISIBLE) and s.wants(Want.PRESENT)
    # Others can change the object, which is watched, or the drift policy.
    is_left = verdict.reason in {Why.SPEC_CHANGED, Why.FIELD_CONFLICT} and not takes_over(s.deployment)
    if (verdict.phase is Phase.FAILED and not is_ending) or is_unseen or (is_left and s.canary is None):
        return True
    longest = max(_LONGEST_LIMIT, timedelta(seconds=s.deployment.spec.options.deadline_seconds))
    return verdict.phase is s.deployment.phase and s.now - s.deployment.phase_since > longest


def _until_turn(verdict: Verdict) -> Verdict:
    return replace(verdict, again_in=WITHOUT_TURN)


def _still_serves(deployment: Deployment, evidence: Evidence | None) -> int | None:
    """The revision that serves according to the evidence: none if the applied object is gone or stopped. It may be one
    that has rolled out, but was overtaken by a newer revision before a pass could record that."""
    if evidence is None:
        return deployment.serving_generation
    live, applied, rollout = evidence.live, deployment.applied, evidence.rollout
    if live is None or applied is None or live.uid != applied.uid or live.is_stopped:
        return None
    if deployment.canary is not None:
        return deployment.serving_generation
    is_ready = live.ready is not None and live.ready.is_true
    serving = deployment.serving_generation
    if (
        is_ready
        and rollout is not None
        and rollout.is_complete
        and (serving or 0) < rollout.revision < deployment.generation
    ):
        return rollout.revision
    return serving


def _serving(situation: Situation, verdict: Verdict) -> int | None:
    deployment = situation.deployment
    is_alone = situation.canary is None
    # Also if others have changed it since: its pods have the stamp of the target, and those of no other revision serve.
    is_drifted = verdict.reason in {Why.SPEC_CHANGED, Why.DRIFT_FIGHT} and deployment.is_applied and is_alone
    if verdict.phase is Phase.DEPLOYED or (is_drifted and serves(situation) and not lacks_route(situation)):
        return deployment.generation
    if _nothing_serves(situation, verdict):
        return None
    if situation.canary and situation.is_ready:  # also when somebody has stopped the object and resumed it
        return situation.canary.stable_generation
    return deployment.serving_generation


def _nothing_serves(situation: Situation, verdict: Verdict) -> bool:
    """Pods go with their namespace, before it has gone itself. An object that waits for a finalizer keeps its own."""
    if verdict.reason is Why.BEING_DELETED and situation.canary is None:
        return situation.rollout is None or not situation.rollout.is_available
    is_gone = verdict.reason in {Why.DELETED_EXTERNALLY, Why.NAMESPACE_NOT_FOUND}
    return is_gone or verdict.phase in {Phase.UNDEPLOYED, Phase.STOPPED} or situation.wants(Want.ABSENT)


def _service_view(
    situation: Situation, verdict: Verdict, url: str, serving: int | None, *, is_shared: bool
) -> ServiceView:
    deployment, message, is_wanted = situation.deployment, verdict.message, situation.wants(Want.PRESENT)
    is_visible = verdict.reason is not Why.NAMESPACE_NOT_VISIBLE
    if situation.refused is not None and message and is_wanted and is_visible:
        message = f"create kserve inferenceservice: {message}"  # the text of the contract (2.4)
    # An undeployment keeps the text of what came before it (contract 2.4), but not what it had to wait for.
    has_waited = verdict.phase is Phase.UNDEPLOYED and bool(deployment.reason)
    is_well = verdict.phase is Phase.DEPLOYED and is_visible
    never_reached = verdict.reason in _TEMPORARY and deployment.applied is None
    is_serving = is_shared or serving == deployment.generation
    served_state = ServeModelState.RUNNING if is_serving else ServeModelState.PENDING
    if is_wanted and (verdict.phase is Phase.FAILED or never_reached):
        served_state = ServeModelState.FAILED
    return ServiceView(
        current_state=ServiceState.UNDEPLOYED if serving is None else ServiceState.DEPLOYED,
        external_id=deployment.applied.uid if deployment.applied is not None and is_wanted else "",
        url=url,
        last_error="" if is_well or has_waited else fitting_error(message) or None,
        served_state=served_state,
    )


def of_record(live: LiveObject | None) -> InferenceServicePatch:
    """How a service without deployment control follows the object with its name (contract 2.4; quirk Q17)."""
    if live is None:
        return InferenceServicePatch(
            current_state=ServiceState.UNDEPLOYED, url="", last_error="the object is not in the cluster"
        )
    if live.ready is not None and live.ready.is_true:
        return InferenceServicePatch(
            current_state=ServiceState.DEPLOYED, url=live.url, last_error="", external_id=live.uid
        )
    message = live.ready.message if live.ready else ""
    return InferenceServicePatch(last_error=fitting_error(message) or UNSET, external_id=live.uid)
