"""Deployments: the live board, the page of one, plans, updates, rollbacks, canaries, drift, failures."""

from __future__ import annotations

import base64
import re

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from playwright.sync_api import Locator, Route, expect
from tests.e2e.api import Api
from tests.e2e.cluster import Cluster
from tests.e2e.deployments import Place
from tests.ui.ui import Ui


@pytest.fixture
def place(api: Api) -> Place:
    """A model with a READY version, and an environment."""
    return Place(api, "iris")


def _open(ui: Ui, service: dict[str, str], tab: str = "") -> None:
    ui.open(f"/deployments/{service['id']}{tab and f'?tab={tab}'}")


def _part(ui: Ui, name: str) -> Locator:
    """A tab of the page. Its name may end with a count."""
    return ui.page.get_by_label("Parts of the page").get_by_role("button", name=name)


def _is(ui: Ui, phase: str) -> None:
    """Waits until the page says so, without reading it again."""
    expect(ui.page.get_by_label("Status", exact=True).get_by_text(phase, exact=True)).to_be_visible(timeout=30_000)


def test_the_board_groups_by_environment_and_follows_what_happens(ui: Ui, api: Api) -> None:
    ui.open("/deployments")
    expect(ui.page.get_by_role("heading", name="Nothing is deployed in this project")).to_be_visible()
    expect(ui.page.get_by_text("live", exact=True)).to_be_visible()
    good = Place(api, "iris")
    good.deploy(name="flowers")
    bad = Place(api, "churn", uri="s3://bucket/corrupt-model")
    bad.deploy(name="customers")
    card = ui.page.get_by_role("listitem").filter(has_text="flowers")
    expect(card.get_by_text("deployed", exact=True)).to_be_visible(timeout=30_000)
    failed = ui.page.get_by_role("listitem").filter(has_text="customers")
    expect(failed).to_contain_text("model load: kserve-container: exit code 1", timeout=30_000)
    expect(failed).to_contain_text("Check that the runtime can load this model")
    expect(ui.page.get_by_role("heading", name=good.environment["name"])).to_be_visible()
    ui.look("deployments-board")
    assert good.api.patch(f"/inference_services/{good.deployed(name='other')['id']}", {"desired_state": "UNDEPLOYED"})
    expect(ui.link("other")).to_have_count(0, timeout=30_000)
    expect(ui.link("flowers")).to_be_visible()


def test_deployments_are_found_by_phase_environment_model_and_text(ui: Ui, api: Api) -> None:
    good = Place(api, "iris")
    good.deployed(name="flowers")
    bad = Place(api, "churn", uri="s3://bucket/does-not-exist")
    bad.deploy(name="customers")
    ui.open("/deployments?view=table")
    ui.page.get_by_label("Phase").select_option("Needs attention")
    expect(ui.link("customers")).to_be_visible(timeout=30_000)
    expect(ui.link("flowers")).to_have_count(0)
    ui.page.get_by_label("Phase").select_option("Deployed")
    expect(ui.link("flowers")).to_be_visible()
    expect(ui.link("customers")).to_have_count(0)
    ui.page.get_by_label("Phase").select_option("All but undeployed")
    ui.page.get_by_label("Environment", exact=True).select_option(bad.environment["name"])
    expect(ui.link("flowers")).to_have_count(0)
    ui.page.get_by_label("Environment", exact=True).select_option("All environments")
    ui.page.get_by_label("Model", exact=True).fill("iris")
    expect(ui.link("customers")).to_have_count(0)
    expect(ui.link("flowers")).to_be_visible()
    ui.page.get_by_label("Model", exact=True).fill("")
    ui.page.get_by_label("Search deployments by name").fill("ustom")
    expect(ui.link("flowers")).to_have_count(0)
    expect(ui.page.get_by_role("row", name=re.compile("customers"))).to_contain_text("model download")
    ui.look("deployments-table")
    ui.page.get_by_label("Search deployments by name").fill("nothing like this")
    ui.button("Show all deployments").click()
    expect(ui.link("flowers")).to_be_visible()


