"""Kubernetes quantities: `2`, `500m`, `1.5Gi`, `1e3`, as k8s.io/apimachinery reads them."""

from __future__ import annotations

import re

_QUANTITY = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")


def fault_of_quantity(text: str) -> str:
    """The rule that the text breaks as an amount of a resource; empty if it breaks none."""
    if not _QUANTITY.fullmatch(text):
        return "must be a Kubernetes quantity, for example `500m` or `2Gi`"
    return "must not be negative" if text.startswith("-") else ""
