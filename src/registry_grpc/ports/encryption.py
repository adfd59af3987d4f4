"""Encryption of secrets that are stored in the database."""

from __future__ import annotations

from typing import Protocol


class SecretUnreadable(Exception):
    """A stored secret cannot be decrypted. The text says what is missing and nothing about the secret."""


class KeyMissing(SecretUnreadable):
    """The key that encrypted the secret is not configured."""


class SecretCipher(Protocol):
    """Encrypts short strings. The empty string stays empty."""

    def encrypt(self, text: str, place: str) -> str:
        """The ciphertext to store. It can only be decrypted at the same place, and differs each time."""

    def is_current(self, stored: str) -> bool:
        """Whether the stored string is empty, or encrypted with the current key and bound to its place."""

    def digests(self, data: bytes) -> tuple[bytes, ...]:
        """A digest of the data with each key, the current one first. Nobody can guess the data without the key."""

    def decrypt(self, stored: str, place: str) -> str:
        """The plain text. A string that was stored without encryption is returned as it is.

        Raises SecretUnreadable if the key is not configured, or the ciphertext was changed or belongs to another place.
        """
