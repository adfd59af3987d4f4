"""Whether Kubernetes accepts the resources of the pods: those of the options, over those of the serving runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.finding import Finding
from registry_grpc.domain.quantity import amount_of, fault_of_quantity
from registry_grpc.domain.reason import DeploymentReason as Why
from registry_grpc.domain.runtimes import RuntimeFormat


def resource_findings(options: DeploymentOptions, runtime: RuntimeFormat | None) -> Iterator[Finding]:
    """Findings about the resources that the options set; `runtime` is the one that serves, if it is known."""
    name = runtime.runtime if runtime else ""
    requests = _Amounts("request", options.requests, runtime.requests if runtime else {}, name)
    limits = _Amounts("limit", options.limits, runtime.limits if runtime else {}, name)
    for resource in sorted({*options.requests, *options.limits}):
        if _cannot_be_shared(resource):
            yield from _whole(resource, requests, limits, may_have_limit=runtime is None)
        elif requests.has(resource) and limits.has(resource) and requests.of(resource) > limits.of(resource):
            yield _above(resource, requests, limits)
    memory = options.shared_memory
    if memory and limits.has("memory") and amount_of(memory) > limits.of("memory"):
        message = f"shared memory of {memory} counts towards the {limits.text('memory')}, which is less"
        yield Finding(Why.RESOURCES_INVALID, message, blocking=False, field="options.shared_memory")


class _Amounts:
    """The requests or limits of the container by resource."""

    def __init__(self, kind: str, own: Mapping[str, str], others: Mapping[str, str], runtime: str) -> None:
        self._kind, self._own, self._runtime = kind, own, runtime
        self._all = {name: text for name, text in {**others, **own}.items() if not fault_of_quantity(text)}

    def has(self, resource: str) -> bool:
        return resource in self._all

    def of(self, resource: str) -> Decimal:
        return amount_of(self._all[resource])

    def field(self, resource: str) -> str:
        """The field of the request; empty if the runtime sets the amount."""
        return f"options.resources.{self._kind}s.{resource}" if resource in self._own else ""

    def text(self, resource: str) -> str:
        whose = "" if resource in self._own else f" of the serving runtime `{self._runtime}`"
        return f"{resource} {self._kind} {self._all[resource]}{whose}"


def _above(resource: str, requests: _Amounts, limits: _Amounts) -> Finding:
    message = f"the {requests.text(resource)} is above the {limits.text(resource)}"
    if requests.field(resource) and limits.field(resource):
        return Finding(Why.RESOURCES_INVALID, message, field=requests.field(resource))
    missing = "limits" if requests.field(resource) else "requests"
    hint = f"Set `options.resources.{missing}.{resource}` too."
    field = requests.field(resource) or limits.field(resource)
    return Finding(Why.RESOURCES_INVALID, message, hint=hint, field=field)


def _whole(resource: str, requests: _Amounts, limits: _Amounts, *, may_have_limit: bool) -> Iterator[Finding]:
    """The rules for GPUs and other resources of which a pod gets whole pieces for itself."""
    field = limits.field(resource) or requests.field(resource)
    if not limits.has(resource):
        if not may_have_limit:
            message = f"the {requests.text(resource)} needs an equal limit: {resource} cannot be shared"
            yield Finding(Why.RESOURCES_INVALID, message, field=field)
        return
    if requests.has(resource) and requests.of(resource) != limits.of(resource):
        message = f"the {requests.text(resource)} must equal the {limits.text(resource)}: {resource} cannot be shared"
        yield Finding(Why.RESOURCES_INVALID, message, field=field)
    if limits.of(resource) != limits.of(resource).to_integral_value():
        message = f"the {limits.text(resource)} must be a whole number"
        yield Finding(Why.RESOURCES_INVALID, message, field=field)


def _cannot_be_shared(resource: str) -> bool:
    return "/" in resource and "kubernetes.io/" not in resource
