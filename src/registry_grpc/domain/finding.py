"""What a check before a deployment says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that speaks against a deployment; a blocking one is sure to make it fail."""

    code: str
    message: str
    hint: str
    blocking: bool = True
    field: str = ""
