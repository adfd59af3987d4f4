"""Valid deployments for tests, which only set the fields that they are about."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from registry_grpc.domain.deployment import Deployment, DeploymentSpec, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.ports.deployments import Retention

RETENTION = Retention(age=timedelta(days=90), revisions=20)
BORN = datetime(2026, 2, 11, tzinfo=UTC)
VERSION_ID = uuid.UUID("81744a02-b136-467c-8566-b22f989982ef")


def a_spec(*, options: DeploymentOptions | None = None, **fields: Any) -> DeploymentSpec:
    """A spec that serves sklearn from a public bucket."""
    spec = DeploymentSpec(
        registered_model_id=uuid.UUID("db10ccfe-942d-4df1-bbac-1391227f6f3d"),
        model_version_id=VERSION_ID,
        served_version_ids=(VERSION_ID,),
        model_format="sklearn",
        model_format_version="1",
        storage_uri="gs://kfserving-examples/models/sklearn/1.0/model",
        container_image="",
        options=options or DeploymentOptions(),
    )
    return replace(spec, **fields)


def a_deployment(*, spec: DeploymentSpec | None = None, **fields: Any) -> Deployment:
    """A deployment with a new id, at its first revision, which is not applied yet."""
    deployment = Deployment(
        id=uuid.uuid4(),
        project_id=uuid.UUID("11111111-1111-1111-1111-111111111111"),
        created_at=BORN,
        updated_at=BORN,
        revised_at=BORN,
        phase_since=BORN,
        namespace="models",
        name="iris-81744a02",
        want=Want.PRESENT,
        spec=spec or a_spec(),
    )
    return replace(deployment, **fields)