def test_a_plan_decides_whether_a_version_can_be_deployed(ui: Ui, place: Place) -> None:
    plan = _new(ui, place)
    ui.page.get_by_label("Serving runtime optional").fill("no-such-runtime")
    expect(plan).to_contain_text("runtime not found")
    expect(ui.button("Deploy")).to_be_disabled()
    ui.look("deployment-new-blocked")
    ui.page.get_by_label("Serving runtime optional").fill("")
    expect(ui.button("Deploy")).to_be_enabled()
    ui.page.route("**/PlanDeployment", lambda _: None)  # as long as there is no answer, the plan is of something else
    ui.page.get_by_label("Limit of memory").fill("4Gi")
    expect(ui.button("Deploy")).to_be_disabled()
    ui.page.unroute("**/PlanDeployment")
    ui.page.get_by_label("Limit of memory").fill("12 apples")
    expect(plan).to_contain_text("must be a Kubernetes quantity")
    expect(ui.button("Deploy")).to_be_disabled()


def test_what_is_deployed_is_shown_before_and_followed_after(ui: Ui, place: Place) -> None:
    plan = _new(ui, place)
    ui.page.get_by_label("Name optional").fill("flowers")
    ui.page.get_by_label("Limit of memory").fill("4Gi")
    plan.get_by_text("The object that is applied").click()
    expect(plan).to_contain_text("storageUri: s3://bucket/model")
    expect(plan).to_contain_text('memory: "4Gi"')
    ui.look("deployment-new")
    ui.button("Deploy").click()
    expect(ui.page.get_by_role("heading", name="flowers")).to_be_visible()
    _is(ui, "deployed")
    _part(ui, "Options").click()
    expect(ui.page.get_by_text("resources.limits.memory")).to_be_visible()


def _new(ui: Ui, place: Place) -> Locator:
    """Opens the form as the page of a version does. Its plan; the only environment is chosen already."""
    ui.open(f"/deployments/new?model={place.model['id']}&version=1")
    plan = ui.page.get_by_label("Plan", exact=True)
    expect(plan).to_contain_text("it can be deployed")
    return plan


def test_a_failure_is_explained_with_its_evidence(ui: Ui, api: Api) -> None:
    place = Place(api, "churn", uri="s3://bucket/corrupt-model")
    service = place.deploy(name="customers")["inference_service"]
    _open(ui, service)
    _is(ui, "failed")
    status = ui.page.get_by_label("Status", exact=True)
    expect(status).to_contain_text("the model file cannot be read")
    expect(status).to_contain_text("Check that the runtime can load this model")
    container = ui.page.locator(".chain > li").filter(has_text="kserve-container").last
    expect(container).to_contain_text("has failed")
    expect(container).to_contain_text("End of the log")
    ui.look("deployment-failed")


def test_an_update_says_what_it_changes_and_makes_a_revision(ui: Ui, place: Place) -> None:
    _open(ui, place.deployed(name="flowers"))
    ui.link("Update").click()
    expect(ui.page.get_by_label("Plan", exact=True)).to_contain_text("Nothing is changed yet")
    expect(ui.button("Update")).to_be_disabled()
    ui.page.get_by_label("At least optional").fill("2")
    expect(ui.page.get_by_text("1 change: min_replicas")).to_be_visible()
    expect(ui.page.get_by_role("row", name=re.compile(r"minReplicas.*2"))).to_be_visible()
    ui.look("deployment-update")
    ui.button("Update").click()
    _part(ui, "Revisions").click()
    second = ui.page.get_by_role("listitem").filter(has_text="Revision 2")
    expect(second).to_contain_text("min_replicas")
    expect(second).to_contain_text("serves now")
    ui.look("deployment-revisions")


