"""One closed set of reasons: in the domain, in the proto and on the page about them, each with what helps."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modelregistry.v1 import deployment_reason_pb2 as pb
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.shipped import PROJECT_ROOT

_PROGRAM = """
import sys
sys.path.insert(0, "scripts")
import reasons
proto = reasons.PROTO.read_text(encoding="utf-8")
assert reasons.proto(proto) == proto, "deployment_reason.proto"
assert reasons.page(proto) == reasons.PAGE.read_text(encoding="utf-8"), "docs/reasons.md"
print(*(name for name, meaning in reasons.meanings(proto) if meaning))
"""


def test_proto_and_page_are_up_to_date_and_every_reason_has_a_meaning() -> None:
    checked = subprocess.run(
        [sys.executable, "-c", _PROGRAM], cwd=PROJECT_ROOT, check=False, capture_output=True, text=True
    )
    assert checked.returncode == 0, f"run `python scripts/reasons.py`:\n{checked.stderr}"
    assert set(checked.stdout.split()) == {reason.value for reason in DeploymentReason} - {""}


def test_the_proto_has_the_same_reasons() -> None:
    names = {name.removeprefix("DEPLOYMENT_REASON_") for name in pb.DeploymentReason.keys()}  # noqa: SIM118
    assert names - {"UNSPECIFIED"} == {reason.name for reason in DeploymentReason} - {"NONE"}


@pytest.mark.parametrize("reason", DeploymentReason)
def test_a_reason_is_stored_as_its_name_and_has_a_next_step(reason: DeploymentReason) -> None:
    assert DeploymentReason.stored(reason.value) is reason
    if reason is DeploymentReason.NONE:
        assert (reason, reason.next_step) == ("", "")
    else:
        assert reason == reason.name
        assert reason.next_step.endswith(".")


def test_an_unknown_word_does_not_become_a_reason_by_mistake() -> None:
    with pytest.raises(ValueError, match="QUOTAS"):
        DeploymentReason("QUOTAS")
