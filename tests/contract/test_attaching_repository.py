"""A version is created without files, gets them once, and is READY then."""

from __future__ import annotations

import asyncio
from uuid import UUID

from tests.fakes.builders import a_version
from tests.fakes.projects import OPEN
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model
from tests.refusals import refused

from registry_grpc.domain.errors import FailedPrecondition, NotFound, Reason, Stale
from registry_grpc.domain.model_version import Credentials, ModelFiles, ModelVersion
from registry_grpc.services.model_versions import ModelVersions

DIGEST = "sha256:" + "1" * 64


def files(**fields: str) -> ModelFiles:
    given = {"uri": "s3://b/k", "model_framework": "onnx", "model_framework_version": "1.17"} | fields
    return ModelFiles(**given, digest=DIGEST, size_bytes=7)


async def without_files(repositories: Repositories, project_id: UUID) -> ModelVersion:
    version = a_version(
        await stored_model(repositories, project_id),
        status="PENDING",
        **dict.fromkeys(("uri", "model_framework", "model_framework_version", "container_image"), ""),
    )
    return await repositories.versions.create(project_id, version, Credentials())


async def test_attaching_sets_the_files_and_makes_the_version_ready(
    repositories: Repositories, project_id: UUID
) -> None:
    version = await without_files(repositories, project_id)
    assert version.missing_files == ("model_framework", "model_framework_version", "uri")
    use_cases = ModelVersions(versions=repositories.versions, deployments=repositories.deployments, tenants=OPEN)

    attached = await use_cases.attach(project_id, version.id, files(access_key="a", container_image="i"))

    assert attached == version._replace(
        status="READY", uri="s3://b/k", model_framework="onnx", model_framework_version="1.17", container_image="i",
        digest=DIGEST, size_bytes=7, updated_at=attached.updated_at, etag=attached.etag,
    )  # fmt: skip
    assert attached.missing_files == ()
    assert await repositories.versions.get(project_id, version.id) == attached
    assert await repositories.versions.credentials(project_id, version.id, "s3://b/k") == Credentials("a", "")


async def test_files_are_attached_once(repositories: Repositories, project_id: UUID, other_project_id: UUID) -> None:
    version = await without_files(repositories, project_id)
    use_cases = ModelVersions(versions=repositories.versions, deployments=repositories.deployments, tenants=OPEN)

    with refused(NotFound, Reason.MODEL_VERSION_NOT_FOUND):
        await use_cases.attach(other_project_id, version.id, files())
    with refused(Stale, Reason.ETAG_MISMATCH):
        await use_cases.attach(project_id, version.id, files(), ("another",))
    uris = [f"s3://b/{number}" for number in range(4)]
    attempts = [use_cases.attach(project_id, version.id, files(uri=uri)) for uri in uris]
    results = await asyncio.gather(*attempts, return_exceptions=True)

    (attached,) = [result for result in results if isinstance(result, ModelVersion)]
    assert await repositories.versions.get(project_id, version.id) == attached
    refusals = [result for result in results if isinstance(result, FailedPrecondition)]
    assert [(r.reason, r.metadata) for r in refusals] == [
        (Reason.MODEL_ARTIFACT_ATTACHED, {"id": str(version.id), "uri": attached.uri})
    ] * 3
