"""The metrics of the service, which docs/metrics.md lists (made by `python scripts/metrics.py`).

Only adapters and what is above them count something. Labels have few values: methods, codes, phases and reasons, but
never projects, namespaces or names. What happens in every call is counted in plain numbers, and handed over by `flush`.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import TypeAlias

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, disable_created_metrics, values
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PROCESS = "PROMETHEUS_MULTIPROC_NAME"
"""The variable with the name by which a worker's files are known: its own, because one that is restarted goes on with
the files of the one before. With files by process ids, workers that end again and again would fill the disk."""
FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the folder of these files. Without it, a process keeps its own metrics in memory."""

if (_name := os.environ.get(PROCESS)) is not None and FOLDER in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: str(_name))  # type: ignore[no-untyped-call]

disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series
REGISTRY = CollectorRegistry()
"""What workers and controllers count."""
SUPERVISOR = CollectorRegistry()
"""What a supervisor adds to what its workers count."""

_Values: TypeAlias = Mapping[tuple[str, ...], float]
_counter, _gauge = partial(Counter, registry=REGISTRY), partial(Gauge, registry=REGISTRY, multiprocess_mode="livesum")
_histogram, _summary = partial(Histogram, registry=REGISTRY), partial(Summary, registry=REGISTRY)
_SHORT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0)


class Measured(Collector):
    """Gauges that are read when they are scraped. Nothing is shown of what is not known, such as what the database
    would tell if it answered."""

    type = "gauge"

    def __init__(
        self, name: str, documentation: str, labels: tuple[str, ...] = (), registry: CollectorRegistry = REGISTRY
    ) -> None:
        self.name, self.documentation, self.labels = name, documentation, labels
        self.read: Callable[[], _Values] = dict
        """The values by those of the labels. It is called by another thread."""
        registry.register(self)

    def show(self, shown: _Values) -> None:
        """From now on, these values."""
        self.read = lambda: shown

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self.name, self.documentation, labels=self.labels)
        for labels, value in self.read().items():
            family.add_metric(labels, value)
        yield family

    def describe(self) -> list[Metric]:
        return [GaugeMetricFamily(self.name, self.documentation, labels=self.labels)]


RPCS = _counter(
    "registry_rpcs_total", "Calls that have ended, of gRPC (grpc) and REST (rest) clients.",
    ("method", "front_end", "code"),
)  # fmt: skip
RPC_SECONDS = _histogram(
    "registry_rpc_seconds", "How long calls took in the worker, without streams.", ("method", "front_end"),
    buckets=_SHORT,
)  # fmt: skip
STREAMS = _gauge("registry_streams", "Streams in flight, which count as calls when they end.", ("method",))

CONNECTIONS_USED = _gauge("registry_database_connections_used", "Connections to the database in use.")
CONNECTIONS_LIMIT = _gauge("registry_database_connections_limit", "Connections to the database that may be in use.")
CONNECTIONS_WAITED_FOR = _gauge("registry_database_waiting", "Statements that wait for a connection.")
DATABASE_ERRORS = _counter(
    "registry_database_errors_total",
    "Why the database was unavailable: the error of the driver; Overloaded if too many waited, or one too long.",
    ("cause",),
)
STATEMENT_SECONDS = _summary(
    "registry_statement_seconds",
    "How long statements (read, write) and transactions took, with the wait for a connection, by the share of the "
    "connections that they use: a kind of object.",
    ("share", "kind"),
)
CACHE_LOOKUPS = _counter(
    "registry_cache_lookups_total", "Look-ups of what the gate remembers: tokens, roles, projects; hit or miss.",
    ("cache", "result"),
)  # fmt: skip

KUBERNETES_REQUESTS = _counter(
    "registry_kubernetes_requests_total", "Requests to the Kubernetes API; code is `none` without an answer.",
    ("verb", "code"),
)  # fmt: skip
KUBERNETES_SECONDS = _histogram(
    "registry_kubernetes_seconds", "How long the Kubernetes API took until its answer began.", ("verb",), buckets=_SHORT
)
PASSES = _counter(
    "registry_passes_total",
    "Passes on deployments, by the phase that was recorded; `lease lost`: another process had it; `released`: none.",
    ("outcome",),
)
PASS_SECONDS = _histogram("registry_pass_seconds", "How long a pass held its lease.", buckets=_LONG)
LEADER = _gauge("registry_leader", "Whether this process leads the controllers, or delivers webhooks.", ("role",))
LOOP_ERRORS = _counter("registry_loop_errors_total", "Errors that a loop in the background survived.", ("loop",))
WATCH_SILENCE = Measured(
    "registry_watch_silence_seconds",
    "How long the API server has told the leader nothing of the namespace that it was heard of longest ago.",
)
NAMESPACES_UNSEEN = Measured(
    "registry_watch_unseen_namespaces", "Namespaces in which the leader may not list InferenceServices."
)

