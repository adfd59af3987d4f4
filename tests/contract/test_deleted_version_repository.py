"""The contract of DeletedVersionRepository, and the users that refusals of deletions name."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from tests.contract.conftest import repositories_on
from tests.contract.intents import deployed
from tests.contract.surroundings import Surroundings
from tests.contract.test_artifact_repository import an_artifact
from tests.contract.test_concurrency_repository import refusals_of
from tests.fakes.builders import a_serve_model, a_version
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_service, stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.domain.deployment import Cause, Want
from registry_grpc.domain.errors import (
    AlreadyExists,
    FailedPrecondition,
    NotFound,
    Reason,
    RegistryError,
    Stale,
    User,
    Users,
)
from registry_grpc.domain.model_alias import AliasChange
from registry_grpc.domain.model_version import Credentials, ModelVersion, ModelVersionPatch
from registry_grpc.domain.paging import Slice, View
from registry_grpc.domain.registered_model import RegisteredModelPatch

KEPT = timedelta(days=30)
VALUES = {
    "uuid": "md5('NAME')::uuid",
    "text": "'NAME'",
    "character varying": "'NAME'",
    "boolean": "true",
    "bigint": "length('NAME') + 4711",
    "integer": "length('NAME') + 4711",
    "jsonb": '\'{"NAME": {"int": 1}}\'',
    "timestamp with time zone": "timestamptz '2026-01-02 03:04:05.678901+00' + length('NAME') * interval '1 us'",
}
"""An own value for the column NAME, by its type."""


def without_etag(version: ModelVersion) -> ModelVersion:
    """Deleting and restoring are writes."""
    return version._replace(etag="")


async def delete(r: Repositories, project_id: UUID, version: ModelVersion, *, force: bool = False) -> None:
    await r.deleted.delete(project_id, version.id, "ann", force=force, retention=KEPT)


async def alias(
    r: Repositories, project_id: UUID, version: ModelVersion, name: str, *, protected: bool = False
) -> None:
    change = AliasChange(name=name, version=str(version.number), is_protected=protected or None)
    await r.aliases.set(project_id, version.registered_model_id, change, "bob")


async def test_a_deleted_version_can_be_restored_as_it_was(repositories: Repositories, project_id: UUID) -> None:
    r, model = repositories, await stored_model(repositories, project_id)
    await stored_version(r, model)
    keys = Credentials("key", "secret" * 100)
    version = await r.versions.create(project_id, a_version(model, description="d\n\\é", labels={"a": '"'}), keys)
    last = await stored_version(r, model)

    await delete(r, project_id, version)

    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.versions.get(project_id, version.id)
    assert (await r.models.get(project_id, model.id)).version_count == 2
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await delete(r, project_id, version)
    whole = Slice(by_cursor=True, view=View.FULL)
    [deleted] = (await r.deleted.list(project_id, model.id, whole, retention=KEPT)).items
    assert without_etag(deleted.model_version) == without_etag(version)
    assert (deleted.deleted_by, deleted.expires_at - deleted.deleted_at) == ("ann", KEPT)
    assert (await stored_version(r, model)).number == 4

    assert without_etag(await r.deleted.restore(project_id, version.id, retention=KEPT)) == without_etag(version)
    assert without_etag(await r.versions.get(project_id, version.id)) == without_etag(version)
    assert await r.versions.credentials(project_id, version.id, version.uri) == keys
    assert (await r.models.get(project_id, model.id)).version_count == 4
    assert (await r.deleted.list(project_id, model.id, Slice(by_cursor=True), retention=KEPT)).items == ()
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.deleted.restore(project_id, version.id, retention=KEPT)
    assert last.number == 3


async def test_the_etag_that_was_read_can_be_a_condition(repositories: Repositories, project_id: UUID) -> None:
    r, version = repositories, await stored_version(repositories, await stored_model(repositories, project_id))
    edited = await r.versions.update(project_id, version.id, ModelVersionPatch(description="edited"))
    with refused(Stale, Reason.ETAG_MISMATCH):
        await r.deleted.delete(project_id, version.id, "", force=True, retention=KEPT, etags=(version.etag,))
    await r.deleted.delete(project_id, version.id, "", force=False, retention=KEPT, etags=(edited.etag,))
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.deleted.delete(project_id, version.id, "", force=False, retention=KEPT, etags=(edited.etag,))


async def test_its_artifacts_are_deleted_and_restored_with_it(repositories: Repositories, project_id: UUID) -> None:
    r, model = repositories, await stored_model(repositories, project_id)
    version = await stored_version(r, model)
    stored = [await r.artifacts.create(an_artifact(project_id, version, labels={"a": "b"})) for _ in range(3)]
    alone = await r.artifacts.create(an_artifact(project_id))

    await delete(r, project_id, version)
    for artifact in stored:
        with refused(NotFound, Reason.ARTIFACT_NOT_FOUND):
            await r.artifacts.get(project_id, artifact.id)
    await r.artifacts.get(project_id, alone.id)

    await r.deleted.restore(project_id, version.id, retention=KEPT)
    for artifact in stored:
        found = await r.artifacts.get(project_id, artifact.id)
        assert replace(found, etag="") == replace(artifact, etag="")


async def test_an_external_id_that_another_artifact_has_got_forbids_it(
    repositories: Repositories, project_id: UUID
) -> None:
    r, version = repositories, await stored_version(repositories, await stored_model(repositories, project_id))
    await r.artifacts.create(an_artifact(project_id, version, external_id="x"))
    await delete(r, project_id, version)
    other = await r.artifacts.create(an_artifact(project_id, external_id="x"))
    with refused(AlreadyExists, Reason.EXTERNAL_ID_TAKEN) as refusal:
        await r.deleted.restore(project_id, version.id, retention=KEPT)
    assert refusal.value.metadata["id"] == str(other.id)
    await r.artifacts.delete(project_id, other.id)
    await r.deleted.restore(project_id, version.id, retention=KEPT)


async def test_versions_of_other_projects_are_not_found(
    repositories: Repositories, project_id: UUID, other_project_id: UUID
) -> None:
    r, version = repositories, await stored_version(repositories, await stored_model(repositories, project_id))
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await delete(r, other_project_id, version)
    await delete(r, project_id, version)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.deleted.restore(other_project_id, version.id, retention=KEPT)
    page = await r.deleted.list(other_project_id, version.registered_model_id, Slice(by_cursor=True), retention=KEPT)
    assert page.items == ()
    await r.deleted.restore(project_id, version.id, retention=KEPT)


async def test_aliases_forbid_it_without_force(repositories: Repositories, project_id: UUID) -> None:
    r, model = repositories, await stored_model(repositories, project_id)
    version, other = await stored_version(r, model, is_default=True), await stored_version(r, model)
    await alias(r, project_id, version, "champion", protected=True)
    await alias(r, project_id, version, "b")
    await alias(r, project_id, other, "c")

    with refused(FailedPrecondition, Reason.MODEL_VERSION_IN_USE) as refusal:
        await delete(r, project_id, version)

    names = ("b", "champion", "default")
    assert users_of(refusal.value) == Users(tuple(User("ALIAS", name, name) for name in names), 3)
    names_in_use = "alias b, alias champion, alias default"
    assert refusal.value.metadata == {"id": str(version.id), "users": "3", "used_by": names_in_use}
    assert refusal.value.full_message.endswith(": used by alias b, alias champion, alias default")
    await delete(r, project_id, version, force=True)
    aliases = (await r.aliases.list(project_id, model.id, Slice(by_cursor=True))).items
    assert [each.name for each in aliases] == ["c"]
    moves = (await r.aliases.moves(project_id, model.id, "champion", Slice(by_cursor=True))).items
    assert [(move.version_number, move.moved_by) for move in moves] == [(None, "ann"), (1, "bob")]
    restored = await r.deleted.restore(project_id, version.id, retention=KEPT)
    assert (restored.is_default, list(restored.all_aliases)) == (False, [])


async def test_services_and_serve_models_forbid_it_always(repositories: Repositories, around: Surroundings) -> None:
    r, project_id, version = repositories, around.model.project_id, around.version
    serving = await stored_service(r, around.environment, around.model, model_version_id=version.id)
    other = await stored_service(r, around.environment, around.model, model_version_id=None)
    link = a_serve_model(other, version)
    await r.serve_models.create(link)
    await r.serve_models.create(a_serve_model(serving, version))

    for force in (False, True):
        with refused(FailedPrecondition, Reason.MODEL_VERSION_IN_USE) as refusal:
            await delete(r, project_id, version, force=force)
        assert users_of(refusal.value) == Users(
            (
                User("INFERENCE_SERVICE", str(serving.id), serving.name),
                User("SERVE_MODEL", str(link.id), other.name),
            ),
            2,
        )
    await r.services.delete(project_id, serving.id)
    await r.serve_models.delete(project_id, link.id)
    await delete(r, project_id, version)


async def test_the_revisions_of_a_deployment_forbid_it_while_they_are_served(
    repositories: Repositories, around: Surroundings
) -> None:
    """Also if somebody has deleted the serve models, and for the stable revision beside a canary."""
    r, project_id = repositories, around.model.project_id
    first, second = around.version, await stored_version(repositories, around.model)
    deployment = await deployed(r, around)
    spec = replace(deployment.spec, model_version_id=second.id, served_version_ids=(second.id,))
    await r.deployments.revise(
        project_id, deployment.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="", canary_percent=10
    )
    for link in (await r.services.get(project_id, deployment.id)).served_models:
        await r.serve_models.delete(project_id, link.id)
    for version in (first, second):
        with refused(FailedPrecondition, Reason.MODEL_VERSION_IN_USE) as refusal:
            await delete(r, project_id, version, force=True)
        assert users_of(refusal.value).first == (User("INFERENCE_SERVICE", str(deployment.id), deployment.name),)


async def test_ten_users_are_named(repositories: Repositories, around: Surroundings) -> None:
    r, project_id = repositories, around.model.project_id
    for n in range(12):
        name = f"service-{n:02}"
        await stored_service(r, around.environment, around.model, name=name, model_version_id=around.version.id)
    await r.models.update(project_id, around.model.id, RegisteredModelPatch(state="ARCHIVED"))
    deletions = {
        Reason.MODEL_VERSION_IN_USE: delete(r, project_id, around.version),
        Reason.MODEL_HAS_ACTIVE_DEPLOYMENTS: r.models.delete(project_id, around.model.id),
        Reason.ENVIRONMENT_HAS_INFERENCE_SERVICES: r.environments.delete(project_id, around.environment.id),
    }
    for reason, deletion in deletions.items():
        with refused(FailedPrecondition, reason) as refusal:
            await deletion
        users = users_of(refusal.value)
        assert [user.name for user in users.first] == [f"service-{n:02}" for n in range(10)]
        assert users.total == 12
        assert str(users).endswith("inference service service-09 and 2 more")
        assert refusal.value.metadata["users"] == "12"
        assert refusal.value.metadata["id"]


def users_of(error: RegistryError) -> Users:
    assert isinstance(error, FailedPrecondition)
    assert error.users is not None
    return error.users


async def test_a_name_that_is_taken_now_forbids_to_restore(repositories: Repositories, project_id: UUID) -> None:
    r, model = repositories, await stored_model(repositories, project_id)
    version = await stored_version(r, model, name="v1")
    await delete(r, project_id, version)
    other = await stored_version(r, model, name="v1")
    with refused(AlreadyExists, Reason.MODEL_VERSION_NAME_TAKEN):
        await r.deleted.restore(project_id, version.id, retention=KEPT)
    await delete(r, project_id, other)
    assert without_etag(await r.deleted.restore(project_id, version.id, retention=KEPT)) == without_etag(version)


async def test_the_retention_counts(repositories: Repositories, project_id: UUID) -> None:
    r, model = repositories, await stored_model(repositories, project_id)
    version, other = await stored_version(r, model), await stored_version(r, model)
    await delete(r, project_id, version)
    past = timedelta(days=-1)
    assert (await r.deleted.list(project_id, model.id, Slice(by_cursor=True), retention=past)).items == ()
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.deleted.restore(project_id, version.id, retention=past)
    await delete(r, project_id, other)
    page = await r.deleted.list(project_id, model.id, Slice(by_cursor=True, limit=1), retention=KEPT)
    rest = await r.deleted.list(project_id, model.id, Slice(by_cursor=True, limit=1, after=page.next), retention=KEPT)
    assert [each.model_version.id for each in (*page.items, *rest.items)] == [other.id, version.id]
    assert rest.next is None


async def test_deleted_versions_go_with_their_model(repositories: Repositories, project_id: UUID) -> None:
    r, model = repositories, await stored_model(repositories, project_id, state="ARCHIVED")
    version = await stored_version(r, model)
    await delete(r, project_id, version)
    await r.models.delete(project_id, model.id)
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.deleted.restore(project_id, version.id, retention=KEPT)


async def test_they_are_forgotten_after_the_retention(repositories: Repositories, project_id: UUID) -> None:
    r, version = repositories, await stored_version(repositories, await stored_model(repositories, project_id))
    await delete(r, project_id, version)
    await r.deleted.forget(KEPT)
    await r.deleted.restore(project_id, version.id, retention=KEPT)
    await delete(r, project_id, version)
    await r.deleted.forget(timedelta(days=-1))
    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await r.deleted.restore(project_id, version.id, retention=KEPT)


# --- concurrency and other programs ------------------------------------------------------------------------------


async def test_no_service_and_no_alias_is_left_of_a_deleted_version(
    repositories: Repositories, around: Surroundings
) -> None:
    r, project_id = repositories, around.model.project_id
    for _ in range(5):
        version = await stored_version(r, around.model)
        service = around.service(model_version_id=version.id)
        deletion, *others = await refusals_of(
            [
                delete(r, project_id, version),
                r.services.create(service, [a_serve_model(service, version)]),
                alias(r, project_id, version, "champion"),
            ]
        )
        if deletion is None:
            assert {other.reason for other in others if other} == {Reason.MODEL_VERSION_NOT_FOUND}
            assert None not in others
        else:
            assert (deletion.reason, None in others) == (Reason.MODEL_VERSION_IN_USE, True)


async def test_of_concurrent_deletions_and_restorations_one_wins(repositories: Repositories, project_id: UUID) -> None:
    r, version = repositories, await stored_version(repositories, await stored_model(repositories, project_id))
    assert (await refusals_of([delete(r, project_id, version) for _ in range(8)])).count(None) == 1
    restorations = [r.deleted.restore(project_id, version.id, retention=KEPT) for _ in range(8)]
    assert (await refusals_of(restorations)).count(None) == 1


async def test_nothing_of_a_version_and_its_artifacts_is_lost(own_database: Database) -> None:
    """Fills every column that the tables have, so that a new one which is not restored fails here."""
    r, project_id = repositories_on(own_database), uuid4()
    version = await stored_version(r, await stored_model(r, project_id))
    await r.artifacts.create(an_artifact(project_id, version))
    await alias(r, project_id, version, "champion")
    await own_database.fetch(await filled(own_database, "model_version", keep={"is_default"}), version.id)
    await own_database.fetch(await filled(own_database, "artifact"), version.id)
    tables = (
        "SELECT to_jsonb(v) FROM model_version v WHERE id = $1",
        "SELECT to_jsonb(a) FROM artifact a WHERE $1 = model_version_id",
    )
    before = [await own_database.fetchrow(rows, version.id) for rows in tables]

    await r.deleted.delete(project_id, version.id, "ann", force=True, retention=KEPT)
    assert [await own_database.fetchrow(rows, version.id) for rows in tables] == [None, None]
    await r.deleted.restore(project_id, version.id, retention=KEPT)

    assert [await own_database.fetchrow(rows, version.id) for rows in tables] == before
    moves = (await r.aliases.moves(project_id, version.registered_model_id, "champion", Slice(by_cursor=True))).items
    assert [(move.model_version_id, move.version_number) for move in moves] == [(None, None), (version.id, 1)]


async def filled(database: Database, table: str, keep: Collection[str] = ()) -> str:
    """A statement that gives every column of the version's row an own value, except for those that refer to others."""
    columns = await database.fetch(
        "SELECT attname, format_type(atttypid, NULL) AS type FROM pg_attribute"
        " WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        " AND attname <> ALL($2)",
        table,
        [*keep, "id", "project_id", "registered_model_id", "model_version_id", "model_id"],
    )
    values = [f"{row['attname']} = {VALUES[row['type']]}".replace("NAME", row["attname"]) for row in columns]
    key = "id" if table == "model_version" else "model_version_id"
    return f"UPDATE {table} SET {', '.join(values)} WHERE {key} = $1"


@pytest.mark.parametrize("added", ["TEXT NOT NULL DEFAULT 'new'", "INT GENERATED ALWAYS AS (length(name)) STORED"])
async def test_a_version_that_was_deleted_before_a_column_was_added_gets_its_default(
    own_database: Database, added: str
) -> None:
    r, project_id = repositories_on(own_database), uuid4()
    version = await stored_version(r, await stored_model(r, project_id))
    await delete(r, project_id, version)
    await own_database.fetch(f"ALTER TABLE model_version ADD COLUMN added {added}")
    try:
        assert without_etag(await r.deleted.restore(project_id, version.id, retention=KEPT)) == without_etag(version)
        await delete(r, project_id, version)
        assert without_etag(await r.deleted.restore(project_id, version.id, retention=KEPT)) == without_etag(version)
    finally:
        await own_database.fetch("ALTER TABLE model_version DROP COLUMN added")
