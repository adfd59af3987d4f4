"""Explanations: why a deployment is in its phase, by the chain from the intent to the URL.

`Cluster.trace` reads the links that are in the cluster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from registry_grpc.domain.deployment import Deployment, Phase, Want

MOST_LINES = 20
MOST_BYTES = 4096


def end_of(text: str) -> str:
    """The last lines of a text, as far as clients get it."""
    lines = "\n".join(text.splitlines()[-MOST_LINES:])
    return lines.encode()[-MOST_BYTES:].decode(errors="ignore")


class LinkKind(StrEnum):
    """What a link of the chain is. NEXT could not be read."""

    INTENT = "Intent"
    INFERENCE_SERVICE = "InferenceService"
    DEPLOYMENT = "Deployment"
    KNATIVE_SERVICE = "Knative Service"
    REPLICA_SET = "ReplicaSet"
    POD = "Pod"
    CONTAINER = "Container"
    URL = "URL"
    NEXT = "Next"


class LinkState(StrEnum):
    """Whether a link of the chain is as it should be."""

    OK = "OK"
    WAITING = "WAITING"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Sign:
    """A piece of evidence: a condition, an event, or the end of a log. `at` is the cluster's time, if it has one."""

    source: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One link: what it is, how it is, and since when it exists or runs (the cluster's time). `revision`: the one that
    it belongs to, or 0."""

    kind: LinkKind
    name: str
    state: LinkState
    summary: str
    since: datetime | None = None
    signs: tuple[Sign, ...] = ()
    revision: int = 0
    is_canary: bool = False

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}".rstrip()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A deployment with its chain, from the intent to the URL."""

    deployment: Deployment
    chain: tuple[Link, ...]

    @classmethod
    def of(cls, deployment: Deployment, traced: Iterable[Link]) -> Explanation:
        return cls(deployment, (_intent(deployment), *traced))

    @property
    def cause(self) -> str:
        """The last link that failed, because each link depends on those after it; otherwise what was last recorded, or
        what is waited for. `next_step` is about the same."""
        chain = sorted(self.chain, key=lambda link: link.kind != LinkKind.URL)  # it waits for all others
        if self._is_about_the_object:
            chain = list(self.chain[:2])
        failed, unread, waiting = (
            [f"{link.title}: {link.summary}" for link in chain if link.state is state]
            for state in (LinkState.FAILED, LinkState.UNKNOWN, LinkState.WAITING)
        )
        recorded = [self.deployment.message] if self.deployment.message else []
        return (failed[-1:] or recorded or unread[-1:] or waiting[-1:] or [""])[0]

    @property
    def _is_about_the_object(self) -> bool:
        """Whether the recorded reason is about the object itself. Pods that fail then have another cause: they may even
        be those of an earlier revision."""
        deployment = self.deployment
        is_changed = deployment.phase in {Phase.DRIFTED, Phase.STOPPED} or deployment.want is Want.ABSENT
        return is_changed or deployment.applied_generation != deployment.generation

    @property
    def next_step(self) -> str:
        return self.deployment.next_step

    def with_texts(self, change: Callable[[str], str]) -> Explanation:
        """The same with every text from the cluster changed, for example to hide secrets."""

        def changed(link: Link) -> Link:
            signs = tuple(replace(sign, text=change(sign.text)) for sign in link.signs)
            return replace(link, summary=change(link.summary), signs=signs)

        deployment = replace(self.deployment, message=change(self.deployment.message))
        return Explanation(deployment, tuple(map(changed, self.chain)))


def _intent(deployment: Deployment) -> Link:
    wanted = "to be removed" if deployment.want is Want.ABSENT else f"to serve {deployment.spec.storage_uri}"
    if deployment.want is Want.ABSENT:
        state, how = LinkState.OK, "is done" if deployment.phase is Phase.UNDEPLOYED else "is under way"
    elif deployment.applied_generation == deployment.generation:
        state, how = LinkState.OK, "is in the cluster"
    else:
        state = LinkState.FAILED if deployment.phase is Phase.FAILED else LinkState.WAITING
        how = f"is not in the cluster yet: {deployment.message}" if deployment.message else "is not in the cluster yet"
    return Link(
        kind=LinkKind.INTENT,
        name=f"revision {deployment.generation}",
        state=state,
        summary=f"{wanted}, {how}",
        since=deployment.revised_at,
        revision=deployment.generation,
    )
