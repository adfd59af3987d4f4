"""A channel for the generated stubs. Its calls have metadata and a deadline, are repeated where that is safe, and
raise the errors of registry_client.errors."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import grpc

from registry_client.aio import runtime
from registry_client.calls import Call, new_request_id
from registry_client.connection import OPEN, Connection
from registry_client.errors import RegistryError, Unauthenticated, Unavailable, from_call
from registry_client.probing import explained


class Channel:
    """Has the methods of a gRPC channel that stubs use. It connects with the first call."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.was_reached = False
        """Whether there was an answer before."""
        self._channel: Any = None
        self._place: Any = None
        self._opening = threading.Lock()

    def opened(self) -> Any:
        """The gRPC channel. Raises ConfigError, and Error in a forked process."""
        connection = self.connection
        connection.refuse_fork()
        with self._opening:  # threads that begin at the same time need one channel
            if self._channel is None or self._place is not runtime.place():
                self._place = runtime.place()
                OPEN.add(connection)
                self._channel = runtime.open_channel(connection.target, connection.credentials, connection.options)
            return self._channel

    async def close(self) -> None:
        if self._channel is not None:
            if self._place is runtime.place():  # else it has ended with its event loop
                await self._channel.close()
            self._channel = None
            OPEN.discard(self.connection)

    def unary_unary(self, path: str, *functions: Any, **options: Any) -> Unary:
        return Unary(self, path, lambda channel: channel.unary_unary(path, *functions, **options))

    def unary_stream(self, path: str, *functions: Any, **options: Any) -> ServerStream:
        return ServerStream(self, path, lambda channel: channel.unary_stream(path, *functions, **options))

    def stream_unary(self, path: str, *functions: Any, **options: Any) -> ClientStream:
        return ClientStream(self, path, lambda channel: channel.stream_unary(path, *functions, **options))


class _Method:
    def __init__(self, channel: Channel, path: str, make: Any) -> None:
        self._channel, self._path, self._make = channel, path, make
        self._made: tuple[Any, Any] = None, None

    def _callable(self) -> Any:
        """That of gRPC, for the channel that is open now."""
        channel = self._channel.opened()
        made_for, method = self._made
        if channel is not made_for:
            method = self._make(channel)
            self._made = channel, method
        return method

    async def _token(self) -> str:
        tokens = self._channel.connection.tokens
        return tokens.get() if tokens.is_ready else await runtime.in_thread(tokens.get)

    def _metadata(self, token: str, request_id: str, more: Any) -> Any:
        return (*self._channel.connection.metadata(token, request_id), *(more or ()))

    def _error(self, error: grpc.RpcError, request_id: str) -> RegistryError:
        return from_call(error, self._channel.connection.url, request_id)

    async def _explained(self, failure: RegistryError) -> RegistryError:
        """What is wrong with a registry that has never answered."""
        channel = self._channel
        if not isinstance(failure, Unavailable) or failure.reason or channel.was_reached:
            return failure
        return await runtime.in_thread(partial(explained, failure, channel.connection))


class Unary(_Method):
    """One request, one answer."""

    async def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        """`timeout` is for all attempts together. Raises RegistryError, ConfigError."""
        connection = self._channel.connection
        call = Call(self._path, request, connection.timeout if timeout is None else timeout)
        has_new_token = False
        while True:
            token = await self._token()
            sent = self._metadata(token, call.request_id, metadata)
            try:
                answer = await self._callable()(call.request, timeout=call.seconds_left, metadata=sent)
            except grpc.RpcError as error:
                failure = self._error(error, call.request_id)
            else:
                self._channel.was_reached = True
                return answer
            if isinstance(failure, Unauthenticated) and not has_new_token and connection.tokens.replace(token):
                has_new_token = True
                continue
            delay = call.delay_after(failure, was_reached=self._channel.was_reached)
            if delay is None:
                raise await self._explained(failure)
            await runtime.sleep(delay)


class ServerStream(_Method):
    """One request, many answers. It is not repeated: who reads it knows from where to continue."""

    async def __call__(self, request: Any, timeout: float | None = None, metadata: Any = None) -> runtime.Stream[Any]:
        """Without a timeout, it stays open. Raises RegistryError, ConfigError."""
        request_id, token = new_request_id(), await self._token()
        sent = self._metadata(token, request_id, metadata)
        begin = partial(self._callable(), request, timeout=timeout, metadata=sent)
        stream = await runtime.begun(begin)
        try:
            async for answer in stream:
                self._channel.was_reached = True
                yield answer
        except grpc.RpcError as error:
            failure = self._error(error, request_id)
        else:
            return
        finally:
            stream.cancel()
        if isinstance(failure, Unauthenticated):
            self._channel.connection.tokens.replace(token)  # for whoever opens the stream again
        raise await self._explained(failure)


class ClientStream(_Method):
    """Many requests, one answer. It is not repeated, because its requests can only be read once."""

    async def __call__(self, requests: Any, timeout: float | None = None, metadata: Any = None) -> Any:
        """Raises RegistryError, ConfigError."""
        request_id = new_request_id()
        sent = self._metadata(await self._token(), request_id, metadata)
        try:
            return await self._callable()(requests, timeout=timeout, metadata=sent)
        except grpc.RpcError as error:
            failure = self._error(error, request_id)
        raise await self._explained(failure)
