"""Serving runtimes, and which of them serves a model. The rules of the choice are KServe's own.

KServe compares formats and versions as text: version 1.6.1 does not match a runtime that lists 1. So the registry asks
for the format and the version that a runtime lists: those that are nearest to what the version of the model says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

from registry_grpc.domain.deployment import DeploymentSpec
from registry_grpc.domain.deployment_options import ServingProtocol
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.reason import DeploymentReason as Why

FORMAT_NAMES: Mapping[str, str] = {
    "hf": "huggingface",
    "keras": "tensorflow",
    "lgbm": "lightgbm",
    "onnxruntime": "onnx",
    "paddlepaddle": "paddle",
    "scikit-learn": "sklearn",
    "pytorch-lightning": "pytorch",
    "safetensors": "huggingface",
    "scikit_learn": "sklearn",
    "sentence-transformers": "huggingface",
    "sentence_transformers": "huggingface",
    "tf": "tensorflow",
    "torch": "pytorch",
    "torchscript": "pytorch",
    "transformers": "huggingface",
    "vllm": "vLLM",
    "xgb": "xgboost",
}
"""KServe's names of model formats by other names that people use, in lower case. Operators can add more."""

_SPEAK_V2 = frozenset({"triton", "vLLM"})
"""The formats for which KServe's defaulter requires protocol v2."""
_NUMBERED_BY_KSERVE = frozenset({"huggingface", "vLLM"})
"""The formats whose versions are no versions of a library."""
_VERSION = re.compile(r"[\s=<>~^]*v?\s*([0-9]{1,9}(?:\.[0-9]{1,9})*)", re.IGNORECASE)
"""Longer numbers are none of versions, and int() raises for very long ones."""

_CORRECTIONS = (
    "correct the framework of the version, install or name a runtime, or ask the operator to add the name to the "
    "setting REGISTRY_MODEL_FORMATS."
)


class ModelFormat(NamedTuple):
    """The words with which KServe is asked for a runtime. Without a version, it compares none; without a protocol, it
    assumes its default."""

    name: str
    version: str
    protocol: ServingProtocol | None


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
    requests: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[str, str] = field(default_factory=dict)
    """The resources of its container, as quantities."""
    probes: tuple[str, ...] = ()
    """The probes of its container, by their names in Kubernetes."""
    port: int = 8080
    """The port on which it listens: KServe's default, if it says none."""

    def speaks(self, protocol: str) -> bool:
        return not self.protocols or protocol in self.protocols

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtimes:
    """The formats of all serving runtimes that a namespace can use, in the order in which KServe prefers them; None if
    they are unknown. `names` are KServe's names of formats by other names in lower case."""

    formats: tuple[RuntimeFormat, ...] | None = None
    names: Mapping[str, str] = field(default_factory=lambda: FORMAT_NAMES)

    def asked_for(self, spec: DeploymentSpec) -> ModelFormat:
        """The words with which KServe finds the runtime for this spec, if there is one."""
        protocol, chosen = spec.options.protocol_version, self.chosen(spec)
        if chosen is None:
            # Without a version, KServe takes any runtime for the format that is installed later.
            version = spec.model_format_version.strip() if self.formats is None else ""
            return ModelFormat(_name_of(spec.model_format, self.formats or (), self.names), version, protocol)
        if protocol is None and (chosen.name in _SPEAK_V2 or not (spec.runtime or chosen.speaks(ServingProtocol.V1))):
            protocol = ServingProtocol.V2
        return ModelFormat(chosen.name, chosen.version if spec.model_format_version.strip() else "", protocol)

    def chosen(self, spec: DeploymentSpec) -> RuntimeFormat | None:
        """The format of the runtime that will serve the spec; None if none does, or if the runtimes are unknown."""
        usable = [item for item in self.formats or () if _is_usable(item, spec)]
        name = _name_of(spec.model_format, usable, self.names)
        nearness = partial(_distance, spec.model_format_version)
        return min((item for item in usable if item.name == name), key=nearness, default=None)

    def findings(self, spec: DeploymentSpec) -> tuple[Finding, ...]:
        """Findings about the requested or chosen runtime; empty if the runtimes are unknown."""
        if self.formats is None or not spec.model_format:
            return ()
        chosen = self.chosen(spec)
        finding = _named(spec, chosen, self.formats) if spec.runtime else None
        if finding is None and chosen is None:
            finding = self._not_chosen(spec, self.formats)
        elif finding is None and chosen is not None:
            finding = _differing(spec, chosen)
        return () if finding is None else (finding,)

    def _not_chosen(self, spec: DeploymentSpec, formats: Sequence[RuntimeFormat]) -> Finding:
        name, protocol = _name_of(spec.model_format, formats, self.names), spec.options.protocol_version
        there = [item for item in formats if item.name == name and not item.is_disabled]
        if protocol and any(item.auto_select for item in there):
            spoken = ", ".join(sorted({each for item in there if item.auto_select for each in item.protocols}))
            message = f"no serving runtime speaks `{protocol}` for {_wanted(spec)}; those for it speak: {spoken}"
            return Finding(Why.NO_RUNTIME, message, hint="Set one of these.", field="options.protocol_version")
        choosable = sorted({item.name for item in formats if _is_usable(item, spec)})
        known = ", ".join(choosable) or "none"
        message = f"KServe selects no serving runtime for {_wanted(spec)}; it selects one for these formats: {known}"
        hint = ""
        if there:
            runtimes = ", ".join(sorted({item.runtime for item in there}))
            hint = f"Name one in `options.runtime`: {runtimes}."
        elif (like := difflib.get_close_matches(name, choosable, n=1)) and (
            near := self.chosen(replace(spec, model_format=like[0]))
        ):
            hint = f"The nearest is {near.title} of `{near.runtime}`: {_CORRECTIONS}"
        elif choosable:
            hint = "C" + _CORRECTIONS[1:]
        return Finding(Why.NO_RUNTIME, message, hint=hint, field="model_version_id")


