"""Sets of words that rows hold: a newer release, side by side with this one, may have written one it does not know."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class StoredWord(StrEnum):
    """A set of such words."""

    @classmethod
    def stored(cls, word: str) -> Self:
        """The member, or for a word that only a newer release knows, a value outside of the set, which is no member."""
        try:
            return cls(word)
        except ValueError:
            value = str.__new__(cls, word)
            value._name_ = value._value_ = word
            return value
