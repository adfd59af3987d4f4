"""The times of objects. The store sets them, by one clock for all workers: a worker's own may be wrong."""

from __future__ import annotations

from datetime import UTC, datetime

NOT_STORED = datetime.min.replace(tzinfo=UTC)
"""Stands for the time of an object until it is stored."""
