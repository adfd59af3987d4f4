"""Re-encryption of stored secrets: those of before encryption came, and those under a key that shall go."""

from __future__ import annotations

from typing import Any

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


async def encrypt_stored_secrets(connection: Any, cipher: SecretCipher) -> int:
    """Encrypt with the current key what is not. Returns how many versions were changed. May run beside the service.

    Raises SecretUnreadable; what was changed until then stays changed."""
    changed, last = 0, "00000000-0000-0000-0000-000000000000"
    while rows := await connection.fetch(_SECRETS, last, _BATCH):
        for row in rows:
            last, old = row["id"], (row["access_key"], row["secret_key"])
            if all(cipher.is_current(stored) for stored in old):
                continue
            new = (cipher.encrypt(cipher.decrypt(stored)) for stored in old)
            if await connection.fetchval(_REPLACE, last, *old, *new):
                changed += 1
    return changed
