"""A request to deploy, and the key by which a repeated request is recognized."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from uuid import UUID

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.inference_service import LIMITS
from registry_grpc.domain.rules import LABELS, check_fields, version_count_errors

_NOT_SAID: tuple[object, ...] = (None, "", (), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDeployment:
    """A deployment to make. `model_version_ids` has no duplicates; if it is empty, the model's default or else latest
    version is deployed. Raises InvalidRequest if it breaks a rule."""

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
        """Equal for equal requests. Unset fields are omitted, so that fields added later keep old digests."""
        said = {
            part_field.name: value
            for part in (self, self.options)
            for part_field in fields(part)
            if part_field.name != "options" and (value := getattr(part, part_field.name)) not in _NOT_SAID
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """The caller's id for a request, and the request's digest. Raises InvalidRequest if the id is too long."""

    request_id: str
    digest: str

    def __post_init__(self) -> None:
        check_fields(self, limits={"request_id": 128})

    def check_same(self, digest: str) -> None:
        """Raises InvalidRequest if the earlier request with this id had another digest. An empty digest was stored
        before digests were introduced, and matches any."""
        if digest not in {"", self.digest}:
            raise InvalidRequest([Violation("request_id", "was used for another request: use a new one per request")])
