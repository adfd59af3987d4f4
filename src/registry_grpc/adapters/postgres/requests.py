"""Remembers the answers to requests in PostgreSQL.

The row of a request is written in the transaction of its change. PostgreSQL makes concurrent requests with the same id
wait for it, and takes it back if the request is refused or the process dies.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg

from registry_grpc.adapters.postgres.columns import actor_is, said_of_call
from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.unit import UNIT, Unit
from registry_grpc.domain.errors import ConcurrentChange, RegistryError, RequestIdReused
from registry_grpc.ports.encryption import SecretCipher
from registry_grpc.ports.requests import Request

KEPT_HOURS = 25

_FIND = "SELECT rpc, digest, subject, answer FROM request WHERE project_id = $1 AND key = $2"
_CLAIM = f"""
INSERT INTO request (project_id, key, rpc, digest) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id, key) DO NOTHING RETURNING {actor_is("$5")}
"""
_SETTLE = "UPDATE request SET subject = $3 WHERE project_id = $1 AND key = $2"
# Each answer makes place for itself, so that the table is bounded in installations without a controller, too.
_ANSWER = f"""
WITH old AS (
    DELETE FROM request WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM request WHERE created_at < now() - interval '{KEPT_HOURS} hours'
        ORDER BY created_at LIMIT 3 FOR UPDATE SKIP LOCKED
    ))
)
UPDATE request SET answer = coalesce(answer, $3) WHERE project_id = $1 AND key = $2 RETURNING answer
"""


class _Answered(Exception):
    """Another call with this id has been carried out meanwhile."""


class _Call(Unit):
    """The unit of a request."""

    def __init__(self, request: Request, digest: bytes) -> None:
        super().__init__(self._claim)
        self.place = (request.project_id, request.id)
        self._rpc, self._digest = request.rpc, digest
        self.is_settled = False

    async def _claim(self, connection: asyncpg.Connection[Any]) -> None:
        try:
            actor = await connection.fetchval(_CLAIM, *self.place, self._rpc, self._digest, said_of_call())
        except asyncpg.LockNotAvailableError:
            raise ConcurrentChange from None  # the first one takes longer than a statement may wait
        if actor is None:
            raise _Answered


class PostgresRequests:
    """Implements ports.requests.Requests."""

    def __init__(self, database: Database, cipher: SecretCipher) -> None:
        self._database = database.share("request")
        self._cipher = cipher

    async def once(
        self, request: Request, work: Callable[[], Awaitable[bytes]], resume: Callable[[UUID], Awaitable[bytes]]
    ) -> bytes:
        digests = self._cipher.digests(request.content)
        if (earlier := await self._earlier(request, digests, resume)) is not None:
            return earlier
        call = _Call(request, digests[0])
        before = UNIT.set(call)
        try:
            answer = await self._remember(call, await work())
        except (_Answered, RegistryError) as error:
            await call.roll_back(error)
            call.is_over = True
            # A refusal may be due to what the first one has done since: a deleted object is not found, for example.
            if (earlier := await self._earlier(request, digests, resume)) is None:
                raise
            return earlier
        except BaseException as error:
            await call.roll_back(error)
            raise
        finally:
            call.is_over = True
            UNIT.reset(before)
        return answer

    async def settle(self, id: UUID) -> None:
        call = UNIT.get()
        if not isinstance(call, _Call) or call.is_over:
            return
        if call.connection is not None:
            await self._database.fetchrow(_SETTLE, *call.place, id)
            await self._database.commit(call)
            call.is_settled = True
        call.is_over = True

    async def _remember(self, call: _Call, answer: bytes) -> bytes:
        """The answer that was given first."""
        if call.connection is not None:
            await self._database.fetchrow(_ANSWER, *call.place, answer)
            await self._database.commit(call)
        elif call.is_settled:
            with suppress(RegistryError):  # it is done already, and can be resumed
                return await self._answer(call.place, answer)
        return answer

    async def _answer(self, place: tuple[UUID, str], answer: bytes) -> bytes:
        record = await self._database.fetchrow(_ANSWER, *place, answer)
        first: bytes = record["answer"] if record else answer
        return first

    async def _earlier(
        self, request: Request, digests: tuple[bytes, ...], resume: Callable[[UUID], Awaitable[bytes]]
    ) -> bytes | None:
        """The answer to the earlier request with this id, or None if there was none. Raises RequestIdReused."""
        record = await self._database.fetchrow(_FIND, request.project_id, request.id)
        if record is None:
            return None
        if record["rpc"] != request.rpc or record["digest"] not in digests:
            raise RequestIdReused
        answer: bytes | None = record["answer"]
        place = request.project_id, request.id
        return await self._answer(place, await resume(record["subject"])) if answer is None else answer
