"""Many versions move into another project in constant memory, also if a worker is killed on the way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import grpc
import pytest
import pytest_asyncio
from tests.integration.commands import Running, running, until_serving

from modelregistry.v1 import transfer_pb2 as pb
from modelregistry.v1.transfer_pb2_grpc import TransferServiceStub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

SOURCE, TARGET, SMALL = UUID(int=1), UUID(int=2), UUID(int=3)
MODELS = int(os.environ.get("BIG_TRANSFERS_MODELS", "100"))
"""1000 for the hundred thousand versions of docs/transfer.md, which take some minutes."""
LARGEST, OTHERS = 60 * MODELS, 40
VERSIONS = LARGEST + MODELS * OTHERS
WORDS = 20_000 // MODELS
FEW = 3000
GROWTH = 48 * 2**20
"""A list of all lines would have more than 100 MiB."""
_STEP = 1000
T = TypeVar("T")
_MODELS = """
INSERT INTO registered_model (id, project_id, name, slug, labels)
SELECT gen_random_uuid(), $1, 'model ' || n, 'model', jsonb_build_object('n', n::text)
FROM generate_series(0, $2::int) n
"""
_VERSIONS = """
INSERT INTO model_version (id, registered_model_id, project_id, name, description, uri, model_framework, labels, readme,
    properties, status, access_key)
SELECT gen_random_uuid(), m.id, m.project_id, 'version ' || n, repeat('what it does ', $5), 's3://bucket/' || n,
    'onnx', '{"team": "a"}', '# Readme', '{"accuracy": {"double": 0.97}}', 'READY',
    CASE WHEN n % 1000 = 0 THEN 'key' ELSE '' END
FROM registered_model m CROSS JOIN generate_series($3::int, $4::int) n
WHERE m.project_id = $1 AND (m.name = 'model 0') = $2
"""
_ARTIFACTS = """
INSERT INTO artifact (id, project_id, model_version_id, kind, name, value)
SELECT gen_random_uuid(), project_id, id, 'METRIC', 'f1', '{"double": 0.5}' FROM model_version
WHERE project_id = $1 AND number <= 10
"""
_ALIASES = """
INSERT INTO model_alias (registered_model_id, name, model_version_id)
SELECT registered_model_id, 'champion', id FROM model_version WHERE project_id = $1 AND number = 7
"""
_CONTENT = """
SELECT m.name, m.labels, m.created_at, v.name, v.number, v.description, v.uri, v.labels, v.readme, v.properties,
    v.status, v.created_at, v.updated_at, x.name, x.value, a.name
FROM registered_model m LEFT JOIN model_version v ON v.registered_model_id = m.id
LEFT JOIN artifact x ON x.model_version_id = v.id LEFT JOIN model_alias a ON a.model_version_id = v.id
WHERE m.project_id = '{}'
"""
_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
_STORED = "SELECT count(*) FROM model_version WHERE project_id = $1"
_DIFFERENCES = """
SELECT count(*) FROM (({0} EXCEPT ALL {1}) UNION ALL ({1} EXCEPT ALL {0})) AS different
""".format(*(_CONTENT.format(project) for project in (SOURCE, TARGET)))


@pytest_asyncio.fixture(loop_scope="session")
async def database(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(fresh_database_url)
    yield connection
    await connection.close()


async def fill(database: asyncpg.Connection[Any], project_id: UUID, models: int, largest: int, others: int) -> None:
    await database.execute(_MODELS, project_id, models)
    # In one transaction, the row that gives the numbers would get ever longer.
    for first in range(1, largest + 1, _STEP):
        await database.execute(_VERSIONS, project_id, True, first, min(first + _STEP - 1, largest), WORDS)
    await database.execute(_VERSIONS, project_id, False, 1, others, WORDS)
    await database.execute(_ARTIFACTS, project_id)
    await database.execute(_ALIASES, project_id)
    await database.execute("ANALYZE")


class Client:
    """Calls one worker."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = TransferServiceStub(channel)  # type: ignore[no-untyped-call]
        self.sent = 0

    async def exported(self, project_id: UUID) -> AsyncIterator[bytes]:
        async for answer in self._stub.ExportProject(pb.ExportProjectRequest(), metadata=_of(project_id)):
            yield answer.ndjson

    async def imported(self, project_id: UUID, file: AsyncIterator[bytes]) -> Any:
        async def requests() -> AsyncIterator[Any]:
            async for part in file:
                self.sent += len(part)
                yield pb.ImportProjectRequest(ndjson=part)

        return await self._stub.ImportProject(requests(), metadata=_of(project_id))


def _of(project_id: UUID) -> tuple[tuple[str, str], ...]:
    return (("project-id", str(project_id)),)


