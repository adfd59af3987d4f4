"""Etags: a write can be bound to the state of an object that its caller has read."""

from __future__ import annotations

Etags = tuple[str, ...] | None
"""The etags of which the stored object must have one when it is written; None: any."""
