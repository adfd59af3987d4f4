"""Checks before a deployment: all that speaks against it, found at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that speaks against a deployment; a blocking one is sure to make it fail."""

    code: str
    message: str
    hint: str
    blocking: bool = True
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFormat:
    """A model format that a serving runtime supports."""

    runtime: str
    name: str
    version: str
    auto_select: bool
    protocols: tuple[str, ...] = ("v1",)
    is_disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """What preflight asks the cluster about one namespace. None means: could not be found out."""

    kserve_installed: bool | None = None
    namespace_exists: bool | None = None
    knative_installed: bool | None = None
    missing_permissions: tuple[str, ...] = ()
    """For example `create secrets in namespace models`."""
    runtimes: tuple[RuntimeFormat, ...] | None = None
    storage_prefixes: tuple[str, ...] = ()
    """Further URI prefixes that ClusterStorageContainers of the cluster take."""
    service_account_exists: bool | None = None
