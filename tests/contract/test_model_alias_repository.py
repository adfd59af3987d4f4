"""The contract of ModelAliasRepository."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.test_concurrency_repository import refusals_of
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import AliasMoved, FailedPrecondition, NotFound, Reason
from registry_grpc.domain.model_alias import AliasChange, ModelAlias
from registry_grpc.domain.model_version import ModelVersion, ModelVersionFilter, ModelVersionPatch
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModel, RegisteredModelPatch


class World:
    """A model with three versions."""

    def __init__(self, repositories: Repositories, model: RegisteredModel, versions: list[ModelVersion]) -> None:
        self.r, self.model, self.versions = repositories, model, versions
        self.project_id = model.project_id

    async def set(self, name: str, version: str, user: str = "", **conditions: Any) -> ModelAlias:
        change = AliasChange(name=name, version=version, **conditions)
        return await self.r.aliases.set(self.project_id, self.model.id, change, user)

    async def delete(self, name: str, user: str = "", **conditions: Any) -> None:
        await self.r.aliases.delete(self.project_id, self.model.id, AliasChange(name=name, **conditions), user)

    async def aliases(self) -> dict[str, int]:
        page = await self.r.aliases.list(self.project_id, self.model.id, Slice(by_cursor=True, limit=100))
        return {alias.name: alias.version_number for alias in page.items}

    async def aliases_of(self, version: int) -> list[str]:
        return list((await self.r.versions.get(self.project_id, self.versions[version - 1].id)).all_aliases)

    async def moves(self, name: str = "") -> list[tuple[str, int | None, str]]:
        page = await self.r.aliases.moves(self.project_id, self.model.id, name, Slice(by_cursor=True))
        return [(move.name, move.version_number, move.moved_by) for move in page.items]


@pytest.fixture
async def world(repositories: Repositories, project_id: UUID) -> World:
    model = await stored_model(repositories, project_id)
    return World(repositories, model, [await stored_version(repositories, model, name=f"v{n}") for n in (1, 2, 3)])


async def test_an_alias_is_made_moved_and_deleted(world: World) -> None:
    first = await world.set("champion", "1", "ann")
    assert (first.model_version_id, first.version_number, first.is_protected) == (world.versions[0].id, 1, False)
    assert first.moved_by == "ann"
    assert await world.set("champion", "1", "bob") == first
    second = await world.set("champion", "v2", "bob")
    await world.set("challenger", "latest")
    await world.set("new-champion", "challenger")

    assert first.moved_at
    assert second.moved_at
    assert second.moved_at > first.moved_at
    assert await world.aliases() == {"challenger": 3, "champion": 2, "new-champion": 3}
    assert [await world.aliases_of(n) for n in (1, 2, 3)] == [[], ["champion"], ["challenger", "new-champion"]]
    await world.delete("champion", "eve")
    assert await world.aliases_of(2) == []
    assert await world.moves("champion") == [("champion", None, "eve"), ("champion", 2, "bob"), ("champion", 1, "ann")]
    assert len(await world.moves()) == 5


async def test_an_alias_is_read_wherever_its_version_is(world: World) -> None:
    r, project_id, model = world.r, world.project_id, world.model
    await world.set("b", "3")
    await world.set("a", "3")
    await world.set("default", "1")
    aliases = {3: ["a", "b"], 2: [], 1: ["default"]}

    page = await r.versions.list(project_id, ModelVersionFilter(registered_model_id=model.id), Sort(), Slice())
    assert {version.number: list(version.all_aliases) for version in page.items} == aliases
    read = await r.models.get(project_id, model.id)
    assert read.latest_version
    assert read.default_version
    assert (list(read.latest_version.all_aliases), list(read.default_version.all_aliases)) == (aliases[3], aliases[1])
    updated = await r.versions.update(project_id, world.versions[2].id, ModelVersionPatch(description="d"))
    assert list(updated.all_aliases) == aliases[3]
    assert (await r.models.update(project_id, model.id, RegisteredModelPatch())).latest_version == updated


async def test_an_alias_names_a_version_before_a_name_does(world: World) -> None:
    await world.set("v1", "2")
    named = world.r.versions.named
    assert (await named(world.project_id, world.model.id, "v1")).number == 2
    await world.delete("v1")
    assert (await named(world.project_id, world.model.id, "v1")).number == 1


async def test_only_the_expected_version_is_replaced(world: World) -> None:
    first, second, _ = (version.id for version in world.versions)
    with refused(AliasMoved, Reason.MODEL_ALIAS_MOVED) as refusal:
        await world.set("champion", "1", expected_version_id=second)
    assert refusal.value.metadata == {"name": "champion"}
    await world.set("champion", "1", expected_version_id=None)
    for expected in (second, None):
        with refused(AliasMoved, Reason.MODEL_ALIAS_MOVED) as refusal:
            await world.set("champion", "2", expected_version_id=expected)
        assert refusal.value.metadata == {"name": "champion", "model_version_id": str(first)}
        with refused(AliasMoved, Reason.MODEL_ALIAS_MOVED):
            await world.delete("champion", expected_version_id=expected)
    await world.set("champion", "2", expected_version_id=first)
    await world.delete("champion", expected_version_id=second)


async def test_a_protected_alias_needs_force(world: World) -> None:
    await world.set("champion", "1", is_protected=True)
    for protected in (None, False):
        with refused(FailedPrecondition, Reason.MODEL_ALIAS_PROTECTED):
            await world.set("champion", "2", is_protected=protected)
    with refused(FailedPrecondition, Reason.MODEL_ALIAS_PROTECTED):
        await world.delete("champion")
    assert (await world.set("champion", "2", force=True)).is_protected
    assert not (await world.set("champion", "2", force=True, is_protected=False)).is_protected
    await world.delete("champion")


async def test_the_alias_default_is_the_default_version(world: World) -> None:
    r, project_id, (first, second, _) = world.r, world.project_id, world.versions
    await world.set("default", "1")
    assert (await r.versions.get(project_id, first.id)).is_default
    assert (await r.models.get(project_id, world.model.id)).default_version is not None
    await r.versions.update(project_id, second.id, ModelVersionPatch(is_default=True))
    assert await world.aliases() == {"default": 2}
    with refused(AliasMoved, Reason.MODEL_ALIAS_MOVED):
        await world.set("default", "3", expected_version_id=first.id)
    await world.set("default", "3", expected_version_id=second.id)
    assert [await world.aliases_of(n) for n in (1, 2, 3)] == [[], [], ["default"]]
    await world.delete("default")
    assert await world.aliases() == {}
    assert (await r.models.get(project_id, world.model.id)).default_version is None
    with refused(NotFound, Reason.MODEL_ALIAS_NOT_FOUND):
        await world.delete("default")
    assert await world.moves() == []


async def test_what_does_not_exist_is_refused(world: World, other_project_id: UUID) -> None:
    aliases, set_ = world.r.aliases, AliasChange(name="champion", version="1")
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await world.set("champion", "4")
    with refused(NotFound, Reason.MODEL_ALIAS_NOT_FOUND):
        await world.delete("champion")
    await world.set("champion", "1")
    for project_id, model_id in ((other_project_id, world.model.id), (world.project_id, uuid4())):
        for call in (
            aliases.set(project_id, model_id, set_, ""),
            aliases.delete(project_id, model_id, AliasChange(name="champion"), ""),
            aliases.list(project_id, model_id, Slice(by_cursor=True)),
            aliases.moves(project_id, model_id, "", Slice(by_cursor=True)),
        ):
            with refused(NotFound, Reason.REGISTERED_MODEL_NOT_FOUND):
                await call
    assert await world.aliases() == {"champion": 1}


async def test_pages(world: World) -> None:
    names = sorted(["default", *(f"{letter}1" for letter in "abefz"), "9.1", "a-1", "a_1"])
    for name in names:
        await world.set(name, "1")
    found: list[str] = []
    slice_ = Slice(by_cursor=True, limit=2)
    while True:
        page = await world.r.aliases.list(world.project_id, world.model.id, slice_)
        found += [alias.name for alias in page.items]
        if page.next is None:
            break
        slice_ = Slice(by_cursor=True, limit=2, after=page.next)
    assert found == names
    first = await world.r.aliases.moves(world.project_id, world.model.id, "", Slice(by_cursor=True, limit=5))
    rest = await world.r.aliases.moves(world.project_id, world.model.id, "", Slice(by_cursor=True, after=first.next))
    assert [move.name for move in (*first.items, *rest.items)] == [n for n in names if n != "default"][::-1]
    assert rest.next is None


async def test_aliases_are_deleted_with_their_model(world: World) -> None:
    await world.set("champion", "1", is_protected=True)
    await world.r.models.update(world.project_id, world.model.id, RegisteredModelPatch(state="ARCHIVED"))
    await world.r.models.delete(world.project_id, world.model.id)


# --- concurrency -------------------------------------------------------------------------------------------------


async def test_of_concurrent_compared_moves_one_wins(world: World) -> None:
    await world.set("champion", "1")
    expected = world.versions[0].id
    moves = [world.set("champion", str(n % 2 + 2), str(n), expected_version_id=expected) for n in range(10)]
    refusals = await refusals_of(moves)
    assert refusals.count(None) == 1
    assert {refusal.reason for refusal in refusals if refusal} == {Reason.MODEL_ALIAS_MOVED}
    winner = refusals.index(None)
    assert await world.aliases() == {"champion": winner % 2 + 2}
    assert await world.moves() == [("champion", winner % 2 + 2, str(winner)), ("champion", 1, "")]


async def test_every_one_of_concurrent_moves_is_recorded(world: World) -> None:
    await asyncio.gather(*(world.set("champion", str(n % 3 + 1), str(n)) for n in range(12)))
    moves = await world.moves()
    assert moves[0][1] == (await world.aliases())["champion"]
    assert all(later[1] != earlier[1] for later, earlier in pairwise(moves))
    assert [alias for n in (1, 2, 3) for alias in await world.aliases_of(n)] == ["champion"]


async def test_default_and_alias_always_agree(world: World) -> None:
    """However the default is set: by its alias, or as REST clients do."""
    r, project_id = world.r, world.project_id
    for _ in range(3):
        await asyncio.gather(
            *(world.set("default", str(n)) for n in (1, 2, 3)),
            *(r.versions.update(project_id, v.id, ModelVersionPatch(is_default=True)) for v in world.versions),
            stored_version(r, world.model, is_default=True),
        )
        await _check_agreement(world)


@pytest.mark.slow
async def test_default_and_alias_agree_when_another_program_writes(
    postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    """As the Go service does: it clears the defaults and sets one in two statements of one transaction."""
    r, model = postgres_repositories, await stored_model(postgres_repositories, project_id)
    world = World(r, model, [await stored_version(r, model) for _ in range(3)])

    async def go_service_sets(version: ModelVersion) -> None:
        async with database.transaction() as connection:
            await connection.execute(
                "UPDATE model_version SET is_default = false WHERE registered_model_id = $1", model.id
            )
            await connection.execute(
                "UPDATE model_version SET is_default = true, updated_at = clock_timestamp() WHERE id = $1", version.id
            )

    for _ in range(5):
        await refusals_of(
            [*(world.set("default", str(n)) for n in (1, 2, 3)), *(go_service_sets(v) for v in world.versions)]
        )
        await _check_agreement(world)


async def _check_agreement(world: World) -> None:
    default = (await world.r.models.get(world.project_id, world.model.id)).default_version
    assert default is not None
    assert await world.aliases() == {"default": default.number}
    assert await world.r.versions.named(world.project_id, world.model.id, "default") == default
