"""Deployments without their methods: their state, their history, and what is known before and after a failure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from modelregistry.v1 import deployment_pb2 as pb
from modelregistry.v1.deployment_reason_pb2 import DeploymentReason
from registry_client import display, fields
from registry_client.fields import Field, Word
from registry_client.options import Options, options_of
from registry_client.records import Record


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


@dataclass(frozen=True)
class Difference:
    """A field of the object in the cluster that is not as it was applied, or would be."""

    path: str
    applied: str
    """As JSON; empty if there was none."""
    found: str
    """As JSON; empty if there is none."""


def _differences(messages: Any) -> list[Difference]:
    return [Difference(each.path, each.applied, each.found) for each in messages]


class DeploymentRecord(Record[pb.Deployment]):
    """The fields of a deployment."""

    shown = ("name", "namespace", "phase", "reason", "target_revision", "model_uri", "url")

    id = fields.text()
    name = fields.text()
    namespace = fields.text()
    phase = Word(pb.DeploymentPhase)
    """Such as PENDING, DEPLOYING, DEPLOYED or FAILED."""
    reason = Word(DeploymentReason)
    """Why; empty if there is nothing to explain."""
    message = fields.text()
    """What the cluster says about it."""
    next_step = fields.text()
    """What a person can do about it."""
    url = fields.text()
    """That of the model, while it serves."""
    registered_model_id = fields.text()
    model_version_id = fields.text()
    target_revision = fields.integer()
    serving_revision: Field[int | None] = Field(_number)
    options: Field[Options] = Field(options_of)
    snapshot = fields.details()
    """What the target revision serves."""
    canary = fields.details()
    """The trial of the target revision beside the stable one; empty without one."""
    drift: Field[list[Difference]] = Field(_differences)
    edited_version_fields = fields.texts()
    phase_since = fields.time()
    observed_at = fields.time()
    created_at = fields.time()
    updated_at = fields.time()

    @property
    def model_uri(self) -> str:
        """Where the files are that the target revision serves."""
        return self.proto.snapshot.uri


class Revision(Record[pb.DeploymentRevision]):
    """One state of what was wanted of a deployment."""

    shown = ("revision", "cause", "model_uri", "outcome", "reason", "created_by", "served_from", "served_until")

    revision = fields.integer()
    cause = Word(pb.RevisionCause)
    outcome = Word(pb.RevisionOutcome)
    reason = Word(DeploymentReason)
    model_version_id = fields.text()
    options: Field[Options] = Field(options_of)
    snapshot = fields.details()
    created_by = fields.text()
    created_at = fields.time()
    served_from = fields.time()
    served_until = fields.time()

    @property
    def model_uri(self) -> str:
        """Where the files are that it serves."""
        return self.proto.snapshot.uri


class DeploymentEvent(Record[pb.DeploymentEvent]):
    """One change of a deployment."""

    shown = ("occurred_at", "target_revision", "phase", "reason", "message")

    sequence = fields.integer()
    occurred_at = fields.time()
    deployment_id = fields.text()
    target_revision = fields.integer()
    serving_revision: Field[int | None] = Field(_number)
    phase = Word(pb.DeploymentPhase)
    reason = Word(DeploymentReason)
    message = fields.text()
    """What the cluster says about it."""
    next_step = fields.text()
    resume_token = fields.text()


class Finding(Record[pb.Finding]):
    """A problem of a planned deployment."""

    shown = ("code", "message", "hint", "blocking", "field")

    code = Word(DeploymentReason)
    message = fields.text()
    hint = fields.text()
    """What to do about it."""
    blocking = fields.flag()
    """Whether the deployment would certainly fail."""
    field = fields.text()


@dataclass(frozen=True)
class Plan:
    """What a deployment would do."""

    manifest: dict[str, Any] = field(repr=False)
    """The object that would be applied."""
    differences: list[Difference]
    """Between it and the object that is in the cluster."""
    findings: list[Finding]
    """All problems, the blocking ones first."""
    proto: pb.PlanDeploymentResponse = field(repr=False)
    """What the registry answered."""

    @classmethod
    def of(cls, answer: pb.PlanDeploymentResponse) -> Plan:
        manifest = json.loads(answer.manifest) if answer.manifest else {}
        return cls(manifest, _differences(answer.differences), [Finding(each) for each in answer.findings], answer)

    @property
    def is_blocked(self) -> bool:
        """Whether the deployment would certainly fail."""
        return any(each.blocking for each in self.findings)

    def _repr_html_(self) -> str:
        rows = [[each.code, each.message, each.hint, "yes" if each.blocking else "no"] for each in self.findings]
        return display.table(
            ("problem", "text", "what to do", "blocking"), rows, "" if rows else "There are no problems."
        )


class ChainLink(Record[pb.ChainLink]):
    """One link of the chain from what is wanted to the URL."""

    shown = ("kind", "name", "state", "summary")

    kind = Word(pb.ChainLinkKind)
    name = fields.text()
    state = Word(pb.ChainLinkState)
    """OK, WAITING, FAILED or UNKNOWN."""
    summary = fields.text()
    since = fields.time()
    revision = fields.integer()
    is_canary = fields.flag()
    signs: Field[list[str]] = Field(lambda values: [f"{each.source}: {each.text}" for each in values])
    """The evidence, such as events and the end of a log."""


@dataclass(frozen=True)
class Explanation:
    """Why a deployment is in its phase."""

    cause: str
    next_step: str
    chain: list[ChainLink]
    """The links, each of which depends on those after it."""

    @classmethod
    def of(cls, answer: pb.ExplainDeploymentResponse) -> Explanation:
        return cls(answer.cause, answer.next_step, [ChainLink(each) for each in answer.chain])

    def __str__(self) -> str:
        return f"{self.cause}\nWhat to do: {self.next_step}" if self.next_step else self.cause

    def _repr_html_(self) -> str:
        rows = [[each.kind, each.name, each.state, each.summary] for each in self.chain]
        return display.table(("link", "name", "state", "summary"), rows, str(self))
