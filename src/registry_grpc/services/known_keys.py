"""The keys that texts from pods may have, so that they can be hidden."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from registry_grpc.domain.deployment import DeploymentSpec
from registry_grpc.domain.errors import NotFound
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.redaction import keys_in
from registry_grpc.ports.encryption import SecretUnreadable
from registry_grpc.ports.repositories import ModelVersionRepository


async def keys_of(versions: ModelVersionRepository, project_id: UUID, *specs: DeploymentSpec) -> list[Credentials]:
    """Those of all versions of the specs, and those in their environments."""
    found = [keys for spec in specs for keys in keys_in(spec.options.env)]
    for version in dict.fromkeys(version for spec in specs for version in spec.versions):
        with suppress(NotFound, SecretUnreadable):
            keys = await versions.credentials(project_id, version.model_version_id, version.uri)
            found += [keys] if keys else []
    return found
