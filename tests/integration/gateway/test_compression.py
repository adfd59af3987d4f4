"""Longer answers are compressed if the client accepts it."""

from __future__ import annotations

import zlib

import grpc
import httpx
import pytest
from tests.integration.gateway.test_answers import API, JSON
from tests.integration.gateway.test_native import unary

LONG = 10_000


async def answer_to(rest: httpx.AsyncClient, accepted: str, size: int = LONG) -> tuple[httpx.Headers, bytes]:
    """The headers and the bytes as they were received."""
    headers = {"accept-encoding": accepted, "x-test-size": str(size)}
    async with rest.stream("GET", f"{API}/models", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == JSON
        return answer.headers, b"".join([chunk async for chunk in answer.aiter_raw()])


async def test_gzip(rest: httpx.AsyncClient) -> None:
    headers, body = await answer_to(rest, "gzip, deflate")
    assert (headers["content-encoding"], headers["vary"].lower()) == ("gzip", "accept-encoding")
    assert len(body) < LONG / 10
    assert len(zlib.decompress(body, wbits=31)) == LONG


@pytest.mark.parametrize(
    ("accepted", "chosen"),
    [
        ("br", "br"),
        ("gzip;q=0.5, br;q=0.9", "br"),
        ("gzip;q=0.9, br;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("gzip;q=0, br;q=0, identity", None),
        ("identity", None),
        ("zstd", None),
        ("", None),
    ],
)
async def test_the_client_chooses(rest: httpx.AsyncClient, accepted: str, chosen: str | None) -> None:
    headers, body = await answer_to(rest, accepted)
    assert headers.get("content-encoding") == chosen
    assert headers["vary"].lower() == "accept-encoding"
    if chosen is None:
        assert int(headers["content-length"]) == len(body) == LONG


async def test_a_short_answer_stays_as_it_is(rest: httpx.AsyncClient) -> None:
    headers, body = await answer_to(rest, "gzip, br", size=4000)
    assert (headers.get("content-encoding"), len(body)) == (None, 4000)


async def test_grpc_is_not_compressed(channel: grpc.aio.Channel) -> None:
    call = unary(channel)(b"x" * LONG, metadata=(("accept-encoding", "gzip"),))
    assert await call == b"x" * LONG
    assert "content-encoding" not in dict(await call.initial_metadata())
