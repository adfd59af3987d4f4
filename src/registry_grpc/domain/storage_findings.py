"""Findings about the places of a deployment's files, and about the keys for them."""

from __future__ import annotations

from collections.abc import Iterator

from registry_grpc.domain.deployment import DeploymentSpec
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.storage import (
    KSERVE_PREFIXES,
    Storage,
    advice_on,
    fault_of_place,
    is_claimed,
    is_fetchable,
    is_in_pods,
    place_of,
)

_MAY_NEED_KEYS = {Storage.S3, Storage.GCS, Storage.HUGGING_FACE, Storage.MODELSCOPE}


def storage_findings(
    spec: DeploymentSpec, *, has_credentials: bool, prefixes: tuple[str, ...] | None, patterns: tuple[str, ...]
) -> Iterator[Finding]:
    """`prefixes` and `patterns` are those of the ClusterStorageContainers of the cluster; None if they are unknown."""
    yield from _place(spec.storage_uri, "model_version_id", prefixes, patterns)
    for place, storage in enumerate(spec.options.storage_uris):
        yield from _place(storage.uri, f"options.storage_uris[{place}].uri", prefixes, patterns)
    yield from _keys(spec, has_credentials=has_credentials)
    yield from _options(spec, has_credentials=has_credentials)


def _place(uri: str, field: str, prefixes: tuple[str, ...] | None, patterns: tuple[str, ...]) -> Iterator[Finding]:
    advice, is_known = advice_on(uri), prefixes is not None
    if not is_fetchable(uri, prefixes or (), patterns):
        known = "and no ClusterStorageContainer supports it" if is_known else "and those of the cluster"
        message = f"KServe cannot fetch `{uri}`: it supports {', '.join(KSERVE_PREFIXES)}, {known}"
        yield Finding(Why.URI_SCHEME_UNSUPPORTED, message, hint=advice, blocking=is_known, field=field)
    elif advice and not is_claimed(uri, prefixes or (), patterns):
        message = f"KServe takes `{uri}` for a path in its download container, which has no such files: the download "
        message += "would fail"
        is_certain = is_known and not is_in_pods(uri)
        yield Finding(Why.URI_IS_LOCAL, message, hint=advice, blocking=is_certain, field=field)
    elif fault := fault_of_place(uri):
        is_certain = is_known and fault.startswith("names no")
        yield Finding(Why.URI_MALFORMED, f"the uri `{uri}` {fault}", blocking=is_certain, field=field)


def _keys(spec: DeploymentSpec, *, has_credentials: bool) -> Iterator[Finding]:
    uri, storage = spec.storage_uri, Storage.of(spec.storage_uri)
    if storage is Storage.S3 and spec.options.storage_anonymous:
        if has_credentials:
            message = "the version has keys, which are not used, because `storage.anonymous` is set"
            yield Finding(Why.CREDENTIALS_UNUSED, message, blocking=False, field="options.storage.anonymous")
        return
    if has_credentials and storage is Storage.OTHER:
        message = f"the version has keys, but KServe uses none for `{uri}`"
        yield Finding(Why.CREDENTIALS_UNUSED, message, blocking=False, field="model_version_id")
    if has_credentials and storage is Storage.HTTP:
        message = "KServe writes the header with the version's keys into the pods, where all who may read pods see it"
        yield Finding(Why.CREDENTIALS_VISIBLE, message, blocking=False, field="model_version_id")
    if spec.needs_keys and not has_credentials and storage is not Storage.OTHER:
        message = f"the version had keys, but has none for `{place_of(uri)}`: they were removed, or are for another uri"
        yield Finding(Why.CREDENTIALS_NEEDED, message, field="model_version_id")
    elif storage in _MAY_NEED_KEYS and not has_credentials and not spec.options.service_account:
        message = f"no credentials for `{uri}`; works for public models only"
        yield Finding(Why.CREDENTIALS_MISSING, message, blocking=False, field="model_version_id")


def _options(spec: DeploymentSpec, *, has_credentials: bool) -> Iterator[Finding]:
    options = spec.options
    texts = options.storage_endpoint, options.storage_region, options.storage_ca_bundle
    is_set = any(texts) or options.storage_anonymous or options.storage_verify_ssl is not None
    if is_set and Storage.of(spec.storage_uri) is not Storage.S3:
        message = f"`storage` has no effect on `{spec.storage_uri}`: KServe only uses it for s3://"
        yield Finding(
            Why.STORAGE_OPTIONS_UNUSED, message, hint="Leave it out.", blocking=False, field="options.storage"
        )
    elif is_set and not (has_credentials or options.storage_anonymous):
        message = "`storage` has no effect: KServe only uses it with keys of the version, or with `anonymous`"
        yield Finding(Why.STORAGE_OPTIONS_UNUSED, message, blocking=False, field="options.storage")
