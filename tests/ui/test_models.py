"""The list of models, and the dialogs of a model."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.e2e.api import Api
from tests.ui.ui import Ui


def _models(api: Api, count: int) -> list[str]:
    """So many models, of three teams and two frameworks. Answers their names."""
    names = [f"{('iris', 'churn_scorer', 'Fraud')[number % 3]}-{number}" for number in range(count)]
    for number, name in enumerate(names):
        team = ("flowers", "growth", "risk")[number % 3]
        body = {
            "name": name,
            "owner_email": f"{('ada', 'lin')[number % 2]}@example.com",
            "labels": {"team": team, "tier": "gold"},
            "tags": {"frameworks": [("sklearn", "pytorch")[number % 2]]},
        }
        assert api.post("/models", body).status_code == 201
    return names


def test_an_empty_project_says_what_to_do(ui: Ui) -> None:
    ui.open("/models")
    expect(ui.page.get_by_role("heading", name="This project has no models yet")).to_be_visible()
    expect(ui.page.get_by_text(f'-H "Project-ID: {ui.project}"')).to_be_visible()
    ui.look("models-empty")


def test_a_model_is_created_by_keys_alone(ui: Ui, api: Api) -> None:
    api.post("/models", {"name": "taken"})
    ui.open("/models")
    ui.page.keyboard.press("n")
    expect(ui.dialog.get_by_label("Name", exact=True)).to_be_focused()
    expect(ui.button("Create the model")).to_be_disabled()
    ui.page.keyboard.type("taken")
    ui.page.keyboard.press("Enter")
    expect(ui.dialog.get_by_role("alert")).to_contain_text("already exists")
    ui.look("model-create")
    ui.dialog.get_by_label("Name", exact=True).fill("iris")
    ui.dialog.get_by_label(re.compile("^Owner")).fill("ada@example.com")
    ui.dialog.get_by_role("button", name="Add", exact=True).click()
    ui.dialog.get_by_label("Key 1").fill("team")
    ui.dialog.get_by_label("Value 1").fill("flowers")
    ui.button("Create the model").click()
    expect(ui.page.get_by_role("heading", name="iris", level=1)).to_be_visible()
    expect(ui.page.get_by_role("heading", name="This model has no versions yet")).to_be_visible()
    ui.look("model-empty")
    model = api.get("/model", name="iris").json()
    assert (model["owner_email"], model["labels"]) == ("ada@example.com", {"team": "flowers"})


def test_search_filters_and_order_are_kept_in_the_address(ui: Ui, api: Api) -> None:
    names = _models(api, 50)
    ui.open("/models")
    rows = ui.page.locator("tbody tr.clickable")
    expect(ui.count).to_have_text("50 models")
    ui.look("models-50")

    found = sum("Fraud-1" in name for name in names)
    ui.page.keyboard.press("/")
    ui.page.keyboard.type("FRAUD-1")
    expect(ui.count).to_have_text(f"{found} models")
    ui.page.get_by_label("Search models by name").fill("n_s")
    expect(ui.page.get_by_text("churn_scorer-1", exact=True)).to_be_visible()
    ui.page.get_by_label("Search models by name").fill("i_i")  # not a wildcard
    expect(ui.page.get_by_role("heading", name="No model matches")).to_be_visible()
    ui.look("models-nothing-found")
    ui.button("Show all models").click()
    expect(ui.count).to_have_text("50 models")

    ui.page.get_by_title("Show only those with team = risk").first.click()
    expect(ui.count).to_have_text("16 models")
    ui.button("Filter").click()
    ui.dialog.get_by_label("By").select_option("Framework")
    ui.dialog.get_by_label("Value").fill("pytorch")
    ui.look("filter-dialog")
    ui.button("Add the filter").click()
    expect(ui.count).to_have_text("8 models")
    ui.button("Name").click()
    expect(ui.page.get_by_role("columnheader", name="Name")).to_have_attribute("aria-sort", "ascending")
    ui.page.reload()
    expect(ui.count).to_have_text("8 models")
    expect(rows.first).to_contain_text("Fraud-11")
    ui.button('Remove the filter labels.team = "risk"').click()
    expect(ui.count).to_have_text("25 models")


def test_a_wrong_expression_says_where_it_is_wrong(ui: Ui) -> None:
    ui.open("/models")
    ui.button("Filter").click()
    ui.dialog.get_by_label("By").select_option("Expression")
    ui.dialog.get_by_label("Value").fill('nam = "iris"')
    ui.button("Add the filter").click()
    expect(ui.page.get_by_role("alert")).to_contain_text('did you mean "name"')
    ui.look("models-wrong-filter")


def test_two_who_edit_the_same_model_lose_nothing(ui: Ui, api: Api) -> None:
    model = api.post("/models", {"name": "iris", "description": "old", "owner_email": "ada@example.com"}).json()
    ui.open(f"/models/{model['id']}")
    ui.button("Edit").click()
    ui.dialog.get_by_label(re.compile("^Description")).fill("mine")
    api.patch(f"/models/{model['id']}", {"description": "theirs", "model_type": "PRETRAIN"})
    ui.button("Save").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("Read it again")
    ui.look("model-conflict")
    ui.button("Read it again, and keep my changes").click()
    expect(ui.dialog.get_by_role("status").filter(has_text="Somebody")).to_contain_text(
        "Somebody else has changed description too"
    )
    ui.button("Save").click()
    expect(ui.dialog).to_have_count(0)
    saved = api.get(f"/models/{model['id']}").json()
    assert (saved["description"], saved["model_type"]) == ("mine", "PRETRAIN")


def test_a_model_is_archived_and_deleted(ui: Ui, api: Api) -> None:
    model = api.post("/models", {"name": "iris"}).json()
    ui.open(f"/models/{model['id']}")
    ui.button("Archive").click()
    ui.dialog.get_by_role("button", name="Archive", exact=True).click()
    expect(ui.page.locator("main .badge")).to_have_text("archived")
    ui.button("Delete").click()
    ui.button("Delete for ever").click()
    expect(ui.page.get_by_role("heading", name="This project has no models yet")).to_be_visible()
    assert api.get(f"/models/{model['id']}").status_code == 404


def test_a_model_that_serves_is_not_deleted_and_says_what_is_in_the_way(ui: Ui, api: Api) -> None:
    model = api.post("/models", {"name": "iris"}).json()
    environment = api.post("/serving_environments", {"name": "prod"}).json()
    body = {"name": "iris-prod", "registered_model_id": model["id"], "serving_environment_id": environment["id"]}
    assert api.post("/inference_services", body).status_code == 201
    api.patch(f"/models/{model['id']}", {"state": "ARCHIVED"})
    ui.open(f"/models/{model['id']}")
    ui.button("Delete").click()
    ui.button("Delete for ever").click()
    expect(ui.dialog.get_by_role("alert").get_by_role("link", name="iris-prod")).to_be_visible()
    ui.look("model-delete-refused")


def test_a_model_of_another_project_is_not_there(ui: Ui, api: Api) -> None:
    model = api.of_another_project().post("/models", {"name": "iris"}).json()
    ui.open(f"/models/{model['id']}")
    expect(ui.page.get_by_role("heading", name="There is no such model")).to_be_visible()


def test_a_long_list_reads_on_and_comes_back_to_where_it_was(ui: Ui, api: Api) -> None:
    _models(api, 80)
    ui.open("/models")
    expect(ui.count).to_contain_text("50 models so far")
    _scroll_to_the_end(ui)
    expect(ui.count).to_have_text("80 models")
    _scroll_to_the_end(ui)
    link = ui.page.get_by_role("link", name="iris-3", exact=True)
    link.wait_for()
    assert ui.page.locator("tbody tr.clickable").count() < 60  # those that can be seen
    link.click()
    expect(ui.page.get_by_role("heading", name="iris-3", level=1)).to_be_visible()
    ui.page.go_back()
    expect(link).to_be_in_viewport()


def test_a_long_list_fills_the_width_of_a_phone(ui: Ui, api: Api) -> None:
    _models(api, 40)  # more than fit into the window
    ui.page.set_viewport_size({"width": 390, "height": 844})
    ui.open("/models")
    expect(ui.count).to_have_text("40 models")
    boxes = [ui.page.locator(selector).first.bounding_box() for selector in ("tbody tr.clickable", "td:nth-child(2)")]
    row, last = (box for box in boxes if box)
    assert last["x"] + last["width"] == pytest.approx(row["x"] + row["width"], abs=2)


def _scroll_to_the_end(ui: Ui) -> None:
    ui.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
