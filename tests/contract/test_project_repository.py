"""The contract of ProjectRepository."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.fakes.projects import InMemoryProjects
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_model, stored_version
from tests.refusals import refused

from registry_grpc.adapters.postgres.database import Database
from registry_grpc.adapters.postgres.projects import PostgresProjectRepository
from registry_grpc.domain.errors import AlreadyExists, NotFound, Reason, Stale
from registry_grpc.domain.paging import Slice
from registry_grpc.domain.project import NewProject, Project, ProjectPatch, Usage
from registry_grpc.ports.projects import ProjectRepository

FULL: dict[str, Any] = {
    "description": "d",
    "namespaces": ("a", "b-*"),
    "uris": ("s3://x",),
    "service_accounts": ("a/b",),
    "runtimes": ("r",),
    "max_models": 1,
    "max_versions": 2,
    "max_deployments": 0,
    "max_bytes": 2**62,
}


@pytest.fixture(params=["fake", "postgres"])
def projects(request: pytest.FixtureRequest) -> ProjectRepository:
    if request.param == "fake":
        return InMemoryProjects()
    database: Database = request.getfixturevalue("database")
    return PostgresProjectRepository(database)


def a_project(**fields: Any) -> Project:
    return Project.create(NewProject(**{"name": uuid4().hex} | fields), uuid4())


async def test_reads_a_project_as_it_was_created(projects: ProjectRepository) -> None:
    for new in (a_project(), a_project(**FULL)):
        created = await projects.create(new)
        assert await projects.get(new.id) == created
        assert {name: getattr(created, name) for name in FULL} == {name: getattr(new, name) for name in FULL}


async def test_id_and_name_are_unique(projects: ProjectRepository) -> None:
    first, second = await projects.create(a_project()), await projects.create(a_project())
    for taken in (Project(id=first.id, name=uuid4().hex), Project(id=uuid4(), name=first.name)):
        with refused(AlreadyExists, Reason.PROJECT_EXISTS):
            await projects.create(taken)
    with refused(AlreadyExists, Reason.PROJECT_EXISTS):
        await projects.update(second.id, ProjectPatch(name=first.name))
    await projects.update(first.id, ProjectPatch(name=first.name))


async def test_changes_what_is_set_and_can_clear_all_else(projects: ProjectRepository) -> None:
    project = await projects.create(a_project(**FULL))
    changed = await projects.update(project.id, ProjectPatch(namespaces=("c",), max_models=None), (project.etag,))
    expected = FULL | {"namespaces": ("c",), "max_models": None}
    assert {name: getattr(changed, name) for name in FULL} == expected
    assert changed.updated_at >= project.updated_at
    assert await projects.get(project.id) == changed
    with refused(Stale, Reason.ETAG_MISMATCH):
        await projects.update(project.id, ProjectPatch(max_models=3), (project.etag,))
    cleared = await projects.update(project.id, ProjectPatch(**ProjectPatch.CLEARED))
    assert cleared == Project(
        id=project.id, name=project.name, description="d", created_at=cleared.created_at,
        updated_at=cleared.updated_at, etag=cleared.etag,
    )  # fmt: skip


async def test_lists_the_newest_first(projects: ProjectRepository) -> None:
    made = [await projects.create(a_project()) for _ in range(3)]
    page = await projects.list(Slice(by_cursor=True, limit=2))
    assert list(page.items) == made[:0:-1]
    assert page.next is not None


async def test_unknown_projects_are_not_found(projects: ProjectRepository) -> None:
    with refused(NotFound, Reason.PROJECT_NOT_FOUND):
        await projects.get(uuid4())
    with refused(NotFound, Reason.PROJECT_NOT_FOUND):
        await projects.update(uuid4(), ProjectPatch())


async def test_counts_what_a_project_keeps(
    database: Database, postgres_repositories: Repositories, project_id: UUID
) -> None:
    projects = PostgresProjectRepository(database)
    assert await projects.usage(project_id) == Usage()
    model = await stored_model(postgres_repositories, project_id)
    for size in (7, 5):
        await stored_version(postgres_repositories, model, size_bytes=size)
    await stored_model(postgres_repositories, uuid4())
    assert await projects.usage(project_id) == Usage(models=1, versions=2, deployments=0, bytes=12)
