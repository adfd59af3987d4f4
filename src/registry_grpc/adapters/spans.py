"""Spans of OpenTelemetry: of calls, of passes, and beneath them of statements and requests to Kubernetes.

A call has a span if its caller has sent a sampled `traceparent`, and a pass if the sampler takes it. Nothing is made
for the others, and `opentelemetry` is only imported where traces are on. Spans have names, codes and ids of
deployments, but nothing else of requests, rows and objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from structlog.contextvars import bound_contextvars

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from registry_grpc.adapters.otlp import Tracer

_SAMPLED = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f][13579bdf].*")
_FAULTS = frozenset(("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"))
"""The codes that are errors of a server, by the conventions of OpenTelemetry."""

tracer: Tracer | None = None
"""None while traces are off."""
_SPAN: ContextVar[Span | None] = ContextVar("span", default=None)


def begin_call(metadata: Mapping[str, str], method: str, front_end: str) -> Span | None:
    """The span of a call, which also becomes that of its task. None if the caller wants no trace."""
    if tracer is None or not _SAMPLED.fullmatch(metadata.get("traceparent", "")):
        return None
    attributes = {"rpc.system.name": "grpc", "rpc.method": method, "registry.front_end": front_end}
    if (span := tracer.of_call(method, metadata, attributes)) is not None:
        _SPAN.set(span)
    return span


def end_call(span: Span, code: str) -> None:
    span.set_attribute("rpc.response.status_code", code)
    end(span, code if code in _FAULTS else "")


@contextmanager
def pass_span(deployment_id: object) -> Iterator[None]:
    """The block is a pass of a controller."""
    if tracer is None:
        yield
        return
    span, error = tracer.of_pass("pass", {"registry.deployment.id": str(deployment_id)}), ""
    before = _SPAN.set(span)
    try:
        with bound_contextvars(trace_id=f"{span.get_span_context().trace_id:032x}"):
            yield
    except BaseException as raised:
        error = type(raised).__name__
        raise
    finally:
        _SPAN.reset(before)
        end(span, error)


def current() -> Span | None:
    """The span to which others may be added. None if the present work is not traced, or has outlived what was."""
    span = _SPAN.get()
    return span if span is not None and span.is_recording() else None


def add(parent: Span, name: str, seconds: float, attributes: Mapping[str, str], error: str) -> None:
    """Something beneath the parent that took so long and ends now. `error` is its kind, without any values."""
    if tracer is not None:
        end(tracer.beneath(parent, name, seconds, attributes), error)


def end(span: Span, error: str) -> None:
    from opentelemetry.trace import StatusCode  # noqa: PLC0415 - see above

    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end()
