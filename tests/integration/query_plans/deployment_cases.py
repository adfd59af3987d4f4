"""The statements of deployments, of the work on them, and of the database as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.bench import data
from tests.deployments import a_spec
from tests.fakes.builders import CREATED_AT, a_model, a_serve_model, a_service, a_version, an_environment
from tests.integration.query_plans import serving_data
from tests.integration.query_plans.loaded import CIPHER, CURSOR, Case, Loaded, after, once

from registry_grpc.adapters.postgres import deployment_retention
from registry_grpc.adapters.postgres.deployment_queue import installation_id
from registry_grpc.adapters.postgres.requests import PostgresRequests
from registry_grpc.domain.batch import BY_ID
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.decision import PassResult, ServiceView
from registry_grpc.domain.deployment import Applied, Cause, Phase, Want
from registry_grpc.domain.errors import RequestIdReused
from registry_grpc.domain.inference_service import InferenceServicePatch, ServiceState
from registry_grpc.domain.paging import NEWEST_FIRST, Slice, Sort
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serve_model import ServeModelState
from registry_grpc.ports.cluster import EVERYWHERE, OwnedObject
from registry_grpc.ports.deployments import Claim, DeploymentFilter, NewIntent, Retention
from registry_grpc.ports.requests import Request

PROJECT = data.PROJECT
ONE, HISTORIC = serving_data.service_id(7), serving_data.HISTORIC
BIG = data.model_id(0)
ALL = serving_data.ROWS
NEW_VERSION = data.version_id(0, 4711)
THEN = serving_data.HISTORIC_AT
_OF_A_CLAIM = [
    "Limit",
    "Sort",
    "Incremental Sort",
    "WindowAgg",
    "Hash",
    "Hash Join",
    "Nested Loop",
    "LockRows",
    "Subquery Scan",
]
_UNION = ("Append", "Merge Append", "Sort", "Unique", "Aggregate")
_LOOSE_SCAN = ("Recursive Union", "CTE Scan", "WorkTable Scan", "Result", "Limit")
_WAITING = dict.fromkeys(["Limit", "Subquery Scan", "Sort"], 1000)
DUE = once("deployment", 1000) | dict.fromkeys(_OF_A_CLAIM, 1000)


def deployments(
    slice: Slice = CURSOR, walks: Mapping[str, int] | None = None, sort: Sort = NEWEST_FIRST, **filter: Any
) -> Case:
    wanted = DeploymentFilter(**filter)
    return Case(lambda loaded: loaded.deployments.list(PROJECT, wanted, slice, sort), 200, walks or {})


def revisions(slice: Slice) -> Case:
    return Case(lambda loaded: loaded.deployments.revisions(PROJECT, HISTORIC, slice), 200)


def served_at(at: datetime | None) -> Case:
    return Case(lambda loaded: loaded.deployments.served_at(PROJECT, HISTORIC, at))


async def _deploy(loaded: Loaded) -> None:
    model = a_model(PROJECT, id=BIG)
    service = a_service(an_environment(PROJECT, id=serving_data.environment_id(0)), model, model_version_id=NEW_VERSION)
    served = [a_serve_model(service, a_version(model, id=NEW_VERSION))]
    intent = NewIntent(namespace="models", spec=a_spec(), created_by="ann")
    await loaded.deployments.deploy(service, served, intent)


async def _once(loaded: Loaded, id: str) -> None:
    requests = PostgresRequests(loaded.database, CIPHER)

    async def work() -> bytes:
        await _deploy(loaded)
        if id == "new":
            await requests.settle(ONE)
        return b"answer"

    async def resume(_id: UUID) -> bytes:
        return b"resumed"

    with suppress(RequestIdReused):  # the data's digests are of no request
        await requests.once(Request(project_id=PROJECT, id=id, rpc="rpc", content=b""), work, resume)


async def _patch(loaded: Loaded, desired_state: ServiceState) -> None:
    patch = InferenceServicePatch(desired_state=desired_state)
    await loaded.deployments.change_service(PROJECT, ONE, patch, "ann")


async def _revise(loaded: Loaded, id: UUID, after: int | None = None) -> None:
    spec = a_spec(registered_model_id=BIG, model_version_id=NEW_VERSION, served_version_ids=(NEW_VERSION,))
    await loaded.deployments.revise(
        PROJECT, id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="ann", after=after
    )


async def _claimed(loaded: Loaded, id: UUID) -> Claim:
    claim = await loaded.queue.claim_one(id)
    assert claim is not None
    return claim


def _result(claim: Claim, phase: Phase) -> PassResult:
    deployment = claim.deployment
    return PassResult(
        phase=phase,
        reason=DeploymentReason.QUOTA,
        message="so",
        url="http://new.example.com",
        drift=(),
        applied=Applied(uid=str(uuid4()), k8s_generation=1, resource_version="2", content={}),
        applied_generation=deployment.generation,
        applied_at=claim.now,
        serving_generation=deployment.generation if phase is Phase.DEPLOYED else None,
        attempts=0,
        again_in=timedelta(seconds=1),
        has_seen=True,
        service=ServiceView(
            current_state=ServiceState.DEPLOYED,
            external_id="uid",
            url="http://new.example.com",
            last_error="",
            served_state=ServeModelState.FAILED,
        ),
    )


async def _record(loaded: Loaded, id: UUID, phase: Phase) -> None:
    claim = await _claimed(loaded, id)
    assert await loaded.queue.record(claim, _result(claim, phase))


async def _record_update(loaded: Loaded, id: UUID) -> None:
    """A new version replaces the one that served."""
    await _revise(loaded, id)
    await _record(loaded, id, Phase.DEPLOYED)


async def _wait_for_turn(loaded: Loaded) -> None:
    claim = await _claimed(loaded, ONE)
    waits = replace(_result(claim, Phase.FAILED), waits_for_turn=True, again_in=timedelta(hours=6))
    assert await loaded.queue.record(claim, waits)


async def _give_turn(loaded: Loaded) -> None:
    await _wait_for_turn(loaded)
    await loaded.queue.look_again()


async def _record_success_after_failure(loaded: Loaded) -> None:
    """The others of its namespace that wait for the same reason become due."""
    await _wait_for_turn(loaded)
    claim = await _claimed(loaded, ONE)
    applied_now = replace(claim, deployment=replace(claim.deployment, applied_generation=0))
    assert await loaded.queue.record(applied_now, _result(applied_now, Phase.DEPLOYED))


async def _record_outdated(loaded: Loaded) -> None:
    claim = await _claimed(loaded, ONE)
    await _revise(loaded, ONE)
    assert await loaded.queue.record(claim, _result(claim, Phase.DEPLOYED))


async def _end_canary(loaded: Loaded, step: CanaryStep) -> None:
    spec = a_spec(registered_model_id=BIG, model_version_id=NEW_VERSION, served_version_ids=(NEW_VERSION,))
    await loaded.deployments.revise(
        PROJECT, HISTORIC, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="ann", canary_percent=9
    )
    tried = await loaded.deployments.get(PROJECT, HISTORIC)
    await loaded.deployments.move_canary(PROJECT, HISTORIC, step, None, message="", after=tried.generation)
    claim, is_promoted = await _claimed(loaded, HISTORIC), step is CanaryStep.PROMOTE
    assert await loaded.queue.record(claim, replace(_result(claim, Phase.UPDATING), ended=step, is_shared=is_promoted))


async def _release(loaded: Loaded) -> None:
    await loaded.queue.release(await _claimed(loaded, ONE))


async def _renew(loaded: Loaded) -> None:
    await loaded.queue.renew(await _claimed(loaded, ONE))


async def _events_after_one(loaded: Loaded) -> None:
    [event] = await loaded.deployments.events(PROJECT, HISTORIC, 0, 1)
    assert len(await loaded.deployments.events(PROJECT, HISTORIC, event.resume_token, 100)) == 100


def _seen(number: int, **fields: Any) -> OwnedObject:
    seen = OwnedObject(
        deployment_id=serving_data.service_id(number),
        namespace=f"environment-{number}",
        name=f"service-{number}",
        uid=f"uid-{number}",
        k8s_generation=1,
        revision=1,
        is_ready=number % 100 != 1,
    )
    return replace(seen, **fields)


async def _relist(loaded: Loaded) -> None:
    seen = [_seen(number) for number in range(serving_data.ROWS) if number % 10 < 9]
    seen[7] = replace(seen[7], revision=9)  # the cluster has a later revision than the database
    await loaded.queue.compare(EVERYWHERE, seen)


async def _claim_after_an_outage(loaded: Loaded) -> None:
    async with loaded.database.unexplained() as connection:
        await connection.execute("UPDATE deployment SET next_at = now() - interval '1 hour' WHERE next_at IS NOT NULL")
        await connection.execute("ANALYZE deployment")
    assert len(await loaded.queue.claim(16)) == 16


async def _forget(loaded: Loaded) -> None:
    """Delete as much as possible."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(deployment_retention, "_PAUSE_SECONDS", 0)
        await loaded.queue.forget(Retention(age=timedelta(0), revisions=20))


