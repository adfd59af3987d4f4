"""Failures on demand, for the calls of clients only: the controllers inside the cluster are spared."""

from __future__ import annotations

from dataclasses import dataclass, field

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError


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

    def forbid(self, verb: str, resource: str, *, namespace: str = "*", user: str = "*") -> Fault:
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
