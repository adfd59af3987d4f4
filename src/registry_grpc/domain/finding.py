"""What a check before a deployment says."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from registry_grpc.domain.reason import DeploymentReason


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that speaks against a deployment; a blocking one is sure to make it fail."""

    code: DeploymentReason
    message: str
    _: KW_ONLY
    hint: str = ""
    """What helps: the next step of the code, unless something more exact can be said of this very case."""
    blocking: bool = True
    field: str = ""
    """The field of the request it is about, if any."""

    def __post_init__(self) -> None:
        if not self.hint:
            object.__setattr__(self, "hint", self.code.next_step)
