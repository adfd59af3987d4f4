"""The contract of DeploymentRepository for changes of an intent: revisions, undeployments and their events."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from tests.contract.intents import deployed
from tests.contract.surroundings import Surroundings
from tests.deployments import a_spec
from tests.fakes.builders import a_serve_model
from tests.fakes.repositories import Repositories
from tests.fakes.seeding import stored_version
from tests.refusals import refused

from registry_grpc.domain.deployment import Cause, DeploymentSpec, Outcome, Phase, Want
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import (
    AlreadyExists,
    ConcurrentChange,
    EventLogChanged,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    Reason,
)
from registry_grpc.domain.inference_service import InferenceServicePatch
from registry_grpc.domain.model_version import ModelVersionPatch
from registry_grpc.domain.paging import Slice
from registry_grpc.ports.deployments import DeploymentFilter


async def test_a_revision_serves_another_version(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    before = await deployed(repositories, around)
    version = await stored_version(repositories, around.model)
    spec = DeploymentSpec.serving((version,), {}, DeploymentOptions())

    await repositories.deployments.revise(
        project_id, before.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="bob"
    )

    revised = await repositories.deployments.get(project_id, before.id)
    assert (revised.generation, revised.spec, revised.want) == (2, spec, Want.PRESENT)
    assert revised.revised_at > before.revised_at
    assert (revised.phase, revised.phase_since) == (Phase.PENDING, revised.revised_at)
    service = await repositories.services.get(project_id, before.id)
    assert (service.model_version_id, service.desired_state) == (version.id, "DEPLOYED")
    assert {s.model_version_id for s in service.served_models} == {around.version.id, version.id}
    page = await repositories.deployments.revisions(project_id, before.id, Slice(by_cursor=True))
    assert [(r.generation, r.cause, r.created_by, r.outcome) for r in page.items] == [
        (2, Cause.UPDATE, "bob", Outcome.PENDING),
        (1, Cause.DEPLOY, "ann", Outcome.SUPERSEDED),
    ]


async def test_concurrent_revisions_are_numbered_one_by_one(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    deployment = await deployed(repositories, around)

    await asyncio.gather(
        *(
            repositories.deployments.revise(
                project_id, deployment.id, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
            )
            for _ in range(10)
        )
    )

    assert (await repositories.deployments.get(project_id, deployment.id)).generation == 11
    page = await repositories.deployments.revisions(project_id, deployment.id, Slice(by_cursor=True))
    assert [r.outcome for r in page.items] == [Outcome.PENDING] + [Outcome.SUPERSEDED] * 10
    events = await repositories.deployments.events(project_id, deployment.id, 0, 100)
    assert [event.generation for event in events] == list(range(1, 12))


async def test_of_concurrent_revisions_of_one_generation_one_is_made(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id

    outcomes = await asyncio.gather(
        *(
            repositories.deployments.revise(
                project_id, id_, want=Want.PRESENT, spec=None, cause=Cause.UPDATE, created_by="", after=1
            )
            for _ in range(10)
        ),
        return_exceptions=True,
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ConcurrentChange"] * 9 + ["NoneType"]
    assert (await repositories.deployments.get(project_id, id_)).generation == 2
    assert len(await repositories.deployments.events(project_id, id_, 0, 100)) == 2


async def test_redeploys_the_generation_that_was_looked_at_only(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id
    await repositories.deployments.undeploy(project_id, id_, "")
    service = await repositories.services.get(project_id, id_)

    async def change(state: str, after: int) -> bool:
        patch = InferenceServicePatch(desired_state=state, labels={"a": "b"})
        return await repositories.deployments.change_service(project_id, id_, patch, "", after=after)

    with refused(ConcurrentChange, Reason.CONCURRENT_CHANGE):
        await change("DEPLOYED", 1)
    assert await repositories.services.get(project_id, id_) == service
    assert (await repositories.deployments.get(project_id, id_)).want is Want.ABSENT
    assert await change("DEPLOYED", 2) is True
    # This does not deploy again.
    assert await change("DEPLOYED", 1) is False
    assert await change("UNDEPLOYED", 1) is True


async def test_undeploys_and_deploys_again(repositories: Repositories, project_id: UUID, around: Surroundings) -> None:
    deployment = await deployed(repositories, around)

    for _ in range(2):
        assert await repositories.deployments.undeploy(project_id, deployment.id, "bob") is True
        gone = await repositories.deployments.get(project_id, deployment.id)
        assert (gone.want, gone.phase, gone.generation, gone.url) == (Want.ABSENT, Phase.DELETING, 2, "")
        assert gone.spec == deployment.spec
        service = await repositories.services.get(project_id, deployment.id)
        assert (service.desired_state, service.current_state) == ("UNDEPLOYED", "UNDEPLOYED")
        assert (service.url, service.external_id, service.last_error) == ("", "", "it was slow")
        assert {served.last_known_state for served in service.served_models} == {"PENDING"}
    await repositories.deployments.revise(
        project_id, deployment.id, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
    )

    again = await repositories.deployments.get(project_id, deployment.id)
    assert (again.want, again.phase, again.generation, again.spec) == (Want.PRESENT, Phase.PENDING, 3, deployment.spec)
    assert (await repositories.services.get(project_id, deployment.id)).desired_state == "DEPLOYED"


async def test_follows_the_desired_state_of_the_service(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id

    async def change(**fields: Any) -> bool:
        patch = InferenceServicePatch(**fields)
        return await repositories.deployments.change_service(project_id, id_, patch, "bob")

    assert await change(desired_state="DEPLOYED", last_error="said by hand") is False
    assert await change(desired_state="UNDEPLOYED", current_state="DEPLOYED", labels={"a": "b"}) is True
    service = await repositories.services.get(project_id, id_)
    assert (service.desired_state, service.current_state, service.url) == ("UNDEPLOYED", "UNDEPLOYED", "")
    assert (service.last_error, service.labels) == ("said by hand", {"a": "b"})
    assert await change(desired_state="UNDEPLOYED") is False
    assert await change(desired_state="DEPLOYED") is True

    page = await repositories.deployments.revisions(project_id, id_, Slice(by_cursor=True))
    assert [(r.cause, r.created_by) for r in page.items] == [
        (Cause.REDEPLOY, "bob"),
        (Cause.UNDEPLOY, "bob"),
        (Cause.DEPLOY, "ann"),
    ]
    again = await repositories.deployments.get(project_id, id_)
    assert (again.want, again.phase, again.generation) == (Want.PRESENT, Phase.PENDING, 3)


async def test_deploys_another_version_by_the_desired_state(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id
    await repositories.deployments.undeploy(project_id, id_, "")
    other = await stored_version(repositories, around.model)
    spec = DeploymentSpec.serving((other,), {}, DeploymentOptions())
    patch = InferenceServicePatch(desired_state="DEPLOYED")

    await repositories.deployments.change_service(project_id, id_, patch, "bob", spec=spec, after=2)

    again, service = (
        await repositories.deployments.get(project_id, id_),
        await repositories.services.get(project_id, id_),
    )
    assert (again.spec, again.generation, again.want) == (spec, 3, Want.PRESENT)
    assert (service.model_version_id, service.desired_state) == (other.id, "DEPLOYED")
    assert {served.model_version_id for served in service.served_models} == {around.version.id, other.id}
    await repositories.deployments.change_service(project_id, id_, patch, "bob", spec=a_spec())
    assert await repositories.deployments.get(project_id, id_) == again


async def test_a_refused_change_of_a_service_leaves_its_deployment(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    other = await deployed(repositories, around)
    id_ = (await deployed(repositories, around)).id
    patch = InferenceServicePatch(desired_state="UNDEPLOYED", name=other.name)

    with refused(AlreadyExists, Reason.INFERENCE_SERVICE_NAME_TAKEN):
        await repositories.deployments.change_service(project_id, id_, patch, "bob")

    assert (await repositories.deployments.get(project_id, id_)).want is Want.PRESENT
    assert (await repositories.services.get(project_id, id_)).desired_state == "DEPLOYED"


async def test_concurrent_desired_states_agree_with_the_intent(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id
    for _ in range(5):
        await asyncio.gather(
            *(
                repositories.deployments.change_service(project_id, id_, InferenceServicePatch(desired_state=state), "")
                for state in ("UNDEPLOYED", "DEPLOYED") * 4
            ),
            repositories.deployments.undeploy(project_id, id_, ""),
            repositories.deployments.revise(
                project_id, id_, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
            ),
        )
        service = await repositories.services.get(project_id, id_)
        assert (await repositories.deployments.get(project_id, id_)).want is Want.of(service.desired_state)


async def test_a_deployed_service_keeps_naming_its_version(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    r, id_ = repositories, (await deployed(repositories, around)).id
    other = await stored_version(r, around.model)

    async def change(*, keeps_version: bool = True, **fields: Any) -> bool:
        patch = InferenceServicePatch(labels={"a": "b"}, **fields)
        return await r.deployments.change_service(project_id, id_, patch, "", keeps_version=keeps_version)

    states: list[dict[str, Any]] = [{}, {"desired_state": "DEPLOYED"}]
    for state in states:
        before = await r.services.get(project_id, id_)
        with refused(FailedPrecondition, Reason.DEPLOYED_VERSION_FIXED):
            await change(model_version_id=other.id, **state)
        assert await r.services.get(project_id, id_) == before
        assert await change(model_version_id=around.version.id, **state) is False
    assert await change(model_version_id=other.id, keeps_version=False) is False
    assert await change(model_version_id=other.id, desired_state="UNDEPLOYED") is True
    assert await change(model_version_id=around.version.id) is False
    assert (await r.services.get(project_id, id_)).model_version_id == around.version.id


async def test_a_deletion_does_not_deadlock(repositories: Repositories, project_id: UUID, around: Surroundings) -> None:
    for _ in range(10):
        id_ = (await deployed(repositories, around)).id
        outcomes = await asyncio.gather(
            repositories.deployments.undeploy(project_id, id_, ""),
            repositories.services.delete(project_id, id_),
            repositories.deployments.undeploy(project_id, id_, ""),
            return_exceptions=True,
        )
        # An undeployment may come too late; a deadlock would be a ConcurrentChange.
        assert {type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)} <= {NotFound}
        assert (await repositories.deployments.get(project_id, id_)).want is Want.ABSENT


async def test_changes_a_mere_record_and_knows_no_other(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    service = around.service(current_state="DEPLOYED")
    await repositories.services.create(service, ())
    patch = InferenceServicePatch(desired_state="UNDEPLOYED")

    assert await repositories.deployments.change_service(project_id, service.id, patch, "") is False

    read = await repositories.services.get(project_id, service.id)
    assert (read.desired_state, read.current_state, read.url) == ("UNDEPLOYED", "DEPLOYED", service.url)
    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await repositories.deployments.change_service(project_id, uuid4(), patch, "")


async def test_undeploys_a_mere_record_too(repositories: Repositories, project_id: UUID, around: Surroundings) -> None:
    service = around.service(current_state="DEPLOYED")
    await repositories.services.create(service, [a_serve_model(service, around.version)])

    assert await repositories.deployments.undeploy(project_id, service.id, "") is False

    read = await repositories.services.get(project_id, service.id)
    assert (read.current_state, read.url, read.served_models[0].last_known_state) == ("UNDEPLOYED", "", "PENDING")
    with refused(NotFound, Reason.INFERENCE_SERVICE_NOT_FOUND):
        await repositories.deployments.undeploy(project_id, uuid4(), "")


async def test_pages_through_revisions_and_events(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    id_ = (await deployed(repositories, around)).id
    for _ in range(2):
        await repositories.deployments.revise(
            project_id, id_, want=Want.PRESENT, spec=None, cause=Cause.REDEPLOY, created_by=""
        )

    first = await repositories.deployments.revisions(project_id, id_, Slice(limit=2, by_cursor=True))
    second = await repositories.deployments.revisions(project_id, id_, Slice(limit=2, by_cursor=True, after=first.next))
    assert [[r.generation for r in page.items] for page in (first, second)] == [[3, 2], [1]]
    assert second.next is None
    all_events = list(await repositories.deployments.events(project_id, id_, 0, 100))
    assert [event.generation for event in all_events] == [1, 2, 3]
    assert list(await repositories.deployments.events(project_id, id_, all_events[0].sequence, 1)) == all_events[1:2]
    assert list(await repositories.deployments.events(project_id, id_, all_events[2].sequence, 10)) == []
    assert list(await repositories.deployments.events(project_id, id_, None, 10)) == all_events[2:]
    assert (
        list(await repositories.deployments.events(project_id, id_, all_events[0].resume_token, 1)) == all_events[1:2]
    )
    assert list(await repositories.deployments.events(project_id, id_, all_events[2].resume_token, 10)) == []


async def test_the_log_goes_on_only_after_an_event_that_it_has(
    repositories: Repositories, project_id: UUID, other_project_id: UUID, around: Surroundings
) -> None:
    events = repositories.deployments.events
    id_, other_id = [(await deployed(repositories, around)).id for _ in range(2)]
    [event], [other] = [await events(project_id, each, 0, 10) for each in (id_, other_id)]
    before = event.resume_token.removesuffix(f"-{event.sequence}")
    another = f"another-{event.sequence}"

    for after in (another, f"{before}-{event.sequence + 1000}", event.sequence + 1000, other.resume_token):
        with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):
            await events(project_id, id_, after, 10)
    for anything in (event.sequence, 0, None):
        with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
            await events(project_id, uuid4(), anything, 10)
        with refused(NotFound, Reason.DEPLOYMENT_NOT_FOUND):
            await events(other_project_id, id_, anything, 10)
    with refused(EventLogChanged, Reason.EVENT_LOG_CHANGED):  # the token shows that there was such a deployment
        await events(project_id, uuid4(), event.resume_token, 10)
    for nonsense in ("7", before.replace("-", ""), f"{before}-", f"{before}-x", f"{before}-{'9' * 30}"):
        with pytest.raises(InvalidRequest, match=r"^resume_token must be the resume_token of an event"):
            await events(project_id, id_, nonsense, 10)
    assert [e.sequence for e in await events(project_id, id_, -1, 10)] == [event.sequence]


async def test_the_last_copy_of_a_version_and_its_edited_fields(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    r, version = repositories, around.version
    assert await r.deployments.last_copy(project_id, version.id) is None
    first = await deployed(r, around)
    edited = await r.versions.update(project_id, version.id, ModelVersionPatch(uri="s3://new", model_framework="x"))

    found = await r.deployments.get(project_id, first.id)
    assert (found.spec, found.edited_version_fields) == (first.spec, ("uri", "model_framework"))
    page = await r.deployments.list(project_id, DeploymentFilter(), Slice(by_cursor=True))
    assert [deployment.edited_version_fields for deployment in page.items] == [("uri", "model_framework")]
    assert await r.deployments.last_copy(project_id, version.id) == first.spec

    spec = DeploymentSpec.serving((edited,), {}, DeploymentOptions())
    await r.deployments.revise(project_id, first.id, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="bob")
    assert (await r.deployments.get(project_id, first.id)).edited_version_fields == ()
    assert await r.deployments.last_copy(project_id, version.id) == spec
    assert await r.deployments.last_copy(uuid4(), version.id) is None


async def test_every_version_of_a_revision_has_a_copy(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    r, versions = repositories, [await stored_version(repositories, around.model) for _ in range(4)]
    id_ = (await deployed(r, around)).id
    several = DeploymentSpec.serving(tuple(versions[:3]), {}, DeploymentOptions())
    for spec in (several, DeploymentSpec.serving((around.version,), {}, DeploymentOptions())):
        await r.deployments.revise(project_id, id_, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="bob")

    copies = [await r.deployments.last_copy(project_id, version.id) for version in versions]
    assert copies == [several] * 3 + [None]
    assert [await r.deployments.last_copy(uuid4(), version.id) for version in versions] == [None] * 4
    alone = DeploymentSpec.serving((versions[1],), {}, DeploymentOptions())
    for spec in (alone, several):
        await r.deployments.revise(project_id, id_, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="bob")
        assert await r.deployments.last_copy(project_id, versions[1].id) == spec
    await r.versions.update(project_id, versions[2].id, ModelVersionPatch(uri="s3://new"))
    assert (await r.deployments.get(project_id, id_)).edited_version_fields == (f"{versions[2].id}.uri",)


async def test_the_last_copy_is_of_the_last_revision_also_within_one_tick(
    repositories: Repositories, project_id: UUID, around: Surroundings
) -> None:
    r, id_ = repositories, (await deployed(repositories, around)).id
    for replicas in (1, 2, 3):
        options = DeploymentOptions(min_replicas=replicas)
        spec = DeploymentSpec.serving((around.version,), {}, options)
        await r.deployments.revise(project_id, id_, want=Want.PRESENT, spec=spec, cause=Cause.UPDATE, created_by="bob")

    assert await r.deployments.last_copy(project_id, around.version.id) == spec
