"""Decides from the evidence what a pass does (`action`), the verdict (`table`), and the resulting row (`judgement`).

FAILED is never final: every pass decides again from new evidence.
"""

from __future__ import annotations

from registry_grpc.domain.decision.action import (
    check_before_apply,
    is_left_to_newer_release,
    is_overtaken,
    may_lack_secret,
    needs_apply,
)
from registry_grpc.domain.decision.judgement import PassResult, ServiceView, judge, of_record
from registry_grpc.domain.decision.repairs import repairs_with, takes_over
from registry_grpc.domain.decision.situation import Situation, is_withdrawn
from registry_grpc.domain.decision.table import TABLE, Row, decide
from registry_grpc.domain.decision.verdict import Verdict

__all__ = [
    "TABLE", "PassResult", "Row", "ServiceView", "Situation", "Verdict", "check_before_apply", "decide",
    "is_left_to_newer_release", "is_overtaken", "is_withdrawn", "judge", "may_lack_secret", "needs_apply", "of_record",
    "repairs_with", "takes_over",
]  # fmt: skip
