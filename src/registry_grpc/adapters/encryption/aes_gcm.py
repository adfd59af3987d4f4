"""AES-256-GCM with named keys: `enc:v1:<key id>:<base64 of nonce and ciphertext>`.

The key id in every stored text makes rotation possible: new texts take the first key, old ones stay readable as long as
their key is configured. The key id is authenticated together with the text.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry_grpc.ports.secrets import SecretUnreadable

KEY_BYTES = 32
_NONCE_BYTES = 12
_PREFIX = "enc:v1:"


class AesGcmCipher:
    """Implements ports.secrets.SecretCipher. `keys` maps key ids to 32 bytes each; the first one encrypts."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    def encrypt(self, text: str) -> str:
        if not text:
            return ""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), self._current.encode())
        return f"{_PREFIX}{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str) -> str:
        if not stored.startswith(_PREFIX):
            return stored
        key_id, _, encoded = stored.removeprefix(_PREFIX).partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise SecretUnreadable(f"a stored secret needs the encryption key {key_id!r}, which is not configured")
        try:
            sealed = base64.b64decode(encoded, validate=True)
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key_id.encode()).decode()
        except (binascii.Error, InvalidTag) as error:
            raise SecretUnreadable("a stored secret was changed outside of this service") from error

    def is_current(self, stored: str) -> bool:
        """Whether the stored text needs no re-encryption with the first key."""
        return not stored or stored.startswith(f"{_PREFIX}{self._current}:")


def parse_keys(setting: str) -> dict[str, bytes]:
    """Read `id:base64,id:base64…`. Raises ValueError that names the key id, never the key."""
    keys = {}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        key_id, separator, encoded = part.partition(":")
        if not separator or not key_id.isalnum():
            raise ValueError("write an encryption key as <id>:<base64 of 32 bytes>, the id of letters and digits")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"the encryption key {key_id!r} must be the base64 of {KEY_BYTES} bytes")
        keys[key_id] = key
    return keys
