"""Publishes every event of a project to NATS JetStream, and goes on after a crash where it stopped.

    pip install nats-py ./stubs/python
    python examples/nats/forward.py localhost:8080 <project id> nats://localhost:4222

The subject is `registry.<project id>.<type>`, for example `registry.….model.created`, and the message is the event in
JSON. An event that was published just before a crash is published again. JetStream drops it, because its id is the id of
the message, if the process is back within the duplicate window of the stream (two minutes unless it says otherwise).
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, Protocol

import grpc
from google.protobuf.json_format import MessageToJson

from modelregistry.v1.event_pb2 import WatchEventsRequest
from modelregistry.v1.event_pb2_grpc import EventServiceStub

# A worker stops, the database is away, or nobody has answered yet.
_AGAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNKNOWN}
_PAUSE_SECONDS = 1.0
_STUB: Any = EventServiceStub  # the generated stubs have no types


class Tokens(Protocol):
    """Remembers where to go on."""

    async def load(self) -> str:
        """Empty at the first start."""

    async def save(self, token: str) -> None: ...


async def forward(
    channel: grpc.aio.Channel, project_id: str, jetstream: Any, tokens: Tokens, pause: float = _PAUSE_SECONDS
) -> None:
    """Runs until it is cancelled. `jetstream.publish` returns when JetStream has stored the message."""
    stub = _STUB(channel)
    while True:
        stream = stub.WatchEvents(
            WatchEventsRequest(resume_token=await tokens.load()), metadata=[("project-id", project_id)]
        )
        try:
            async for response in stream:
                if response.HasField("event"):
                    event = response.event
                    await jetstream.publish(
                        f"registry.{project_id}.{event.type}",
                        MessageToJson(event, preserving_proto_field_name=True).encode(),
                        headers={"Nats-Msg-Id": event.id},
                    )
                # Also those of bookmarks: without them, the token of a quiet project would become too old.
                await tokens.save(response.resume_token)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.OUT_OF_RANGE:
                # Events may be lost. Whoever reads the messages has to read the present state of everything.
                message = {"type": "log.changed", "project_id": project_id}
                await jetstream.publish(f"registry.{project_id}.log.changed", json.dumps(message).encode())
                await tokens.save("")
            elif error.code() not in _AGAIN:
                raise
        finally:
            stream.cancel()
        await asyncio.sleep(pause)


class TokensInNats:
    """Keeps the token in a bucket of JetStream, so that the process needs no disk."""

    def __init__(self, bucket: Any, key: str) -> None:
        self._bucket = bucket
        self._key = key

    async def load(self) -> str:
        from nats.js.errors import KeyNotFoundError

        try:
            return str((await self._bucket.get(self._key)).value.decode())
        except KeyNotFoundError:
            return ""

    async def save(self, token: str) -> None:
        await self._bucket.put(self._key, token.encode())


async def main(target: str, project_id: str, nats_url: str) -> None:
    import nats

    connection = await nats.connect(nats_url)
    jetstream = connection.jetstream()
    await jetstream.add_stream(name="registry", subjects=["registry.>"])
    bucket = await jetstream.create_key_value(bucket="registry_tokens")
    async with grpc.aio.insecure_channel(target) as channel:
        await forward(channel, project_id, jetstream, TokensInNats(bucket, project_id))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
