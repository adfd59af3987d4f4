"""The port for Prometheus and for the probe of a controller."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, Summary, generate_latest
from pydantic import SecretStr

from registry_grpc.adapters.metrics import Durations
from registry_grpc.monitoring import LONGEST_SILENCE, MetricsServer, Pulse, empty_folder
from registry_grpc.settings import ConfigurationError, Settings
from registry_grpc.shipped import PROJECT_ROOT
from registry_grpc.supervisor import serve


class Work:
    """Turns when a test wants."""

    def __init__(self) -> None:
        self.turned_at = time.monotonic()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def pulse(work: Work) -> Pulse:
    return Pulse(lambda: work.turned_at)


@pytest.fixture
def served(pulse: Pulse) -> Iterator[MetricsServer]:
    registry = CollectorRegistry()
    Counter("things_total", "Things.", registry=registry).inc()
    server = MetricsServer("127.0.0.1", 0, registry, pulse)
    yield server
    server.close()


def get(server: MetricsServer, path: str) -> tuple[int, str]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


def test_metrics_and_nothing_else_are_served(served: MetricsServer) -> None:
    assert served.url == f"http://127.0.0.1:{served.port}/metrics"
    status, text = get(served, "/metrics")
    assert (status, "things_total 1.0" in text) == (200, True)
    assert get(served, "/")[0] == get(served, "/metrics/x")[0] == 404


def test_a_process_that_works_is_alive(served: MetricsServer) -> None:
    assert get(served, "/livez") == (200, "ok\n")


def test_a_loop_of_passes_that_hangs_fails_the_probe(served: MetricsServer, work: Work) -> None:
    work.turned_at -= LONGEST_SILENCE + 1
    assert get(served, "/livez") == (503, f"the loop of passes has not turned for {LONGEST_SILENCE + 1:.0f} s\n")
    work.turned_at = time.monotonic()
    assert get(served, "/livez")[0] == 200


def test_an_event_loop_that_hangs_fails_the_probe(served: MetricsServer, pulse: Pulse) -> None:
    """The server has a thread of its own, so it answers nevertheless."""
    pulse._beaten_at -= LONGEST_SILENCE + 1
    status, text = get(served, "/livez")
    assert (status, text.startswith("the event loop has not turned")) == (503, True)
    pulse.beat()
    assert get(served, "/livez")[0] == 200


def test_a_supervisor_is_alive_as_long_as_it_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no loop that could hang."""
    server = MetricsServer("127.0.0.1", 0, CollectorRegistry())
    started_at = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: started_at + LONGEST_SILENCE + 1)
    assert get(server, "/livez") == (200, "ok\n")
    server.close()


def test_a_port_that_is_taken_is_named(served: MetricsServer) -> None:
    with pytest.raises(ConfigurationError, match=f"REGISTRY_METRICS_PORT: cannot listen on 127.0.0.1:{served.port}"):
        MetricsServer("127.0.0.1", served.port, CollectorRegistry())


def test_files_of_an_earlier_run_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = empty_folder(9464)
    (folder / "counter_worker-0.db").touch()
    assert list(empty_folder(9464).iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_second_supervisor_leaves_the_files_of_the_first_one(
    served: MetricsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (kept := empty_folder(served.port) / "counter_worker-0.db").touch()
    settings = Settings(metrics_port=served.port, database_url=SecretStr("postgresql://h/d"))
    with pytest.raises(ConfigurationError, match="cannot listen"):
        await serve(settings)
    assert kept.exists()


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)  # as if it could not be removed
    empty_folder(9464)
    with pytest.raises(ConfigurationError, match="TMPDIR"):
        empty_folder(9464)


def test_durations_are_handed_over_once_and_in_their_buckets() -> None:
    registry = CollectorRegistry()
    kept = [Histogram(name, "", buckets=(0.1, 1), registry=registry) for name in ("as_the_library", "by_us")]
    summed = Summary("summed", "", registry=registry)
    ours = [Durations(kept[1]), Durations(summed)]
    for seconds in (0.05, 0.1, 0.5, 1, 7):
        kept[0].observe(seconds)
        for durations in ours:
            durations.observe(seconds)
            durations.flush()
            durations.flush()
    text = generate_latest(registry).decode()
    expected = [line.removeprefix("as_the_library") for line in text.splitlines() if line.startswith("as_the_library_")]
    assert 'bucket{le="0.1"} 2.0' in expected[0]
    assert [line.removeprefix("by_us") for line in text.splitlines() if line.startswith("by_us_")] == expected
    assert "summed_count 5.0" in text
    assert "summed_sum 8.65" in text


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    program = "import sys; sys.path.insert(0, 'scripts'); import metrics; print(metrics.page(), end='')"
    page = subprocess.check_output([sys.executable, "-c", program], cwd=PROJECT_ROOT, text=True)
    assert page == (PROJECT_ROOT / "docs" / "metrics.md").read_text(), "run `python scripts/metrics.py`"
