"""A receiver of OTLP over HTTP, as collectors are, which decodes what it gets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{PARENT}-01"
UNSAMPLED = f"00-{TRACE}-{PARENT}-00"
_SERVER, _CLIENT = 2, 3


@dataclass(frozen=True)
class Received:
    """A span, with its ids as `traceparent` has them."""

    name: str
    trace: str
    id: str
    parent: str
    is_server: bool
    is_client: bool
    is_error: bool
    began: int
    ended: int
    attributes: dict[str, str]
    service: str


@dataclass
class SpanReceiver:
    """Keeps the spans it has got, and the bytes of the requests, which may be searched for secrets."""

    url: str = ""
    status: int = 200
    answers: threading.Event = field(default_factory=threading.Event)
    spans: list[Received] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def of(self, trace: str) -> list[Received]:
        return [span for span in self.spans if span.trace == trace]

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.bodies.append(body)
        self.requests.append((path, headers))
        if self.status == 200:
            self.spans += _decoded(body)


def _decoded(body: bytes) -> Iterator[Received]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _texts(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Received(
                    name=span.name,
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    is_server=span.kind == _SERVER,
                    is_client=span.kind == _CLIENT,
                    is_error=span.status.code == 2,
                    began=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    attributes=_texts(span.attributes),
                    service=service,
                )


def _texts(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in pairs}


@contextmanager
def receiving_spans() -> Iterator[SpanReceiver]:
    """It answers only while `answers` is set, which it is at first."""
    receiver = SpanReceiver()
    receiver.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.take(self.path, headers, self.body())
            receiver.answers.wait()
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def body(self) -> bytes:
            if "content-length" in self.headers:
                return self.rfile.read(int(self.headers["content-length"]))
            body = b""
            while size := int(self.rfile.readline(), 16):  # a chunk, as Envoy sends them
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.answers.set()
            server.shutdown()
            thread.join()
