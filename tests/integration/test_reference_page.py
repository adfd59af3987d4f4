"""The page /docs in a browser, under the content security policy with which it is to be served."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from registry_grpc.shipped import GATEWAY

pytestmark = pytest.mark.slow

# Scalar makes three style elements, which are known by their hashes, and sets style attributes.
POLICY = (
    "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'sha256-QpRH++jfSE25E/ku5JwG+oucjRD32SqdyuYxGFVNDSA=' "
    "'sha256-l/2OpPg0d+2VLTLgwjf5mQo2CYwHDEqdj5TjbfEyVJI=' 'sha256-T13Uev3xCax2N28XaoAE8DOzQZKvPp7ZQVAi1iRREjo='; "
    "style-src-attr 'unsafe-inline'; font-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGE = b'{"items":[],"total":0,"page_size":20,"next_offset":0}'


class Gateway(SimpleHTTPRequestHandler):
    """Serves the files as Envoy does, and one answer of the API."""

    def do_GET(self) -> None:
        if not self.path.startswith("/api/"):
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("content-type", "application/json; charset=utf-8")
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def end_headers(self) -> None:
        self.send_header("content-security-policy", POLICY)
        super().end_headers()

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Gateway, directory=GATEWAY / "web")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, origin: str) -> Iterator[Page]:
    """The open page. Fails the test if the browser complained, or the page asked anybody else."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.set_default_timeout(90_000)  # there are five megabytes to compile
    complaints: list[str] = []
    asked: set[str] = set()
    page.on("console", lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.add(re.sub(r"^(\w+:(//[^/]+)?).*", r"\1", request.url)))
    page.goto(f"{origin}/docs/")
    yield page
    page.close()
    assert complaints == []
    assert asked <= {origin, "data:", "blob:"}


def test_it_shows_the_operations_and_their_schemas(page: Page) -> None:
    page.get_by_role("link", name="Create registered model").first.click()
    heading = page.get_by_role("heading", name="Create registered model")
    heading.wait_for()
    # The styles are there.
    assert float(heading.evaluate("element => parseFloat(getComputedStyle(element).fontSize)")) > 18
    page.get_by_text("The name, required, at most 100 characters, unique in the project.").first.wait_for()


def test_a_request_can_be_tried(page: Page, origin: str) -> None:
    page.get_by_role("button", name=re.compile("Test Request")).first.click()
    with page.expect_response(f"{origin}/api/v1/model-registry/models*") as response:
        page.get_by_role("button", name=re.compile("^Send")).first.click()
    assert response.value.body() == PAGE
