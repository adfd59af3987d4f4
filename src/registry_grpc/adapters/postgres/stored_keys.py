"""The encrypted keys of model versions: their columns, and changing all of them, also those of deleted versions.

The Go service's columns hold 500 characters. A second column for each key holds the rest of a longer ciphertext.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from registry_grpc.domain.storage import place_of
from registry_grpc.ports.encryption import SecretCipher, SecretUnreadable

KEYS = ("access_key", "secret_key")
COLUMNS = ("access_key", "access_key_rest", "secret_key", "secret_key_rest")
READ = "access_key || access_key_rest AS access_key, secret_key || secret_key_rest AS secret_key, keys_uri"
_ROOM = 500
_BATCH = 2000
_SECRETS = f"""
(
    SELECT id, {READ}, false AS is_deleted FROM model_version
    WHERE id > $1 AND (access_key <> '' OR secret_key <> '') ORDER BY id LIMIT $2
)
"""
# One statement reads both tables, so that it finds a version that is being moved in one of them.
_ALL_SECRETS = f"""
{_SECRETS} UNION ALL (
    SELECT d.id, {READ}, true FROM deleted_model_version d, jsonb_populate_record(NULL::model_version, d.version)
    WHERE d.id > $1 AND (access_key <> '' OR secret_key <> '') ORDER BY d.id LIMIT $2
) ORDER BY id LIMIT $2
"""
_COUNT = "SELECT count(*) FROM model_version WHERE access_key <> '' OR secret_key <> ''"
_COUNT_DELETED = "SELECT count(*) FROM deleted_model_version"
# The table is missing when some migrations were reverted.
_KEEPS_DELETED = "SELECT to_regclass('deleted_model_version') IS NOT NULL"
# These change nothing if the keys have changed since they were read.
_REPLACE = """
UPDATE model_version SET access_key = $4, access_key_rest = $5, secret_key = $6, secret_key_rest = $7
WHERE id = $1 AND access_key || access_key_rest = $2 AND secret_key || secret_key_rest = $3
RETURNING id
"""
_REPLACE_DELETED = """
UPDATE deleted_model_version SET version = version || jsonb_build_object(
    'access_key', $4::text, 'access_key_rest', $5::text, 'secret_key', $6::text, 'secret_key_rest', $7::text
)
WHERE id = $1 AND (version->>'access_key') || (version->>'access_key_rest') = $2
    AND (version->>'secret_key') || (version->>'secret_key_rest') = $3
RETURNING id
"""


def stored(*keys: str) -> list[str]:
    """The values of COLUMNS for these keys, or for one of them."""
    return [part for key in keys for part in (key[:_ROOM], key[_ROOM:])]


def place_of_key(model_version_id: UUID | str, column: str, keys_uri: str) -> str:
    """The place to which the ciphertext of a key is bound: its row and column, and the storage for which it is."""
    return f"model_version/{model_version_id}/{column} for {place_of(keys_uri)}"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of one row. `unreadable` has a line for each secret that stays as it is: its place, and why."""

    changed: bool
    unreadable: tuple[str, ...] = ()


def encrypt_stored_secrets(connection: Any, cipher: SecretCipher) -> AsyncIterator[Rewritten]:
    """Encrypt with the current key all secrets that are stored in plain text, not bound to their place, or encrypted
    with another key. As `_rewrite`."""

    def encrypted(text: str, place: str) -> str:
        return text if cipher.is_current(text) else cipher.encrypt(cipher.decrypt(text, place), place)

    return _rewrite(connection, encrypted)


def decrypt_stored_secrets(connection: Any, cipher: SecretCipher) -> AsyncIterator[Rewritten]:
    """Store all secrets in plain text, as the Go service needs them. As `_rewrite`."""
    return _rewrite(connection, cipher.decrypt)


async def count_stored_secrets(connection: Any) -> int:
    """How many rows the functions above yield at most."""
    count: int = await connection.fetchval(_COUNT)
    if await connection.fetchval(_KEEPS_DELETED):
        count += await connection.fetchval(_COUNT_DELETED)
    return count


async def _rewrite(connection: Any, rewritten: Callable[[str, str], str]) -> AsyncIterator[Rewritten]:
    """Yields each version with keys. May run while the service runs, and may be repeated."""
    replacements = [_REPLACE]
    if await connection.fetchval(_KEEPS_DELETED):
        replacements.append(_REPLACE_DELETED)
    async for row in versions_with_keys(connection):
        id_, old = row["id"], (row["access_key"], row["secret_key"])
        new, unreadable = list(old), []
        for place, key in enumerate(KEYS):
            try:
                new[place] = rewritten(old[place], place_of_key(id_, key, row["keys_uri"]))
            except SecretUnreadable as error:
                unreadable.append(f"model_version {id_} {key}: {error}")
        changed = False
        # If the version was deleted or restored since it was read, it is in the other table now.
        for replace in reversed(replacements) if row["is_deleted"] else replacements:
            if not changed and tuple(new) != old:
                changed = await connection.fetchval(replace, id_, *old, *stored(*new)) is not None
        yield Rewritten(changed, tuple(unreadable))


async def versions_with_keys(connection: Any) -> AsyncIterator[Any]:
    """Rows with `id`, `keys_uri` and the stored KEYS, of which one may be empty, in the order of the ids. They are read
    in batches, between which the caller may write."""
    last, secrets = UUID(int=0), _ALL_SECRETS if await connection.fetchval(_KEEPS_DELETED) else _SECRETS
    while rows := await connection.fetch(secrets, last, _BATCH):
        for row in rows:
            yield row
        last = rows[-1]["id"]
