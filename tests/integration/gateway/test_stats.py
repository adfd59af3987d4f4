"""Envoy's own metrics, for Prometheus."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.devtools.free_port import free_port


async def test_prometheus_gets_the_metrics_of_envoy_and_nothing_else_of_its_admin(tmp_path: Path) -> None:
    config = EnvoyConfig(folder=tmp_path, endpoints=["127.0.0.1:1"], switches=["stats"], stats_port=free_port())
    async with Envoy(config), aiohttp.ClientSession(f"http://127.0.0.1:{config.stats_port}") as prometheus:
        async with prometheus.get("/stats/prometheus") as answer:
            text = await answer.text()
        assert answer.status == 200
        # These are the metrics in deploy/monitoring.
        for name in ("envoy_http_downstream_rq_xx", "envoy_cluster_membership_healthy"):
            assert f"# TYPE {name} " in text
        for method, path in (("POST", "/quitquitquit"), ("GET", "/config_dump"), ("POST", "/stats/prometheus")):
            async with prometheus.request(method, path) as refused:
                assert refused.status == 404
