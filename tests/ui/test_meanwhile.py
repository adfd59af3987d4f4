"""What somebody else changes while a dialog is open is shown before anything is changed by it."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect
from tests.e2e.api import Api
from tests.e2e.deployments import Place, is_undeployed
from tests.e2e.rpc import Rpc
from tests.ui.ui import Ui

from modelregistry.v1 import access_pb2, deployment_pb2


@pytest.fixture
def place(api: Api) -> Place:
    return Place(api, "iris")


def _update(rpc: Rpc, service: dict[str, str], **fields: Any) -> None:
    rpc.call(rpc.deployments.UpdateDeployment, deployment_pb2.UpdateDeploymentRequest(id=service["id"], **fields))


def _two_replicas() -> deployment_pb2.DeploymentOptions:
    return deployment_pb2.DeploymentOptions(min_replicas=2)


def test_a_canary_that_is_replaced_or_ended_is_not_aborted_unseen(ui: Ui, rpc: Rpc, place: Place) -> None:
    service = place.deployed(name="flowers")
    _update(rpc, service, options=_two_replicas(), traffic_percent=20)
    ui.open(f"/deployments/{service['id']}")
    ui.button("Roll back").click()  # which ends a canary in the same way
    expect(ui.dialog).to_contain_text("Then the pods of revision 2 are removed")
    abort = ui.dialog.get_by_role("button", name="Abort")
    abort.focus()
    _update(rpc, service, options=deployment_pb2.DeploymentOptions(min_replicas=3), traffic_percent=30)
    expect(abort).to_be_disabled(timeout=30_000)
    expect(ui.dialog.get_by_role("heading")).to_be_focused()  # what is disabled cannot keep the focus
    ui.look("deployment-changed-meanwhile")
    ui.button("Show how it is now").click()
    expect(ui.dialog).to_contain_text("Then the pods of revision 3 are removed")
    expect(abort).to_be_enabled()
    rpc.call(rpc.deployments.AbortDeployment, deployment_pb2.AbortDeploymentRequest(id=service["id"]))
    ui.button("Show how it is now").click()
    expect(ui.dialog).to_have_count(0)
    expect(ui.page.get_by_label("Status", exact=True)).not_to_contain_text("Canary:")


def test_a_change_that_the_page_has_not_heard_of_is_refused_and_then_shown(ui: Ui, rpc: Rpc, place: Place) -> None:
    service = place.deployed(name="flowers")
    _update(rpc, service, options=_two_replicas())
    ui.broken = True
    ui.page.route("**/modelregistry.v1.EventService/WatchEvents", lambda route: route.abort())
    ui.open(f"/deployments/{service['id']}")
    ui.button("Roll back").click()
    expect(ui.dialog.get_by_label("To")).to_have_value("1")
    _update(rpc, service, options=deployment_pb2.DeploymentOptions(min_replicas=3))
    ui.dialog.get_by_role("button", name="Roll back").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("Somebody else has changed the deployment")
    ui.button("Show how it is now").click()
    ui.dialog.get_by_role("button", name="Roll back").dblclick()
    expect(ui.dialog).to_have_count(0)
    expect(ui.page.locator(".toast")).to_contain_text("Revision 4 repeats revision")


def test_a_record_that_is_deleted_leaves_its_history_and_nothing_to_do(ui: Ui, api: Api, place: Place) -> None:
    service = place.deployed(name="flowers")
    assert api.delete(f"/inference_services/{service['id']}/undeploy").status_code < 300
    place.wait(service, is_undeployed)
    ui.open(f"/deployments/{service['id']}?tab=revisions")
    ui.button("Delete").click()
    assert api.delete(f"/inference_services/{service['id']}").status_code < 300
    expect(ui.page.get_by_text("Its record was deleted")).to_be_visible(timeout=30_000)
    expect(ui.dialog).to_have_count(0)
    expect(ui.button("Deploy again")).to_have_count(0)
    expect(ui.button("Roll back to this")).to_have_count(0)
    ui.look("deployment-deleted")


def test_a_member_whom_somebody_else_has_removed_is_gone(ui: Ui, rpc: Rpc) -> None:
    zoe: dict[str, Any] = {"kind": access_pb2.MEMBER_KIND_USER, "name": "zoe"}
    rpc.call(rpc.access.SetMember, access_pb2.SetMemberRequest(role=access_pb2.ROLE_VIEWER, **zoe))
    ui.open("/members")
    ui.button("Remove zoe").click()
    rpc.call(rpc.access.RemoveMember, access_pb2.RemoveMemberRequest(**zoe))
    ui.button("Remove").click()
    expect(ui.dialog).to_have_count(0)
    expect(ui.page.get_by_role("heading", name="This project has no members")).to_be_visible()


def test_a_refused_change_asks_for_the_role_again(ui: Ui, place: Place) -> None:
    service = place.deployed(name="flowers")
    ui.open(f"/deployments/{service['id']}")
    headers = {"content-type": "application/grpc-web+proto", "grpc-status": "7", "grpc-message": "permission denied"}
    ui.page.route("**/UndeployModel", lambda route: route.fulfill(status=200, headers=headers))
    ui.button("Undeploy").click()
    with ui.page.expect_request("**/GetCaller"):
        ui.dialog.get_by_role("button", name="Undeploy").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("Permission denied")
