"""The statements of serving environments, inference services and serve models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.bench import data
from tests.fakes.builders import a_model, a_serve_model, a_service, a_version, an_environment
from tests.integration.query_plans import serving_data
from tests.integration.query_plans.loaded import CURSOR, PAGE, Case, Loaded, from_, once

from registry_grpc.domain.inference_service import InferenceServiceFilter, InferenceServicePatch
from registry_grpc.domain.paging import Slice, Sort
from registry_grpc.domain.serve_model import ServeModelFilter, ServeModelState
from registry_grpc.domain.serving_environment import ServingEnvironmentFilter, ServingEnvironmentPatch

PROJECT = data.PROJECT
CROWDED, ALONE = serving_data.environment_id(0), serving_data.environment_id(serving_data.ROWS - 1)
SERVICE, UNDEPLOYED = serving_data.service_id(7), serving_data.service_id(9)
BIG, VERSION = data.model_id(0), data.version_id(0, 8)
ALL, MANY = serving_data.ROWS, serving_data.IN_ONE_PLACE

Walks = Mapping[str, int]


def environments(sort: Sort | None = None, slice: Slice = PAGE, walks: Walks | None = None, search: str = "") -> Case:
    wanted = ServingEnvironmentFilter(search=search)
    return Case(lambda loaded: loaded.environments.list(PROJECT, wanted, sort or Sort(), slice), 200, walks or {})


def services(sort: Sort | None = None, slice: Slice = PAGE, walks: Walks | None = None, **filter: Any) -> Case:
    wanted = InferenceServiceFilter(**filter)
    return Case(lambda loaded: loaded.services.list(PROJECT, wanted, sort or Sort(), slice), 200, walks or {})


def serve_models(sort: Sort | None = None, slice: Slice = PAGE, walks: Walks | None = None, **filter: Any) -> Case:
    wanted = ServeModelFilter(**filter)
    return Case(lambda loaded: loaded.serve_models.list(PROJECT, wanted, sort or Sort(), slice), 200, walks or {})


async def _create_service(loaded: Loaded) -> None:
    model = a_model(PROJECT, id=BIG)
    service = a_service(an_environment(PROJECT, id=CROWDED), model, model_version_id=VERSION)
    served = [a_serve_model(service, a_version(model, id=data.version_id(0, number))) for number in (8, 9)]
    await loaded.services.create(service, served)


async def _follow(loaded: Loaded) -> None:
    seen = await loaded.services.get(PROJECT, SERVICE)
    patch = InferenceServicePatch(last_error="x")
    await loaded.services.follow(PROJECT, SERVICE, patch, ServeModelState.FAILED, unchanged_since=seen.updated_at)


async def _create_serve_model(loaded: Loaded, version: int = 4711) -> None:
    service = await loaded.services.get(PROJECT, SERVICE)
    await loaded.serve_models.create(
        a_serve_model(service, a_version(a_model(PROJECT), id=data.version_id(0, version)))
    )


async def _delete_environment(loaded: Loaded) -> None:
    environment = an_environment(PROJECT)
    await loaded.environments.create(environment)
    await loaded.environments.delete(PROJECT, environment.id)


CASES: dict[str, Case] = {
    "create and delete an environment": Case(_delete_environment),
    # Names its first users, and counts all of them.
    "delete an environment in use": Case(
        lambda loaded: loaded.environments.delete(PROJECT, CROWDED),
        walks=once("inference_service", MANY),
        is_refused=True,
    ),
    "get an environment": Case(lambda loaded: loaded.environments.get(PROJECT, CROWDED)),
    "find an environment by external id": Case(
        lambda loaded: loaded.environments.find_by_external_id(PROJECT, "none"), is_refused=True
    ),
    "find an environment": Case(lambda loaded: loaded.environments.find(PROJECT, "environment-7")),
    "change an environment": Case(
        lambda loaded: loaded.environments.update(PROJECT, CROWDED, ServingEnvironmentPatch(description="x"))
    ),
    # Totals of serving objects are counted, because there are few of them. Models and versions have counters.
    "list environments": environments(walks=once("serving_environment", ALL)),
    "list environments by name": environments(Sort("name"), walks=once("serving_environment", ALL)),
    "list environments by cursor": environments(slice=CURSOR),
    "list the last environments": environments(slice=from_(ALL - 100), walks=once("serving_environment", ALL)),
    # The rows are found once, for the page and for the total.
    "search environments": environments(
        search="777", walks=once("serving_environment", ALL) | {"CTE Scan": ALL // 100}
    ),
    "create a service": Case(_create_service),
    "get a service": Case(lambda loaded: loaded.services.get(PROJECT, SERVICE)),
    "find a service by external id": Case(lambda loaded: loaded.services.find_by_external_id(PROJECT, "uid-7")),
    "find a service by name": Case(lambda loaded: loaded.services.find_by_name(PROJECT, CROWDED, "service-7")),
    "change a service": Case(
        lambda loaded: loaded.services.update(PROJECT, SERVICE, InferenceServicePatch(last_error="x"))
    ),
    "follow a service": Case(_follow),
    "delete a service": Case(lambda loaded: loaded.services.delete(PROJECT, UNDEPLOYED)),
    "delete a deployed service": Case(lambda loaded: loaded.services.delete(PROJECT, SERVICE), is_refused=True),
    "list services": services(walks=once("inference_service", ALL)),
    "list services by cursor": services(slice=CURSOR),
    "list the last services": services(slice=from_(ALL - 100), walks=once("inference_service", ALL)),
    "list services of an environment": services(serving_environment_id=ALONE),
    "list services of an environment by cursor": services(slice=CURSOR, serving_environment_id=ALONE),
    "list services of a crowded environment": services(
        serving_environment_id=CROWDED, walks=once("inference_service", MANY)
    ),
    "list services of a crowded environment by cursor": services(slice=CURSOR, serving_environment_id=CROWDED),
    "list services of a model": services(registered_model_id=BIG, walks=once("inference_service", MANY)),
    "list services of a model by cursor": services(slice=CURSOR, registered_model_id=BIG),
    "list services of a version": services(model_version_id=VERSION),
    "list services that shall be deployed": services(desired_state="DEPLOYED", walks=once("inference_service", ALL)),
    "list services that shall be deployed by cursor": services(slice=CURSOR, desired_state="DEPLOYED"),
    # One in ten is undeployed. The index of the list is read until the page is full.
    "list undeployed services": services(current_state="UNDEPLOYED", walks=once("inference_service", ALL)),
    "list undeployed services by cursor": services(
        slice=CURSOR, current_state="UNDEPLOYED", walks={"Index Scan on inference_service": 10 * 101}
    ),
    "create a serve model": Case(_create_serve_model),
    "create a serve model that is there": Case(lambda loaded: _create_serve_model(loaded, 8), is_refused=True),
    "get a serve model": Case(lambda loaded: loaded.serve_models.get(PROJECT, serving_data.serve_model_id(7))),
    "delete a serve model": Case(lambda loaded: loaded.serve_models.delete(PROJECT, serving_data.serve_model_id(7))),
    "list serve models": serve_models(walks=once("serve_model", ALL)),
    "list serve models by cursor": serve_models(slice=CURSOR),
    "list the last serve models": serve_models(slice=from_(ALL - 100), walks=once("serve_model", ALL)),
    "list serve models of a service": serve_models(inference_service_id=SERVICE),
    "list serve models of a version": serve_models(model_version_id=VERSION),
    "list serve models of a state": serve_models(state="PENDING", walks=once("serve_model", ALL)),
}
