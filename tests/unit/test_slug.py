"""Slugs (contract 1.6)."""

from __future__ import annotations

import pytest

from registry_grpc.domain.registered_model import slug_of


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("My Model_1 v2.0-é!", "my-model-1-v20-"),
        ("abcxyz0189-", "abcxyz0189-"),
        ("ABCXYZ", "abcxyz"),
        ("a b_c", "a-b-c"),
        ("  a__b  ", "--a--b--"),
        ("---", "---"),
        ("日本", ""),
        ("", ""),
        ("a\tb\nc\u00a0d", "abcd"),
        ("a.b/c\\d%e", "abcde"),
        ("ÀÉÎ", ""),
        ("İI", "i"),  # lower() would make the first an `i` with a dot
        ("\u212a", ""),  # the Kelvin sign, which lower() makes a `k`
        ("١٢٣ 12", "-12"),
        ("a" * 61, "a" * 60),
        ("!" * 100 + "a" * 60 + "b", "a" * 60),
        ("A" * 59 + " b", "a" * 59 + "-"),
    ],
)
def test_slug(name: str, slug: str) -> None:
    assert slug_of(name) == slug
