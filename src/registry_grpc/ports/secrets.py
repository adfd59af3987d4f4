"""Encryption of what must not be read in the database."""

from __future__ import annotations

from typing import Protocol


class SecretUnreadable(Exception):
    """A stored secret that cannot be decrypted; the text says what is missing, and nothing of the secret."""


class SecretCipher(Protocol):
    """Encrypts short texts; the empty text stays empty."""

    def encrypt(self, text: str, place: str) -> str:
        """The text as it may be stored, which can be read at this place only; the same text gives another result each
        time."""
        ...

    def is_current(self, stored: str) -> bool:
        """Whether it is encrypted as new texts are, or empty."""
        ...

    def decrypt(self, stored: str, place: str) -> str:
        """The text back; what was stored before encryption came is returned as it is.

        Raises SecretUnreadable when the key it was encrypted with is not known, or the stored text was changed or is of
        another place.
        """
        ...
