"""The encrypted keys of model versions: their columns, and changing all of them at once.

The Go service's columns hold 500 characters. A second column for each key holds the rest of a longer ciphertext.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

from registry_grpc.domain.storage import place_of
from registry_grpc.ports.encryption import SecretCipher

KEYS = ("access_key", "secret_key")
COLUMNS = ("access_key", "access_key_rest", "secret_key", "secret_key_rest")
READ = "access_key || access_key_rest AS access_key, secret_key || secret_key_rest AS secret_key, keys_uri"
_ROOM = 500
_BATCH = 2000
_SECRETS = f"""
SELECT id, {READ} FROM model_version
WHERE id > $1 AND (access_key <> '' OR secret_key <> '') ORDER BY id LIMIT $2
"""
# Changes nothing if the keys have changed since they were read.
_REPLACE = """
UPDATE model_version SET access_key = $4, access_key_rest = $5, secret_key = $6, secret_key_rest = $7
WHERE id = $1 AND access_key || access_key_rest = $2 AND secret_key || secret_key_rest = $3
RETURNING id
"""


def stored(*keys: str) -> list[str]:
    """The values of COLUMNS for these keys, or for one of them."""
    return [part for key in keys for part in (key[:_ROOM], key[_ROOM:])]


def place_of_key(model_version_id: UUID | str, column: str, keys_uri: str) -> str:
    """The place to which the ciphertext of a key is bound: its row and column, and the storage for which it is."""
    return f"model_version/{model_version_id}/{column} for {place_of(keys_uri)}"


async def encrypt_stored_secrets(connection: Any, cipher: SecretCipher) -> int:
    """Encrypt with the current key all secrets that are stored in plain text, not bound to their place, or encrypted
    with another key. As `_rewrite`."""

    def encrypted(text: str, place: str) -> str:
        return text if cipher.is_current(text) else cipher.encrypt(cipher.decrypt(text, place), place)

    return await _rewrite(connection, encrypted)


async def decrypt_stored_secrets(connection: Any, cipher: SecretCipher) -> int:
    """Store all secrets in plain text, as the Go service needs them. As `_rewrite`."""
    return await _rewrite(connection, cipher.decrypt)


async def _rewrite(connection: Any, rewritten: Callable[[str, str], str]) -> int:
    """Returns how many versions were changed. May run while the service runs, and may be repeated.

    Raises SecretUnreadable; versions changed before that stay changed.
    """
    changed = 0
    async for row in versions_with_keys(connection):
        id_, old = row["id"], (row["access_key"], row["secret_key"])
        places = [place_of_key(id_, key, row["keys_uri"]) for key in KEYS]
        new = tuple(rewritten(text, place) for text, place in zip(old, places, strict=True))
        if new != old and await connection.fetchval(_REPLACE, id_, *old, *stored(*new)):
            changed += 1
    return changed


async def versions_with_keys(connection: Any) -> AsyncIterator[Any]:
    """Rows with `id`, `keys_uri` and the stored KEYS, of which one may be empty, in the order of the ids. They are read
    in batches, between which the caller may write."""
    last = UUID(int=0)
    while rows := await connection.fetch(_SECRETS, last, _BATCH):
        for row in rows:
            yield row
        last = rows[-1]["id"]
