"""Properties: values with types beside the labels, on every aggregate (docs/decisions/properties.md)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Property = Mapping[str, Any]
"""The value under the name of its type, as it is stored: `{"int": 1}`, `{"double": 0.97}`, `{"bool": true}`,
`{"string": "a"}` or `{"time": "2026-01-02T03:04:05.000000Z"}`. In Python, 1, 1.0 and True would be equal."""
Properties = Mapping[str, Property]

NO_PROPERTIES: Properties = {}


def of_double(value: float) -> Property:
    """Raises ValueError for a number that JSON does not have. Negative zero becomes zero, as in PostgreSQL."""
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return {"double": value + 0.0}


def of_time(time: datetime) -> Property:
    """The texts of times have the order of the times."""
    return {"time": time.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"}
