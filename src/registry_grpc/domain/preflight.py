"""Preflight: finds all problems of a deployment before it is made, from its spec and the facts of the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from registry_grpc.domain.deployment import DeploymentSpec
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions, ScaleMetric
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.naming import name_findings, namespace_findings
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.runtimes import RuntimeFormat, Runtimes
from registry_grpc.domain.storage import KSERVE_PREFIXES, Storage, is_fetchable, place_of

__all__ = ["ClusterFacts", "Finding", "RuntimeFormat", "Runtimes", "findings"]

_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_PREFIX = 253
_APPLYING = ("get inferenceservices", "create inferenceservices", "patch inferenceservices")
_STORING_KEYS = ("create secrets", "patch secrets")
_METRICS_OF_KNATIVE = {ScaleMetric.CONCURRENCY, ScaleMetric.RPS}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """The facts about a cluster and one of its namespaces that preflight needs. None: unknown."""

    kserve_installed: bool | None = None
    namespace_exists: bool | None = None
    knative_installed: bool | None = None
    missing_permissions: tuple[str, ...] = ()
    """For example `create secrets in namespace models`."""
    runtimes: Runtimes = field(default_factory=Runtimes)
    storage_prefixes: tuple[str, ...] | None = None
    """The URI prefixes that the cluster's ClusterStorageContainers support."""
    storage_patterns: tuple[str, ...] = ()
    """The regular expressions of URIs that they support."""
    service_account_exists: bool | None = None


def findings(
    name: str, namespace: str, spec: DeploymentSpec, *, has_credentials: bool, facts: ClusterFacts | None = None
) -> tuple[Finding, ...]:
    """All findings, the blocking ones first. Without facts, only the checks that need no cluster are made."""
    found = [
        *unknown_findings(spec),
        *name_findings(name, namespace),
        *namespace_findings(namespace),
        *_labels(spec),
        *_storage(spec, facts, has_credentials=has_credentials),
        *_metric_without_effect(spec.options),
    ]
    if facts is not None:
        found += _cluster(namespace, spec, facts, has_credentials=has_credentials)
        found += _metric_refused(spec.options)
        found += facts.runtimes.findings(spec)
    return tuple(sorted(found, key=lambda finding: not finding.blocking))


def unknown_findings(spec: DeploymentSpec) -> Iterator[Finding]:
    """The spec has options of a newer release. Without them, the deployment would not be as requested."""
    for place, value in sorted(spec.unknown.items()):
        message = f"{place} (`{value}`) was set by a newer release of the registry, but this one does not know it"
        yield Finding(Why.NEWER_RELEASE, message, field=place)


def _labels(spec: DeploymentSpec) -> Iterator[Finding]:
    for key, value in sorted(spec.labels.items()):
        prefix, slash, name = key.rpartition("/")
        prefix_is_valid = not slash or (len(prefix) <= _LONGEST_PREFIX and _LABEL_PREFIX.fullmatch(prefix))
        if not prefix_is_valid or not _LABEL_NAME.fullmatch(name):
            yield Finding(Why.INVALID_LABEL, f"`{key}` is not a valid key of a Kubernetes label", field="labels")
        elif value and not _LABEL_NAME.fullmatch(value):
            message = f"the value of label `{key}` is not valid in Kubernetes: `{value}`"
            yield Finding(Why.INVALID_LABEL, message, field="labels")


def _storage(spec: DeploymentSpec, facts: ClusterFacts | None, *, has_credentials: bool) -> Iterator[Finding]:
    uri, options = spec.storage_uri, spec.options
    storage = Storage.of(uri)
    prefixes = facts.storage_prefixes if facts else None
    if not is_fetchable(uri, prefixes or (), facts.storage_patterns if facts else ()):
        known = "and no ClusterStorageContainer supports it" if prefixes is not None else "and those of the cluster"
        message = f"KServe cannot fetch `{uri}`: it supports {', '.join(KSERVE_PREFIXES)}, {known}"
        yield Finding(Why.URI_SCHEME_UNSUPPORTED, message, blocking=prefixes is not None, field="model_version_id")
    if has_credentials and storage is Storage.OTHER:
        message = f"the version has keys, but KServe uses none for `{uri}`"
        yield Finding(Why.CREDENTIALS_UNUSED, message, blocking=False, field="model_version_id")
    may_need_keys = storage in {Storage.S3, Storage.GCS, Storage.HUGGING_FACE}
    if spec.needs_keys and not has_credentials and storage is not Storage.OTHER:
        message = f"the version had keys, but has none for `{place_of(uri)}`: they were removed, or are for another uri"
        yield Finding(Why.CREDENTIALS_NEEDED, message, field="model_version_id")
    elif may_need_keys and not has_credentials and not options.service_account:
        message = f"no credentials for `{uri}`; works for public models only"
        yield Finding(Why.CREDENTIALS_MISSING, message, blocking=False, field="model_version_id")
    if (options.storage_endpoint or options.storage_region) and not (has_credentials and storage is Storage.S3):
        message = "`storage` has no effect: KServe only uses endpoint and region with the keys of an s3:// model"
        yield Finding(Why.STORAGE_OPTIONS_UNUSED, message, blocking=False, field="options.storage")


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
    if spec.options.deployment_mode is DeploymentMode.KNATIVE and facts.knative_installed is False:
        message = "deployment mode `Knative` needs Knative Serving, which is not installed"
        yield Finding(Why.MODE_UNSUPPORTED, message, field="options.deployment_mode")
    if spec.options.service_account and facts.service_account_exists is False:
        message = f"there is no service account `{spec.options.service_account}` in namespace `{namespace}`"
        yield Finding(Why.SERVICE_ACCOUNT_NOT_FOUND, message, field="options.service_account")
    needed = _APPLYING + _STORING_KEYS if has_credentials else _APPLYING
    for permission in facts.missing_permissions:
        yield Finding(Why.FORBIDDEN, f"the registry may not {permission}", blocking=permission.startswith(needed))
