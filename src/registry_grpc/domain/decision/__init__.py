"""What the evidence means: the decision table of deployment control.

FAILED is never a dead end: every pass decides anew, so any later evidence moves a deployment on.
"""

from __future__ import annotations

from registry_grpc.domain.decision.situation import Situation, is_withdrawn
from registry_grpc.domain.decision.table import TABLE, Row, decide
from registry_grpc.domain.decision.verdict import Verdict

__all__ = ["TABLE", "Row", "Situation", "Verdict", "decide", "is_withdrawn"]
