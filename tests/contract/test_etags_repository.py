"""Etags: whoever names the etag of an object that was written since neither changes nor deletes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.surroundings import Surroundings
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_version

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason, Stale
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.domain.serving_environment import ServingEnvironmentPatch


@dataclass(frozen=True)
class Kind:
    """How objects of one kind are stored and changed."""

    repository: str
    store: Callable[[Repositories, Surroundings], Awaitable[Any]]
    patch: Callable[[str], Any]

    def of(self, repositories: Repositories) -> Any:
        return getattr(repositories, self.repository)


async def _model(_: Repositories, around: Surroundings) -> Any:
    return around.model


async def _version(_: Repositories, around: Surroundings) -> Any:
    return around.version


async def _environment(_: Repositories, around: Surroundings) -> Any:
    return around.environment


async def _service(repositories: Repositories, around: Surroundings) -> Any:
    return await repositories.services.create(around.service(), ())


async def _serve_model(repositories: Repositories, around: Surroundings) -> Any:
    service = await _service(repositories, around)
    return await repositories.serve_models.create(a_serve_model(service, around.version))


KINDS = {
    "models": Kind("models", _model, lambda text: RegisteredModelPatch(description=text)),
    "versions": Kind("versions", _version, lambda text: ModelVersionPatch(description=text)),
    "default versions": Kind(
        "versions", _version, lambda text: ModelVersionPatch(description=text, is_default=True, access_key=text)
    ),
    "environments": Kind("environments", _environment, lambda text: ServingEnvironmentPatch(description=text)),
    "services": Kind("services", _service, lambda text: InferenceServicePatch(last_error=text)),
    "serve models": Kind("serve_models", _serve_model, lambda text: None),
}
CHANGED = [kind for name, kind in KINDS.items() if name != "serve models"]
DELETED = [kind for name, kind in KINDS.items() if "versions" not in name]
changed = pytest.mark.parametrize("kind", CHANGED, ids=lambda kind: kind.repository)
deleted = pytest.mark.parametrize("kind", DELETED, ids=lambda kind: kind.repository)


async def read(repositories: Repositories, kind: Kind, around: Surroundings, id: UUID) -> Any:
    return await kind.of(repositories).get(around.model.project_id, id)


@changed
async def test_an_object_that_nobody_has_written_is_changed(
    repositories: Repositories, around: Surroundings, kind: Kind
) -> None:
    project_id, id_ = around.model.project_id, (await kind.store(repositories, around)).id
    before = await read(repositories, kind, around, id_)

    written = await kind.of(repositories).update(project_id, id_, kind.patch("a"), etags=("other", before.etag))

    assert before.etag
    assert before.etag != written.etag
    assert written == await read(repositories, kind, around, id_)


@changed
async def test_an_object_that_was_written_since_is_not_changed(
    repositories: Repositories, around: Surroundings, kind: Kind
) -> None:
    project_id, id_ = around.model.project_id, (await kind.store(repositories, around)).id
    old = await read(repositories, kind, around, id_)
    present = await kind.of(repositories).update(project_id, id_, kind.patch("first"))

    for etags in ((old.etag,), (), ("",)):
        with pytest.raises(Stale) as refused:
            await kind.of(repositories).update(project_id, id_, kind.patch("second"), etags=etags)
        assert (refused.value.reason, refused.value.metadata) == (Reason.ETAG_MISMATCH, {"id": str(id_)})
    for project, other_id in ((uuid4(), id_), (project_id, uuid4())):
        with pytest.raises(NotFound):
            await kind.of(repositories).update(project, other_id, kind.patch("second"), etags=(present.etag,))

    assert await read(repositories, kind, around, id_) == present


@deleted
async def test_an_object_is_only_deleted_as_it_was_read(
    repositories: Repositories, around: Surroundings, kind: Kind
) -> None:
    project_id, id_ = around.model.project_id, (await kind.store(repositories, around)).id
    if kind.repository == "models":
        await repositories.models.update(project_id, id_, RegisteredModelPatch(state="ARCHIVED"))
    present = await read(repositories, kind, around, id_)

    with pytest.raises(Stale):
        await kind.of(repositories).delete(project_id, id_, ("another",))
    assert await read(repositories, kind, around, id_) == present
    await kind.of(repositories).delete(project_id, id_, (present.etag,))

    with pytest.raises(NotFound):
        await kind.of(repositories).delete(project_id, id_, (present.etag,))


async def test_a_guard_is_told_to_whoever_has_read_the_present_state(
    repositories: Repositories, around: Surroundings
) -> None:
    project_id, id_ = around.model.project_id, around.model.id
    present = await repositories.models.get(project_id, id_)

    with pytest.raises(FailedPrecondition):
        await repositories.models.delete(project_id, id_, (present.etag,))
    with pytest.raises(Stale):
        await repositories.models.delete(project_id, id_, ("another",))


async def test_a_version_that_is_no_longer_the_default_has_another_etag(
    repositories: Repositories, around: Surroundings
) -> None:
    project_id = around.model.project_id
    first = await stored_version(repositories, around.model, is_default=True)
    before = await repositories.versions.get(project_id, first.id)

    await repositories.versions.update(project_id, around.version.id, ModelVersionPatch(is_default=True))

    assert (await repositories.versions.get(project_id, first.id)).etag != before.etag


async def test_a_refused_default_leaves_the_other_one(repositories: Repositories, around: Surroundings) -> None:
    project_id = around.model.project_id
    first = await stored_version(repositories, around.model, is_default=True)

    with pytest.raises(Stale):
        await repositories.versions.update(
            project_id, around.version.id, ModelVersionPatch(is_default=True), etags=("another",)
        )

    assert (await repositories.versions.get(project_id, first.id)).is_default


async def test_a_model_keeps_its_etag_when_its_versions_change(
    repositories: Repositories, around: Surroundings
) -> None:
    project_id, id_ = around.model.project_id, around.model.id
    before = await repositories.models.get(project_id, id_)

    await stored_version(repositories, around.model, is_default=True)
    after = await repositories.models.get(project_id, id_)

    assert (after.version_count, after.etag) == (before.version_count + 1, before.etag)


@changed
async def test_of_those_who_have_read_the_same_state_one_writes(
    repositories: Repositories, around: Surroundings, kind: Kind
) -> None:
    project_id, id_ = around.model.project_id, (await kind.store(repositories, around)).id
    etags = ((await read(repositories, kind, around, id_)).etag,)

    outcomes = await asyncio.gather(
        *(kind.of(repositories).update(project_id, id_, kind.patch(str(n)), etags=etags) for n in range(10)),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes if isinstance(outcome, BaseException)) == ["Stale"] * 9


async def test_concurrent_editors_keep_all_labels(repositories: Repositories, around: Surroundings) -> None:
    project_id, id_ = around.model.project_id, around.model.id

    async def add(label: str) -> None:
        while True:
            model = await repositories.models.get(project_id, id_)
            patch = RegisteredModelPatch(labels={**model.labels, label: "1"})
            try:
                await repositories.models.update(project_id, id_, patch, (model.etag,))
            except Stale:
                continue
            return

    await asyncio.gather(*(add(str(number)) for number in range(10)))

    labels = (await repositories.models.get(project_id, id_)).labels
    assert labels.keys() >= {str(number) for number in range(10)}


async def test_another_writer_changes_the_etag_too(
    postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    """The Go service, for example, knows nothing of etags."""
    around = await Surroundings.stored(postgres_repositories, project_id)
    before = await postgres_repositories.models.get(project_id, around.model.id)

    await database.execute("UPDATE registered_model SET description = 'go' WHERE id = $1", before.id)

    with pytest.raises(Stale):
        await postgres_repositories.models.update(
            project_id, before.id, RegisteredModelPatch(description="mine"), (before.etag,)
        )
