"""UUIDs as clients write them (contract 0.3)."""

from __future__ import annotations

import re
from uuid import UUID

# Canonical with dashes, or 32 digits, in any letter case. uuid.UUID alone takes much more than that.
_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{4}\1[0-9a-fA-F]{12}")
_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def parse_uuid(text: str) -> UUID | None:
    """None for anything that is not a UUID."""
    return UUID(text) if _UUID.fullmatch(text) else None


def parse_own_id(text: str) -> UUID | None:
    """An `externalId`: only the canonical lower-case text of an id can match (contract, routes 3 and 11)."""
    return UUID(text) if _CANONICAL.fullmatch(text) else None
