"""Where secrets are stored, and their re-encryption: of those that are not encrypted as new ones are."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from registry_grpc.ports.secrets import SecretCipher

_BATCH = 500
_SECRETS = """
SELECT id, access_key, secret_key FROM model_version
WHERE id > $1 AND (access_key <> '' OR secret_key <> '') ORDER BY id LIMIT $2
"""
# Only where nothing was changed meanwhile.
_REPLACE = """
UPDATE model_version SET access_key = $4, secret_key = $5 WHERE id = $1 AND access_key = $2 AND secret_key = $3
RETURNING id
"""


KEYS = ("access_key", "secret_key")


def place_of_key(model_version_id: UUID | str, column: str) -> str:
    """To which a stored key is bound."""
    return f"model_version/{model_version_id}/{column}"


async def encrypt_stored_secrets(connection: Any, cipher: SecretCipher) -> int:
    """Encrypt with the current key, and bind to its place, what is not. Returns how many versions were changed. May run
    beside the service.

    Raises SecretUnreadable; what was changed until then stays changed."""
    changed, last = 0, "00000000-0000-0000-0000-000000000000"
    while rows := await connection.fetch(_SECRETS, last, _BATCH):
        for row in rows:
            last, old = row["id"], (row["access_key"], row["secret_key"])
            if all(cipher.is_current(stored) for stored in old):
                continue
            places = (place_of_key(last, column) for column in KEYS)
            new = (
                cipher.encrypt(cipher.decrypt(stored, place), place) for stored, place in zip(old, places, strict=True)
            )
            if await connection.fetchval(_REPLACE, last, *old, *new):
                changed += 1
    return changed
