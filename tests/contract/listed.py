"""Stored rows to list. For each sort field that allows it, some rows have equal values."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from tests.fakes.builders import CREATED_AT, a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_environment, stored_model, stored_service, stored_version

from registry_grpc.domain import inference_service, model_version, registered_model, serve_model, serving_environment
from registry_grpc.domain.inference_service import InferenceServiceFilter
from registry_grpc.domain.model_version import ModelVersionFilter
from registry_grpc.domain.paging import Cursor, Page, Slice, Sort
from registry_grpc.domain.registered_model import RegisteredModelFilter
from registry_grpc.domain.serve_model import ServeModelFilter
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter

# Collations and UTF-16 sort these differently from code points.
TEXTS = ("a", "B", "b", "ä", " ", "a b", "ab", "a-b", "10", "9", "\uffff", "\U0001d518", "_", "z")


@dataclass(frozen=True, slots=True)
class Listed:
    """The rows of a project as they were written, and the list that shows all of them."""

    rows: tuple[Any, ...]
    page: Callable[[Sort, Slice], Awaitable[Page[Any]]]

    def ids_in_order(self, sort: Sort) -> list[UUID]:
        """The rows in the order of the list: an unset id comes after all others, and ties are sorted by id."""

        def rank(row: Any) -> tuple[bool, Any, UUID]:
            value = getattr(row, sort.field, None)
            return (value is None, 0 if value is None else value, row.id)

        return [row.id for row in sorted(self.rows, key=rank, reverse=sort.descending)]

    async def ids_by_offset(self, sort: Sort, limit: int) -> list[UUID]:
        """Walk page by page."""
        ids: list[UUID] = []
        while (page := await self.page(sort, Slice(limit=limit, offset=len(ids)))).items:
            ids += [item.id for item in page.items]
        return ids

    async def ids_by_cursor(self, sort: Sort, limit: int) -> list[UUID]:
        """Walk from cursor to cursor."""
        ids: list[UUID] = []
        after: Cursor | None = None
        while True:
            page = await self.page(sort, Slice(limit=limit, by_cursor=True, after=after))
            ids += [item.id for item in page.items]
            if (after := page.next) is None:
                return ids


def _time(index: int) -> datetime:
    return CREATED_AT + timedelta(microseconds=index % 3)


def _text(index: int) -> str:
    return TEXTS[index % 5 * 2]


async def _listed_models(repositories: Repositories, project_id: UUID) -> Listed:
    parents = [await stored_model(repositories, project_id, name=f"parent {index}") for index in range(2)]
    models = [
        await stored_model(
            repositories,
            project_id,
            created_at=_time(index),
            updated_at=_time(index + 1),
            owner_email=_text(index),
            name=text,
            slug=_text(index + 1),
            description=_text(index + 2),
            model_type=_text(index + 3),
            model_size=(-(2**63), -1, 0, 2**53 + 1, 2**53, 2**63 - 1)[index % 6],
            state=_text(index + 4),
            deployment_status=_text(index),
            parent_model_id=(None, parents[0].id, parents[1].id)[index % 3],
        )
        for index, text in enumerate(TEXTS)
    ]
    return Listed(
        (*parents, *models),
        lambda sort, part: repositories.models.list(project_id, RegisteredModelFilter(), sort, part),
    )


async def _listed_versions(repositories: Repositories, project_id: UUID) -> Listed:
    models = [await stored_model(repositories, project_id) for _ in range(len(TEXTS) // 2)]
    versions = [
        await stored_version(
            repositories,
            models[index // 2],
            created_at=_time(index),
            updated_at=_time(index + 1),
            name=text,
            description=_text(index),
            is_default=index % 2 == 0,
            state=_text(index + 1),
            status=_text(index + 2),
            created_by_email=_text(index + 3),
            updated_by_email=_text(index + 4),
            artifact_type=_text(index),
            model_framework=_text(index + 1),
            model_framework_version=_text(index + 2),
            container_image=_text(index + 3),
            model_catalog_name=_text(index + 4),
            uri=_text(index),
        )
        for index, text in enumerate(TEXTS)
    ]
    return Listed(
        tuple(versions), lambda sort, part: repositories.versions.list(project_id, ModelVersionFilter(), sort, part)
    )


async def _listed_environments(repositories: Repositories, project_id: UUID) -> Listed:
    environments = [
        await stored_environment(
            repositories,
            project_id,
            created_at=_time(index),
            updated_at=_time(index + 1),
            name=text,
            description=_text(index),
            external_id=_text(index + 1),
        )
        for index, text in enumerate(TEXTS)
    ]
    return Listed(
        tuple(environments),
        lambda sort, part: repositories.environments.list(project_id, ServingEnvironmentFilter(), sort, part),
    )


async def _listed_services(repositories: Repositories, project_id: UUID) -> Listed:
    environments = [await stored_environment(repositories, project_id) for _ in range(3)]
    models = [await stored_model(repositories, project_id) for _ in range(2)]
    services = [
        await stored_service(
            repositories,
            environments[index % 3],
            models[index % 2],
            created_at=_time(index),
            updated_at=_time(index + 1),
            name=text,
            external_id=_text(index),
            desired_state=_text(index + 1),
            current_state=_text(index + 2),
            runtime=_text(index + 3),
            url=_text(index + 4),
        )
        for index, text in enumerate(TEXTS)
    ]
    return Listed(
        tuple(services),
        lambda sort, part: repositories.services.list(project_id, InferenceServiceFilter(), sort, part),
    )


async def _listed_serve_models(repositories: Repositories, project_id: UUID) -> Listed:
    environment = await stored_environment(repositories, project_id)
    model = await stored_model(repositories, project_id)
    services = [await stored_service(repositories, environment, model) for _ in range(3)]
    versions = [await stored_version(repositories, model) for _ in range(5)]
    serve_models = [
        a_serve_model(
            services[index % 3],
            versions[index % 5],
            id=uuid4(),
            created_at=_time(index // 2),
            updated_at=_time(index // 3),
            last_known_state=_text(index),
        )
        for index in range(len(TEXTS))
    ]
    for link in serve_models:
        await repositories.serve_models.create(link)
    return Listed(
        tuple(serve_models),
        lambda sort, part: repositories.serve_models.list(project_id, ServeModelFilter(), sort, part),
    )


LISTED = {
    "models": _listed_models,
    "versions": _listed_versions,
    "environments": _listed_environments,
    "services": _listed_services,
    "serve_models": _listed_serve_models,
}
SORT_FIELDS = {
    "models": registered_model.SORT_FIELDS,
    "versions": model_version.SORT_FIELDS,
    "environments": serving_environment.SORT_FIELDS,
    "services": inference_service.SORT_FIELDS,
    "serve_models": serve_model.SORT_FIELDS,
}
