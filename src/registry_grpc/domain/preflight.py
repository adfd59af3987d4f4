"""Preflight: finds all problems of a deployment before it is made, from its spec and the facts of the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from registry_grpc.domain.deployment import Deployment, DeploymentSpec
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, ScaleMetric
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.naming import name_findings, namespace_findings
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.resources import resource_findings
from registry_grpc.domain.runtimes import RuntimeFormat, Runtimes
from registry_grpc.domain.storage_findings import storage_findings

__all__ = ["ClusterFacts", "Finding", "RuntimeFormat", "Runtimes", "canary_findings", "findings"]

_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_PREFIX = 253
_APPLYING = ("get inferenceservices", "create inferenceservices", "patch inferenceservices")
_STORING_KEYS = ("create secrets", "patch secrets")
_KNATIVE_FLAGS = {
    "node_selector": "kubernetes.podspec-nodeselector",
    "tolerations": "kubernetes.podspec-tolerations",
    "priority_class_name": "kubernetes.podspec-priorityclassname",
    "shared_memory": "kubernetes.podspec-volumes-emptydir",
    "storage_uris": "kubernetes.podspec-init-containers",
}
"""The feature flags without which Knative refuses what KServe makes of an option."""
_ON_BY_DEFAULT = "kubernetes.podspec-volumes-emptydir"
_METRICS_OF_KNATIVE = {ScaleMetric.CONCURRENCY, ScaleMetric.RPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """The facts about a cluster and one of its namespaces that preflight needs. None: unknown."""

    kserve_installed: bool | None = None
    namespace_exists: bool | None = None
    knative_installed: bool | None = None
    gateway_api_installed: bool | None = None
    missing_permissions: tuple[str, ...] = ()
    """For example `create secrets in namespace models`."""
    runtimes: Runtimes = field(default_factory=Runtimes)
    storage_prefixes: tuple[str, ...] | None = None
    """The URI prefixes that the cluster's ClusterStorageContainers support."""
    storage_patterns: tuple[str, ...] = ()
    """The regular expressions of URIs that they support."""
    service_account_exists: bool | None = None
    priority_class_exists: bool | None = None
    has_canary_field: bool | None = None
    """Whether InferenceServices have `spec.canary`. Unknown unless it was asked for a canary, like `has_route`."""
    has_route: bool | None = None
    """Whether KServe has made an HTTPRoute for the object."""
    has_storage_uris_field: bool | None = None
    """Whether predictors have `storageUris`. Unknown unless it was asked for options with them."""
    knative_features: Mapping[str, str] | None = None
    """The feature flags of Knative Serving that are set. Unknown unless it was asked for options in Knative mode."""


def findings(
    name: str,
    namespace: str,
    spec: DeploymentSpec,
    *,
    has_credentials: bool,
    facts: ClusterFacts | None = None,
    reserved_labels: tuple[str, ...] = (),
) -> tuple[Finding, ...]:
    """All findings, the blocking ones first. Without facts, only the checks that need no cluster are made."""
    found = [
        *unknown_findings(spec),
        *name_findings(name, namespace),
        *namespace_findings(namespace),
        *_labels(spec.labels, "labels"),
        *_reserved(spec.labels, reserved_labels),
        *_labels(spec.options.node_selector, "options.node_selector"),
        *storage_findings(
            spec,
            has_credentials=has_credentials,
            prefixes=facts.storage_prefixes if facts else None,
            patterns=facts.storage_patterns if facts else (),
        ),
        *_metric_without_effect(spec.options),
    ]
    if facts is not None:
        found += _cluster(namespace, spec, facts, has_credentials=has_credentials)
        found += _metric_refused(spec.options)
        found += facts.runtimes.findings(spec)
    found += resource_findings(spec.options, facts.runtimes.chosen(spec) if facts else None)
    return tuple(sorted(found, key=lambda finding: not finding.blocking))


def canary_findings(deployment: Deployment, facts: ClusterFacts) -> Iterator[Finding]:
    """Why the target revision cannot be tried beside the stable one, in Standard mode. The first reason is enough."""
    if deployment.spec.options.deployment_mode is not DeploymentMode.STANDARD:
        return
    missing = ""
    if facts.has_canary_field is False:
        missing = "InferenceServices have no `spec.canary`, which needs KServe 0.20 or later"
    elif facts.gateway_api_installed is False:
        missing = "the Gateway API is not installed, by which KServe divides the requests"
    elif facts.has_route is False:
        missing = (
            f"KServe has made no HTTPRoute `{deployment.name}`, which could divide the requests: its ConfigMap must "
            "have `enableGatewayApi: true`"
        )
    elif deployment.spec.options.storage_uris:
        missing = "KServe fetches no `storage_uris` for a canary"
    if missing:
        yield Finding(Why.CANARY_UNSUPPORTED, missing, field="traffic_percent")
    yield from name_findings(f"{deployment.name}-{deployment.canary_name}", deployment.namespace)


def unknown_findings(spec: DeploymentSpec) -> Iterator[Finding]:
    """The spec has options of a newer release. Without them, the deployment would not be as requested."""
    for place, value in sorted(spec.unknown.items()):
        message = f"{place} (`{value}`) was set by a newer release of the registry, but this one does not know it"
        yield Finding(Why.NEWER_RELEASE, message, field=place)


