"""The pages of administrators: members, API tokens, webhooks, the audit log, projects; and the activity."""

from __future__ import annotations

import json
import re
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import pytest
from playwright.sync_api import Locator, Route, expect
from tests.e2e.api import Api
from tests.e2e.rpc import Rpc
from tests.ui.ui import Ui

from modelregistry.v1 import project_pb2, webhook_pb2
from modelregistry.v1.project_pb2_grpc import ProjectServiceStub
from modelregistry.v1.webhook_pb2_grpc import WebhookServiceStub

# The generated stubs have no types.
_PROJECTS: Any = ProjectServiceStub
_WEBHOOKS: Any = WebhookServiceStub

SOON = 60_000
"""Half a second, but longer while other tests keep the machine busy."""


def row(ui: Ui, text: str) -> Locator:
    return ui.page.locator("tbody tr").filter(has_text=text)


def test_members_are_added_changed_and_removed(ui: Ui) -> None:
    ui.open("/members")
    expect(ui.page.get_by_role("heading", name="This project has no members")).to_be_visible()
    ui.page.keyboard.press("n")
    ui.page.keyboard.type("corp:ann@example.com")
    ui.dialog.get_by_label("Role").select_option("Editor")
    ui.look("member-add")
    ui.page.keyboard.press("Enter")
    expect(row(ui, "corp:ann@example.com")).to_contain_text("editor")

    ui.button("Add a member").click()
    ui.dialog.get_by_label("Kind").select_option("Group")
    ui.dialog.get_by_label("Name").fill("corp:vision")
    ui.dialog.get_by_label("Role").select_option("Admin")
    ui.button("Add").click()
    expect(row(ui, "corp:vision")).to_contain_text("admin")
    ui.look("members")

    ui.button("Change the role of corp:vision").click()
    expect(ui.button("Change the role")).to_be_disabled()
    ui.dialog.get_by_label("Role").select_option("Viewer")
    expect(ui.dialog).to_contain_text("API tokens that belong to this member get no higher role")
    ui.button("Change the role").click()
    expect(row(ui, "corp:vision")).to_contain_text("viewer")

    ui.button("Remove corp:ann@example.com").click()
    ui.button("Remove").click()
    expect(row(ui, "corp:ann@example.com")).to_have_count(0)


