"""What operators read about a reason in docs/kserve.md, and what the service advises about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from registry_grpc.domain import next_steps
from registry_grpc.shipped import PROJECT_ROOT

# KServe's own words, made a reason as they are; the next step is that of the phase.
_OF_KSERVE = {"MINIMUM_REPLICAS_UNAVAILABLE"}


def documented() -> Iterator[str]:
    """The reasons in the first column of the table."""
    text = (PROJECT_ROOT / "docs" / "kserve.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"^## Troubleshooting by reason$(.+?)^## ", text, flags=re.MULTILINE | re.DOTALL)
    for row in re.findall(r"^\| (`[^|]+) \|", section, flags=re.MULTILINE):
        yield from re.findall(r"`([A-Z_]+)`", row)


def test_every_reason_is_in_the_table_once() -> None:
    reasons = list(documented())
    assert sorted(reasons) == sorted(set(reasons))
    assert set(reasons) - _OF_KSERVE == set(next_steps._NEXT_STEPS)
