"""The page of examples/browser in Chromium, on another origin than the real service."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from tests.e2e.api import Api
from tests.e2e.stack import Addresses, free_port
from tests.examples.builds import BROWSER

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),  # the first run fetches packages
    pytest.mark.xdist_group("example-browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: set CHROMIUM, or install it as `chromium`"),
]


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Of a server of the built page."""
    folder: Path = BROWSER.built() / "examples" / "browser"
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Files, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield started
        started.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_page() as page:
        yield page


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_origin_lists_all_models(
    page: Page, port: int, stack: Addresses, api: Api, host: str
) -> None:
    names = [f"model-{number:03}" for number in range(21)]  # more than a page of the API has
    for name in names:
        assert api.post("/models", {"name": name}).status_code == 201
    page.goto(f"http://{host}:{port}/?" + urlencode({"registry": stack.base_url, "project": api.project_id}))
    expect(page.get_by_role("status")).to_have_text("21 models")
    assert page.get_by_role("listitem").all_inner_texts() == names


def test_a_page_shows_the_reason_of_an_error(page: Page, port: int, stack: Addresses) -> None:
    page.goto(f"http://localhost:{port}/?" + urlencode({"registry": stack.base_url, "project": "none"}))
    expect(page.get_by_role("status")).to_contain_text("InvalidArgument PROJECT_ID_REQUIRED: ")


def test_a_page_says_what_to_look_at_without_an_answer(page: Page, port: int) -> None:
    registry = f"http://localhost:{free_port()}"
    page.goto(f"http://localhost:{port}/?" + urlencode({"registry": registry, "project": str(uuid.uuid4())}))
    expect(page.get_by_role("status")).to_contain_text(f"does it allow pages of http://localhost:{port}?")
