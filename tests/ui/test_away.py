"""What the pages do while the registry does not answer, and when a token has ended."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect
from tests.e2e.api import Api
from tests.e2e.stack import Stack
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
    ui.look("registry-away")
    ui.page.unroute(_CALLS)
    expect(banner).to_have_count(0)
    expect(ui.link("iris")).to_be_visible()


def _unavailable(route: Route) -> None:
    """As Envoy answers when all workers are gone."""
    headers = {"content-type": "application/grpc-web+proto", "grpc-status": "14", "grpc-message": "no healthy upstream"}
    route.fulfill(status=200, headers=headers)


def test_a_broken_connection_does_not_lose_what_was_typed(ui: Ui, api: Api) -> None:
    ui.open("/models")
    ui.button("New model").first.click()
    ui.dialog.get_by_label("Name", exact=True).fill("iris")
    ui.page.route(_CALLS, lambda route: route.abort())
    ui.button("Create the model").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("The registry does not answer.")
    ui.page.unroute(_CALLS)
    ui.button("Create the model").click()
    expect(ui.page.get_by_role("heading", name="iris", level=1)).to_be_visible()
    assert len(api.get("/models").json()["items"]) == 1


@pytest.fixture(scope="module")
def demo() -> Iterator[Stack]:
    """A service that wants tokens, and prints some."""
    service = Stack(REGISTRY_AUTH="demo", REGISTRY_CLUSTER="none")
    try:
        service.start()
        yield service
    finally:
        service.stop()
        service.remove()


def test_a_token_is_asked_for_over_the_page_and_roles_are_respected(browser: Browser, demo: Stack) -> None:
    printed = demo.log.read_text()
    base_url = _found(r"^ready (http://\S+?)/? ", printed)
    project = _found(r"^project (\S+)$", printed)
    tokens = dict(re.findall(r"^token (\w+) (\S+)$", printed, re.MULTILINE))
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(20_000)
    ui = Ui(context.new_page(), base_url, project)
    ui.open("/models")
    expect(ui.dialog).to_contain_text("Sign in to see this page.")
    ui.look("login")
    _sign_in(ui, "not a token")
    expect(ui.dialog).to_contain_text("Your session has ended.")
    _sign_in(ui, tokens["viewer"])
    expect(ui.page.get_by_role("heading", name="This project has no models yet")).to_be_visible()
    expect(ui.page.get_by_text("Viewer")).to_be_visible()
    expect(ui.button("New model")).to_have_count(0)
    ui.button("Sign out").click()
    _sign_in(ui, tokens["editor"])

    # The token ends while something is typed.
    ui.button("New model").first.click()
    ui.dialog.get_by_label("Name", exact=True).fill("iris")
    ui.page.route(_CALLS, _unauthenticated)
    ui.button("Create the model").click()
    expect(ui.dialog.filter(has_text="Your session has ended.")).to_be_visible()
    ui.page.unroute(_CALLS)
    _sign_in(ui, tokens["editor"])
    ui.button("Create the model").click()
    expect(ui.page.get_by_role("heading", name="iris", level=1)).to_be_visible()
    context.close()
    assert ui.errors == []
    answer = httpx.get(
        f"{base_url}/api/v1/model-registry/models",
        headers={"Project-ID": project, "Authorization": f"Bearer {tokens['viewer']}"},
    )
    assert [model["name"] for model in answer.json()["items"]] == ["iris"]


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text, re.MULTILINE)
    assert match
    return match[1]


def _sign_in(ui: Ui, token: str) -> None:
    dialog = ui.dialog.filter(has_text="Sign in")
    dialog.get_by_label("Token").fill(token)
    dialog.get_by_role("button", name="Sign in", exact=True).click()


def _unauthenticated(route: Route) -> None:
    headers = {
        "content-type": "application/grpc-web+proto",
        "grpc-status": "16",
        "grpc-message": "the token has ended",
    }
    route.fulfill(status=200, headers=headers)
