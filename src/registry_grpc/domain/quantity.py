"""Kubernetes quantities: `2`, `500m`, `1.5Gi`, `1e3`, as k8s.io/apimachinery reads them."""

from __future__ import annotations

import re
from decimal import Decimal

# Longer exponents are more than a Decimal has, and more than anybody needs.
_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?")
_THOUSANDS, _KIBIS = "num kMGTPE", "KMGTPE"


def fault_of_quantity(text: str) -> str:
    """The rule that the text breaks as an amount of a resource; empty if it breaks none."""
    if not _QUANTITY.fullmatch(text):
        return "must be a Kubernetes quantity, for example `500m` or `2Gi`"
    return "must not be negative" if text.startswith("-") else ""


def amount_of(text: str) -> Decimal:
    """The amount of a quantity without a fault."""
    found = _QUANTITY.fullmatch(text)
    if not found:
        raise ValueError(text)
    number, suffix = found[1], found[2] or " "
    if suffix.endswith("i"):
        return Decimal(number) * Decimal(1024) ** (_KIBIS.index(suffix[0]) + 1)
    if len(suffix) > 1:
        return Decimal(number + suffix)
    return Decimal(number) * Decimal(1000) ** (_THOUSANDS.index(suffix) - _THOUSANDS.index(" "))