def test_a_number_that_the_api_cannot_have_is_said_in_plain_words(ui: Ui, place: Place) -> None:
    ui.open(f"/deployments/{place.deployed(name='flowers')['id']}/update")
    for label in ("At least optional", "Try it as a canary optional"):
        for text in ("1.5", "99999999999"):
            ui.page.get_by_label(label).fill(text)
            expect(ui.page.get_by_label("Plan", exact=True)).to_contain_text(f"“{text}” is not a whole number")
            expect(ui.button("Update")).to_be_disabled()
        ui.page.get_by_label(label).fill("")


def test_a_rollback_says_what_it_changes_and_repeats_an_earlier_revision(ui: Ui, place: Place) -> None:
    service = place.deployed(name="flowers")
    ui.open(f"/deployments/{service['id']}/update")
    ui.page.get_by_label("At least optional").fill("2")
    ui.button("Update").click()
    _part(ui, "Revisions").click()
    ui.button("Roll back to this").click()
    expect(ui.dialog.get_by_role("row", name=re.compile(r"min_replicas\s*2\s*not set"))).to_be_visible()
    ui.look("deployment-rollback")
    ui.dialog.get_by_role("button", name="Roll back").click()
    third = ui.page.get_by_role("listitem").filter(has_text="Revision 3")
    expect(third).to_contain_text("rolled it back")
    expect(third).to_contain_text("serves now")
    _part(ui, "State").click()
    expect(ui.page.get_by_role("img", name=re.compile("revision 3 serves"))).to_be_visible()
    ui.page.get_by_text("As a table").click()
    expect(ui.page.get_by_role("row", name=re.compile("now deployed revision 3"))).to_be_visible()
    ui.look("deployment-timeline")


def test_an_update_over_the_change_of_somebody_else_keeps_both(ui: Ui, place: Place) -> None:
    service = place.deployed(name="flowers")
    ui.open(f"/deployments/{service['id']}/update")
    ui.page.get_by_label("At least optional").fill("2")
    expect(ui.page.get_by_label("Plan", exact=True)).to_contain_text("it can be updated")
    other = ui.page.context.new_page()
    other.goto(f"{ui.url}/ui/p/{ui.project}/deployments/{service['id']}/update")
    other.get_by_label("Seconds for a request").evaluate("(field) => field.closest('details').open = true")
    other.get_by_label("Seconds for a request").fill("9")
    other.get_by_role("button", name="Update", exact=True).click()
    expect(other.get_by_role("heading", name="flowers")).to_be_visible()
    other.close()
    ui.button("Update").click()
    expect(ui.page.get_by_text("Somebody else has changed the deployment")).to_be_visible()
    with ui.holding("GetDeployment"):
        ui.button("Read it again, and keep my changes").click()
        expect(ui.button("Update")).to_be_disabled()
    ui.button("Update").click()
    _part(ui, "Options").click()
    expect(ui.page.get_by_label("Options", exact=True)).to_contain_text(re.compile(r"min replicas\s*2"))
    expect(ui.page.get_by_label("Options", exact=True)).to_contain_text(re.compile(r"timeout\s*9 s"))


def test_a_canary_is_tried_and_promoted(ui: Ui, place: Place) -> None:
    service = place.deployed(name="flowers")
    place.another_version(name="better", uri="s3://bucket/better")
    ui.open(f"/deployments/{service['id']}/update")
    ui.page.get_by_label("Version", exact=True).select_option("2")
    ui.page.get_by_label("Try it as a canary optional").fill("20")
    expect(ui.page.get_by_label("Plan", exact=True)).to_contain_text("it can be updated")
    ui.button("Update").click()
    status = ui.page.get_by_label("Status", exact=True)
    expect(status).to_contain_text("revision 2 shall get 20 % of the requests")
    expect(status).to_contain_text("1 of 1 replicas of the canary can serve", timeout=30_000)
    ui.look("deployment-canary")
    ui.button("Change the share").click()
    ui.dialog.get_by_label("Percent of the requests").fill("1.5")
    expect(ui.dialog.get_by_role("button", name="Change")).to_be_disabled()
    ui.dialog.get_by_label("Percent of the requests").fill("30")
    ui.dialog.get_by_role("button", name="Change").click()
    expect(status).to_contain_text("shall get 30 % of the requests", timeout=30_000)
    ui.button("Promote").click()
    ui.dialog.get_by_role("button", name="Promote").click()
    expect(status).not_to_contain_text("Canary", timeout=30_000)
    _is(ui, "deployed")


