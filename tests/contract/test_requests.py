"""Requests with an id: carried out once, answered like the first time, whatever happened to the first answer."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any, NoReturn
from uuid import UUID, uuid4

import asyncpg
import pytest
from tests.contract.conftest import repositories_on
from tests.fakes.builders import a_model
from tests.fakes.repositories import Repositories, in_memory_repositories
from tests.fakes.requests import InMemoryRequests
from tests.fakes.seeding import stored_model
from tests.fakes.store import InMemoryStore

from registry_grpc.adapters.encryption.aes_gcm import AesGcmCipher
from registry_grpc.adapters.postgres.database import Database, DatabaseOptions
from registry_grpc.adapters.postgres.requests import PostgresRequests
from registry_grpc.domain.errors import AlreadyExists, ConcurrentChange, NotFound, RequestIdReused, Unavailable
from registry_grpc.domain.registered_model import RegisteredModelPatch
from registry_grpc.ports.requests import Request, Requests

CIPHER = AesGcmCipher({"k1": bytes(32)})


@pytest.fixture(params=["fake", "postgres"])
def both(request: pytest.FixtureRequest) -> tuple[Requests, Repositories]:
    if request.param == "fake":
        return InMemoryRequests(), in_memory_repositories(InMemoryStore())
    database: Database = request.getfixturevalue("database")
    return PostgresRequests(database, CIPHER), request.getfixturevalue("postgres_repositories")


@pytest.fixture
def requests(database: Database) -> PostgresRequests:
    return PostgresRequests(database, CIPHER)


def a_request(project_id: UUID, **fields: Any) -> Request:
    said: dict[str, Any] = {"id": "key", "rpc": "Create", "content": b"content"}
    return Request(project_id=project_id, **said | fields)


async def never(_id: UUID) -> NoReturn:
    raise AssertionError("resumed")


def creating(repositories: Repositories, project_id: UUID, name: str = "m") -> Callable[[], Awaitable[bytes]]:
    async def work() -> bytes:
        return str((await repositories.models.create(a_model(project_id, name=name))).id).encode()

    return work


async def exists(repositories: Repositories, project_id: UUID, name: str = "m") -> bool:
    try:
        await repositories.models.find(project_id, name=name)
    except NotFound:
        return False
    return True


async def test_a_repeated_request_is_answered_like_the_first(
    both: tuple[Requests, Repositories], project_id: UUID, other_project_id: UUID
) -> None:
    requests, repositories = both
    work = creating(repositories, project_id)

    first = await requests.once(a_request(project_id), work, never)

    assert [await requests.once(a_request(project_id), work, never) for _ in range(3)] == [first] * 3
    with pytest.raises(AlreadyExists):
        await requests.once(a_request(project_id, id="another"), work, never)
    elsewhere = creating(repositories, other_project_id)
    assert await requests.once(a_request(other_project_id), elsewhere, never) != first


async def test_another_request_under_an_id_is_refused(both: tuple[Requests, Repositories], project_id: UUID) -> None:
    requests, repositories = both
    await requests.once(a_request(project_id), creating(repositories, project_id), never)

    for other in ({"content": b"other"}, {"rpc": "Other"}):
        with pytest.raises(RequestIdReused):
            await requests.once(a_request(project_id, **other), creating(repositories, project_id, "other"), never)

    assert not await exists(repositories, project_id, "other")


async def test_concurrent_requests_wait_for_the_first(both: tuple[Requests, Repositories], project_id: UUID) -> None:
    requests, repositories = both
    work = creating(repositories, project_id)

    answers = await asyncio.gather(*(requests.once(a_request(project_id), work, never) for _ in range(10)))

    assert len(set(answers)) == 1


async def test_of_concurrent_different_requests_one_wins(both: tuple[Requests, Repositories], project_id: UUID) -> None:
    requests, repositories = both

    outcomes = await asyncio.gather(
        *(
            requests.once(a_request(project_id, content=name.encode()), creating(repositories, project_id, name), never)
            for name in "abcd"
        ),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["RequestIdReused"] * 3 + ["bytes"]
    assert sum([await exists(repositories, project_id, name) for name in "abcd"]) == 1


async def test_a_refused_request_can_be_sent_again(both: tuple[Requests, Repositories], project_id: UUID) -> None:
    requests, repositories = both
    model = await stored_model(repositories, project_id, name="m")
    with pytest.raises(AlreadyExists):
        await requests.once(a_request(project_id), creating(repositories, project_id), never)

    await repositories.models.update(project_id, model.id, RegisteredModelPatch(name="moved"))

    assert await requests.once(a_request(project_id), creating(repositories, project_id), never)


@pytest.mark.parametrize("earlier", [[], ["n"]], ids=["first write", "second write"])
async def test_a_refused_write_of_a_request_names_the_holder(
    both: tuple[Requests, Repositories], project_id: UUID, earlier: list[str]
) -> None:
    requests, repositories = both
    model = await stored_model(repositories, project_id, name="m")

    async def work() -> bytes:
        for name in [*earlier, "m"]:
            await creating(repositories, project_id, name)()
        return b""

    with pytest.raises(AlreadyExists) as refusal:
        await requests.once(a_request(project_id), work, never)

    assert refusal.value.metadata == {"id": str(model.id), "name": "m"}


async def test_a_repeated_deletion_finds_nothing_and_succeeds(
    both: tuple[Requests, Repositories], project_id: UUID
) -> None:
    requests, repositories = both
    model = await stored_model(repositories, project_id, state="ARCHIVED")

    async def delete() -> bytes:
        await repositories.models.get(project_id, model.id)
        await repositories.models.delete(project_id, model.id)
        return b"deleted"

    answers = await asyncio.gather(*(requests.once(a_request(project_id), delete, never) for _ in range(10)))

    assert answers == [b"deleted"] * 10


# --- what only a database can show -------------------------------------------------------------------------------


async def test_all_writes_of_a_call_are_stored_with_its_answer_or_none(
    requests: PostgresRequests, postgres_repositories: Repositories, project_id: UUID
) -> None:
    async def work() -> bytes:
        for name in ("a", "b", "a"):
            await postgres_repositories.models.create(a_model(project_id, name=name))
        return b""

    with pytest.raises(AlreadyExists):
        await requests.once(a_request(project_id), work, never)

    assert not await exists(postgres_repositories, project_id, "a")


async def test_a_call_reads_what_it_has_written_and_others_do_not(
    requests: PostgresRequests, postgres_repositories: Repositories, project_id: UUID
) -> None:
    async def work() -> bytes:
        await postgres_repositories.models.create(a_model(project_id, name="m"))
        assert await exists(postgres_repositories, project_id)
        elsewhere = asyncio.create_task(exists(postgres_repositories, project_id), context=outside)
        assert not await elsewhere
        return b""

    outside = contextvars.copy_context()
    await requests.once(a_request(project_id), work, never)
    assert await exists(postgres_repositories, project_id)


@pytest.mark.parametrize("fault", [asyncio.CancelledError(), RuntimeError("a fault"), TimeoutError()])
async def test_a_call_that_is_broken_off_leaves_nothing_behind(
    requests: PostgresRequests, postgres_repositories: Repositories, project_id: UUID, fault: BaseException
) -> None:
    async def work() -> bytes:
        await postgres_repositories.models.create(a_model(project_id, name="m"))
        raise fault

    with pytest.raises(type(fault)):
        await requests.once(a_request(project_id), work, never)

    assert not await exists(postgres_repositories, project_id)
    assert await requests.once(a_request(project_id), creating(postgres_repositories, project_id), never)


def lose() -> NoReturn:
    raise ConcurrentChange


async def test_a_step_that_lost_a_race_is_tried_again_within_the_call(
    requests: PostgresRequests, postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    """Also after an earlier step, which stays."""
    for earlier in (False, True):
        tries = 0

        async def work(earlier: bool = earlier) -> bytes:
            nonlocal tries
            if earlier:
                await postgres_repositories.models.create(a_model(project_id, name="earlier"))
            while True:
                tries += 1
                try:
                    async with database.transaction():
                        await postgres_repositories.models.create(a_model(project_id, name=f"tried {earlier}"))
                        if tries == 1:
                            lose()
                except ConcurrentChange:
                    continue
                return b""

        await requests.once(a_request(project_id, id=str(earlier)), work, never)
        assert tries == 2
        assert await exists(postgres_repositories, project_id, f"tried {earlier}")
    assert await exists(postgres_repositories, project_id, "earlier")


async def test_what_is_settled_stays_and_is_resumed_until_it_is_answered(
    requests: PostgresRequests, postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    id_ = uuid4()

    async def work() -> bytes:
        await postgres_repositories.models.create(a_model(project_id, name="m"))
        await requests.settle(id_)
        await requests.settle(id_)
        assert await open_transactions(database) == 0
        await postgres_repositories.models.create(a_model(project_id, name="in the pass"))
        raise asyncio.CancelledError  # the process ends

    async def resume(id: UUID) -> bytes:
        return f"resumed {id}".encode()

    with pytest.raises(asyncio.CancelledError):
        await requests.once(a_request(project_id), work, resume)

    assert await exists(postgres_repositories, project_id, "in the pass")
    assert await requests.once(a_request(project_id), work, resume) == f"resumed {id_}".encode()
    with pytest.raises(RequestIdReused):
        await requests.once(a_request(project_id, content=b"other"), work, resume)


async def open_transactions(database: Database) -> int:
    row = await database.fetchrow(
        "SELECT count(*) AS n FROM pg_stat_activity"
        " WHERE state LIKE 'idle in transaction%' AND datname = current_database()"
    )
    assert row is not None
    n: int = row["n"]
    return n


async def test_a_settled_request_is_answered_at_last(
    requests: PostgresRequests, postgres_repositories: Repositories, project_id: UUID
) -> None:
    async def work() -> bytes:
        await postgres_repositories.models.create(a_model(project_id, name="m"))
        await requests.settle(uuid4())
        return b"answer"

    for _ in range(2):
        assert await requests.once(a_request(project_id), work, never) == b"answer"


async def test_all_get_the_answer_that_was_given_first_after_it_was_settled(
    requests: PostgresRequests, postgres_repositories: Repositories, project_id: UUID
) -> None:
    """Nobody can wait for a call that asks the cluster, because its process may have ended."""
    settled, may_end = asyncio.Event(), asyncio.Event()

    async def work() -> bytes:
        await postgres_repositories.models.create(a_model(project_id, name="m"))
        await requests.settle(uuid4())
        settled.set()
        await may_end.wait()
        return b"answer"

    states = iter((b"resumed", b"resumed later"))

    async def resume(_id: UUID) -> bytes:
        return next(states)

    first = asyncio.create_task(requests.once(a_request(project_id), work, resume))
    await settled.wait()
    answers = [await requests.once(a_request(project_id), work, resume) for _ in range(2)]
    may_end.set()
    answers += [await first, await requests.once(a_request(project_id), work, never)]
    assert answers == [b"resumed"] * 4


async def test_a_request_that_writes_nothing_is_not_remembered(requests: PostgresRequests, project_id: UUID) -> None:
    answers = iter((b"first", b"second"))

    async def work() -> bytes:
        await requests.settle(uuid4())
        return next(answers)

    assert [await requests.once(a_request(project_id), work, never) for _ in range(2)] == [b"first", b"second"]


async def test_whoever_waits_too_long_shall_try_again(database: Database, project_id: UUID, database_url: str) -> None:
    impatient = Database(database_url, DatabaseOptions(lock_timeout=0.05))
    requests, started, may_end = PostgresRequests(impatient, CIPHER), asyncio.Event(), asyncio.Event()

    async def slow() -> bytes:
        await impatient.execute("UPDATE registered_model SET name = name WHERE id = $1", uuid4())
        started.set()
        await may_end.wait()
        return b"slow"

    first = asyncio.create_task(requests.once(a_request(project_id), slow, never))
    await started.wait()
    with pytest.raises(ConcurrentChange):
        await requests.once(a_request(project_id), slow, never)
    may_end.set()
    assert await first == await requests.once(a_request(project_id), slow, never) == b"slow"
    await impatient.close()


async def test_old_answers_make_place(
    requests: PostgresRequests, postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    for name in ("old", "young", "new"):
        if name == "new":
            statement = "UPDATE request SET created_at = now() - $2::interval WHERE project_id = $1 AND key = $3"
            await database.execute(statement, project_id, timedelta(hours=26), "old")
            await database.execute(statement, project_id, timedelta(hours=24), "young")
        await requests.once(a_request(project_id, id=name), creating(postgres_repositories, project_id, name), never)

    rows = await database.fetch("SELECT key FROM request WHERE project_id = $1 ORDER BY key", project_id)
    assert [row["key"] for row in rows] == ["new", "young"]


async def test_secrets_of_a_request_are_not_stored(
    requests: PostgresRequests, postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    request = a_request(project_id, content=b"s3cret")
    await requests.once(request, creating(postgres_repositories, project_id), never)

    row = await database.fetchrow("SELECT request::text AS text, digest FROM request WHERE project_id = $1", project_id)
    assert row is not None
    assert b"s3cret".hex() not in row["text"]
    assert "s3cret" not in row["text"] + repr(request)
    assert row["digest"] == CIPHER.digests(b"s3cret")[0] != AesGcmCipher({"k1": b"x" * 32}).digests(b"s3cret")[0]


async def test_a_request_is_recognized_after_the_key_was_changed(
    requests: PostgresRequests, postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    work = creating(postgres_repositories, project_id)
    first = await requests.once(a_request(project_id), work, never)

    later = PostgresRequests(database, AesGcmCipher({"k2": b"y" * 32, "k1": bytes(32)}))

    assert await later.once(a_request(project_id), work, never) == first


@pytest.fixture
async def single(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, DatabaseOptions(size=2, queue=0))
    yield database
    await database.close()


async def test_connections_are_given_back(single: Database, project_id: UUID) -> None:
    requests, repositories = PostgresRequests(single, CIPHER), repositories_on(single)
    work = creating(repositories, project_id)
    for number in range(5):
        await requests.once(a_request(project_id), work, never)
        with pytest.raises(AlreadyExists):
            await requests.once(a_request(project_id, id=f"refused {number}"), work, never)

    assert (await single.fetchrow("SELECT 1 AS one")) is not None


async def test_if_the_connection_is_lost_before_the_commit_nothing_is_stored(
    requests: PostgresRequests, postgres_repositories: Repositories, database: Database, project_id: UUID
) -> None:
    async def work() -> bytes:
        await postgres_repositories.models.create(a_model(project_id, name="m"))
        row = await database.fetchrow("SELECT pg_backend_pid() AS pid")
        assert row is not None
        outside = await asyncpg_connect(database)
        await outside.execute("SELECT pg_terminate_backend($1, 5000)", row["pid"])
        await outside.close()
        return b""

    with pytest.raises(Unavailable):
        await requests.once(a_request(project_id), work, never)

    assert not await exists(postgres_repositories, project_id)
    assert await requests.once(a_request(project_id), creating(postgres_repositories, project_id), never)


async def asyncpg_connect(database: Database) -> Any:
    return await asyncpg.connect(database._dsn)
