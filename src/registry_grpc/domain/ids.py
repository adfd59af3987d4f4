"""UUIDs as clients write them (contract 0.3)."""

from __future__ import annotations

import re
from uuid import UUID

# The canonical form or 32 digits, in any letter case. uuid.UUID accepts many other forms.
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def parse_uuid(text: str) -> UUID | None:
    """The UUID, or None if the text is not a UUID."""
    return UUID(text) if is_uuid(text) else None


def parse_own_id(text: str) -> UUID | None:
    """Parses an `externalId`, which only matches in canonical lower case (contract, routes 3 and 11)."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None
