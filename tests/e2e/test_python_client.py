"""The Python client against the real service: both flavours, in scripts and in a notebook."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from tests.e2e.builders import fresh
from tests.e2e.stack import Addresses

from modelregistry.v1 import CreateWebhookRequest, ListWebhooksRequest, WebhookServiceStub
from registry_client import AsyncClient, Client, DeploymentFailed, Environment, Model, Version, errors


@pytest.fixture
def client(simulated_stack: Addresses) -> Iterator[Client]:
    with Client(simulated_stack.base_url, project=str(uuid.uuid4()), user="ann") as client:
        yield client


@pytest.fixture
async def other(simulated_stack: Addresses, client: Client) -> AsyncIterator[AsyncClient]:
    """The asynchronous client of the same project."""
    async with AsyncClient(simulated_stack.base_url, project=client.project, user="ann") as other:
        yield other


@pytest.fixture
def model(client: Client) -> Model:
    return client.models.create("iris", labels={"team": "flowers"}, tags={"frameworks": ["sklearn"]})


@pytest.fixture
def environment(client: Client) -> Environment:
    return client.environments.create(fresh("ns"))


def a_version(model: Model, name: str = "v1", **fields: Any) -> Version:
    return model.versions.create(
        name, **{"uri": "s3://models/iris", "framework": "sklearn", "framework_version": "1", **fields}
    )


def test_a_model_from_its_beginning_to_its_end(client: Client, model: Model) -> None:
    assert client.models.get("iris") == client.models.get(model.id) == model
    assert (model.labels, model.tags) == ({"team": "flowers"}, {"frameworks": ["sklearn"]})
    read = client.models.get("iris")
    model.update(description="Three kinds", properties={"rows": 150, "since": datetime(2026, 1, 31, tzinfo=UTC)})
    assert model.labels == {"team": "flowers"}
    assert read.refresh().properties == {"rows": 150, "since": datetime(2026, 1, 31, tzinfo=UTC)}
    model.update(clear=["labels"], description="")
    assert (model.labels, model.description) == ({}, "")
    with pytest.raises(errors.Aborted) as raised:
        read.update(description="late", etag=read.etag)
    assert raised.value.reason == "ETAG_MISMATCH"
    with pytest.raises(errors.FailedPrecondition, match="MODEL_NOT_ARCHIVED"):
        model.delete()
    model.archive().restore().archive().delete()
    with pytest.raises(errors.NotFound, match="REGISTERED_MODEL_NOT_FOUND"):
        client.models.get("iris")


def test_versions_have_many_names(client: Client, model: Model) -> None:
    metadata = {"signature": {"inputs": [1, 2.5, None, True, "x"]}}
    version = a_version(model, metadata=metadata, readme="# Iris", properties={"accuracy": 0.9}, is_default=True)
    assert (version.status, version.number, version.is_default) == ("READY", 1, True)
    assert (version.metadata, version.readme, version.properties) == (metadata, "# Iris", {"accuracy": 0.9})
    model.aliases.set("champion", version)
    assert version.aliases == ["champion", "default"]
    for name in (1, "1", "v1", "champion", "latest", "default", version.id):
        assert model.versions.get(name) == version
    for text in ("iris@1", "iris@champion", "iris@v1", f"{model.id}@latest", version.id):
        assert client.versions.get(text) == version
    with pytest.raises(ValueError, match="iris@champion"):
        client.versions.get("iris")
    assert [each.name for each in client.versions.list(filter="aliases:champion")] == ["v1"]
    pending = a_version(model, "v2", is_ready=False)
    assert (pending.status, pending.update(status="READY").status) == ("PENDING", "READY")
    empty = model.versions.create("v3")
    assert empty.attach("s3://models/iris/3", framework="sklearn", framework_version="1").status == "READY"
    empty.delete()
    (deleted,) = model.versions.deleted()
    assert (deleted.name, deleted.deleted_by) == ("v3", "ann")
    assert model.versions.undelete(deleted).id == empty.id


def test_aliases_are_moved_with_care(model: Model) -> None:
    first, second = a_version(model), a_version(model, "v2")
    alias = model.aliases.set("champion", first, expected_version="", protected=True)
    assert (alias.version_number, alias.is_protected, alias.moved_by) == (1, True, "ann")
    with pytest.raises(errors.FailedPrecondition, match="force=True"):
        model.aliases.set("champion", 2)
    with pytest.raises(errors.Aborted, match="MODEL_ALIAS_MOVED"):
        model.aliases.set("champion", second, expected_version=second, force=True)
    model.aliases.set("champion", second, expected_version=first, force=True)
    assert (first.aliases, second.aliases) == ([], ["champion"])
    model.aliases.delete("champion", force=True)
    model.aliases.delete("champion", allow_missing=True)
    assert [each.version_number for each in model.aliases.history("champion")] == [0, 2, 1]
    assert model.aliases.list().all() == []


def test_a_cell_can_run_twice(client: Client, model: Model) -> None:
    assert client.models.create("iris", description="other", exist_ok=True) == model
    name = fresh("ns")
    environment = client.environments.create(name, drift_policy="enforce", exist_ok=True)
    assert client.environments.create(name, exist_ok=True) == environment
    created = a_version(model, is_ready=False, exist_ok=True)
    version = a_version(model, description="other", exist_ok=True)
    assert (version.id, version.status, version.description) == (created.id, "READY", "")
    assert list(model.versions) == [version]
    with pytest.raises(errors.AlreadyExists) as raised:
        a_version(model, uri="s3://models/iris/other", exist_ok=True)
    assert raised.value.hint == "The uri of that version is 's3://models/iris'. Other files need another version."
    client.models.create("lily", external_id="7")
    with pytest.raises(errors.AlreadyExists, match="EXTERNAL_ID_TAKEN"):
        client.models.create("rose", external_id="7", exist_ok=True)
    for create, taken in ((client.models.create, "iris"), (client.environments.create, name)):
        with pytest.raises(errors.AlreadyExists):
            create(taken)
    with pytest.raises(errors.AlreadyExists):
        a_version(model)


async def test_of_several_that_create_a_model_all_get_it(other: AsyncClient) -> None:
    models = await asyncio.gather(*(other.models.create("iris", exist_ok=True) for _ in range(8)))
    assert len({each.id for each in models}) == 1


def test_artifacts(client: Client, model: Model) -> None:
    version = a_version(model)
    metric = version.artifacts.create("METRIC", "accuracy", value=0.9, labels={"set": "test"})
    version.artifacts.create("DOCUMENT", "report", uri="s3://docs/report")
    assert [(each.kind, each.name, each.value) for each in version.artifacts.list("METRIC")] == [
        ("METRIC", "accuracy", 0.9)
    ]
    again: dict[str, Any] = {"name": "accuracy", "value": 0.9, "exist_ok": True}
    assert version.artifacts.create("METRIC", labels={"set": "other"}, **again) == metric
    assert client.artifacts.create("METRIC", **again).model_version_id is None, "it stands alone"
    for different in ({"value": 0.8}, {"exist_ok": False}):
        with pytest.raises(errors.AlreadyExists):
            version.artifacts.create("METRIC", **again | different)
    with pytest.raises(errors.AlreadyExists, match=r"What to do: .* update\(\)"):
        version.artifacts.create("PARAMETER", **again)
    metric.update(value=0.95)
    assert client.artifacts.get(metric.id).value == 0.95
    metric.delete()
    alone = client.artifacts.create("DATASET", "flowers", uri="s3://data")
    assert alone.model_version_id is None
    assert {each.name for each in client.artifacts.list("DATASET")} == {"flowers"}


def test_lists_are_longer_than_a_page(client: Client, model: Model) -> None:
    for number in range(5):
        a_version(model, f"v{number}", is_ready=False)
    listed = model.versions.list(order_by="name", page_size=2)
    assert [len(page) for page in listed.pages()] == [2, 2, 1]
    assert [each.name for each in listed] == [f"v{number}" for number in range(5)]
    assert [each.name for each in listed.all(limit=3)] == ["v0", "v1", "v2"]
    table = listed.to_pandas()
    assert (list(table["number"]), table["created_at"].isna().any()) == ([1, 2, 3, 4, 5], False)
    assert client.models.list(search="IRI").first() == model.refresh()
    assert client.models.list(filter='name = "none"').first() is None


def test_a_wrong_filter_names_the_field(client: Client) -> None:
    with pytest.raises(errors.InvalidArgument) as raised:
        client.models.list(filter='nam = "x"').all()
    assert 'did you mean "name"' in raised.value.fields["filter"]


@pytest.mark.slow
def test_a_deployment_from_its_plan_to_its_end(client: Client, model: Model, environment: Environment) -> None:
    first, second = a_version(model), a_version(model, "v2", uri="s3://models/iris/2")
    plan = first.plan(environment.name, min_replicas=1)
    assert (plan.manifest["kind"], plan.is_blocked) == ("InferenceService", False)
    assert [finding.code for finding in plan.findings] == ["CREDENTIALS_MISSING"]

    phases: list[str] = []
    deployment = first.deploy(environment.name, name="iris", min_replicas=1, labels={"team": "flowers"})
    deployment.wait(timeout=60, progress=lambda event: phases.append(event.phase))
    assert phases[-1] == "DEPLOYED"
    assert deployment.url
    assert client.deployments.get("iris").id == client.deployments.get(deployment.id).id == deployment.id

    with pytest.raises(errors.AlreadyExists, match="or_update=True"):
        second.deploy(environment.name, name="iris", max_replicas=2)
    change = second.plan(environment.name, name="iris", max_replicas=2, or_update=True)
    assert "spec.predictor.maxReplicas" in [each.path for each in change.differences]
    assert not change.is_blocked
    updated = second.deploy(environment.name, name="iris", max_replicas=2, or_update=True).wait(timeout=60)
    assert updated.id == deployment.id
    deployment.refresh()
    assert (deployment.options["min_replicas"], deployment.options["max_replicas"]) == (1, 2)
    assert deployment.model_version_id == second.id
    deployment.update(clear=["max_replicas"]).wait(timeout=60)
    assert "max_replicas" not in deployment.options
    with pytest.raises(errors.Aborted, match="REVISION_MISMATCH"):
        deployment.rollback(1, expected_revision=1)
    deployment.rollback(1).wait(timeout=60)
    assert deployment.model_version_id == first.id
    history = deployment.history().all()
    assert [(each.revision, each.cause, each.outcome) for each in history] == [
        (4, "ROLLBACK", "SERVED"),
        (3, "UPDATE", "SERVED"),
        (2, "UPDATE", "SERVED"),
        (1, "DEPLOY", "SERVED"),
    ]
    served = deployment.served_at(datetime.now(UTC))
    assert served is not None
    assert served.revision == 4
    with pytest.raises(errors.FailedPrecondition):
        first.delete()
    with pytest.raises(errors.FailedPrecondition, match=r"deployment\.undeploy\(\)"):
        deployment.delete()
    deployment.undeploy().wait("UNDEPLOYED", timeout=60)
    assert deployment.served_at(datetime.now(UTC)) is None
    seen = deployment.watch(from_start=True)
    assert next(seen).phase == "PENDING"
    seen.close()
    other = a_version(client.models.create("rose"))
    for of_another_model in (other.deploy, other.plan):
        with pytest.raises(errors.AlreadyExists, match="The deployment iris is of another model"):
            of_another_model(environment.name, name="iris", or_update=True)
    model.archive()
    with pytest.raises(errors.FailedPrecondition, match=r"undeploy\(\), then delete\(\)") as raised:
        model.delete()
    assert raised.value.message == (
        "model has active deployments: used by inference service iris; "
        "an inference service counts until it is deleted, even if it is undeployed"
    )
    deployment.delete()
    model.delete()
    environment.delete()


@pytest.mark.slow
def test_a_canary(model: Model, environment: Environment) -> None:
    deployment = a_version(model).deploy(environment, min_replicas=2).wait(timeout=60)
    second = a_version(model, "v2")
    deployment.update(version=second, traffic_percent=50).wait(timeout=60)
    assert (deployment.phase, deployment.canary["percent"], deployment.canary["actual_share"]) == ("UPDATING", 50, 50)
    deployment.promote().wait(timeout=60)
    assert (deployment.canary, deployment.model_version_id) == ({}, second.id)


def test_a_failure_is_explained(model: Model, environment: Environment) -> None:
    deployment = a_version(model, uri="s3://models/corrupt-model").deploy(environment, name="broken")
    with pytest.raises(DeploymentFailed, match="MODEL_LOAD") as raised:
        deployment.wait(timeout=60)
    assert "the model file cannot be read" in raised.value.message
    assert raised.value.next_step
    explanation = deployment.explain()
    assert [link.name for link in explanation.chain if link.state == "FAILED"] == ["kserve-container"]
    assert "unexpected end of data" in explanation._repr_html_()
    deployment.undeploy()


@pytest.mark.slow
async def test_the_asynchronous_client(other: AsyncClient, client: Client) -> None:
    """All at the same time, and beside the blocking client in the same loop."""
    models = await asyncio.gather(*(other.models.create(f"model {number}") for number in range(10)))
    assert {each.name for each in client.models.list()} == {each.name for each in models}
    version = await models[0].versions.create("v1", uri="s3://iris", framework="sklearn", framework_version="1")
    await models[0].aliases.set("champion", version)
    assert (await other.versions.get("model 0@champion")).id == version.id
    assert [each.name async for each in models[0].versions.list()] == ["v1"]
    assert list((await other.models.list(order_by="name").to_pandas(limit=2))["name"]) == ["model 0", "model 1"]
    environment = await other.environments.create(fresh("ns"))
    deployment = await version.deploy(environment)
    assert (await deployment.wait(timeout=60)).url
    broken = await models[0].versions.create(
        "bad", uri="s3://corrupt-model", framework="sklearn", framework_version="1"
    )
    with pytest.raises(DeploymentFailed, match="MODEL_LOAD"):
        await (await broken.deploy(environment, name="bad")).wait(timeout=60)
    with pytest.raises(errors.NotFound):
        await other.models.get("none")


async def test_events_are_watched_while_others_write(other: AsyncClient, client: Client, model: Model) -> None:
    (created,) = client.events.list(["model"])
    watch = other.events.watch(["version", "alias"], after=created.resume_token, timeout=30)
    writing = threading.Thread(target=lambda: model.aliases.set("champion", a_version(model)))
    writing.start()
    seen = [await anext(watch) for _ in range(3)]
    await watch.aclose()
    writing.join()
    assert [each.type for each in seen] == ["version.created", "version.updated", "alias.set"]
    assert (seen[1].changed_fields, seen[2].details["version_number"]) == (["status"], "1")
    with pytest.raises(errors.DeadlineExceeded):
        await anext(other.events.watch(["environment"], timeout=0.3))


def test_stubs_have_the_same_project_and_errors(client: Client) -> None:
    webhooks = client.stub(WebhookServiceStub)
    made = webhooks.CreateWebhook(CreateWebhookRequest(webhook={"url": "https://example.com/hook"}))
    assert [each.id for each in webhooks.ListWebhooks(ListWebhooksRequest()).webhooks] == [made.webhook.id]
    with pytest.raises(errors.InvalidArgument) as raised:
        webhooks.CreateWebhook(CreateWebhookRequest())
    assert "webhook.url" in raised.value.fields


def test_a_project_is_needed(simulated_stack: Addresses) -> None:
    with Client(simulated_stack.base_url) as client, pytest.raises(errors.InvalidArgument) as raised:
        client.models.get("iris")
    assert (raised.value.reason, "REGISTRY_PROJECT" in raised.value.hint) == ("PROJECT_ID_REQUIRED", True)


@pytest.mark.slow
def test_a_notebook(client: Client, model: Model, environment: Environment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel has a running event loop, and shows the last value of a cell."""
    a_version(model)
    monkeypatch.setenv("REGISTRY_URL", client.url)
    monkeypatch.setenv("REGISTRY_PROJECT", client.project)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    cells = [
        "from registry_client import AsyncClient, Client\nclient = Client()\nclient.models.list()",
        "client.versions.get('iris@1')",
        f"client.versions.get('iris@1').deploy({environment.name!r}).wait(timeout=60)",
        "client.models.list().to_pandas()",
        "async with AsyncClient() as other:\n    rows = await other.models.list().all()\nrows",
    ]
    made: Any = nbformat.v4
    notebook = made.new_notebook(cells=[made.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=90, kernel_name="python3").execute()
    outputs = [cell.outputs for cell in notebook.cells]
    html = [each[-1].data["text/html"] for each in outputs]
    assert "<td style='text-align:left'>iris</td>" in html[0]
    assert "READY" in html[1]
    assert [each.output_type for each in outputs[2]] == ["display_data", "execute_result"]
    assert outputs[2][0].data["text/plain"].endswith(": DEPLOYED")
    assert "DEPLOYED" in html[2]
    assert "dataframe" in html[3]
    assert "iris" in html[4]
