"""The keys of deleted versions: they are rotated with the others, never shown, and destroyed in time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from tests.fakes.builders import a_model, a_version
from tests.postgres import PATIENT

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.grpc.servicers.model_versions import _deleted_message
from registry_grpc.adapters.postgres import stored_keys
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.deleted_versions import PostgresDeletedVersionRepository
from registry_grpc.adapters.postgres.model_versions import PostgresModelVersionRepository
from registry_grpc.adapters.postgres.registered_models import PostgresRegisteredModelRepository
from registry_grpc.adapters.postgres.stored_keys import Rewritten, decrypt_stored_secrets, encrypt_stored_secrets
from registry_grpc.domain.model_version import Credentials, ModelVersion
from registry_grpc.domain.paging import Slice

pytestmark = pytest.mark.slow

OLD, NEW = bytes(32), bytes(range(32))
FIRST, BOTH, SECOND = AesGcmCipher({"k1": OLD}), AesGcmCipher({"k2": NEW, "k1": OLD}), AesGcmCipher({"k2": NEW})
KEYS = Credentials("access ключ" * 40, "secret" * 80)
KEPT = timedelta(days=30)
PROJECT = UUID(int=1)


@dataclass
class Registry:
    """Versions with keys, in a database of its own."""

    database: Database
    deleted: PostgresDeletedVersionRepository

    def versions(self, cipher: AesGcmCipher) -> PostgresModelVersionRepository:
        return PostgresModelVersionRepository(self.database, cipher)

    async def version(self) -> ModelVersion:
        model = await PostgresRegisteredModelRepository(self.database).create(a_model(PROJECT))
        return await self.versions(FIRST).create(PROJECT, a_version(model), KEYS)

    async def delete(self, version: ModelVersion) -> None:
        await self.deleted.delete(PROJECT, version.id, "", force=False, retention=KEPT)

    async def restore(self, version: ModelVersion) -> None:
        await self.deleted.restore(PROJECT, version.id, retention=KEPT)

    async def rotate(self, cipher: AesGcmCipher = BOTH) -> int:
        async with self.database.session() as connection:
            return sum([row.changed async for row in encrypt_stored_secrets(connection, cipher)])

    async def kept(self) -> list[str]:
        return [row["version"] for row in await self.database.fetch("SELECT version::text FROM deleted_model_version")]


@pytest.fixture
async def registry(fresh_database_url: str) -> AsyncIterator[Registry]:
    database = Database(fresh_database_url, PATIENT)
    yield Registry(database, PostgresDeletedVersionRepository(database))
    await database.close()


async def test_they_are_encrypted_again_with_the_current_key(registry: Registry) -> None:
    present, gone = await registry.version(), await registry.version()
    await registry.delete(gone)
    before = json.loads((await registry.kept())[0])

    assert [await registry.rotate(), await registry.rotate()] == [2, 0]

    after = json.loads((await registry.kept())[0])
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"access_key", "access_key_rest", "secret_key", "secret_key_rest"}
    await registry.restore(gone)
    for version in (present, gone):
        assert await registry.versions(SECOND).credentials(PROJECT, version.id, version.uri) == KEYS


async def test_a_version_that_is_moved_during_the_rotation_is_not_missed(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    restored, deleted = await registry.version(), await registry.version()
    await registry.delete(restored)
    read = stored_keys.versions_with_keys

    async def read_then_moved(connection: object) -> AsyncIterator[object]:
        async for row in read(connection):
            if row["id"] == restored.id:
                await registry.restore(restored)
            else:
                await registry.delete(deleted)
            yield row

    monkeypatch.setattr(stored_keys, "versions_with_keys", read_then_moved)
    assert await registry.rotate() == 2
    await registry.restore(deleted)
    for version in (restored, deleted):
        assert await registry.versions(SECOND).credentials(PROJECT, version.id, version.uri) == KEYS


async def test_they_come_back_in_plain_text_with_the_others(registry: Registry) -> None:
    version = await registry.version()
    await registry.delete(version)
    async with registry.database.session() as connection:
        assert [row async for row in decrypt_stored_secrets(connection, FIRST)] == [Rewritten(changed=True)]
    assert json.loads((await registry.kept())[0])["secret_key"] == KEYS.secret_key


async def test_they_are_not_shown(registry: Registry) -> None:
    version = await registry.version()
    stored = json.loads((await registry.database.fetch("SELECT to_jsonb(v)::text AS v FROM model_version v"))[0]["v"])
    await registry.delete(version)
    [deleted] = (
        await registry.deleted.list(PROJECT, version.registered_model_id, Slice(by_cursor=True), retention=KEPT)
    ).items
    events = [row["e"] for row in await registry.database.fetch("SELECT to_jsonb(e)::text AS e FROM event_inbox e")]
    shown = f"{_deleted_message(deleted)} {deleted} {events}"
    assert str(version.id) in shown
    for secret in (KEYS.access_key, KEYS.secret_key, stored["access_key"], stored["secret_key"]):
        assert secret not in shown


async def test_they_are_destroyed_when_the_retention_ends(registry: Registry) -> None:
    old, young = await registry.version(), await registry.version()
    await registry.delete(old)
    await registry.database.execute("UPDATE deleted_model_version SET deleted_at = now() - interval '31 days'")
    await registry.deleted.forget(KEPT)
    assert await registry.kept() == []
    await registry.delete(young)
    await registry.deleted.forget(KEPT)
    assert len(await registry.kept()) == 1


async def test_where_nobody_forgets_them_the_next_deletion_does(registry: Registry) -> None:
    old, young = await registry.version(), await registry.version()
    await registry.delete(old)
    await registry.database.execute("UPDATE deleted_model_version SET deleted_at = now() - interval '31 days'")
    await registry.delete(young)
    assert [json.loads(text)["id"] for text in await registry.kept()] == [str(young.id)]
