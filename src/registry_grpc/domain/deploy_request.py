"""A request to deploy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.inference_service import LIMITS
from registry_grpc.domain.rules import LABELS, check_fields, version_count_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """A deployment to make, of the versions with these ids, without duplicates, or of the one that `version` calls
    (`ModelVersionRepository.named`). Without both, the model's default or else latest version is deployed. Raises
    InvalidRequest if it breaks a rule."""

    registered_model_id: UUID
    serving_environment_id: UUID
    model_version_ids: tuple[UUID, ...] = ()
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    options: DeploymentOptions = field(default_factory=DeploymentOptions)
    version: str = ""

    def __post_init__(self) -> None:
        others = version_count_errors(self.model_version_ids)
        if self.version and self.model_version_ids:
            others.append(InvalidRequest([Violation("version", "cannot be combined with ids: give one of them")]))
        if violations := self.options.violations():
            others.append(InvalidRequest(violations))
        check_fields(self, limits={"name": LIMITS["name"]}, sizes={"labels": LABELS}, others=others)
