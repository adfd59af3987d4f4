"""What the evidence means: what a pass does (`action`), the decision table (`table`), and what follows (`judgement`).

FAILED is never a dead end: every pass decides anew, so any later evidence moves a deployment on.
"""

from __future__ import annotations

from registry_grpc.domain.decision.action import check_before_apply, is_left_to_newer_release, is_overtaken, needs_apply
from registry_grpc.domain.decision.judgement import PassResult, ServiceView, judge, of_record
from registry_grpc.domain.decision.situation import Situation
from registry_grpc.domain.decision.table import TABLE, Row, decide
from registry_grpc.domain.decision.verdict import Verdict

__all__ = [
    "TABLE", "PassResult", "Row", "ServiceView", "Situation", "Verdict", "check_before_apply", "decide",
    "is_left_to_newer_release", "is_overtaken", "judge", "needs_apply", "of_record",
]  # fmt: skip
