"""The times of objects. The store sets them, because all workers need the same clock."""

from __future__ import annotations

from datetime import UTC, datetime

NOT_STORED = datetime.min.replace(tzinfo=UTC)
"""Stands for the times of an object that is not stored yet."""
