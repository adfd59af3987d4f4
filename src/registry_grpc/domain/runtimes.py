"""Serving runtimes, and whether KServe will find one for a model. The rules are KServe's own.

A format matches by exact text: version 1.3 does not match a runtime that lists 1. No version matches all versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from registry_grpc.domain.deployment import DeploymentSpec
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.reason import DeploymentReason as Why

_SPEAK_V2 = frozenset({"triton", "vllm"})
"""The formats for which KServe's defaulter requires protocol v2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeFormat:
    """A model format that a serving runtime supports. A runtime without formats has one with an empty name.

    `auto_select`: whether KServe may choose the runtime for the format by itself. No `protocols` means all of them.
    """

    runtime: str
    name: str
    version: str
    auto_select: bool
    protocols: tuple[str, ...] = ("v1",)
    is_disabled: bool = False

    def matches(self, name: str, version: str) -> bool:
        return self.name == name and version in {"", self.version}

    def speaks(self, protocol: str) -> bool:
        return not self.protocols or protocol in self.protocols


def runtime_findings(spec: DeploymentSpec, formats: Sequence[RuntimeFormat] | None) -> tuple[Finding, ...]:
    """Findings about the requested or matching runtime; empty if the runtimes are unknown."""
    if formats is None or not spec.model_format:
        return ()
    finding = _named(spec, formats) if spec.runtime else _chosen(spec, formats)
    return () if finding is None else (finding,)


def _named(spec: DeploymentSpec, formats: Sequence[RuntimeFormat]) -> Finding | None:
    own = [item for item in formats if item.runtime == spec.runtime]
    if not own:
        known = ", ".join(sorted({item.runtime for item in formats})) or "none"
        message = f"there is no serving runtime `{spec.runtime}`; the cluster has: {known}"
        return Finding(Why.RUNTIME_NOT_FOUND, message, field="options.runtime")
    if all(item.is_disabled for item in own):
        message = f"the serving runtime `{spec.runtime}` is disabled"
        return Finding(Why.RUNTIME_DISABLED, message, field="options.runtime")
    speaks = spec.model_format not in _SPEAK_V2 or any(item.speaks("v2") for item in own)
    if speaks and any(item.matches(spec.model_format, spec.model_format_version) for item in own):
        return None
    supported = ", ".join(dict.fromkeys(f"{item.name} {item.version}".strip() for item in own if item.name))
    message = f"the serving runtime `{spec.runtime}` does not support {_wanted(spec)}; it supports: "
    message += supported or "no format"
    return Finding(Why.RUNTIME_MISMATCH, message, hint=_version_hint(spec, own), field="options.runtime")


def _chosen(spec: DeploymentSpec, formats: Sequence[RuntimeFormat]) -> Finding | None:
    protocol = "v2" if spec.model_format in _SPEAK_V2 else "v1"
    choosable = [item for item in formats if item.auto_select and not item.is_disabled and item.speaks(protocol)]
    if any(item.matches(spec.model_format, spec.model_format_version) for item in choosable):
        return None
    near = [item for item in choosable if item.name == spec.model_format]
    if near:
        versions = ", ".join(sorted({item.version for item in near}))
        message = f"no serving runtime supports {_wanted(spec)}; the supported versions are: {versions}"
        return Finding(Why.NO_RUNTIME, message, hint=_version_hint(spec, near), field="model_version_id")
    by_name = sorted({item.runtime for item in formats if item.name == spec.model_format and not item.is_disabled})
    known = ", ".join(sorted({item.name for item in choosable if item.name})) or "none"
    message = f"KServe selects no serving runtime for {_wanted(spec)}; it selects one for these formats: {known}"
    hint = f"Name one in `options.runtime`: {', '.join(by_name)}." if by_name else ""
    return Finding(Why.NO_RUNTIME, message, hint=hint, field="model_version_id")


def _wanted(spec: DeploymentSpec) -> str:
    return f"{spec.model_format} {spec.model_format_version}".strip()


def _version_hint(spec: DeploymentSpec, formats: Sequence[RuntimeFormat]) -> str:
    """The advice if only the version does not match; empty if the format does not match either."""
    versions = sorted({item.version for item in formats if item.name == spec.model_format and item.version})
    if not versions:
        return ""
    nearest = next((v for v in versions if spec.model_format_version.startswith(f"{v}.")), versions[-1])
    return f"Clear the framework version, or use {nearest}."
