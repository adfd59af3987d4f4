"""Lists have the same rows in the same order in every implementation, by offset and by cursor."""

from __future__ import annotations

from uuid import UUID

import pytest
from tests.contract.listed import LISTED, SORT_FIELDS
from tests.fakes.repositories import Repositories

from registry_grpc.domain.paging import Slice, Sort


@pytest.mark.parametrize("kind", LISTED)
async def test_sorts_by_every_field_in_both_directions(repositories: Repositories, project_id: UUID, kind: str) -> None:
    listed = await LISTED[kind](repositories, project_id)

    for sort in [Sort(field, descending) for field in SORT_FIELDS[kind] for descending in (False, True)]:
        in_order = listed.ids_in_order(sort)

        assert [item.id for item in (await listed.page(sort, Slice(limit=100))).items] == in_order, sort
        assert await listed.ids_by_offset(sort, 5) == in_order, sort
        assert await listed.ids_by_cursor(sort, 5) == in_order, sort


@pytest.mark.parametrize("kind", LISTED)
async def test_shows_the_newest_first_when_nothing_is_asked(
    repositories: Repositories, project_id: UUID, kind: str
) -> None:
    listed = await LISTED[kind](repositories, project_id)

    newest_first = [row.id for row in sorted(listed.rows, key=lambda row: (row.created_at, row.id), reverse=True)]

    assert [item.id for item in (await listed.page(Sort(), Slice())).items] == newest_first
