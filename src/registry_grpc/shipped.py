"""The paths of the files that belong to the program but are not code: `migrations`, `gateway`, `deploy/kubernetes`.

An installed package contains them (setup.py copies them). In a checkout, they are next to `src`.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

_INSTALLED = Path(__file__).resolve().parent / "_shipped"
PROJECT_ROOT = _INSTALLED if _INSTALLED.is_dir() else _INSTALLED.parents[2]
MIGRATIONS = PROJECT_ROOT / "migrations"
GATEWAY = PROJECT_ROOT / "gateway"


def gateway_config(switches: Collection[str] = (), *, workers: int = 2, first_port: int = 50051) -> str:
    """gateway/envoy.yaml with the lines of these switches (`tls`, `mtls`, `worker-tls`, `stats`, `traces`) on, for this
    number of workers: their ports, and 64 requests at a time for each of them, of which a connection may take a
    quarter."""
    text = (GATEWAY / "envoy.yaml").read_text()
    text = re.sub(r"^#([a-z-]+)(?= )", lambda found: "" if found[1] in switches else found[0], text, flags=re.MULTILINE)
    endpoints = r"( +- endpoint: .+port_value: )\d+(.*\n)(?: +- endpoint: .+\n)*"
    ports = range(first_port, first_port + workers)
    text = re.sub(endpoints, lambda found: "".join(f"{found[1]}{port}{found[2]}" for port in ports), text)
    text = re.sub(r"\b(max_concurrency_limit|min_concurrency): 128\b", rf"\1: {64 * workers}", text)
    return text.replace("max_concurrent_streams: 32", f"max_concurrent_streams: {16 * workers}")
