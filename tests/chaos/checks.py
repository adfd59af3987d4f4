"""The checks after the chaos, once everything is quiet: nothing is lost, duplicated or left over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import asyncpg
from tests.chaos.ledger import Ledger
from tests.e2e.cluster import INFERENCE_SERVICES, Cluster
from tests.e2e.stack import Addresses
from tests.integration.test_counters import (
    LEFT_BEHIND,
    MODEL_VERSIONS,
    MODEL_VERSIONS_COUNTED,
    MODELS,
    MODELS_COUNTED,
    PROJECT_VERSIONS,
    PROJECT_VERSIONS_COUNTED,
    STRAYED,
)

_UNSETTLED = """
SELECT id::text, want, phase, reason FROM deployment
WHERE (want = 'PRESENT' AND (phase <> 'DEPLOYED' OR serving_generation IS DISTINCT FROM generation))
    OR (want = 'ABSENT' AND phase <> 'UNDEPLOYED')
"""
_OVERDUE = "SELECT id::text, next_at, lease_until FROM deployment WHERE next_at < now() - interval '1 minute'"


async def settled(connection: Any, seconds: float) -> list[Any]:
    """The deployments that are not in their wanted state, after waiting for them."""
    deadline = time.monotonic() + seconds
    while (rows := await connection.fetch(_UNSETTLED)) and time.monotonic() < deadline:
        await connection.fetch("SELECT pg_sleep(0.2)")
    return [tuple(row) for row in rows]


async def faults(addresses: Addresses, ledger: Ledger, patience: float) -> list[str]:
    """Everything that is wrong."""
    connection = await asyncpg.connect(addresses.database_url)
    try:
        found = [f"unsettled: {row}" for row in await settled(connection, patience)]
        found += [fault async for fault in _stored(connection, ledger)]
        found += [fault async for fault in _counted(connection)]
        found += [fault async for fault in _deployed(connection, ledger)]
        in_cluster = await connection.fetch("SELECT namespace, name FROM deployment WHERE want = 'PRESENT'")
        found += _left_over(addresses, {(row["namespace"], row["name"]) for row in in_cluster})
        found += [f"orphan: {tuple(row)}" for row in await connection.fetch("SELECT namespace, name FROM orphan")]
        found += [f"overdue: {tuple(row)}" for row in await connection.fetch(_OVERDUE)]
    finally:
        await connection.close()
    return found


async def _stored(connection: Any, ledger: Ledger) -> Any:
    rows = await connection.fetch("SELECT id::text, project_id::text, name FROM registered_model")
    models = {row["id"]: (row["project_id"], row["name"]) for row in rows}
    uncertain = ledger.deleted | ledger.unsure
    for id_, model in ledger.models.items():
        if id_ in ledger.deleted and id_ in models:
            yield f"model {id_} exists, although its deletion was acknowledged"
        elif id_ not in uncertain and models.get(id_) != model:
            yield f"model {id_} is lost: {model}, found {models.get(id_)}"
    rows = await connection.fetch("SELECT id::text, registered_model_id::text AS model, status FROM model_version")
    versions = {row["id"]: row for row in rows}
    for id_, model_id in ledger.versions.items():
        if model_id not in uncertain and (id_ not in versions or versions[id_]["model"] != model_id):
            yield f"version {id_} is lost"
    for id_, status in ledger.statuses.items():
        if ledger.versions[id_] not in uncertain and id_ in versions and versions[id_]["status"] != status:
            yield f"version {id_} is {versions[id_]['status']}, although {status} was acknowledged"
    for table, owner in (("registered_model", "project_id"), ("model_version", "registered_model_id")):
        twice = f"SELECT name FROM {table} GROUP BY {owner}, name HAVING count(*) > 1"
        for row in await connection.fetch(twice):
            yield f"{table} {row['name']} exists twice"


async def _counted(connection: Any) -> Any:
    for counted, real in (
        (MODELS_COUNTED, MODELS),
        (PROJECT_VERSIONS_COUNTED, PROJECT_VERSIONS),
        (MODEL_VERSIONS_COUNTED, MODEL_VERSIONS),
    ):
        is_counted, there_is = await connection.fetch(counted), await connection.fetch(real)
        differences = set(map(tuple, is_counted)) ^ set(map(tuple, there_is))
        if differences:
            yield f"wrong counts: {sorted(map(str, differences))[:6]}"
    for row in await connection.fetch(LEFT_BEHIND):
        yield f"a counter of the deleted model {row[0]} exists"
    for row in await connection.fetch(STRAYED):
        yield f"version {row[0]} is in another project than its model"


async def _deployed(connection: Any, ledger: Ledger) -> Any:
    rows = await connection.fetch("SELECT id::text, want, generation FROM deployment")
    deployments = {row["id"]: row for row in rows}
    services = {row["id"] for row in await connection.fetch("SELECT id::text FROM inference_service")}
    for deployed in ledger.deployments.values():
        row = deployments.get(deployed.id)
        if row is None:
            yield f"deployment {deployed.name} is lost"
            continue
        least = 1 + deployed.updates + (not deployed.is_wanted)
        if not least <= row["generation"] <= least + deployed.unsure_updates + deployed.is_wanted:
            yield f"deployment {deployed.name} has {row['generation']} revisions, but {least} were acknowledged"
        if deployed.id in ledger.unsure:
            continue
        if deployed.is_wanted != (row["want"] == "PRESENT"):
            yield f"deployment {deployed.name} is {row['want']}, unlike acknowledged"
        if deployed.is_deleted == (deployed.id in services):
            yield f"service {deployed.name} {'is not' if deployed.is_deleted else 'is'} deleted, unlike acknowledged"
    twice = "SELECT namespace, name FROM deployment WHERE want = 'PRESENT' GROUP BY 1, 2 HAVING count(*) > 1"
    for row in await connection.fetch(twice):
        yield f"{tuple(row)} is deployed twice"
    for id_, seen in ledger.events.items():
        statement = "SELECT sequence FROM deployment_event WHERE deployment_id = $1 ORDER BY sequence"
        stored = [row["sequence"] for row in await connection.fetch(statement, id_)]
        if stored[: len(seen)] != seen:
            yield f"a watch of {id_} got the events {seen}, but {stored} are stored"


def _left_over(addresses: Addresses, wanted: set[tuple[str, str]]) -> Iterator[str]:
    http = Cluster(addresses).http
    with http:
        items = http.get(f"{INFERENCE_SERVICES}/inferenceservices").raise_for_status().json()["items"]
        there = {(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items}
        for place in sorted(there ^ wanted):
            yield f"{place} is {'wanted and not' if place in wanted else 'not wanted but'} in the cluster"
        for kind in ("/api/v1/secrets", "/apis/apps/v1/deployments", "/api/v1/pods"):
            for item in http.get(kind).raise_for_status().json()["items"]:
                labels = item["metadata"].get("labels") or {}
                of = labels.get("serving.kserve.io/inferenceservice")
                if of and (item["metadata"]["namespace"], of) not in wanted:
                    yield f"{kind} {item['metadata']['name']} is left over"