def _labels(labels: Mapping[str, str], field: str) -> Iterator[Finding]:
    for key, value in sorted(labels.items()):
        prefix, slash, name = key.rpartition("/")
        prefix_is_valid = not slash or (len(prefix) <= _LONGEST_PREFIX and _LABEL_PREFIX.fullmatch(prefix))
        if not prefix_is_valid or not _LABEL_NAME.fullmatch(name):
            yield Finding(Why.INVALID_LABEL, f"`{key}` is not a valid key of a Kubernetes label", field=field)
        elif value and not _LABEL_NAME.fullmatch(value):
            message = f"the value of label `{key}` is not valid in Kubernetes: `{value}`"
            yield Finding(Why.INVALID_LABEL, message, field=field)


def _reserved(labels: Mapping[str, str], prefixes: tuple[str, ...]) -> Iterator[Finding]:
    if keys := [f"`{key}`" for key in sorted(labels) if key.startswith(prefixes)]:
        message = f"{', '.join(keys)}: labels that control other programs are not given to pods"
        yield Finding(Why.LABEL_RESERVED, message, blocking=False, field="labels")


def _metric_without_effect(options: DeploymentOptions) -> Iterator[Finding]:
    """In Standard mode KServe accepts every metric, and ignores those that it cannot use."""
    if options.deployment_mode is not DeploymentMode.STANDARD:
        return
    if options.scale_metric in _METRICS_OF_KNATIVE:
        message = f"`{options.scale_metric}` has no effect in mode `Standard`: KServe scales by CPU then"
        yield Finding(Why.SCALE_METRIC_UNUSED, message, blocking=False, field="options.scale_metric")
    elif options.scale_metric is ScaleMetric.MEMORY and options.scale_target is None:
        message = "`memory` has no effect without a `scale_target`: KServe scales by CPU then"
        yield Finding(Why.SCALE_METRIC_UNUSED, message, blocking=False, field="options.scale_metric")


def _metric_refused(options: DeploymentOptions) -> Iterator[Finding]:
    """A metric that KServe's webhook refuses, but only in Knative mode."""
    is_knative = options.deployment_mode is DeploymentMode.KNATIVE
    if is_knative and options.scale_metric is not None and options.scale_metric not in _METRICS_OF_KNATIVE:
        message = f"KServe refuses `{options.scale_metric}` in mode `Knative`"
        yield Finding(Why.SCALE_METRIC_UNSUPPORTED, message, field="options.scale_metric")


def _cluster(namespace: str, spec: DeploymentSpec, facts: ClusterFacts, *, has_credentials: bool) -> Iterator[Finding]:
    if facts.kserve_installed is False:
        yield Finding(Why.KSERVE_NOT_INSTALLED, "the cluster does not know serving.kserve.io/v1beta1")
    if facts.namespace_exists is False:
        message, hint = f"there is no namespace `{namespace}`", f"Create it: kubectl create namespace {namespace}"
        yield Finding(Why.NAMESPACE_NOT_FOUND, message, hint=hint, field="serving_environment_id")
    is_standard = spec.options.deployment_mode is DeploymentMode.STANDARD
    if not is_standard and facts.knative_installed is False:
        message = "deployment mode `Knative` needs Knative Serving, which is not installed"
        yield Finding(Why.MODE_UNSUPPORTED, message, field="options.deployment_mode")
    elif not is_standard:
        yield from _features_of_knative(spec.options, facts.knative_features)
    if spec.options.storage_uris and facts.has_storage_uris_field is False:
        message = "InferenceServices have no `spec.predictor.storageUris`, which needs KServe 0.16 or later"
        yield Finding(Why.OPTION_UNSUPPORTED, message, field="options.storage_uris")
    if spec.options.service_account and facts.service_account_exists is False:
        message = f"there is no service account `{spec.options.service_account}` in namespace `{namespace}`"
        yield Finding(Why.SERVICE_ACCOUNT_NOT_FOUND, message, field="options.service_account")
    if spec.options.priority_class_name and facts.priority_class_exists is False:
        message = f"there is no priority class `{spec.options.priority_class_name}`"
        yield Finding(Why.PRIORITY_CLASS_NOT_FOUND, message, field="options.priority_class_name")
    if is_standard and spec.options.timeout_seconds and facts.gateway_api_installed is False:
        message = "`timeout` has no effect in mode `Standard` without the Gateway API, which is not installed"
        yield Finding(Why.TIMEOUT_UNUSED, message, blocking=False, field="options.timeout")
    needs_secret = has_credentials or bool(spec.options.storage_anonymous)
    needed = _APPLYING + _STORING_KEYS if needs_secret else _APPLYING
    for permission in facts.missing_permissions:
        yield Finding(Why.FORBIDDEN, f"the registry may not {permission}", blocking=permission.startswith(needed))


def _features_of_knative(options: DeploymentOptions, features: Mapping[str, str] | None) -> Iterator[Finding]:
    """Knative refuses some fields of pods, after KServe has accepted the object."""
    for option, flag in _KNATIVE_FLAGS.items():
        default = "enabled" if flag == _ON_BY_DEFAULT else "disabled"
        said = (features or {}).get(flag, default).lower()
        is_on = said in {"enabled", "allowed"} or (said != "disabled" and default == "enabled")
        if not getattr(options, option) or is_on:
            continue
        message = f"Knative refuses `{option}` unless its ConfigMap `config-features` has `{flag}: enabled`"
        yield Finding(Why.OPTION_UNSUPPORTED, message, blocking=features is not None, field=f"options.{option}")
