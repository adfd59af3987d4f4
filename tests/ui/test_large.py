"""The list of a project with 100,000 models: what it asks for, and how much of it the page holds."""

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
from tests.e2e.stack import Addresses
from tests.ui.ui import Ui, window

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
