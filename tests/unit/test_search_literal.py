"""The part of a search with wildcards by which an index can search."""

from __future__ import annotations

import pytest

from registry_grpc.adapters.postgres.listing import longest_literal


@pytest.mark.parametrize(
    ("search", "literal"),
    [
        ("bert", "bert"),
        ("bert%large", "large"),
        ("a_bc_d", "bc"),
        ("100\\%", "100"),
        ("\\bert", "bert"),
        ("%_", ""),
        ("", ""),
    ],
)
def test_the_longest_part_without_wildcards_and_escapes(search: str, literal: str) -> None:
    assert longest_literal(search) == literal
