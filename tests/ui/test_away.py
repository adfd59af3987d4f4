"""What the pages do while the registry does not answer."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect
from tests.e2e.api import Api
from tests.e2e.deployments import Place
from tests.ui.ui import Ui

_CALLS = re.compile(r"/modelregistry\.v1\.")


def test_a_registry_that_is_away_is_announced_until_it_is_back(ui: Ui, api: Api) -> None:
    api.post("/models", {"name": "iris"})
    ui.open("/models")
    ui.page.route(_CALLS, _unavailable)
    ui.page.get_by_label("Search models by name").fill("ir")
    banner = ui.page.locator(".banner")
    expect(banner).to_contain_text("The registry does not answer.")
    expect(ui.page.locator("main").get_by_role("alert")).to_be_visible()
    expect(ui.page.locator(".page-title .count")).to_have_count(0)  # it is not known
    ui.look("registry-away")
    ui.page.unroute(_CALLS)
    expect(banner).to_have_count(0)
    expect(ui.link("iris")).to_be_visible()


def test_what_could_not_be_read_is_not_said_to_be_missing(ui: Ui, api: Api) -> None:
    place = Place(api, "iris")
    ui.open(f"/models/{place.model['id']}")
    ui.page.route(_CALLS, _unavailable)
    ui.button("Readme").click()
    expect(ui.page.locator("main").get_by_role("alert")).to_be_visible()
    expect(ui.page.get_by_text("has no readme")).to_have_count(0)
    ui.page.unroute(_CALLS)
    expect(ui.page.get_by_text("has no readme")).to_be_visible()
    service = place.deploy(name="flowers")["inference_service"]
    ui.page.route(re.compile("/(ListEvents|ListDeploymentRevisions)$"), _unavailable)
    ui.open(f"/deployments/{service['id']}")
    expect(ui.page.locator("main").get_by_role("alert")).to_be_visible()
    expect(ui.page.get_by_text("Nothing has happened yet.")).to_have_count(0)
    expect(ui.button("Revisions")).to_be_visible()  # without a count
    ui.page.route("**/ListModelVersions", _unavailable)
    ui.open(f"/deployments/new?model={place.model['id']}")
    expect(ui.page.locator(".banner")).to_be_visible()
    expect(ui.page.get_by_text("No version of the model is READY.")).to_have_count(0)


def _unavailable(route: Route) -> None:
    """As Envoy answers when all workers are gone."""
    headers = {"content-type": "application/grpc-web+proto", "grpc-status": "14", "grpc-message": "no healthy upstream"}
    route.fulfill(status=200, headers=headers)


def test_a_broken_connection_does_not_lose_what_was_typed(ui: Ui, api: Api) -> None:
    ui.open("/models")
    ui.button("New model").first.click()
    ui.dialog.get_by_label("Name", exact=True).fill("iris")
    ui.broken = True
    ui.page.route(_CALLS, lambda route: route.abort())
    ui.button("Create the model").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("The registry does not answer.")
    expect(ui.button("Create the model")).to_be_focused()
    ui.page.unroute(_CALLS)
    ui.button("Create the model").click()
    expect(ui.page.get_by_role("heading", name="iris", level=1)).to_be_visible()
    assert len(api.get("/models").json()["items"]) == 1
