"""A version of a model, and the aliases of a model."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.e2e.api import JSON, Api
from tests.e2e.rpc import Rpc
from tests.ui.ui import Ui

from modelregistry.v1 import artifact_pb2, model_version_pb2, property_pb2

_README = """# Anomaly detector

Finds unusual payments. **Not** for decisions about people.

| data | precision |
|---|---:|
| test | 0.95 |

<script>window.broken = 1</script> <img src=x onerror="window.broken = 1">
[run](javascript:window.broken=1) ![picture](https://example.com/picture.png)
"""


@pytest.fixture
def model(api: Api) -> JSON:
    """A model with two versions, of which only the first has READY."""
    model: JSON = api.post("/models", {"name": "anomaly-detector"}).json()
    for number in (1, 2):
        version = {
            "name": f"v{number}",
            "model_framework": "sklearn",
            "model_framework_version": "1",
            "uri": f"s3://models/anomaly-detector/{number}",
            "artifact_type": "model-artifact",
        }
        created = api.post(f"/models/{model['id']}/versions", version).json()
        model[f"v{number}"] = created["id"]
    assert api.patch(f"/model_versions/{model['v1']}", {"status": "READY"}).status_code == 200
    return model


def _describe(rpc: Rpc, version: str) -> None:
    """Gives the version what only gRPC can write."""
    patch = model_version_pb2.ModelVersionPatch(readme=_README, digest="sha256:" + "ab12" * 16, size_bytes=734003200)
    patch.properties.values["accuracy"].double_value = 0.97
    column = {"name": "amount", "type": "double"}
    patch.metadata.update({"signature": {"inputs": [column]}, "commit": "4f2a9c1"})
    update = model_version_pb2.UpdateModelVersionRequest(id=version, model_version=patch)
    rpc.call(rpc.versions.UpdateModelVersion, update)
    artifact = artifact_pb2.NewArtifact(
        model_version_id=version,
        kind=artifact_pb2.ARTIFACT_KIND_METRIC,
        name="recall",
        value=property_pb2.PropertyValue(double_value=0.91),
    )
    rpc.call(rpc.things.CreateArtifact, artifact_pb2.CreateArtifactRequest(artifact=artifact))


def test_a_version_shows_everything_about_it(ui: Ui, model: JSON, rpc: Rpc) -> None:
    _describe(rpc, model["v1"])
    ui.open(f"/models/{model['id']}/versions/1")
    expect(ui.page.get_by_role("heading", name="Anomaly detector", level=2)).to_be_visible()
    expect(ui.link("picture")).to_have_attribute("href", "https://example.com/picture.png")
    assert ui.page.evaluate("window.broken") is None
    assert ui.page.locator(".markdown").locator("script, img, [href^=javascript]").count() == 0
    ui.look("version")
    ui.button("Artifacts").click()
    expect(ui.page.get_by_role("row", name=re.compile("recall Metric 0.91"))).to_be_visible()
    expect(ui.page.get_by_role("row").filter(has_text="s3://models/anomaly-detector/1700 MiB")).to_be_visible()
    ui.look("version-artifacts")
    ui.button("Signature and metadata").click()
    expect(ui.page.get_by_role("row", name="amount double yes")).to_be_visible()
    ui.look("version-metadata")
    ui.button("History").click()
    expect(ui.page.get_by_text("Somebody changed the version v1: properties")).to_be_visible()
    ui.look("version-history")


def test_a_version_is_created_and_edited(ui: Ui, api: Api, model: JSON) -> None:
    ui.open(f"/models/{model['id']}")
    ui.button("New version").click()
    expect(ui.dialog.get_by_label("Name", exact=True)).to_have_value("v3")
    ui.dialog.get_by_label(re.compile("^Location")).fill("s3://models/anomaly-detector/3")
    ui.button("Create the version").click()
    expect(ui.dialog.get_by_text("framework").last).to_be_visible()
    expect(ui.dialog.locator(".field-error").first).to_be_visible()
    ui.look("version-create")
    ui.dialog.get_by_label("Framework", exact=True).fill("sklearn")
    ui.dialog.get_by_label("Version of the framework").fill("1")
    ui.button("Create the version").click()
    expect(ui.page.get_by_role("heading", name="v3", level=1)).to_be_visible()
    expect(ui.page.locator("main .badge").first).to_have_text("ready")
    ui.button("Edit").click()
    ui.dialog.get_by_label(re.compile("^Description")).fill("The third one")
    ui.button("Add a property").click()
    ui.dialog.get_by_label("Key of property 1").fill("rows")
    ui.dialog.get_by_label("Type of property 1").select_option("integer")
    ui.dialog.get_by_label("Value of property 1").fill("many")
    expect(ui.dialog.get_by_text("The value of rows is not an integer of at most 64 bits.")).to_be_visible()
    ui.dialog.get_by_label("Value of property 1").fill(str(2**63))
    expect(ui.dialog.get_by_text("The value of rows is not an integer of at most 64 bits.")).to_be_visible()
    ui.dialog.get_by_label("Value of property 1").fill(str(2**63 - 1))
    expect(ui.button("Save")).to_be_enabled()
    ui.dialog.get_by_label("Value of property 1").fill("1200")
    ui.button("Save").click()
    expect(ui.page.get_by_text("The third one")).to_be_visible()
    expect(ui.page.get_by_text("1200")).to_be_visible()


def test_an_external_id_is_given_to_a_model_and_a_version(ui: Ui, model: JSON, rpc: Rpc) -> None:
    for path, external_id in ((f"/models/{model['id']}", "mlflow/7"), (f"/models/{model['id']}/versions/1", "run/9")):
        ui.open(path)
        ui.button("Edit").click()
        ui.dialog.get_by_label("External id").fill(external_id)
        ui.button("Save").click()
        expect(ui.dialog).to_have_count(0)
        expect(ui.page.get_by_text(external_id, exact=True)).to_be_visible()
    ui.open(f"/models/{model['id']}/versions/2")
    ui.button("Edit").click()
    ui.dialog.get_by_label("External id").fill("run/9")
    ui.button("Save").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("has this external_id")
    ui.look("version-edit")
    version = rpc.call(rpc.versions.GetModelVersion, model_version_pb2.GetModelVersionRequest(id=model["v1"]))
    assert version.model_version.external_id == "run/9"


def test_artifacts_are_created_edited_and_deleted(ui: Ui, model: JSON, rpc: Rpc) -> None:
    ui.open(f"/models/{model['id']}/versions/1?tab=artifacts")
    ui.button("New artifact").click()
    ui.dialog.get_by_label("Name", exact=True).fill("accuracy")
    ui.dialog.get_by_label("Value of the artifact").fill("good")
    expect(ui.dialog.get_by_text("The value of the artifact is not a number.")).to_be_visible()
    expect(ui.button("Create the artifact")).to_be_disabled()
    ui.dialog.get_by_label("Value of the artifact").fill("0.97")
    ui.look("artifact-create")
    ui.button("Create the artifact").click()
    row = ui.page.get_by_role("row", name=re.compile("accuracy Metric 0.97"))
    expect(row).to_be_visible()

    ui.button("New artifact").click()
    ui.dialog.get_by_label("Kind").select_option("Data set")
    ui.dialog.get_by_label("Name", exact=True).fill("flowers")
    ui.dialog.get_by_label("Location of the files").fill("s3://data/flowers")
    ui.dialog.get_by_label("Digest").fill("sha256:short")
    ui.button("Create the artifact").click()
    expect(ui.dialog.get_by_label("Digest")).to_have_attribute("aria-invalid", "true")
    ui.dialog.get_by_label("Digest").fill("")
    ui.dialog.get_by_label("Size in bytes").fill("2048")
    ui.button("Create the artifact").click()
    expect(ui.page.get_by_role("row", name=re.compile("flowers Data set .*data.flowers 2.0 KiB"))).to_be_visible()

    ui.button("accuracy").click()
    expect(ui.dialog.get_by_text("0.97")).to_be_visible()
    ui.look("artifact")
    ui.dialog.get_by_role("button", name="Edit").click()
    ui.dialog.get_by_label("Value of the artifact").fill("0.98")
    artifacts = rpc.call(rpc.things.ListArtifacts, artifact_pb2.ListArtifactsRequest(model_version_id=model["v1"]))
    accuracy = next(artifact for artifact in artifacts.artifacts if artifact.name == "accuracy")
    patch = artifact_pb2.ArtifactPatch(description="On the test data", external_id="metric/1")
    rpc.call(rpc.things.UpdateArtifact, artifact_pb2.UpdateArtifactRequest(id=accuracy.id, artifact=patch))
    ui.button("Save").click()
    ui.button("Read it again, and keep my changes").click()
    expect(ui.dialog.get_by_label("Description")).to_have_value("On the test data")
    ui.button("Save").click()
    expect(ui.page.get_by_role("row", name=re.compile("accuracy Metric 0.98"))).to_be_visible()
    saved = rpc.call(rpc.things.GetArtifact, artifact_pb2.GetArtifactRequest(id=accuracy.id)).artifact
    assert (saved.value.double_value, saved.external_id) == (0.98, "metric/1")

    ui.button("accuracy").click()
    ui.dialog.get_by_role("button", name="Delete").click()
    ui.button("Delete the artifact").click()
    expect(row).to_have_count(0)
    ui.page.locator("tbody").get_by_role("button", name="v1").click()  # the files of the version
    expect(ui.dialog).to_contain_text("These are the files of the version.")
    expect(ui.dialog.get_by_role("button", name="Edit")).to_have_count(0)


def test_a_pending_version_is_marked_as_ready(ui: Ui, model: JSON) -> None:
    ui.open(f"/models/{model['id']}/versions/2")
    expect(ui.page.locator("main .badge").first).to_have_text("pending")
    ui.look("version-pending")
    ui.button("Mark it as ready").click()
    expect(ui.page.locator("main .badge").first).to_have_text("ready")


def test_aliases_are_set_protected_moved_and_deleted(ui: Ui, model: JSON) -> None:
    ui.open(f"/models/{model['id']}?tab=aliases")
    ui.button("New alias").click()
    ui.dialog.get_by_label("Name").fill("Champion!")
    ui.dialog.get_by_label("Version").fill("1")
    ui.button("Set the alias").click()
    expect(ui.dialog.locator(".field-error")).to_be_visible()
    ui.dialog.get_by_label("Name").fill("champion")
    ui.button("Set the alias").click()
    row = ui.page.get_by_role("listitem").filter(has_text="championversion 1")
    expect(row).to_be_visible()
    ui.button("Protect champion").click()
    ui.dialog.get_by_role("button", name="Protect", exact=True).click()
    expect(row.get_by_text("protected")).to_be_visible()
    ui.look("aliases")
    ui.button("Move").click()
    ui.dialog.get_by_label("Version").fill("v2")
    expect(ui.button("Move the alias")).to_be_disabled()
    ui.dialog.get_by_label("Move it although it is protected").check()
    ui.look("alias-move")
    ui.button("Move the alias").click()
    expect(ui.page.get_by_text("set champion to version 2")).to_be_visible()
    ui.button("Delete champion").click()
    ui.dialog.get_by_label("Delete it although it is protected").check()
    ui.button("Delete the alias").click()
    expect(ui.page.get_by_text("deleted champion")).to_be_visible()
    expect(ui.page.get_by_role("heading", name="This model has no aliases")).to_be_visible()


def test_an_alias_that_somebody_else_has_moved_is_not_moved_again(ui: Ui, api: Api, model: JSON) -> None:
    api.patch(f"/model_versions/{model['v1']}", {"is_default": True})
    ui.open(f"/models/{model['id']}?tab=aliases")
    ui.button("Move").click()
    api.patch(f"/model_versions/{model['v2']}", {"is_default": True})
    ui.dialog.get_by_label("Version").fill("1")
    ui.button("Move the alias").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("Somebody else has moved the alias meanwhile")


def test_a_version_in_use_is_not_deleted_and_a_deleted_one_is_restored(ui: Ui, api: Api, model: JSON) -> None:
    api.patch(f"/model_versions/{model['v1']}", {"is_default": True})
    ui.open(f"/models/{model['id']}/versions/1")
    ui.button("Delete").click()
    ui.button("Delete the version").click()
    expect(ui.dialog.get_by_role("alert").get_by_role("listitem")).to_have_text("Alias default")
    ui.look("version-delete-refused")
    ui.dialog.get_by_label("Delete its aliases too: default").check()
    ui.button("Delete the version").click()
    expect(ui.page.get_by_role("heading", name="Deleted versions")).to_be_visible()
    ui.look("model-with-deleted-version")
    ui.button("Restore").click()
    expect(ui.page.get_by_role("heading", name="Deleted versions")).to_have_count(0)
    expect(ui.count).to_have_text("2 versions")


def test_a_version_says_where_it_serves(ui: Ui, api: Api, model: JSON) -> None:
    environment = api.post("/serving_environments", {"name": "prod"}).json()
    body = {
        "registered_model_id": model["id"],
        "model_version_id": model["v1"],
        "serving_environment_id": environment["id"],
        "inference_service_name": "anomalies",
    }
    assert api.post("/deploy", body).status_code in {200, 201, 202}
    ui.open(f"/models/{model['id']}/versions/1?tab=serving")
    expect(ui.page.get_by_role("row").filter(has_text="prod")).to_be_visible()
    ui.look("version-serving")
