"""Who uses keys keeps the place when what has the focus goes away."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect
from tests.e2e.api import Api
from tests.e2e.deployments import Place
from tests.e2e.rpc import Rpc
from tests.ui.ui import Ui

from modelregistry.v1 import access_pb2, deployment_pb2, model_alias_pb2


def _press(button: Locator) -> None:
    """As with keys alone: a click would move the focus."""
    button.press("Enter")


def _is_at(ui: Ui, gone: Locator, role: Any, name: str) -> None:
    """The button is gone, and the focus is there."""
    expect(gone).to_have_count(0, timeout=30_000)
    expect(ui.page.get_by_role(role, name=name, exact=True)).to_be_focused()


@pytest.mark.parametrize("end", ["Promote", "Abort"])
def test_the_end_of_a_canary_leads_to_its_page(ui: Ui, api: Api, rpc: Rpc, end: str) -> None:
    service = Place(api, "iris").deployed(name="flowers")
    two = deployment_pb2.DeploymentOptions(min_replicas=2)
    canary = deployment_pb2.UpdateDeploymentRequest(id=service["id"], options=two, traffic_percent=20)
    rpc.call(rpc.deployments.UpdateDeployment, canary)
    ui.open(f"/deployments/{service['id']}")
    _press(ui.button(end))
    _press(ui.dialog.get_by_role("button", name=end))
    _is_at(ui, ui.button(end), "heading", "flowers")


def test_undeploying_and_deleting_lead_to_the_page_that_is_left(ui: Ui, api: Api) -> None:
    service = Place(api, "iris").deployed(name="flowers")
    ui.open(f"/deployments/{service['id']}")
    _press(ui.button("Undeploy"))
    _press(ui.dialog.get_by_role("button", name="Undeploy"))
    _is_at(ui, ui.button("Undeploy"), "heading", "flowers")
    _press(ui.button("Delete"))
    _press(ui.button("Delete for ever"))
    expect(ui.page.get_by_role("heading", name="Deployments", exact=True)).to_be_visible()
    expect(ui.page.locator("main")).to_be_focused()


def test_a_dialog_whose_button_went_away_meanwhile_leads_to_what_is_before_it(ui: Ui, api: Api, rpc: Rpc) -> None:
    service = Place(api, "iris").deployed(name="flowers")
    ui.open(f"/deployments/{service['id']}")
    undeploy = ui.page.get_by_role("button", name="Undeploy", exact=True, include_hidden=True)
    _press(undeploy)
    expect(ui.dialog).to_be_visible()
    rpc.call(rpc.deployments.UndeployModel, deployment_pb2.UndeployModelRequest(id=service["id"]))
    expect(undeploy).to_have_count(1, timeout=30_000)  # that of the dialog
    ui.page.keyboard.press("Escape")
    _is_at(ui, ui.dialog, "heading", "flowers")


def test_what_is_typed_right_after_the_key_that_opens_a_dialog_is_in_its_field(ui: Ui) -> None:
    ui.open("/members")
    at_the_next_event = """() => new Promise((done) => {
        document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "n", bubbles: true}));
        setTimeout(() => done(document.activeElement.tagName));
    })"""
    assert ui.page.evaluate(at_the_next_event) == "INPUT"


def test_members_and_tokens_that_end_lead_to_their_tables(ui: Ui, rpc: Rpc) -> None:
    for name in ("ann", "bob"):
        rpc.call(rpc.access.CreateApiToken, access_pb2.CreateApiTokenRequest(name=name, role=access_pb2.ROLE_VIEWER))
        who: dict[str, Any] = {"kind": access_pb2.MEMBER_KIND_USER, "name": name}
        rpc.call(rpc.access.SetMember, access_pb2.SetMemberRequest(role=access_pb2.ROLE_VIEWER, **who))
    ui.open("/tokens")
    _press(ui.button("Revoke ann"))
    _press(ui.button("Revoke"))
    _is_at(ui, ui.button("Revoke ann"), "table", "API tokens")
    ui.open("/members")
    for name, (role, place) in {"ann": ("table", "Members"), "bob": ("heading", "Members")}.items():
        _press(ui.button(f"Remove {name}"))
        _press(ui.button("Remove"))
        _is_at(ui, ui.button(f"Remove {name}"), role, place)


def test_what_a_model_loses_leads_to_what_is_left_of_it(ui: Ui, api: Api, rpc: Rpc) -> None:
    place = Place(api, "iris")
    pending = place.another_version(name="pending", status="PENDING")
    path = f"/models/{place.model['id']}"
    for name in ("first", "second"):
        alias = model_alias_pb2.SetModelAliasRequest(registered_model_id=place.model["id"], name=name, version="1")
        rpc.call(rpc.aliases.SetModelAlias, alias)
    ui.open(f"{path}?tab=aliases")
    _press(ui.button("Delete first"))
    _press(ui.button("Delete the alias"))
    expect(ui.button("Delete first")).to_have_count(0)
    expect(ui.page.locator("ul.rows")).to_be_focused()

    ui.open(f"{path}/versions/2")
    _press(ui.button("Mark it as ready"))
    _is_at(ui, ui.button("Mark it as ready"), "heading", pending["name"])
    _press(ui.button("Delete"))
    _press(ui.button("Delete the version"))
    expect(ui.page.get_by_role("heading", name="Deleted versions")).to_be_visible()
    expect(ui.page.locator("main")).to_be_focused()
    _press(ui.button("Restore"))
    _is_at(ui, ui.button("Restore"), "table", "Versions")

    ui.open(f"{path}/versions/1?tab=artifacts")
    ui.button("New artifact").click()
    ui.dialog.get_by_label("Name", exact=True).fill("accuracy")
    ui.dialog.get_by_label("Value of the artifact").fill("0.97")
    _press(ui.button("Create the artifact"))
    _press(ui.button("accuracy"))
    _press(ui.dialog.get_by_role("button", name="Delete"))
    _press(ui.button("Delete the artifact"))
    _is_at(ui, ui.button("accuracy"), "table", "Artifacts")


def test_what_is_taken_out_of_a_form_or_a_filter_leads_to_what_is_above(ui: Ui, api: Api) -> None:
    api.post("/models", {"name": "iris"})
    ui.open("/models")
    ui.button("New model").click()
    _press(ui.button("Add a property"))
    _press(ui.dialog.get_by_role("button", name="Remove property 1"))
    expect(ui.dialog.get_by_role("group", name="Properties")).to_be_focused()
    ui.page.keyboard.press("Escape")
    ui.open("/models?f=state%20%3D%20%22LIVE%22")
    _press(ui.page.get_by_role("button", name=re.compile("^Remove the filter")))
    _is_at(ui, ui.button("Clear"), "heading", "Models")
