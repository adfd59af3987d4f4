"""The web UI in a real Chromium, against the real service with the simulated cluster: `make test-slow`.

`REGISTRY_TEST_UI_URL` makes most of them use a service that runs already, for example `npm run preview` in `ui`, and
`REGISTRY_TEST_UI_DATA` its folder of data, in which tests find the cluster, and
`REGISTRY_TEST_UI_DATABASE` its database.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from tests.e2e.api import Api
from tests.e2e.cluster import Cluster
from tests.e2e.rpc import Rpc
from tests.e2e.stack import Addresses, Stack
from tests.ui.ui import Ui, window

_CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
expect.set_options(timeout=20_000)  # browsers are slow while other tests run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("slow")
            item.add_marker(pytest.mark.xdist_group("ui"))  # one browser and one service for all


@pytest.fixture(scope="session")
def ui_stack() -> Iterator[Addresses]:
    """A service that serves the UI."""
    if running := os.environ.get("REGISTRY_TEST_UI_URL"):
        database_url = os.environ.get("REGISTRY_TEST_UI_DATABASE", "")
        yield Addresses(running, database_url, os.environ.get("REGISTRY_TEST_UI_DATA", ""))
        return
    service = Stack(
        REGISTRY_CLUSTER="simulated",
        REGISTRY_KUBERNETES_REQUESTS_PER_SECOND="1000",
        REGISTRY_WEBHOOK_NETWORKS="127.0.0.0/8",
    )
    try:
        yield service.start()
    finally:
        service.stop()
        service.remove()


@pytest.fixture(scope="session")
def ui_url(ui_stack: Addresses) -> str:
    return ui_stack.base_url


@pytest.fixture(scope="session")
def ui_cluster(ui_stack: Addresses) -> Iterator[Cluster]:
    """The cluster to which that service deploys."""
    if not ui_stack.folder:
        pytest.skip("The cluster is not known: set REGISTRY_TEST_UI_DATA")
    cluster = Cluster(ui_stack)
    yield cluster
    cluster.http.close()


@pytest.fixture(scope="module")  # until Playwright's event loop ends, no other runs in the process
def browser() -> Iterator[Browser]:
    if not _CHROMIUM:
        pytest.skip("Chromium is not installed: set CHROMIUM, or install it as `chromium`")
    expect.set_options(timeout=15_000)  # on a busy machine, events take a while
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def api(ui_url: str) -> Iterator[Api]:
    """The REST API of a new project, to prepare what the pages show."""
    with httpx.Client(base_url=ui_url, timeout=30) as http:
        yield Api(http)


@pytest.fixture
def rpc(ui_url: str, api: Api) -> Iterator[Rpc]:
    """The gRPC API of the same project."""
    with grpc.insecure_channel(ui_url.removeprefix("http://")) as channel:
        yield Rpc(channel, api.project_id)


@pytest.fixture
def ui(browser: Browser, ui_url: str, api: Api) -> Iterator[Ui]:
    """A window with the pages of that project."""
    with window(browser, ui_url, api.project_id) as ui:
        yield ui


@pytest.fixture
def large_ui(browser: Browser, ui_url: str, api: Api) -> Iterator[Ui]:
    """The same in a browser whose user has chosen a font size of 24 px instead of 16."""
    arguments = [*_ARGUMENTS, "--blink-settings=defaultFontSize=24"]
    with (
        browser.browser_type.launch(executable_path=_CHROMIUM, args=arguments) as large,
        window(large, ui_url, api.project_id) as ui,
    ):
        yield ui
