"""Webhooks are sent to allowed addresses only, and no receiver can harm the sender."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from tests.receiver import HttpReceiver, receiving

from registry_grpc.adapters.webhooks import sender
from registry_grpc.adapters.webhooks.sender import HttpWebhookSender
from registry_grpc.domain.webhook import Outcome, Reach, networks_of

LOCAL = Reach(networks_of(["127.0.0.0/8"]))
HEADERS = {"webhook-id": "1", "content-type": "application/cloudevents+json"}


class Names(AbstractResolver):
    """Resolves every name to the next addresses of a list."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers.pop(0)
        return [
            ResolveResult(hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0)
            for each in found
        ]

    async def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
async def receiver() -> AsyncIterator[HttpReceiver]:
    async with receiving() as receiver:
        yield receiver


async def sent(url: str, reach: Reach = LOCAL, names: AbstractResolver | None = None) -> Outcome:
    sender = HttpWebhookSender(reach, names)
    try:
        return await sender.send(url, HEADERS, b"{}")
    finally:
        await sender.close()


async def test_a_request_arrives_as_it_was_sent(receiver: HttpReceiver) -> None:
    assert await sent(receiver.url) == Outcome(204)
    ((headers, body),) = receiver.got
    assert (body, headers["webhook-id"], headers["content-type"]) == (b"{}", "1", "application/cloudevents+json")
    assert "cookie" not in headers


async def test_addresses_that_are_not_allowed_are_not_connected_to(receiver: HttpReceiver) -> None:
    for reach in (Reach(), Reach(networks_of(["10.0.0.0/8"]))):
        outcome = await sent(receiver.url, reach)
        assert outcome.status is None
        assert "https://" in outcome.error
    outcome = await sent(receiver.url.replace("http://", "https://"), Reach())
    assert "private, local or reserved" in outcome.error
    assert receiver.got == []


@pytest.mark.parametrize("answer", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["169.254.169.254"]])
async def test_a_name_must_not_lead_to_such_an_address(receiver: HttpReceiver, answer: list[str]) -> None:
    port = receiver.url.rpartition(":")[2]
    outcome = await sent(f"https://example.com:{port}", Reach(), Names(answer))
    assert outcome == Outcome(
        None, "the url must not lead to a private, local or reserved address (see REGISTRY_WEBHOOK_NETWORKS)"
    )
    assert receiver.got == []


async def test_a_name_is_resolved_once_for_a_connection(receiver: HttpReceiver) -> None:
    """A second answer cannot lead elsewhere: it is not asked for."""
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    assert await sent(receiver.url.replace("127.0.0.1", "example.com"), LOCAL, names) == Outcome(204)
    assert names.answers == [["127.0.0.2"]]


async def test_redirects_are_not_followed(receiver: HttpReceiver) -> None:
    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"location": "/elsewhere"}, text="go there")

    receiver.answer = redirect
    assert await sent(receiver.url) == Outcome(307, "go there")
    assert len(receiver.got) == 1


async def test_an_endless_answer_is_not_read_to_its_end(receiver: HttpReceiver) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=500)
        await answer.prepare(request)
        while True:
            await answer.write(b"x\n" * 10_000)

    receiver.answer = endless
    outcome = await sent(receiver.url)
    assert (outcome.status, outcome.error[:4], len(outcome.error)) == (500, "x x ", 200)


async def test_no_answer_in_time(receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_TIMEOUT_SECONDS", 0.2)
    release = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    receiver.answer = wait
    assert await sent(receiver.url) == Outcome(None, "no answer within 0 seconds")
    release.set()


async def test_nobody_listens(receiver: HttpReceiver) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        outcome = await sent(f"http://127.0.0.1:{taken.getsockname()[1]}/")
    assert outcome.status is None
    assert outcome.error.startswith("cannot connect")


async def test_an_answer_that_is_not_http() -> None:
    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"hello\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(noise, "127.0.0.1", 0)
    async with server:
        outcome = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert outcome.status is None
    assert outcome.error.startswith("the request failed")