def test_a_name_that_no_token_can_have_is_refused_at_its_field(ui: Ui) -> None:
    ui.open("/members")
    ui.button("Add a member").first.click()
    ui.dialog.get_by_label("Name").fill("token:ci")
    ui.button("Add").click()
    expect(ui.dialog.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
    expect(ui.dialog.locator(".field-error")).to_be_visible()


def test_a_token_is_shown_once_works_and_is_revoked(ui: Ui) -> None:
    ui.open("/tokens")
    ui.page.keyboard.press("n")
    ui.dialog.get_by_label("Name").fill("ci")
    ui.dialog.get_by_label("It can be used for").select_option("7 days")
    ui.button("Make the token").click()
    text = ui.dialog.get_by_label("Token")
    expect(text).to_have_value(re.compile("^rgt_"))
    ui.look("token-made")
    for _ in range(3):  # browsers let a page prevent the first only
        ui.page.keyboard.press("Escape")
    expect(text).to_be_visible()
    ui.button("I have copied it").click()
    assert "rgt_" not in ui.page.content()
    expect(row(ui, "ci")).to_contain_text("active")
    expect(row(ui, "ci")).to_contain_text("Never")

    ui.button("New token").click()
    ui.dialog.get_by_label("Name").fill("ci")
    ui.button("Make the token").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("A token of the project has this name")
    ui.button("Cancel").click()

    ui.button("Revoke ci").click()
    ui.button("Revoke").click()
    expect(row(ui, "ci")).to_contain_text("revoked")
    ui.look("tokens")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


class Receiver:
    """A program that gets the requests of a webhook, and answers what it is told to."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[dict[str, Any]] = []
        self.arrived = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer.arrived:
                    outer.got.append(json.loads(body))
                    outer.arrived.notify_all()
                self.send_response(outer.status)
                self.end_headers()
                if outer.status >= 400:
                    self.wfile.write(b"the disk is full")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_webhook_from_its_creation_to_its_end(ui: Ui, api: Api, receiver: Receiver) -> None:
    ui.open("/webhooks")
    ui.page.keyboard.press("n")
    ui.dialog.get_by_label("URL").fill("ftp://nowhere")
    ui.button("Create").click()
    expect(ui.dialog.get_by_label("URL")).to_have_attribute("aria-invalid", "true")
    ui.look("webhook-create")
    ui.dialog.get_by_label("URL").fill(receiver.url)
    ui.dialog.get_by_label("Models", exact=True).check()
    ui.dialog.get_by_label("Single types").fill("alias.set, version.created")
    ui.button("Create").click()
    expect(ui.dialog.get_by_label("Secret")).to_have_value(re.compile("^whsec_"))
    ui.button("I have copied it").click()
    expect(ui.page.get_by_role("heading", name=receiver.url)).to_be_visible()
    expect(ui.page.get_by_text("model, alias.set, version.created")).to_be_visible()

    ui.button("Send a test").click()
    expect(ui.page.get_by_text("The test was accepted with the status 204.")).to_be_visible()
    receiver.status = 507
    ui.button("Send a test").click()
    expect(ui.page.get_by_text("The test was refused with the status 507. It says: the disk is full")).to_be_visible()

    assert api.post("/models", {"name": "iris"}).status_code == 201
    with receiver.arrived:
        assert receiver.arrived.wait_for(lambda: any(got["data"].get("name") == "iris" for got in receiver.got), 30)
    ui.button("Refresh").click()
    expect(row(ui, "iris")).to_contain_text("failing")
    expect(row(ui, "iris")).to_contain_text("507")
    ui.look("webhook")
    receiver.status = 204
    row(ui, "iris").get_by_role("button").click()
    ui.look("delivery")
    ui.button("Send it again").click()
    expect(row(ui, "iris")).to_contain_text("delivered", timeout=30_000)

    ui.button("Disable").click()
    ui.dialog.get_by_role("button", name="Disable").click()
    expect(ui.page.locator(".page-title .badge")).to_have_text("disabled")
    ui.button("Edit").click()
    ui.dialog.get_by_label("Models", exact=True).uncheck()
    ui.button("Save").click()
    expect(ui.page.get_by_text("alias.set, version.created", exact=True)).to_be_visible()
    ui.link("Webhooks").first.click()
    expect(row(ui, receiver.url)).to_contain_text("disabled")
    ui.look("webhooks")
    ui.link(receiver.url).click()
    ui.button("Delete").click()
    ui.dialog.get_by_role("button", name="Delete").click()
    expect(ui.page.get_by_role("heading", name="This project has no webhooks")).to_be_visible()


def test_the_audit_log_shows_what_was_changed_and_saves_it(ui: Ui, api: Api) -> None:
    model = api.post("/models", {"name": "iris", "description": "old words"}).json()
    assert api.patch(f"/models/{model['id']}", {"description": "new words"}).status_code == 200
    ui.open("/audit")
    row(ui, "Model updated: iris").get_by_role("button", name="Model updated: iris").click()
    changed = ui.dialog.get_by_role("row", name=re.compile("description"))
    expect(changed.locator("del")).to_have_text("old words")
    expect(changed.locator("ins")).to_have_text("new words")
    expect(ui.dialog.get_by_text(re.compile(r"^Entry \d+ has the hash"))).to_be_visible()
    ui.look("audit-entry")
    ui.page.keyboard.press("Escape")
    ui.look("audit")

    ui.page.get_by_label("What to show").select_option("Members and tokens")
    expect(ui.page.get_by_role("heading", name="No entry matches")).to_be_visible()
    ui.page.get_by_label("What to show").select_option("Models and versions")
    expect(ui.page.get_by_text("2 entries")).to_be_visible()
    with ui.page.expect_download() as saved:
        ui.button("Export").click()
    lines = [json.loads(line) for line in saved.value.path().read_text().splitlines()]
    assert [line["type"] for line in lines] == ["model.updated", "model.created"]
    assert (lines[0]["before"]["description"], lines[0]["after"]["description"]) == ("old words", "new words")


def test_a_project_has_quotas_and_shows_its_usage(ui: Ui, api: Api) -> None:
    name = f"vision {uuid.uuid4()}"
    assert api.post("/models", {"name": "iris"}).status_code == 201
    ui.page.goto(f"{ui.url}/ui/projects")
    ui.settled()
    ui.button("New project").first.click()
    ui.dialog.get_by_label("Name", exact=True).fill(name)
    ui.dialog.get_by_label("Namespaces").fill("vision-*\nshared")
    ui.dialog.get_by_label("Places of model files").fill("s3://team-*")
    ui.dialog.get_by_label("Models", exact=True).fill("many")
    expect(ui.dialog.get_by_text("“many” is not a number.")).to_be_visible()
    ui.dialog.get_by_label("Models", exact=True).fill("1")
    ui.dialog.get_by_label("Model files in GiB").fill("1.5")
    ui.dialog.get_by_label("Id optional").fill(ui.project)
    ui.look("project-create")
    ui.button("Create").click()
    expect(ui.page.get_by_role("heading", name=name)).to_be_visible()
    expect(ui.page.locator(".usage").filter(has_text="Models")).to_contain_text("1 of 1")
    expect(ui.page.locator(".usage").filter(has_text="Model files")).to_contain_text("0 B of 1.5 GiB")
    expect(ui.page.get_by_text("vision-*")).to_be_visible()
    ui.look("project")

    ui.button("Edit").click()
    ui.dialog.get_by_label("Models", exact=True).fill("")
    ui.dialog.get_by_label("Namespaces").fill("shared")
    ui.button("Save").click()
    expect(ui.page.locator(".usage").filter(has_text="Models").first).to_contain_text("No quota")
    expect(ui.page.locator(".usage").filter(has_text="Model files")).to_contain_text("1.5 GiB")
    expect(ui.page.get_by_text("vision-*")).to_have_count(0)
    ui.open("/models")
    expect(ui.page.get_by_role("button", name=re.compile("^Project"))).to_contain_text(name)


def test_two_who_edit_the_same_project_lose_nothing(ui: Ui, rpc: Rpc) -> None:
    new = project_pb2.NewProject(name=f"vision {uuid.uuid4()}", namespaces=["shared"], uris=["s3://old"], max_models=5)
    create = project_pb2.CreateProjectRequest(id=ui.project, project=new)
    project = rpc.call(_PROJECTS(rpc.channel).CreateProject, create).project
    ui.page.goto(f"{ui.url}/ui/projects/{ui.project}")
    ui.button("Edit").click()
    ui.dialog.get_by_label("Places of model files").fill("s3://mine")
    ui.dialog.get_by_label("Models", exact=True).fill("")

    patch = project_pb2.ProjectPatch(
        max_models=7, uris=project_pb2.ProjectEntries(values=["s3://theirs"]), description="Eyes"
    )
    rpc.call(_PROJECTS(rpc.channel).UpdateProject, project_pb2.UpdateProjectRequest(id=project.id, project=patch))
    ui.button("Save").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("Read it again, and make your change anew.")
    ui.button("Read it again, and keep my changes").click()
    expect(ui.dialog.get_by_role("status").filter(has_text="Somebody")).to_contain_text(
        "Somebody else has changed places of model files, the quota of models too."
    )
    expect(ui.dialog.get_by_label("Description")).to_have_value("Eyes")
    ui.look("project-conflict")
    ui.button("Save").click()
    expect(ui.dialog).to_have_count(0)
    saved = rpc.call(_PROJECTS(rpc.channel).GetProject, project_pb2.GetProjectRequest(id=project.id)).project
    assert (list(saved.uris), saved.description, saved.HasField("max_models")) == (["s3://mine"], "Eyes", False)


def test_two_who_edit_the_same_webhook_lose_nothing(ui: Ui, rpc: Rpc) -> None:
    new = webhook_pb2.NewWebhook(url="https://example.com/hook", types=["model"])
    webhook = rpc.call(_WEBHOOKS(rpc.channel).CreateWebhook, webhook_pb2.CreateWebhookRequest(webhook=new)).webhook
    ui.open(f"/webhooks/{webhook.id}")
    ui.button("Edit").click()
    ui.dialog.get_by_label("Aliases", exact=True).check()

    types = webhook_pb2.WebhookTypes(types=["model", "version"])
    patch = webhook_pb2.WebhookPatch(types=types, url="https://example.com/theirs")
    rpc.call(_WEBHOOKS(rpc.channel).UpdateWebhook, webhook_pb2.UpdateWebhookRequest(id=webhook.id, webhook=patch))
    ui.button("Save").click()
    expect(ui.dialog.get_by_role("alert")).to_contain_text("Read it again, and make your change anew.")
    ui.button("Read it again, and keep my changes").click()
    expect(ui.dialog.get_by_role("status").filter(has_text="Somebody")).to_contain_text(
        "Somebody else has changed the events too."
    )
    expect(ui.dialog.get_by_label("URL")).to_have_value("https://example.com/theirs")
    ui.look("webhook-conflict")
    ui.button("Save").click()
    expect(ui.dialog).to_have_count(0)
    saved = rpc.call(_WEBHOOKS(rpc.channel).GetWebhook, webhook_pb2.GetWebhookRequest(id=webhook.id)).webhook
    assert (list(saved.types), saved.url) == (["model", "alias"], "https://example.com/theirs")


def test_an_edit_of_what_somebody_else_has_deleted_says_so(ui: Ui, rpc: Rpc) -> None:
    new = webhook_pb2.NewWebhook(url="https://example.com/hook")
    webhook = rpc.call(_WEBHOOKS(rpc.channel).CreateWebhook, webhook_pb2.CreateWebhookRequest(webhook=new)).webhook
    ui.open(f"/webhooks/{webhook.id}")
    ui.button("Edit").click()
    ui.dialog.get_by_label("URL").fill("https://example.com/mine")
    patch = webhook_pb2.WebhookPatch(url="https://example.com/theirs")
    rpc.call(_WEBHOOKS(rpc.channel).UpdateWebhook, webhook_pb2.UpdateWebhookRequest(id=webhook.id, webhook=patch))
    ui.button("Save").click()
    again = ui.button("Read it again, and keep my changes")
    expect(again).to_be_visible()
    rpc.call(_WEBHOOKS(rpc.channel).DeleteWebhook, webhook_pb2.DeleteWebhookRequest(id=webhook.id))
    again.click()
    expect(ui.dialog.get_by_role("alert").filter(has_text="Webhook not found.")).to_be_visible()


def test_a_project_that_nobody_has_created_can_be_adopted(ui: Ui) -> None:
    ui.page.goto(f"{ui.url}/ui/projects/{ui.project}")
    ui.button("Create it with this id").click()
    expect(ui.dialog.get_by_label("Id optional")).to_have_value(ui.project)


def test_activity_is_live_can_be_paused_and_goes_on_after_a_break(ui: Ui, api: Api) -> None:
    ui.open("/activity")
    expect(ui.page.get_by_role("heading", name="Nothing has happened yet")).to_be_visible()
    live = ui.page.locator(".page-title .badge")
    expect(live).to_have_text("live")
    first = api.post("/models", {"name": "first"}).json()
    events = ui.page.locator(".events li")
    expect(events).to_have_count(1, timeout=SOON)
    expect(events.first).to_contain_text("created the model first")

    ui.button("Pause").click()
    api.patch(f"/models/{first['id']}", {"description": "text"})
    expect(ui.button("Show 1 new event")).to_be_visible(timeout=SOON)
    expect(events).to_have_count(1)
    ui.look("activity")
    ui.button("Resume").click()
    expect(events).to_have_count(2)

    def refuse(route: Route) -> None:
        route.abort("connectionrefused")

    ui.broken = True
    ui.page.route("**/modelregistry.v1.EventService/WatchEvents", refuse)
    ui.page.get_by_label("Kind").select_option("Models")  # begins another watch, which fails
    expect(live).to_have_text("connecting")
    ui.page.unroute("**/modelregistry.v1.EventService/WatchEvents")
    expect(live).to_have_text("live", timeout=SOON)
    api.post("/models", {"name": "second"})
    expect(events.first).to_contain_text("created the model second", timeout=SOON)
    expect(events).to_have_count(3)

    ui.page.get_by_label("Kind").select_option("Deployments")
    expect(ui.page.get_by_role("heading", name="Nothing has happened yet")).to_be_visible()


def test_a_filter_that_is_wrong_is_told(ui: Ui) -> None:
    ui.open("/activity?f=nam%20%3D%201")
    expect(ui.page.get_by_role("alert").first).to_contain_text("unknown field")