async def _lead(loaded: Loaded) -> None:
    async with loaded.queue.leadership() as leading:
        assert await anext(leading)
        assert await anext(leading)


CASES: dict[str, Case] = {
    "deploy": Case(_deploy),
    "deploy once": Case(lambda loaded: _once(loaded, "new")),
    "repeat a request": Case(lambda loaded: _once(loaded, "answered")),
    "resume a request": Case(lambda loaded: _once(loaded, "settled")),
    "get a deployment": Case(lambda loaded: loaded.deployments.get(PROJECT, ONE)),
    "get a batch of deployments": deployments(
        ids=[serving_data.service_id(number) for number in range(100)], sort=BY_ID
    ),
    "list deployments": deployments(),
    "list deployments after a cursor": deployments(after(THEN)),
    "list deployments of a model": deployments(registered_model_id=data.model_id(3000)),
    "list deployments of a model with many": deployments(registered_model_id=BIG),
    "list deployments in a phase": deployments(phase=Phase.DEPLOYED),
    # The index of the list is read until the page is full. One in a hundred deployments has failed.
    "list failed deployments": deployments(phase=Phase.FAILED, walks={"Index Scan on deployment": 100 * 101}),
    "revise": Case(lambda loaded: _revise(loaded, ONE)),
    "revise once more": Case(lambda loaded: _revise(loaded, HISTORIC)),
    "revise what others have revised": Case(lambda loaded: _revise(loaded, ONE, after=0), is_refused=True),
    "undeploy": Case(lambda loaded: loaded.deployments.undeploy(PROJECT, ONE, "ann")),
    "undeploy by the desired state": Case(lambda loaded: _patch(loaded, ServiceState.UNDEPLOYED)),
    "deploy by the desired state": Case(lambda loaded: _patch(loaded, ServiceState.DEPLOYED)),
    "list revisions": revisions(CURSOR),
    "list revisions after a cursor": revisions(after(1000)),
    "get a revision": Case(lambda loaded: loaded.deployments.revision(PROJECT, HISTORIC, 1000)),
    "get the revision before": Case(lambda loaded: loaded.deployments.revision(PROJECT, HISTORIC, None)),
    "the last copy of a version": Case(lambda loaded: loaded.deployments.last_copy(PROJECT, NEW_VERSION)),
    "give new keys": Case(lambda loaded: loaded.deployments.give_new_keys(PROJECT, NEW_VERSION)),
    "a version that was not served": Case(lambda loaded: loaded.deployments.last_copy(PROJECT, UUID(int=1))),
    "what serves": served_at(None),
    "what served then": served_at(THEN),
    "what served when nothing did": served_at(CREATED_AT),
    "the newest event": Case(lambda loaded: loaded.deployments.events(PROJECT, HISTORIC, None, 100)),
    "events after one that is not there": Case(
        lambda loaded: loaded.deployments.events(PROJECT, HISTORIC, 10**9, 100), is_refused=True
    ),
    "all events": Case(lambda loaded: loaded.deployments.events(PROJECT, HISTORIC, 0, 100), 200),
    "events after one": Case(_events_after_one, 200),
    # The cost grows with the environments of the project and with its orphans, which are not paged.
    "orphans": Case(
        lambda loaded: loaded.deployments.orphans(PROJECT),
        walks=once("serving_environment", ALL) | once("orphan", ALL) | {"Sort": ALL},
    ),
    # To let projects take turns, a claim reads all that are due, but at most 1,000 of them.
    "claim": Case(lambda loaded: loaded.queue.claim(16), walks=DUE),
    "claim when all are due": Case(_claim_after_an_outage, walks=DUE),
    # Of those that are due, the leases of the first hundred are read.
    "when the next is due": Case(lambda loaded: loaded.queue.next_due(), 100),
    # The one that was looked at longest ago is searched among the next thousand.
    "look again": Case(lambda loaded: loaded.queue.look_again(), walks=once("deployment", 1000) | _WAITING),
    "give a turn": Case(_give_turn, walks=once("deployment", 1000) | _WAITING),
    "claim and release": Case(_release),
    "claim and renew": Case(_renew),
    "record a success": Case(lambda loaded: _record(loaded, ONE, Phase.DEPLOYED)),
    "record a success after a failure": Case(_record_success_after_failure),
    "record an undeployment": Case(lambda loaded: _record(loaded, ONE, Phase.UNDEPLOYED)),
    "record a failure": Case(lambda loaded: _record(loaded, ONE, Phase.FAILED)),
    "record an update": Case(lambda loaded: _record_update(loaded, ONE)),
    "record an update of many": Case(lambda loaded: _record_update(loaded, HISTORIC)),
    "record a pass on an old revision": Case(_record_outdated),
    "promote a canary": Case(lambda loaded: _end_canary(loaded, CanaryStep.PROMOTE)),
    "abort a canary": Case(lambda loaded: _end_canary(loaded, CanaryStep.ABORT)),
    "mark changed": Case(lambda loaded: loaded.queue.mark_changed([ONE, HISTORIC])),
    "read the spec of a revision": Case(lambda loaded: loaded.queue.spec_of(HISTORIC, 1000)),
    "lose sight of a namespace": Case(lambda loaded: loaded.queue.mark_unseen("environment-7")),
    # Reads one deployment of each namespace and all orphans. Here, each has a namespace of its own.
    "namespaces in use": Case(
        lambda loaded: loaded.queue.namespaces(),
        walks=once("deployment", ALL + 5_000)
        | once("orphan", ALL)
        | dict.fromkeys(_UNION + _LOOSE_SCAN, 2 * ALL + 5_000),
    ),
    "relist a namespace": Case(lambda loaded: loaded.queue.compare("environment-7", [_seen(7)])),
    # Compares all rows with all objects, and reads each once.
    "relist": Case(
        _relist,
        walks=once("deployment", ALL + 5_000)
        | once("orphan", ALL)
        | {"Function Scan": ALL, "Hash": ALL, "Hash Join": ALL + 5_000},
    ),
    "forget": Case(_forget, rows=1200),
    "lead": Case(_lead),
    "installation id": Case(lambda loaded: installation_id(loaded.database)),
    "ping": Case(lambda loaded: loaded.database.ping()),
}
