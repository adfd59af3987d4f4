"""A TCP proxy that loses an answer: the request arrives, and then the connection breaks."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Thread
from typing import Self

_CHUNK = 65_536


class LosingProxy:
    """Passes everything on, until a request has `marker`. Once, when the answer has `echo`, it drops the connection."""

    def __init__(self, target: str, *, marker: bytes, echo: bytes) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._marker = marker
        self._echo = echo
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.has_lost = False

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                _Connection(self, client, socket.create_connection(self._target)).start()

    def is_marked(self, sent: bytes) -> bool:
        return not self.has_lost and self._marker in sent

    def has_echo(self, received: bytes) -> bool:
        return self._echo in received


class _Connection:
    def __init__(self, proxy: LosingProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._is_marked = False

    def start(self) -> None:
        Thread(target=self._to_server, daemon=True).start()
        Thread(target=self._to_client, daemon=True).start()

    def _to_server(self) -> None:
        sent = b""
        with suppress(OSError):
            while chunk := self._client.recv(_CHUNK):
                sent += chunk
                self._is_marked = self._is_marked or self._proxy.is_marked(sent)
                self._server.sendall(chunk)
        self._close()

    def _to_client(self) -> None:
        held = b""
        with suppress(OSError):
            while chunk := self._server.recv(_CHUNK):
                if not self._is_marked:
                    self._client.sendall(chunk)
                elif self._proxy.has_echo(held := held + chunk):
                    self._proxy.has_lost = True
                    break
        self._close()

    def _close(self) -> None:
        for end in (self._client, self._server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
