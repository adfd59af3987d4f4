"""A finding: one problem that the checks before a deployment (`preflight`) have found."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from registry_grpc.domain.reason import DeploymentReason


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of a planned deployment. With a blocking one, the deployment would certainly fail."""

    code: DeploymentReason
    message: str
    _: KW_ONLY
    hint: str = ""
    """What to do. Default: the next step of the code."""
    blocking: bool = True
    field: str = ""
    """The field of the request that it is about; empty if there is none."""

    def __post_init__(self) -> None:
        if not self.hint:
            object.__setattr__(self, "hint", self.code.next_step)
