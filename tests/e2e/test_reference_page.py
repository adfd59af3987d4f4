"""The page /docs in a browser, as the gateway serves it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright
from tests.e2e.stack import Addresses

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATIENCE_MS = 90_000
"""There are five megabytes to compile."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, stack: Addresses) -> Iterator[Page]:
    """The open page. Fails the test if the browser complained, or if the page asked anybody else."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    asked: set[str] = set()
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.add(re.sub(r"^(\w+:(//[^/]+)?).*", r"\1", request.url)))
    page.goto(f"{stack.base_url}/docs/")
    yield page
    page.close()
    assert not complaints, "\n".join(complaints)
    assert asked <= {stack.base_url, "data:", "blob:"}


def test_it_shows_the_operations_and_their_schemas(page: Page) -> None:
    page.get_by_role("link", name="Create registered model").first.click()
    heading = page.get_by_role("heading", name="Create registered model")
    heading.wait_for()
    # The styles are there.
    assert heading.evaluate("element => parseFloat(getComputedStyle(element).fontSize)") > 18
    page.get_by_text("The name, required, at most 100 characters, unique in the project.").first.wait_for()


def test_a_request_can_be_tried(page: Page, stack: Addresses) -> None:
    page.get_by_role("link", name="Health").first.click()
    page.get_by_role("link", name="Check health", exact=False).first.click()
    page.get_by_role("button", name=re.compile(r"Test Request.*healthz")).first.click()
    with page.expect_response(f"{stack.base_url}/healthz") as response:
        page.get_by_role("button", name=re.compile("^Send")).first.click()
    assert response.value.json() == {"status": "ok"}
