"""Writes docs/metrics.md from the metrics of the code: `python scripts/metrics.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry

from registry_grpc.adapters.metrics import REGISTRY, SUPERVISOR, Measured
from registry_grpc.shipped import PROJECT_ROOT

TARGET = PROJECT_ROOT / "docs" / "metrics.md"

_INTRODUCTION = """\
# Metrics

Made from `src/registry_grpc/adapters/metrics.py` by `python scripts/metrics.py`; change it there, or the introduction
in the script.

`serve` and `controller` serve Prometheus at `/metrics` on `REGISTRY_METRICS_PORT`, if it is set, and on
`REGISTRY_METRICS_HOST`, which by default only this machine reaches. `make run` takes free ports and prints
`metrics http://…`. The port of `serve` has the sums of all its workers. There are no secrets in metrics, and no labels
with projects, namespaces or names, so the number of series is bounded. Dashboard and alerts: `deploy/monitoring`;
what to do about an alert: [runbooks.md](runbooks.md).

Values of the database (deployments, events, webhooks) are measured every 15 seconds by each controller, so take
the maximum of their processes and not the sum. They are absent while the database does not answer. The metrics of
restarts and certificates are those of `serve` only.

Both ports also have `process_…` (memory, CPU time, open files) with the label `process`, and `/livez`. That of a
controller answers 503 when its event loop, or its loop of passes, has not turned for 180 seconds: the probe of
`deploy/kubernetes` restarts it then.

Envoy has metrics of its own: `GET /stats/prometheus` of its admin interface, which listens on the socket
`gateway/admin.sock` (`make run`: `.data/gateway/admin.sock`):
`curl --unix-socket gateway/admin.sock http://admin/stats/prometheus`. Prometheus does not scrape sockets, so
`registry-grpc gateway --stats` adds a listener on port 9902 that serves this path and nothing else of the admin
interface. The figures of RPCs are those of the workers: Envoy's `grpc_stats` splits the names of our packages wrongly.

| Metric | Type | Labels | Meaning |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return _INTRODUCTION + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def rows() -> Iterator[tuple[str, str, str, str]]:
    """Name, type, labels and meaning of each metric."""
    metrics = {metric.describe()[0].name: metric for registry in (REGISTRY, SUPERVISOR) for metric in _all_of(registry)}
    for metric in metrics.values():
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = metric.labels if isinstance(metric, Measured) else metric._labelnames  # noqa: SLF001 - no other way
        yield f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation


def _all_of(registry: CollectorRegistry) -> list[Any]:
    return list(registry._collector_to_names)  # noqa: SLF001 - it has no other list


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
