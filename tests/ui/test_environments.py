"""Environments: list, create, edit beside others, delete with what is in the way."""

from __future__ import annotations

from playwright.sync_api import expect
from tests.e2e.api import Api
from tests.e2e.builders import an_environment
from tests.e2e.deployments import Place, is_undeployed
from tests.ui.ui import Ui


def test_an_environment_is_created_and_listed(ui: Ui) -> None:
    ui.open("/environments")
    expect(ui.page.get_by_role("heading", name="This project has no environments yet")).to_be_visible()
    ui.look("environments-empty")
    ui.page.keyboard.press("n")
    ui.dialog.get_by_label("Name", exact=True).fill("production")
    ui.dialog.get_by_label("Kubernetes namespace").fill("ml-production")
    ui.look("environment-new")
    ui.dialog.get_by_role("button", name="Create").click()
    expect(ui.page.get_by_role("heading", name="production", exact=True)).to_be_visible()
    ui.page.get_by_label("Breadcrumbs").get_by_role("link", name="Environments").click()
    expect(ui.page.get_by_role("row").filter(has_text="ml-production")).to_contain_text("reported")
    ui.look("environments")


def test_a_name_that_is_taken_is_said_at_the_form(ui: Ui, api: Api) -> None:
    an_environment(api, "production")
    ui.open("/environments")
    ui.button("New environment").click()
    ui.dialog.get_by_label("Name", exact=True).fill("production")
    ui.dialog.get_by_role("button", name="Create").click()
    expect(ui.dialog.get_by_role("alert")).to_be_visible()
    ui.dialog.get_by_label("Name", exact=True).fill("staging")
    ui.dialog.get_by_role("button", name="Create").click()
    expect(ui.page.get_by_role("heading", name="staging", exact=True)).to_be_visible()


def test_an_edit_over_the_change_of_somebody_else_keeps_both(ui: Ui, api: Api) -> None:
    environment = an_environment(api, "production")
    ui.open(f"/environments/{environment['id']}")
    ui.button("Edit").click()
    ui.dialog.get_by_label("Description").fill("What customers use.")
    assert api.patch(f"/serving_environments/{environment['id']}", {"external_id": "ml-production"}).status_code == 200
    ui.dialog.get_by_role("button", name="Save").click()
    with ui.holding("GetServingEnvironment"):
        ui.dialog.get_by_role("button", name="Read it again, and keep my changes").click()
        expect(ui.dialog.get_by_role("button", name="Save")).to_be_disabled()
    expect(ui.dialog.get_by_label("Kubernetes namespace")).to_have_value("ml-production")
    ui.dialog.get_by_role("button", name="Save").click()
    expect(ui.page.get_by_text("What customers use.")).to_be_visible()
    expect(ui.page.get_by_text("ml-production", exact=True).first).to_be_visible()


def test_a_search_that_is_taken_back_stays_open(ui: Ui, api: Api) -> None:
    for number in range(6):
        an_environment(api, f"team-{number}")
    ui.open("/environments")
    search = ui.page.get_by_label("Search environments by name")
    search.press_sequentially("3")
    expect(ui.count).to_have_text("1 environment")
    search.press("Backspace")
    expect(ui.count).to_have_text("6 environments")
    expect(search).to_be_focused()


def test_what_is_deployed_is_in_the_way_of_a_deletion(ui: Ui, api: Api) -> None:
    place = Place(api, "iris")
    service = place.deployed(name="flowers")
    broken = place.another_version(name="broken", uri="s3://bucket/corrupt-model")
    failed = place.deploy(name="trees", model_version_id=broken["id"])["inference_service"]
    record = api.post("/inference_services", place.ids | {"name": "grasses"}).json()
    path = f"/environments/{place.environment['id']}"
    ui.open(path)
    expect(ui.page.get_by_role("row").filter(has_text="flowers")).to_contain_text("iris")
    expect(ui.page.get_by_role("row").filter(has_text="trees")).to_contain_text("failed")
    ui.look("environment")
    ui.button("Delete").click()
    for name, state in {"flowers": "deployed", "trees": "failed", "grasses": "never deployed"}.items():
        expect(ui.dialog.get_by_role("listitem").filter(has_text=name)).to_contain_text(state)
    expect(ui.dialog.get_by_role("link", name="flowers")).to_be_visible()
    expect(ui.dialog.get_by_role("button", name="Delete")).to_be_disabled()
    ui.look("environment-delete")
    for deployed in (service, failed):
        assert api.delete(f"/inference_services/{deployed['id']}/undeploy").status_code < 300
        place.wait(deployed, is_undeployed)
    for each in (service, failed, record):
        assert api.delete(f"/inference_services/{each['id']}").status_code < 300
    ui.open(path)
    ui.button("Delete").click()
    ui.dialog.get_by_role("button", name="Delete").click()
    expect(ui.page.get_by_role("heading", name="This project has no environments yet")).to_be_visible()


def test_a_record_that_was_never_deployed_has_a_page_and_can_be_deleted_there(ui: Ui, api: Api) -> None:
    place = Place(api, "iris")
    grasses = place.ids | {"name": "grasses", "model_version_id": place.version["id"]}
    service = api.post("/inference_services", grasses).json()
    ui.open(f"/models/{place.model['id']}/versions/1")
    ui.button("Delete").click()
    ui.button("Delete the version").click()
    ui.dialog.get_by_role("alert").get_by_role("link", name="grasses").click()  # out of the refusal
    expect(ui.page.get_by_role("heading", name="grasses", exact=True)).to_be_visible()
    ui.look("never-deployed")
    assert api.patch(f"/inference_services/{service['id']}", {"current_state": "DEPLOYED"}).status_code == 200
    ui.button("Undeploy").click()
    ui.dialog.get_by_role("button", name="Undeploy").click()
    expect(ui.page.get_by_label("About the inference service")).to_contain_text("undeployed")
    ui.link(place.environment["name"]).click()
    ui.button("Delete").click()
    ui.dialog.get_by_role("link", name="grasses").click()
    ui.button("Delete").click()
    ui.button("Delete for ever").click()
    expect(ui.page.get_by_role("heading", name=place.environment["name"], exact=True)).to_be_visible()
    ui.button("Delete").click()
    ui.dialog.get_by_role("button", name="Delete").click()
    expect(ui.page.get_by_role("heading", name="This project has no environments yet")).to_be_visible()