def _is_usable(item: RuntimeFormat, spec: DeploymentSpec) -> bool:
    """Whether KServe may use the runtime for the spec, if format and version match."""
    protocol = spec.options.protocol_version
    if protocol is None and item.name in _SPEAK_V2:
        protocol = ServingProtocol.V2
    if spec.runtime:
        return item.runtime == spec.runtime and (protocol is None or item.speaks(protocol))
    protocols = (protocol,) if protocol else (ServingProtocol.V1, ServingProtocol.V2)
    return item.auto_select and not item.is_disabled and any(item.speaks(each) for each in protocols)


def _default_protocol(name: str) -> ServingProtocol:
    return ServingProtocol.V2 if name in _SPEAK_V2 else ServingProtocol.V1


def _name_of(said: str, formats: Iterable[RuntimeFormat], names: Mapping[str, str]) -> str:
    """The name that a runtime lists, if one does: as it was said, in another case, or by another name."""
    said, listed = said.strip(), {item.name for item in formats}
    by_lower = {name.lower(): name for name in sorted(listed)}
    other = names.get(said.lower(), said)
    return said if said in listed else by_lower.get(said.lower()) or by_lower.get(other.lower()) or other


def _distance(version: str, item: RuntimeFormat) -> tuple[int, tuple[int, ...], bool]:
    """How far the version that the runtime lists is from the one of the model; the nearest is the least. A runtime that
    speaks KServe's default protocol comes before one that does not."""
    version = version.strip()
    speaks_other = not item.speaks(_default_protocol(item.name))
    wanted, listed = _numbers(version), _numbers(item.version)
    newest_first = tuple(-number for number in listed)
    if version in {"", item.version}:
        return 0, (), speaks_other
    if not listed:
        return 3, (), speaks_other
    common = min(len(wanted), len(listed))
    if common and wanted[:common] == listed[:common]:  # 1 is all of 1.6.1
        return 1, (-common, *newest_first), speaks_other
    steps = [abs(a - b) for a, b in zip_longest(wanted, listed, fillvalue=0)] if wanted else [1]
    same = next(place for place, step in enumerate(steps) if step)
    return 2, (-same, steps[same], *newest_first), speaks_other


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version such as 2.15.0, v2 or 1.6.1+cpu; empty without any."""
    found = _VERSION.match(version)
    return tuple(int(number) for number in found[1].split(".")) if found else ()


def _named(spec: DeploymentSpec, chosen: RuntimeFormat | None, formats: Sequence[RuntimeFormat]) -> Finding | None:
    own = [item for item in formats if item.runtime == spec.runtime]
    if not own:
        known = ", ".join(sorted({item.runtime for item in formats})) or "none"
        message = f"there is no serving runtime `{spec.runtime}`; the cluster has: {known}"
        return Finding(Why.RUNTIME_NOT_FOUND, message, field="options.runtime")
    if all(item.is_disabled for item in own):
        message = f"the serving runtime `{spec.runtime}` is disabled"
        return Finding(Why.RUNTIME_DISABLED, message, field="options.runtime")
    if chosen is not None:
        return None
    protocol = spec.options.protocol_version
    if protocol and not any(item.speaks(protocol) for item in own):
        message = f"the serving runtime `{spec.runtime}` does not speak `{protocol}`; it speaks: "
        message += ", ".join(own[0].protocols)
        return Finding(Why.RUNTIME_MISMATCH, message, field="options.protocol_version")
    supported = ", ".join(dict.fromkeys(item.title for item in own if item.name)) or "no format"
    message = f"the serving runtime `{spec.runtime}` does not support {_wanted(spec)}; it supports: {supported}"
    return Finding(Why.RUNTIME_MISMATCH, message, field="options.runtime")


def _differing(spec: DeploymentSpec, chosen: RuntimeFormat) -> Finding | None:
    """The model is served with another version than its own."""
    rank, _, _ = _distance(spec.model_format_version, chosen)
    if rank <= 1 or chosen.name in _NUMBERED_BY_KSERVE:
        return None
    nearest = f"the nearest is {chosen.title} of `{chosen.runtime}`, which is used"
    message = f"no serving runtime lists {_wanted(spec)}; {nearest}"
    return Finding(Why.RUNTIME_VERSION_DIFFERS, message, blocking=False, field="model_version_id")


def _wanted(spec: DeploymentSpec) -> str:
    return f"{spec.model_format.strip()} {spec.model_format_version.strip()}".strip()
