"""Copies the next steps of the domain's DeploymentReason into the proto enum, which has the numbers and the meanings,
and writes docs/reasons.md from both: `python scripts/reasons.py`."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.shipped import PROJECT_ROOT

PROTO = PROJECT_ROOT / "proto" / "modelregistry" / "v1" / "deployment_reason.proto"
PAGE = PROJECT_ROOT / "docs" / "reasons.md"

_VALUE = re.compile(r"((?:  // .*\n)+)  DEPLOYMENT_REASON_(?!UNSPECIFIED)(\w+) = \d+;\n")
_NEXT_STEP = "  // Next step:"
_INTRODUCTION = """\
# Reasons of deployments

`python scripts/reasons.py` generates this page from `src/registry_grpc/domain/reason.py` and
`proto/modelregistry/v1/deployment_reason.proto`. Change it there.

`GetDeployment`, `ListDeployments` and `WatchDeployment` answer the reason with the message of the cluster and the next
step; REST answers the message as `last_error`. `PlanDeployment` answers reasons as the codes of its findings.
`ExplainDeployment` adds the cause and its evidence: conditions, events and logs.
The phase is FAILED unless the meaning names another one, or DEGRADED if other pods of the revision still serve.
[kserve.md](kserve.md) describes how deployments behave.

A reason that only a newer release of the registry knows is kept as it was stored: then `reason` is
`DEPLOYMENT_REASON_UNSPECIFIED`, and `unknown_reason` has the word. Message and next step are the newer release's.

| Reason | What it means | Next step |
|---|---|---|
"""


def proto(text: str) -> str:
    """The proto file with the current next steps."""
    return _VALUE.sub(_with_next_step, text)


def _with_next_step(value: re.Match[str]) -> str:
    step = textwrap.fill(
        f"{_NEXT_STEP} {DeploymentReason[value[2]].next_step}", 120, subsequent_indent="  // ", break_on_hyphens=False
    )
    meaning = value[1].split(_NEXT_STEP)[0]
    return f"{meaning}{step}\n{value[0][len(value[1]) :]}"


def page(text: str) -> str:
    """The page for the proto file."""
    return _INTRODUCTION + "".join(
        f"| `{name}` | {meaning} | {DeploymentReason[name].next_step} |\n" for name, meaning in meanings(text)
    )


def meanings(text: str) -> Iterator[tuple[str, str]]:
    """The names of the proto enum, each with its meaning: the comment before the next step."""
    for comment, name in _VALUE.findall(text):
        lines = comment.split(_NEXT_STEP)[0].splitlines()
        yield name, " ".join(line.removeprefix("  // ") for line in lines)


if __name__ == "__main__":
    PROTO.write_text(proto(PROTO.read_text(encoding="utf-8")), encoding="utf-8")
    PAGE.write_text(page(PROTO.read_text(encoding="utf-8")), encoding="utf-8")
