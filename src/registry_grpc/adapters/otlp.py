"""Sends spans to a receiver of OTLP over HTTP. Imported only where traces are on, because the SDK takes 0.2 s.

The SDK reads the standard variables for the rest: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER,
OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_MAX_QUEUE_SIZE and others.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span, SpanKind, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from registry_grpc.adapters import spans

_PATH = "/v1/traces"
_LAST_SECONDS = 2.0
"""How long the end of a process waits until the receiver has the last spans."""
_log = structlog.get_logger("traces")


def sending_spans(endpoint: str) -> AbstractAsyncContextManager[None]:
    """Make spans, and send them to this URL, until the block ends. Raises ValueError if a variable is wrong."""
    url = endpoint if endpoint.endswith(_PATH) else endpoint.rstrip("/") + _PATH
    ours = {"service.name": "registry-grpc", "service.version": importlib.metadata.version("registry-grpc")}
    resource = Resource.create().merge(Resource(ours)).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_Exporter(url)))
    return _sending_to(provider)


@asynccontextmanager
async def _sending_to(provider: TracerProvider) -> AsyncIterator[None]:
    spans.tracer = Tracer(provider)
    try:
        yield
    finally:
        spans.tracer = None
        # It would wait for half a minute for a receiver that does not answer.
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, _LAST_SECONDS)


class Tracer:
    """Makes the spans of one process."""

    def __init__(self, provider: TracerProvider) -> None:
        self._start = provider.get_tracer("registry_grpc").start_span
        self._propagator = TraceContextTextMapPropagator()

    def of_call(self, name: str, metadata: Mapping[str, str], attributes: Mapping[str, str]) -> Span | None:
        """None if the `traceparent` is malformed."""
        parent = self._propagator.extract(metadata, Context())
        return self._start(name, parent, SpanKind.SERVER, attributes) if parent else None

    def of_pass(self, name: str, attributes: Mapping[str, str]) -> Span:
        return self._start(name, Context(), SpanKind.INTERNAL, attributes)

    def beneath(self, parent: Span, name: str, seconds: float, attributes: Mapping[str, str]) -> Span:
        """Of something that took so long and ends now."""
        began = time.time_ns() - int(seconds * 1e9)
        within = set_span_in_context(parent, Context())
        return self._start(name, within, SpanKind.CLIENT, attributes, start_time=began)


class _Exporter(SpanExporter):
    """Says once that the receiver does not take spans, and once that it does again."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._complaints = _Complaints()
        self._sender = OTLPSpanExporter(url)
        self._is_failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._complaints.begin()
        result = self._sender.export(spans)
        is_failing = result is not SpanExportResult.SUCCESS
        if is_failing and not self._is_failing:
            _log.warning("traces.not_delivered", url=self._url, text=self._complaints.first)
        elif self._is_failing and not is_failing:
            _log.info("traces.delivered_again", url=self._url)
        self._is_failing = is_failing
        return result

    def shutdown(self) -> None:
        self._sender.shutdown()  # type: ignore[no-untyped-call]


class _Complaints(logging.Handler):
    """Takes what OpenTelemetry logs, which may come with every batch, and as often as the queue is full."""

    def __init__(self) -> None:
        super().__init__()
        self.begin()
        library = logging.getLogger("opentelemetry")
        library.handlers, library.propagate = [self], False

    def begin(self) -> None:
        """From now on, keep the first one of this thread."""
        self.first, self._thread = "", threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread and not self.first:
            self.first = record.getMessage()