async def read(file: Path) -> AsyncIterator[bytes]:
    """Opens the file for each part, because nobody may ever end or close this when its call fails."""
    sent, part = 0, b" "
    while part:
        with file.open("rb") as opened:
            opened.seek(sent)
            part = opened.read(65_536)
        sent += len(part)
        yield part


async def written(file: Path, parts: AsyncIterator[bytes]) -> None:
    with file.open("wb") as opened:
        async for part in parts:
            opened.write(part)


class Memory:
    """The largest memory of a process since it was reset."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def reset(self) -> int:
        (self._folder / "clear_refs").write_text("5")
        return self.peak()

    def peak(self) -> int:
        lines = (self._folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def cpu_of(pids: Iterable[int]) -> float:
    """The CPU time of processes, in seconds."""
    stats = [Path(f"/proc/{pid}/stat") for pid in pids]
    fields = [stat.read_text().rpartition(")")[2].split() for stat in stats if stat.exists()]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


async def test_many_versions_move_in_constant_memory(
    fresh_database_url: str, database: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    await fill(database, SMALL, 20, 20, 20)
    await fill(database, SOURCE, MODELS, LARGEST, OTHERS)
    address, file, first = f"unix:{tmp_path}/worker.sock", tmp_path / "file", tmp_path / "first"
    arguments = ("worker", "--listen", address)
    async with (
        running(tmp_path / "log", *arguments, database_url=fresh_database_url) as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        client = Client(channel)
        memories = [Memory(worker.process.pid), Memory(os.getpid())]
        # What a small project needs, is needed once.
        await written(first, client.exported(SMALL))
        await client.imported(UUID(int=4), read(first))

        async def told(what: str, work: Awaitable[T]) -> T:
            """Tells what the work has cost."""
            pids = worker.process.pid, *[row[0] for row in await database.fetch(_BACKENDS)]
            start, cpus = time.monotonic(), [cpu_of(pids[:1]), cpu_of(pids[1:])]
            peaks = [memory.reset() for memory in memories]
            done = await work
            took = time.monotonic() - start
            own, postgres = cpu_of(pids[:1]) - cpus[0], cpu_of(pids[1:]) - cpus[1]
            growths = [memory.peak() - peak for memory, peak in zip(memories, peaks, strict=True)]
            print(  # noqa: T201
                f"{what} of {VERSIONS} versions: {took:.0f} s; CPU of worker {own:.1f} s, of its connections "
                f"{postgres:.1f} s; worker and client grew by "
                + " and ".join(f"{growth / 2**20:.1f} MiB" for growth in growths)
            )
            assert max(growths) < GROWTH
            return done

        await told("export", written(file, client.exported(SOURCE)))
        print(f"file: {file.stat().st_size / 2**20:.0f} MiB")  # noqa: T201
        done = await told("import", client.imported(TARGET, read(file)))
        assert (done.model_versions.created, done.model_versions.existing) == (VERSIONS, 0)
        assert done.registered_models.created == done.model_aliases.created == MODELS + 1
        assert done.artifacts.created == (MODELS + 1) * 10
        assert done.versions_without_keys == LARGEST // 1000
        assert done.renumbered_versions == 0
    assert await database.fetchval(_DIFFERENCES, timeout=600) == 0


async def test_an_import_goes_on_after_its_worker_was_killed(
    fresh_database_url: str, database: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    await fill(database, SOURCE, 20, FEW, 20)
    address, file = f"unix:{tmp_path}/worker.sock", tmp_path / "file"
    arguments = ("worker", "--listen", address)

    async def read_until_killed(worker: Running) -> AsyncIterator[bytes]:
        """Kills the worker when it has stored a part, and then waits for the end of the call: sending into a broken
        connection may fail with INTERNAL in the client."""
        async for part in read(file):
            yield part
            for _ in range(50):  # a batch may need several parts
                if await database.fetchval(_STORED, TARGET):
                    worker.process.kill()
                    await asyncio.Event().wait()
                await asyncio.sleep(0.01)

    async with (
        running(tmp_path / "log", *arguments, database_url=fresh_database_url) as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        await written(file, Client(channel).exported(SOURCE))
        with pytest.raises(grpc.aio.AioRpcError) as interrupted:
            await Client(channel).imported(TARGET, read_until_killed(worker))
        assert interrupted.value.code() is grpc.StatusCode.UNAVAILABLE
    stored = await database.fetchval(_STORED, TARGET)
    assert 0 < stored < FEW + 20 * 20
    async with (
        running(tmp_path / "log", *arguments, database_url=fresh_database_url) as worker,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await until_serving(address, worker)
        done = await Client(channel).imported(TARGET, read(file))
    assert done.model_versions.existing == stored
    assert done.model_versions.created == FEW + 20 * 20 - stored
    assert await database.fetchval(_DIFFERENCES) == 0
