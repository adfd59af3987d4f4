"""AES-256-GCM with named keys: `enc:v2:<key id>:<base64 of nonce and ciphertext>`.

The key id makes rotation possible: new texts are encrypted with the first key, and old ones stay readable while their
key is configured. Key id and place are authenticated with the text, so that nobody can move it to another row or
column. Texts with the prefix `enc:v1:` are not bound to their place; `migrate encrypt-secrets` binds them.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from hashlib import blake2b

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry_grpc.ports.encryption import KeyMissing, SecretUnreadable

KEY_BYTES = 32
_NONCE_BYTES = 12
_PREFIX = "enc:v2:"
_UNBOUND_PREFIX = "enc:v1:"


class AesGcmCipher:
    """Implements ports.encryption.SecretCipher. `keys` maps key ids to 32 bytes each; the first one encrypts."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys:
            raise ValueError("at least one encryption key is needed")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))
        self._keys = tuple(keys.values())

    def encrypt(self, text: str, place: str) -> str:
        if not text:
            return ""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), _bound(self._current, place))
        return f"{_PREFIX}{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, stored: str, place: str) -> str:
        if not stored.startswith((_PREFIX, _UNBOUND_PREFIX)):
            return stored
        key_id, _, encoded = stored[len(_PREFIX) :].partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise KeyMissing(f"a stored secret needs the encryption key {key_id!r}, which is not configured")
        try:
            sealed = base64.b64decode(encoded, validate=True)
            bound = _bound(key_id, place) if stored.startswith(_PREFIX) else key_id.encode()
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], bound).decode()
        except (binascii.Error, InvalidTag, ValueError) as error:
            text = (
                f"the secret stored at {place} with the key {key_id!r} was changed by another program, or moved there"
            )
            raise SecretUnreadable(text) from error

    def digests(self, data: bytes) -> tuple[bytes, ...]:
        return tuple(blake2b(data, digest_size=16, key=key, person=b"request").digest() for key in self._keys)

    def is_current(self, stored: str) -> bool:
        return not stored or stored.startswith(f"{_PREFIX}{self._current}:")


def _bound(key_id: str, place: str) -> bytes:
    """Key id and place as one value, which is unambiguous because neither has NUL characters."""
    return f"{key_id}\0{place}".encode()


def parse_keys(setting: str) -> dict[str, bytes]:
    """Reads `id:base64,id:base64…`. Raises ValueError with the key id, but never with the key."""
    keys: dict[str, bytes] = {}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        key_id, separator, encoded = part.partition(":")
        if not separator or not key_id.isalnum():
            raise ValueError("write an encryption key as <id>:<base64 of 32 bytes>; the id has letters and digits only")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES:
            raise ValueError(f"the encryption key {key_id!r} must be the base64 of {KEY_BYTES} bytes")
        if key_id in keys:
            raise ValueError(f"two encryption keys have the id {key_id!r}: give each its own")
        if key in keys.values():
            raise ValueError(
                f"the encryption key {key_id!r} is the same as one before it: make a new one, or leave it out"
            )
        keys[key_id] = key
    return keys
