"""What every page has: the frame, the keys, the colours, the project, errors."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.ui.ui import Ui


def test_an_address_without_project_leads_to_the_models_of_the_last_one(ui: Ui) -> None:
    ui.open("/models")
    ui.page.goto(f"{ui.url}/ui/")
    expect(ui.page).to_have_url(f"{ui.url}/ui/p/{ui.project}/models")
    ui.page.goto(f"{ui.url}/ui/models?q=iris")
    expect(ui.page).to_have_url(f"{ui.url}/ui/p/{ui.project}/models?q=iris")


def test_an_unknown_page_says_so_and_looks_well(ui: Ui) -> None:
    ui.open("/nothing-here")
    expect(ui.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    expect(ui.page).to_have_title(re.compile("There is no such page"))
    ui.look("not-found")


def test_another_project_is_chosen_by_its_id(ui: Ui) -> None:
    other = "22222222-2222-4222-8222-222222222222"
    ui.open("/models")
    ui.page.get_by_role("button", name=re.compile("^Project")).click()
    ui.dialog.get_by_label("Name or id").fill(other)
    ui.look("project-picker")
    ui.dialog.get_by_role("button", name="Open project 22222222").click()
    expect(ui.page).to_have_url(f"{ui.url}/ui/p/{other}/models")


def test_keys_search_help_and_navigate(ui: Ui) -> None:
    ui.open("/nothing-here")
    ui.page.keyboard.press("g")
    ui.page.keyboard.press("m")
    expect(ui.page).to_have_url(re.compile("/models$"))
    ui.page.keyboard.press("?")
    expect(ui.dialog.get_by_role("heading", name="Keys")).to_be_visible()
    ui.look("keys")
    ui.page.keyboard.press("Escape")
    expect(ui.dialog).to_have_count(0)


def test_the_first_tab_stop_skips_to_the_content(ui: Ui) -> None:
    ui.open("/models")
    ui.page.keyboard.press("Tab")
    expect(ui.page.locator(":focus")).to_have_text("Skip to the content")
    ui.page.keyboard.press("Enter")
    expect(ui.page.locator("main")).to_be_focused()


def test_the_colours_are_kept(ui: Ui) -> None:
    ui.open("/models")
    ui.button("Dark").click()
    ui.page.reload()
    expect(ui.page.locator("html")).to_have_attribute("data-theme", "dark")
    ui.button("As the system").click()
    expect(ui.page.locator("html")).not_to_have_attribute("data-theme", "dark")
