"""The rules of aliases."""

from __future__ import annotations

import pytest

from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.model_alias import AliasChange


@pytest.mark.parametrize("name", ["champion", "a", "9a", "3.1", "a-b_c.d", "x" * 63, "default", "1e9"])
def test_names_of_aliases(name: str) -> None:
    assert AliasChange(name=name).name == name


@pytest.mark.parametrize(
    "name", ["", "3", "007", "latest", "Champion", "-a", ".a", "a b", "a\n", "é", "٣", "x" * 64, "a@b", "3\n"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^name must be 1 to 63 of a-z"):
        AliasChange(name=name)


def test_the_alias_of_rest_clients_cannot_be_protected() -> None:
    with pytest.raises(InvalidRequest, match=r"^is_protected is not possible for `default`"):
        AliasChange(name="default", is_protected=True)
