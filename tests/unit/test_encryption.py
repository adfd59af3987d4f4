"""Encrypted secrets are bound to their place, and every configured key can decrypt."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.ports.encryption import SecretUnreadable

OLD, NEW = bytes(32), b"n" * 32
CIPHER = AesGcmCipher({"k1": OLD})
PLACE = "model_version/1/access_key"


def unbound(text: str, key_id: str = "k1", key: bytes = OLD) -> str:
    """A secret as it was stored before 2026-11-28."""
    sealed = AESGCM(key).encrypt(b"n" * 12, text.encode(), key_id.encode())
    return f"enc:v1:{key_id}:{base64.b64encode(b'n' * 12 + sealed).decode()}"


@pytest.mark.parametrize("text", ["s3cret", "sécret 🔑", ""])
def test_a_text_is_read_where_it_was_stored(text: str) -> None:
    assert CIPHER.decrypt(CIPHER.encrypt(text, PLACE), PLACE) == text
    assert text not in CIPHER.encrypt(text, PLACE) or not text


@pytest.mark.parametrize("place", ["model_version/2/access_key", "model_version/1/secret_key", ""])
def test_a_text_that_was_moved_is_unreadable(place: str) -> None:
    stored = CIPHER.encrypt("s3cret", PLACE)

    with pytest.raises(
        SecretUnreadable, match=f"the secret stored at {place} with the key .k1. was changed .* or moved there"
    ):
        CIPHER.decrypt(stored, place)
    with pytest.raises(SecretUnreadable):
        CIPHER.decrypt(stored.replace("enc:v2:", "enc:v1:"), PLACE)


@pytest.mark.parametrize("rest", ["", "AAAA", "%", "ÄÄÄÄ"])
def test_a_text_that_was_damaged_is_unreadable(rest: str) -> None:
    with pytest.raises(SecretUnreadable):
        CIPHER.decrypt(f"enc:v2:k1:{rest}", PLACE)


def test_texts_of_before_stay_readable_and_are_to_be_encrypted_again() -> None:
    assert CIPHER.decrypt(unbound("s3cret"), PLACE) == "s3cret"
    assert CIPHER.decrypt("plain", PLACE) == "plain"
    assert not CIPHER.is_current(unbound("s3cret"))
    assert not CIPHER.is_current("plain")
    assert CIPHER.is_current(CIPHER.encrypt("s3cret", PLACE))
    assert CIPHER.is_current("")


@pytest.mark.parametrize("keys", [{"k1": OLD, "k2": NEW}, {"k2": NEW, "k1": OLD}], ids=["second", "first"])
def test_a_new_key_does_not_hide_what_is_stored(keys: dict[str, bytes]) -> None:
    assert AesGcmCipher(keys).decrypt(CIPHER.encrypt("s3cret", PLACE), PLACE) == "s3cret"