WEBHOOK_DELIVERIES = _counter(
    "registry_webhook_deliveries_total",
    "Attempts to deliver an event: delivered; failed; disabled: the receiver was gone (410), so its webhook is off.",
    ("outcome",),
)
WEBHOOK_SECONDS = _histogram("registry_webhook_seconds", "How long receivers took to answer.", buckets=_SHORT)

DEPLOYMENTS = Measured("registry_deployments", "Deployments by phase and reason.", ("phase", "reason"))
DEPLOYMENTS_AGE = Measured(
    "registry_deployments_age_seconds", "How long the first of them has been in its phase.", ("phase", "reason")
)
DUE = Measured("registry_deployments_due", "Deployments that wait for a pass.")
DUE_AGE = Measured("registry_deployments_due_age_seconds", "How long the first of them has waited.")
LEASES = Measured("registry_leases", "Deployments on which a process works.")
ORPHANS = Measured("registry_orphans", "Objects in the cluster without a deployment.")
EVENT_INBOX = Measured("registry_event_inbox", "Changes that are not in the event log and the audit log yet.")
EVENT_INBOX_AGE = Measured("registry_event_inbox_age_seconds", "How long the first of them has waited.")
EVENT_POSITION = Measured("registry_event_position", "The position of the newest event.")
WEBHOOKS = Measured("registry_webhooks", "Webhooks by state.", ("state",))
WEBHOOK_PENDING = Measured("registry_webhook_pending", "Events that active webhooks have not got yet.")
WEBHOOK_LAG = Measured("registry_webhook_lag_seconds", "How long ago the first of them happened.")

RESTARTS = Counter(
    "registry_process_restarts_total", "How often a process ended by itself and was started again.", ("process",),
    registry=SUPERVISOR,
)  # fmt: skip
CERTIFICATE_EXPIRY = Measured(
    "registry_certificate_expiry_timestamp_seconds",
    "When the first certificate in the file of the workers (worker) or of those that sign their clients (worker-ca) "
    "expires.",
    ("certificate",),
    registry=SUPERVISOR,
)
BUILD_INFO = Measured("registry_build_info", "Always 1.", ("version", "python"))
SUPERVISOR.register(BUILD_INFO)


class Durations:
    """Adds up durations in plain numbers, which `flush` hands to Prometheus. Its own `observe` takes 3 µs, and a call
    would need three of them: 2 % of the time of a get."""

    def __init__(self, kept: Histogram | Summary) -> None:
        # The library has no public way to add many at once.
        if isinstance(kept, Histogram):
            self._bounds, self._places = list(kept._upper_bounds), kept._buckets  # noqa: SLF001
        else:
            self._bounds, self._places = [], [kept._count]  # noqa: SLF001
        self._kept_sum = kept._sum  # noqa: SLF001
        self._counts, self._sum = [0] * len(self._places), 0.0
        _FLUSHED.append(self.flush)

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def flush(self) -> None:
        for number, count in enumerate(self._counts):
            if count:
                self._places[number].inc(count)
                self._counts[number] = 0
        self._kept_sum.inc(self._sum)
        self._sum = 0.0


class RpcMeter:
    """Counts the calls of one method by one front end. `flush` hands them to Prometheus."""

    def __init__(self, method: str, front_end: str, *, is_stream: bool = False) -> None:
        self.name = method, front_end
        self._is_stream = is_stream
        self._ended: dict[grpc.StatusCode, int] = {}
        self._seconds: Durations | None = None  # made by the first call, because most methods are never called
        _FLUSHED.append(self.flush)

    def begun(self) -> None:
        if self._is_stream:
            STREAMS.labels(self.name[0]).inc()

    def ended(self, code: grpc.StatusCode, seconds: float) -> None:
        self._ended[code] = self._ended.get(code, 0) + 1
        if self._is_stream:
            STREAMS.labels(self.name[0]).dec()
            return
        if self._seconds is None:
            self._seconds = Durations(RPC_SECONDS.labels(*self.name))
        self._seconds.observe(seconds)

    def flush(self) -> None:
        for code, count in self._ended.items():
            RPCS.labels(*self.name, code.name).inc(count)
        self._ended.clear()


@cache
def statement_timer(share: str, kind: str) -> Durations:
    """Of a bounded number of shares."""
    return Durations(STATEMENT_SECONDS.labels(share, kind))


_FLUSHED: list[Callable[[], None]] = []


def flush() -> None:
    """To be called by the event loop, again and again: hand over what was counted in plain numbers."""
    for each in _FLUSHED:
        each()
