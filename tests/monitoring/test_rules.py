"""The alerts and the dashboard in deploy/monitoring: of metrics that exist, with runbooks that exist, and each alert
fires."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.monitoring.promtool import promtool

from registry_grpc.adapters import metrics
from registry_grpc.shipped import PROJECT_ROOT

RULES = PROJECT_ROOT / "deploy" / "monitoring" / "rules.yaml"
DASHBOARD = PROJECT_ROOT / "deploy" / "monitoring" / "dashboard.json"
# Those of Envoy, which tests/integration/gateway/test_stats.py finds in its answer, and of Prometheus.
FOREIGN = {
    "envoy_cluster_membership_healthy": {"envoy_cluster_name"},
    "envoy_cluster_membership_total": {"envoy_cluster_name"},
    "envoy_http_downstream_rq_xx": {"envoy_response_code_class", "envoy_http_conn_manager_prefix"},
    "envoy_server_days_until_first_cert_expiring": set[str](),
    "process_resident_memory_bytes": {"process"},
    "process_cpu_seconds_total": {"process"},
}
_SUFFIXES = {"counter": ("_total",), "gauge": ("",), "summary": ("_sum", "_count")}
_METRIC = re.compile(r"\b((?:registry|envoy|process)_\w+)(?:\{([^}]*)\})?")
_LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
_GROUPED = re.compile(r"\bby \(([^)]*)\)")

# The values of made-up series, a minute apart: each alert fires with its own.
FIRES: dict[str, dict[str, str]] = {
    "RegistryDatabaseAway": {'registry_database_errors_total{cause="ConnectionRefusedError"}': "0+10x120"},
    "RegistryDatabaseBusy": {
        "registry_database_connections_used": "16x120",
        "registry_database_connections_limit": "16x120",
    },
    "RegistryErrors": {
        'registry_rpcs_total{code="OK"}': "0+90x120",
        'registry_rpcs_total{code="UNAVAILABLE"}': "0+10x120",
    },
    "RegistrySlow": {
        'registry_rpc_seconds_bucket{le="2.5"}': "0+10x120",
        'registry_rpc_seconds_bucket{le="5.0"}': "0+90x120",
        'registry_rpc_seconds_bucket{le="+Inf"}': "0+90x120",
    },
    "RegistryAway": {},
    "RegistryWorkersRestart": {'registry_process_restarts_total{process="worker-0"}': "0+1x120"},
    "RegistryGatewayLosesWorkers": {
        'envoy_cluster_membership_healthy{envoy_cluster_name="registry"}': "1x120",
        'envoy_cluster_membership_total{envoy_cluster_name="registry"}': "2x120",
    },
    "RegistryDeploymentsStuck": {'registry_deployments_age_seconds{phase="DEPLOYING",reason=""}': "4000x120"},
    "RegistryDeploymentsRefused": {'registry_deployments{phase="FAILED",reason="FORBIDDEN"}': "1x120"},
    "RegistryQueueGrows": {"registry_deployments_due_age_seconds": "0+60x120"},
    "RegistryLeaderMissing": {
        'registry_leader{role="controller"}': "0x120",
        'registry_leader{role="courier"}': "1x120",
    },
    "RegistryWatchSilent": {"registry_watch_silence_seconds": "0+60x120"},
    "RegistryKubernetesFails": {
        'registry_kubernetes_requests_total{code="200"}': "0+10x120",
        'registry_kubernetes_requests_total{code="503"}': "0+10x120",
    },
    "RegistryNamespacesUnseen": {"registry_watch_unseen_namespaces": "1x120"},
    "RegistryCertificateExpires": {
        'registry_certificate_expiry_timestamp_seconds{certificate="worker"}': "432000x120",
        "envoy_server_days_until_first_cert_expiring": "3x120",
    },
    "RegistryWebhooksFail": {
        'registry_webhook_deliveries_total{outcome="delivered"}': "0+1x120",
        'registry_webhook_deliveries_total{outcome="failed"}': "0+2x120",
    },
    "RegistryWebhooksLag": {"registry_webhook_lag_seconds": "0+60x120"},
    "RegistryEventBacklog": {"registry_event_inbox_age_seconds": "90x120"},
    "RegistryLoopsFail": {'registry_loop_errors_total{loop="lead"}': "0+10x120"},
}
_OF_LOCKS = {'registry_database_errors_total{cause="LockNotAvailableError"}': "0+10x120"}
HEALTHY = {
    'registry_build_info{version="1",python="3.11"}': "1x120",
    'registry_database_errors_total{cause="ConnectionRefusedError"}': "3x120",
    "registry_database_connections_used": "3x120",
    "registry_database_connections_limit": "16x120",
    'registry_rpcs_total{code="OK"}': "0+900x120",
    'registry_rpcs_total{code="NOT_FOUND"}': "0+900x120",
    'registry_rpcs_total{code="UNAVAILABLE"}': "0+1x120",
    'registry_rpc_seconds_bucket{le="0.5"}': "0+90x120",
    'registry_rpc_seconds_bucket{le="+Inf"}': "0+90x120",
    'registry_process_restarts_total{process="worker-0"}': "0x60 1x60",
    'envoy_cluster_membership_healthy{envoy_cluster_name="registry"}': "2x120",
    'envoy_cluster_membership_total{envoy_cluster_name="registry"}': "2x120",
    "envoy_server_days_until_first_cert_expiring": "60x120",
    'registry_certificate_expiry_timestamp_seconds{certificate="worker"}': "9000000x120",
    'registry_deployments{phase="FAILED",reason="MODEL_LOAD"}': "1x120",
    'registry_deployments_age_seconds{phase="DEPLOYED",reason=""}': "900000x120",
    'registry_deployments_age_seconds{phase="DEPLOYING",reason=""}': "600x120",
    "registry_deployments_due_age_seconds": "2x120",
    'registry_leader{role="controller",instance="a"}': "1x120",
    'registry_leader{role="controller",instance="b"}': "0x120",
    'registry_leader{role="courier"}': "1x120",
    "registry_watch_silence_seconds": "60x120",
    "registry_watch_unseen_namespaces": "0x120",
    'registry_kubernetes_requests_total{code="200"}': "0+90x120",
    'registry_kubernetes_requests_total{code="404"}': "0+90x120",
    'registry_kubernetes_requests_total{code="503"}': "0+1x120",
    'registry_webhook_deliveries_total{outcome="delivered"}': "0+9x120",
    'registry_webhook_deliveries_total{outcome="failed"}': "0+2x120",
    "registry_webhook_lag_seconds": "30x120",
    "registry_event_inbox_age_seconds": "1x120",
    'registry_loop_errors_total{loop="lead"}': "3x120",
}


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def expressions() -> Iterator[tuple[str, str]]:
    """Those of alerts and panels, with their names."""
    yield from ((alert["alert"], alert["expr"]) for alert in alerts())
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", ()))


def known() -> dict[str, set[str]]:
    """The labels of each series of a metric, without those of Prometheus itself."""
    found = {name: set(labels) for name, labels in FOREIGN.items()}
    for registry in (metrics.REGISTRY, metrics.SUPERVISOR):
        for metric in registry._collector_to_names:
            (family,) = metric.describe()  # type: ignore[attr-defined]
            labels = {*(metric.labels if isinstance(metric, metrics.Measured) else metric._labelnames)}  # type: ignore[attr-defined]
            for suffix in _SUFFIXES.get(family.type, ("_sum", "_count")):
                found[family.name + suffix] = labels
            if family.type == "histogram":
                found[f"{family.name}_bucket"] = labels | {"le"}
    return found


@pytest.mark.parametrize(("name", "expression"), list(expressions()), ids=lambda value: str(value)[:40])
def test_metrics_and_labels_exist(name: str, expression: str) -> None:
    series = known()
    named = _METRIC.findall(_GROUPED.sub("", expression))
    assert named, name
    labels = {"instance", "job"}
    for metric, matchers in named:
        assert metric in series, f"{name}: {metric}"
        assert set(_LABEL.findall(re.sub(r'"[^"]*"', "", matchers))) <= series[metric], f"{name}: {metric}"
        labels |= series[metric]
    for group in _GROUPED.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels, name


def test_alerts_have_runbooks_and_runbooks_have_alerts() -> None:
    page = (PROJECT_ROOT / "docs" / "runbooks.md").read_text()
    headings = {re.sub(r"\W+", "-", heading.lower()) for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)}
    linked = [alert["annotations"]["runbook_url"].partition("docs/runbooks.md#")[2] for alert in alerts()]
    assert set(linked) == headings
    for alert in alerts():
        assert f"`{alert['alert']}`" in page, "its runbook names it"


def test_all_lines_of_logs_are_read() -> None:
    """Without it, kubectl prints the last 10 lines of each container that a selector finds."""
    for page in (PROJECT_ROOT / "docs").glob("*.md"):
        for command in re.findall(r"kubectl logs [^;`|]*-l [^;`|]*", page.read_text()):
            assert "--tail=-1" in command, f"{page.name}: {command}"


def test_each_alert_has_values_with_which_it_fires() -> None:
    assert [alert["alert"] for alert in alerts()] == list(FIRES)


@pytest.mark.golang
@pytest.mark.timeout(1800)  # the first run compiles the tool
def test_each_alert_fires_and_none_does_when_all_is_well(tmp_path: Path) -> None:
    def group(series: dict[str, str], expression: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
        test = {"expr": expression, "eval_time": "2h", "exp_samples": samples}
        given = [{"series": name, "values": values} for name, values in series.items()]
        return {"name": expression, "interval": "1m", "input_series": given, "promql_expr_test": [test]}

    firing = 'count(ALERTS{{alertname="{}",alertstate="firing"}}) > 0'
    once, twice = ({"labels": "{}", "value": number} for number in (1, 2))
    tests = [
        group(series, firing.format(name), [twice if name == "RegistryCertificateExpires" else once])
        for name, series in FIRES.items()
        if series
    ]
    tests.append(group({"up": "1x120"}, firing.format("RegistryAway"), [once]))
    # A database that answers is not away: the runbook would lead to its network.
    tests.append(group(_OF_LOCKS, firing.format("RegistryDatabaseBusy"), [once]))
    tests.append(group(_OF_LOCKS, firing.format("RegistryDatabaseAway"), []))
    tests.append(group(HEALTHY, 'ALERTS{alertstate="firing"}', []))
    suite = tmp_path / "tests.yaml"
    suite.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    for command in (["check", "rules", "--lint=all", "--lint-fatal", str(RULES)], ["test", "rules", str(suite)]):
        result = subprocess.run([str(promtool()), *command], capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
