"""What a client says when it deploys, and what a request that is sent again is known by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from uuid import UUID

from registry_grpc.domain.deployment import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.inference_service import LIMITS
from registry_grpc.domain.rules import LABELS, check_fields, version_count_errors

_NOT_SAID: tuple[object, ...] = (None, "", (), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """What a client says of a deployment to make. Without versions, the model's default or latest one is meant;
    `model_version_ids` has no duplicates. Raises InvalidRequest when it breaks a rule."""

    registered_model_id: UUID
    serving_environment_id: UUID
    model_version_ids: tuple[UUID, ...] = ()
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    options: DeploymentOptions = field(default_factory=DeploymentOptions)

    def __post_init__(self) -> None:
        others = version_count_errors(self.model_version_ids)
        if violations := self.options.violations():
            others.append(InvalidRequest(violations))
        check_fields(self, limits={"name": LIMITS["name"]}, sizes={"labels": LABELS}, others=others)

    @property
    def digest(self) -> str:
        """The same for the same wish. What is not said does not count, so that it stays so in a release that knows
        more fields."""
        said = {
            part_field.name: value
            for part in (self, self.options)
            for part_field in fields(part)
            if part_field.name != "options" and (value := getattr(part, part_field.name)) not in _NOT_SAID
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The id that a caller chose for a request, and the digest of what it asks for. Raises InvalidRequest for an id
    that is too long."""

    request_id: str
    digest: str

    def __post_init__(self) -> None:
        check_fields(self, limits={"request_id": 128})

    def check_same(self, digest: str) -> None:
        """Raises InvalidRequest when an earlier request with this id asked for something else. Its digest is empty when
        it was stored before digests were kept."""
        if digest not in {"", self.digest}:
            raise InvalidRequest([Violation("request_id", "was used for another request: choose a new one for each")])