def test_drift_shows_what_others_have_changed(ui: Ui, place: Place, ui_cluster: Cluster) -> None:
    service = place.deployed(name="flowers", min_replicas=1)
    _open(ui, service)
    ui_cluster.patch(place.environment["name"], "flowers", {"spec": {"predictor": {"minReplicas": 3}}})
    _is(ui, "drifted")
    row = ui.page.get_by_role("table", name="What others have changed").get_by_role("row").last
    expect(row).to_contain_text("spec.predictor.minReplicas")
    expect(row.get_by_role("cell").last).to_contain_text("3")
    ui.look("deployment-drifted")


def test_undeploying_says_what_it_affects_and_can_be_undone(ui: Ui, place: Place) -> None:
    service = place.deployed(name="flowers")
    _open(ui, service)
    ui.button("Undeploy").click()
    expect(ui.dialog).to_contain_text(service["url"])
    ui.look("deployment-undeploy")
    ui.dialog.get_by_role("button", name="Undeploy").click()
    _is(ui, "undeployed")
    ui.button("Deploy again").click()
    ui.dialog.get_by_role("button", name="Deploy again").click()
    _is(ui, "deployed")
    ui.button("Undeploy").click()
    ui.dialog.get_by_role("button", name="Undeploy").click()
    _is(ui, "undeployed")
    ui.look("deployment-undeployed")
    ui.button("Delete").click()
    ui.dialog.get_by_role("button", name="Delete for ever").click()
    expect(ui.page.get_by_role("heading", name="Nothing is deployed in this project")).to_be_visible()


def test_a_cluster_that_does_not_answer_takes_only_its_part_of_the_page(ui: Ui, place: Place) -> None:
    service = place.deployed(name="flowers")
    ui.page.route("**/modelregistry.v1.DeploymentService/ExplainDeployment", _cluster_unavailable)
    ui.page.route("**/modelregistry.v1.DeploymentService/PlanDeployment", _cluster_unavailable)
    _open(ui, service)
    expect(ui.page.get_by_text("The cluster could not be read now.")).to_be_visible()
    _is(ui, "deployed")
    ui.look("deployment-no-cluster")
    ui.open(f"/deployments/{service['id']}/update")
    ui.page.get_by_label("At least optional").fill("2")
    expect(ui.page.get_by_label("Plan", exact=True)).to_contain_text("The cluster does not answer")
    expect(ui.button("Update")).to_be_disabled()
    ui.page.unroute("**/modelregistry.v1.DeploymentService/PlanDeployment")
    ui.page.get_by_label("Plan", exact=True).get_by_role("button", name="Try again").click()
    expect(ui.button("Update")).to_be_enabled()


def test_an_unknown_deployment_says_so(ui: Ui) -> None:
    ui.open("/deployments/99999999-9999-4999-8999-999999999999")
    expect(ui.page.get_by_role("heading", name="There is no such deployment")).to_be_visible()


def _cluster_unavailable(route: Route) -> None:
    """What the registry answers without the cluster. The detail tells it from an answer without the registry."""
    detail = AnyMessage()
    detail.Pack(ErrorInfo(reason="CLUSTER_UNAVAILABLE", domain="modelregistry"))
    status = Status(code=14, message="The cluster does not answer", details=[detail])
    headers = {
        "content-type": "application/grpc-web+proto",
        "grpc-status": "14",
        "grpc-message": status.message,
        "grpc-status-details-bin": base64.b64encode(status.SerializeToString()).decode().rstrip("="),
    }
    route.fulfill(status=200, headers=headers)
