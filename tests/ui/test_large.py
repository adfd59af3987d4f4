"""Much of everything: a project with 100,000 models, and a model with many versions, aliases and revisions."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.api import Api
from tests.e2e.deployments import Place
from tests.e2e.rpc import Rpc
from tests.e2e.stack import Addresses
from tests.ui.ui import Ui, window

from modelregistry.v1 import deployment_pb2, model_alias_pb2, model_version_pb2

MODELS: Final = 100_000
_LOAD: Final = """
INSERT INTO registered_model
    (id, created_at, updated_at, project_id, owner_email, name, slug, description, tags, labels)
SELECT gen_random_uuid(), t, t, $1, 'ada@example.com', 'model-' || lpad(i::text, 6, '0'), lpad(i::text, 6, '0'),
    'Tells what it was shown before', '{"frameworks": ["sklearn"], "architectures": [], "tasks": [], "subjects": []}',
    '{"team": "vision", "stage": "candidate"}'
FROM generate_series(1, $2::int) AS i, LATERAL (SELECT timestamptz '2026-01-01' + i * interval '1 s') AS x (t)
"""
_CALLS: Final = """() => {
    const calls = performance.getEntriesByType("resource").filter(({name}) => name.includes("/modelregistry.v1."));
    performance.clearResourceTimings();
    return calls.map(({name, encodedBodySize}) => [name.split("/").pop(), encodedBodySize]);
}"""


async def _load(database_url: str, project: UUID) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(_LOAD, project, MODELS)
        await connection.execute("ANALYZE registered_model")
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def crowded_project(ui_stack: Addresses) -> str:
    """The id of a project with so many models."""
    if not ui_stack.database_url:
        pytest.skip("The database is not known: set REGISTRY_TEST_UI_DATABASE")
    project = uuid4()
    with ThreadPoolExecutor() as other_thread:  # Playwright has an event loop in this one
        other_thread.submit(asyncio.run, _load(ui_stack.database_url, project)).result()
    return str(project)


@pytest.fixture
def crowd(browser: Browser, ui_url: str, crowded_project: str) -> Iterator[Ui]:
    with window(browser, ui_url, crowded_project) as ui:
        ui.open("/models")
        expect(ui.page.locator(".page-title .count")).to_have_text(f"{MODELS:,}")
        yield ui


def _calls(ui: Ui) -> tuple[Counter[str], int]:
    """The calls since the last time, and the bytes of their answers."""
    calls = ui.page.evaluate(_CALLS)
    return Counter(name for name, _ in calls), sum(size for _, size in calls)


def _holds_only_what_is_seen(ui: Ui) -> None:
    assert 10 < ui.page.locator("tbody tr.clickable").count() < 40


@pytest.mark.timeout(300)
def test_the_first_page_is_small_and_the_rest_is_read_while_it_is_scrolled(crowd: Ui) -> None:
    calls, size = _calls(crowd)
    assert calls["ListRegisteredModels"] == 2  # the first page, and the count
    assert size < 30_000
    _holds_only_what_is_seen(crowd)
    for rows in (150, 250, 350):
        crowd.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        expect(crowd.count).to_contain_text(f"{rows} models so far")
        calls, size = _calls(crowd)
        assert calls == {"ListRegisteredModels": 1}
        assert size < 40_000
        _holds_only_what_is_seen(crowd)


@pytest.mark.timeout(300)
def test_a_search_is_one_call_and_a_count_if_there_is_more(crowd: Ui) -> None:
    search = crowd.page.get_by_label("Search models by name")
    _calls(crowd)
    for text, shown in {"model-012345": "1 model", "no-such-model": ""}.items():
        search.fill(text)
        if shown:
            expect(crowd.count).to_have_text(shown)
        else:
            expect(crowd.page.get_by_role("heading", name="No model matches")).to_be_visible()
        assert _calls(crowd)[0] == {"ListRegisteredModels": 1}
    search.fill("model-0123")
    expect(crowd.page.locator(".page-title .count")).to_have_text("100")
    assert _calls(crowd)[0] == {"ListRegisteredModels": 2}


@pytest.mark.timeout(300)
def test_an_order_is_one_call_and_a_filter_is_counted_too(crowd: Ui) -> None:
    _calls(crowd)
    crowd.button("Name").click()
    expect(crowd.page.locator("tbody tr.clickable").first).to_contain_text("model-000001")
    assert _calls(crowd)[0] == {"ListRegisteredModels": 1}
    crowd.page.get_by_title("Show only those with team = vision").first.click()
    expect(crowd.page).to_have_url(re.compile("vision"))
    expect(crowd.page.locator(".page-title .count")).to_have_text(f"{MODELS:,}")
    assert _calls(crowd)[0] == {"ListRegisteredModels": 2}
    _holds_only_what_is_seen(crowd)


@pytest.mark.timeout(300)
def test_a_model_with_many_versions_and_aliases_and_a_long_readme_stays_usable(ui: Ui, api: Api, rpc: Rpc) -> None:
    place = Place(api, "iris")
    versions = [place.version, *(place.another_version() for _ in range(104))]
    model_id = place.model["id"]
    for number in range(1, 106):
        alias = model_alias_pb2.SetModelAliasRequest(registered_model_id=model_id, name=f"alias-{number}", version="1")
        rpc.call(rpc.aliases.SetModelAlias, alias)
    long = model_version_pb2.ModelVersionPatch(readme="\n\n".join(["Some `text`.", *(f"- {i}" for i in range(9_000))]))
    patch = model_version_pb2.UpdateModelVersionRequest(id=versions[-1]["id"], model_version=long)
    rpc.call(rpc.versions.UpdateModelVersion, patch)

    ui.open(f"/models/{model_id}?order=created_at")
    chips = ui.page.locator("tbody tr").first.locator(".chip")
    expect(chips).to_have_text(["alias-1", "alias-10"])
    expect(ui.page.locator("tbody tr").first).to_contain_text("+103")
    ui.open(f"/models/{model_id}/versions/105")
    markdown = ui.page.locator(".markdown > *").first
    assert markdown.evaluate("(part) => getComputedStyle(part).contentVisibility") == "auto"

    ui.open(f"/deployments/new?model={model_id}")
    version = ui.page.get_by_label("Version", exact=True)
    expect(version.locator("option[value='alias-99']")).to_have_text("alias-99: #1")  # which is not offered yet
    expect(version.locator("option[value='5']")).to_have_count(0)
    ui.button("Offer earlier versions").click()
    version.select_option("5")
    expect(ui.button("Offer earlier versions")).to_have_count(0)

    ui.open(f"/models/{model_id}?tab=aliases")
    expect(ui.button("Delete alias-99")).to_be_visible()
    for old in versions[-51:]:
        rpc.call(rpc.versions.DeleteModelVersion, model_version_pb2.DeleteModelVersionRequest(id=old["id"]))
    ui.open(f"/models/{model_id}")
    expect(ui.page.get_by_role("heading", name="Deleted versions")).to_have_text("Deleted versions50+")
    ui.button("Show earlier ones").click()
    expect(ui.page.get_by_role("heading", name="Deleted versions")).to_have_text("Deleted versions51")


@pytest.mark.timeout(300)
def test_revisions_that_are_not_read_yet_can_be_chosen_for_a_rollback(ui: Ui, api: Api, rpc: Rpc) -> None:
    place = Place(api, "iris")
    service = place.deploy(name="flowers")["inference_service"]
    for number in range(2, 61):
        options = deployment_pb2.DeploymentOptions(timeout={"seconds": number})
        request = deployment_pb2.UpdateDeploymentRequest(id=service["id"], options=options)
        rpc.call(rpc.deployments.UpdateDeployment, request)
    ui.open(f"/deployments/{service['id']}")
    expect(ui.page.get_by_label("Parts of the page").get_by_role("button", name="Revisions")).to_contain_text("50+")
    ui.button("Roll back").click()
    ui.button("Offer earlier ones").click()
    ui.dialog.get_by_label("To").select_option("2")
    expect(ui.dialog.get_by_role("row").filter(has_text="timeout")).to_contain_text("60 s")
    ui.dialog.get_by_role("button", name="Roll back").click()
    expect(ui.page.locator(".toast")).to_contain_text("Revision 61 repeats revision 2.")
