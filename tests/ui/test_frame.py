"""What every page has: the frame, the keys, the colours, the project, errors."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from tests.e2e.api import Api
from tests.e2e.builders import an_environment
from tests.e2e.deployments import Place
from tests.e2e.rpc import Rpc
from tests.ui.ui import Ui, screenshot

from modelregistry.v1 import access_pb2

_CUT = """() => [...document.querySelectorAll("main *, .topbar *")].filter((element) => {
    if (!element.checkVisibility() || element.closest(".hidden, .tabs, .table-frame table, svg, pre")) return false;
    const isCut = element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 2;
    const isOutside = element.getBoundingClientRect().right > window.innerWidth + 1;
    return isOutside || (isCut && element.matches("button, .button, .badge, .chip, h1, label"));
}).map((element) => element.outerHTML.slice(0, 120))"""
"""What is outside of the window, or larger than its frame. Tables may be scrolled."""

_LOST = """() => [...document.querySelectorAll("th")].filter((head) => {
    const { right, width } = head.getBoundingClientRect();
    const frame = head.closest(".table-frame").getBoundingClientRect();
    return head.checkVisibility() && (width < 64 || right > frame.right + 1);
}).map((head) => `${head.innerText} at ${window.innerWidth} px`)"""
"""Columns of a table for which nothing is left."""


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
    ui.page.keyboard.press("g")
    ui.page.keyboard.press("d")
    expect(ui.page).to_have_url(re.compile("/models$"))  # the page below a dialog gets no keys
    ui.page.keyboard.press("Escape")
    expect(ui.dialog).to_have_count(0)


def test_the_first_tab_stop_skips_to_the_content(ui: Ui) -> None:
    ui.open("/models")
    ui.page.keyboard.press("Tab")
    expect(ui.page.locator(":focus")).to_have_text("Skip to the content")
    ui.page.keyboard.press("Enter")
    expect(ui.page.locator("main")).to_be_focused()


def test_the_menu_of_a_phone_is_closed_by_escape_and_by_what_is_chosen_in_it(ui: Ui) -> None:
    ui.page.set_viewport_size({"width": 390, "height": 844})
    ui.open("/models")
    menu = ui.button("Menu")
    menu.press("Enter")
    ui.page.keyboard.press("Tab")  # the name of the registry, beside the button
    ui.page.keyboard.press("Tab")
    expect(ui.page.get_by_role("button", name=re.compile("^Project"))).to_be_focused()
    ui.page.keyboard.press("Enter")
    expect(ui.dialog).to_be_visible()
    ui.page.keyboard.press("Escape")  # closes what is on top
    expect(ui.dialog).to_have_count(0)
    expect(menu).to_have_attribute("aria-expanded", "true")
    ui.page.keyboard.press("Escape")
    expect(menu).to_have_attribute("aria-expanded", "false")
    expect(menu).to_be_focused()
    expect(ui.link("Models")).to_be_hidden()
    menu.press("Enter")
    ui.link("Models").press("Enter")  # the page that is open already
    expect(menu).to_have_attribute("aria-expanded", "false")


def test_the_open_tab_is_seen_on_a_phone(ui: Ui, api: Api) -> None:
    model = api.post("/models", {"name": "iris"}).json()
    ui.page.set_viewport_size({"width": 390, "height": 844})
    ui.open(f"/models/{model['id']}?tab=history")
    expect(ui.button("History")).to_be_in_viewport(ratio=0.9)


def test_the_colours_are_kept(ui: Ui) -> None:
    ui.open("/models")
    ui.button("Dark").click()
    ui.page.reload()
    expect(ui.page.locator("html")).to_have_attribute("data-theme", "dark")
    ui.button("As the system").click()
    expect(ui.page.locator("html")).not_to_have_attribute("data-theme", "dark")


def test_a_closed_dialog_gives_the_focus_back(ui: Ui, api: Api) -> None:
    api.post("/models", {"name": "iris"})
    ui.open("/models")
    for name in ("Filter", "New model"):
        ui.button(name).click()
        expect(ui.dialog).to_be_visible()
        ui.page.keyboard.press("Escape")
        expect(ui.dialog).to_have_count(0)
        expect(ui.button(name)).to_be_focused()


def test_what_is_said_while_a_dialog_is_open_is_on_top_of_it(ui: Ui) -> None:
    ui.open("/models")
    ui.page.locator(".caller").click()
    ui.dialog.get_by_role("button", name="Copy the id of the project").click()
    ui.dialog.get_by_role("status").get_by_role("button", name="Dismiss").click()
    expect(ui.page.locator(".toast")).to_have_count(0)


def test_long_names_without_a_blank_fit_into_a_phone(ui: Ui, api: Api) -> None:
    place = Place(api, "m" * 100)
    version = place.another_version(name="v" * 100, uri=f"s3://bucket/{'p' * 200}")
    assert api.patch(f"/models/{place.model['id']}", {"labels": {"k" * 60: "v" * 60}}).status_code == 200
    place.environment = an_environment(api, "e" * 63, external_id="short")
    service = place.deploy(name="d" * 40, model_version_id=version["id"])["inference_service"]
    ui.page.set_viewport_size({"width": 320, "height": 640})
    paths = (
        f"/models/{place.model['id']}",
        f"/models/{place.model['id']}/versions/2",
        "/deployments",
        f"/deployments/{service['id']}?tab=revisions",
    )
    for path in paths:
        ui.open(path)
        expect(ui.page.get_by_text(re.compile("m{100}|d{40}")).first).to_be_visible()
        assert ui.page.evaluate("() => document.documentElement.scrollWidth") == 320, path


def test_a_table_loses_no_column_beside_the_sidebar(ui: Ui, api: Api, rpc: Rpc) -> None:
    place = Place(api, "iris")
    place.deploy(name="flowers")
    token = access_pb2.CreateApiTokenRequest(name="ci", role=access_pb2.ROLE_VIEWER)
    rpc.call(rpc.access.CreateApiToken, token)
    member = access_pb2.SetMemberRequest(kind=access_pb2.MEMBER_KIND_USER, name="ann", role=access_pb2.ROLE_VIEWER)
    rpc.call(rpc.access.SetMember, member)
    found = []
    for path in (
        "/models",
        f"/models/{place.model['id']}",
        f"/models/{place.model['id']}/versions/1?tab=artifacts",
        f"/models/{place.model['id']}?tab=serving",
        "/deployments?view=table",
        "/environments",
        "/tokens",
        "/members",
        "/audit",
    ):
        ui.open(path)
        ui.page.locator("th").first.wait_for(state="attached")
        for width in (1440, 1280, 1000, 910, 768, 650, 390):
            ui.page.set_viewport_size({"width": width, "height": 800})
            found += [f"{path}: {lost}" for lost in ui.page.evaluate(_LOST)]
    assert not found, "\n".join(found)


def test_texts_and_spaces_follow_the_font_size_of_the_browser(large_ui: Ui, api: Api) -> None:
    ui = large_ui
    place = Place(api, "iris")
    service = place.deployed(name="flowers")
    for number in range(2, 41):
        place.another_version(name=f"v{number}")
    model = f"/models/{place.model['id']}"
    ui.open(model)
    assert ui.page.locator("body").evaluate("(body) => getComputedStyle(body).fontSize") == "21px"
    rows = ui.page.locator("tbody tr")
    assert rows.first.evaluate("(row) => row.offsetHeight") == 72
    ui.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(ui.page.locator("tbody tr.space").first).to_have_js_property("offsetHeight", 72 * int(_first_row(ui)))
    paths = (
        model,
        f"{model}/versions/1",
        f"{model}?tab=aliases",
        "/deployments",
        "/deployments/new",
        f"/deployments/{service['id']}",
        "/environments",
        "/members",
        "/audit",
    )
    found = []
    for path in paths:
        ui.open(path)
        for width in (1280, 768, 360):
            ui.page.set_viewport_size({"width": width, "height": 800})
            found += [f"{path} at {width} px: {cut}" for cut in ui.page.evaluate(_CUT)]
            ui.page.screenshot(path=screenshot(f"large{path.replace('/', '-')}-{width}"))
    assert not found, "\n".join(found)


def _first_row(ui: Ui) -> int:
    """How many rows are left out above those that the page holds."""
    return int(ui.page.locator("tbody tr.clickable").first.get_attribute("aria-rowindex") or 0) - 2


def test_what_is_chosen_is_seen_with_the_colours_of_the_system(ui: Ui) -> None:
    ui.page.emulate_media(forced_colors="active")
    ui.open("/models")
    background = "(element) => getComputedStyle(element).backgroundColor"
    for chosen, other in ((ui.button("As the system"), ui.button("Dark")), (ui.link("Models"), ui.link("Activity"))):
        assert chosen.evaluate(background) != other.evaluate(background)
