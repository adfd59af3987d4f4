"""Failures on demand, and a count of what was asked.

A fault applies to the calls of clients only; the controllers inside the cluster are spared, as they would be by a
fault between a client and a real cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, denied_by_webhook


@dataclass(frozen=True)
class Call:
    """One request as faults and counters see it: RBAC's verb, and `plural` or `plural/subresource`."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    user: str = ""


@dataclass
class Fault:
    """What happens to matching calls: `"*"` matches everything, `skip` lets that many through first.

    `error` answers instead of doing; `delay` waits first; `drop` closes the connection without an answer, and
    `lose_response` does so after the call was carried out. `times` None means for as long as the fault is there.
    """

    verb: str = "*"
    resource: str = "*"
    namespace: str = "*"
    name: str = "*"
    user: str = "*"
    skip: int = 0
    times: int | None = None
    error: ApiError | None = None
    delay: float = 0.0
    drop: bool = False
    lose_response: bool = False
    hits: int = field(default=0, init=False)
    """How many calls it has hit."""

    def matches(self, call: Call) -> bool:
        wanted = (self.verb, self.resource, self.namespace, self.name, self.user)
        actual = (call.verb, call.resource, call.namespace, call.name, call.user)
        return all(pattern in {"*", value} for pattern, value in zip(wanted, actual, strict=True))


class Faults:
    """The faults in force, the first match wins."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._forbidden: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def forbid(
        self,
        verb: str,
        resource: str,
        *,
        namespace: str = "*",
        user: str = "*",
    ) -> Fault:
        """Takes a right away: a 403 for the call, and a `no` from SelfSubjectAccessReview."""
        fault = Fault(verb=verb, resource=resource, namespace=namespace, user=user)
        self._forbidden.append(fault)
        return fault

    def remove(self, fault: Fault) -> None:
        for faults in (self._faults, self._forbidden):
            if fault in faults:
                faults.remove(fault)

    def clear(self) -> None:
        self._faults.clear()
        self._forbidden.clear()

    def forbids(self, call: Call) -> bool:
        return any(fault.matches(call) for fault in self._forbidden)

    def take(self, call: Call) -> Fault | None:
        """The fault that hits this call, counted as a hit."""
        for fault in self._faults:
            if not fault.matches(call) or fault.hits == fault.times:
                continue
            if fault.skip:
                fault.skip -= 1
                continue
            fault.hits += 1
            return fault
        return None


def unavailable(message: str = "the server is currently unable to handle the request") -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def throttled(retry_after: int) -> ApiError:
    """API Priority and Fairness has no room."""
    message = "the server has received too many requests and has asked us to try again later"
    details = {"retryAfterSeconds": retry_after}
    return ApiError(429, "TooManyRequests", message, details=details, headers={"Retry-After": str(retry_after)})


def gone(message: str = "The resourceVersion for the provided watch is too old.") -> ApiError:
    return ApiError(410, "Expired", message)


def webhook_denied(text: str, webhook: str = "policy.example.com") -> ApiError:
    """A policy engine says no."""
    return denied_by_webhook(webhook, text)


def webhook_down(webhook: str = "inferenceservice.kserve-webhook-server.defaulter") -> ApiError:
    """KServe's webhook server does not answer."""
    message = (
        f'Internal error occurred: failed calling webhook "{webhook}": failed to call webhook: '
        'Post "https://kserve-webhook-server-service.kserve.svc:443/mutate": dial tcp: connect: connection refused'
    )
    return ApiError(500, "InternalError", message)


def quota_exceeded(name: str, quota: str = "count/inferenceservices.serving.kserve.io") -> ApiError:
    """A ResourceQuota counts the objects of a kind."""
    plural, _, group = quota.removeprefix("count/").partition(".")
    message = (
        f'{plural}.{group} "{name}" is forbidden: exceeded quota: registry-quota, '
        f"requested: {quota}=1, used: {quota}=1, limited: {quota}=1"
    )
    return ApiError(403, "Forbidden", message, details={"name": name, "group": group, "kind": plural})
