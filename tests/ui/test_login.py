"""Who the user is: the login at the demo's issuer, its end, and what each role sees."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator, Route, expect
from tests.e2e.stack import Stack
from tests.ui.ui import Ui, window

PROJECT = "11111111-1111-1111-1111-111111111111"
"""The project of the demo, in which its users have roles."""


@pytest.fixture(scope="module")
def demo_url() -> Iterator[str]:
    """The address of a service with the demo's issuer, whose admin is an operator."""
    if running := os.environ.get("REGISTRY_TEST_UI_DEMO_URL"):
        yield running
        return
    service = Stack(REGISTRY_AUTH="demo", REGISTRY_OPERATORS="admin")
    try:
        yield service.start().base_url
    finally:
        service.stop()
        service.remove()


@pytest.fixture
def demo(browser: Browser, demo_url: str) -> Iterator[Ui]:
    """A window of somebody who has not logged in."""
    with window(browser, demo_url, PROJECT) as ui:
        yield ui


@pytest.fixture
def log_in(demo: Ui) -> Callable[[str], None]:
    """Opens a page and logs in as one of the demo's users."""

    def log_in(user: str, path: str = "/models") -> None:
        demo.page.goto(f"{demo.url}/ui/p/{PROJECT}{path}")
        sign_in_button(demo).click()
        demo.page.get_by_role("link", name=user).click()
        expect(demo.page).to_have_url(re.compile(re.escape(f"/ui/p/{PROJECT}{path}") + "$"))
        expect(demo.dialog).to_have_count(0)
        demo.settled()

    return log_in


def sign_in_button(ui: Ui) -> Locator:
    return ui.dialog.get_by_role("button", name=re.compile(r"^Sign in with 127\.0\.0\.1"))


def end_the_session(ui: Ui) -> None:
    """From now on, the registry gets a token that it refuses instead of the one of the page."""

    def refuse(route: Route) -> None:
        route.continue_(headers={**route.request.headers, "authorization": "Bearer rgt_ended"})

    ui.page.route("**/modelregistry.v1.*/*", refuse)


def test_a_user_logs_in_at_the_issuer_and_returns_to_the_page(demo: Ui) -> None:
    address = f"{demo.url}/ui/p/{PROJECT}/models?q=iris"
    demo.page.goto(address)
    expect(demo.dialog).to_contain_text("Sign in to see this page.")
    demo.look("login")
    sign_in_button(demo).click()
    demo.page.get_by_role("link", name="Editor").click()
    expect(demo.page).to_have_url(address)
    expect(demo.dialog).to_have_count(0)
    expect(demo.page.get_by_role("button", name="editor")).to_contain_text("Editor")
    demo.page.reload()
    expect(demo.page.get_by_role("button", name="editor")).to_contain_text("Editor")


def test_the_account_says_who_calls_and_signs_out(demo: Ui, log_in: Callable[[str], None]) -> None:
    log_in("Deployer")
    demo.page.get_by_role("button", name="deployer").click()
    expect(demo.dialog).to_contain_text(re.compile(r"Role in this project\s*Deployer"))
    expect(demo.dialog).to_contain_text(re.compile(r"The session ends\s*in 5\d minutes"))
    demo.look("account")
    demo.button("Sign out").click()
    expect(demo.dialog).to_contain_text("You have signed out.")
    assert demo.page.evaluate("() => sessionStorage.getItem('registry.token')") is None
    sign_in_button(demo).click()
    demo.page.wait_for_url("**/authorize?*prompt=login*")


@pytest.mark.parametrize(
    ("user", "pages", "may_create"),
    [
        ("Viewer", ["Activity"], False),
        ("Editor", ["Activity"], True),
        ("Deployer", ["Activity"], True),
        ("Admin", ["Activity", "Members", "API tokens", "Webhooks", "Audit log", "Projects"], True),
    ],
)
def test_roles_see_what_they_may_do(
    demo: Ui, log_in: Callable[[str], None], user: str, pages: list[str], *, may_create: bool
) -> None:
    log_in(user)
    expect(demo.page.get_by_role("button", name=user.lower())).to_be_visible()
    create = demo.page.get_by_role("main").get_by_role("button", name="New model")
    if may_create:
        expect(create.first).to_be_visible()
    else:
        expect(create).to_have_count(0)
    links = demo.page.get_by_role("navigation", name="Pages").get_by_role("link").all_inner_texts()
    all_pages = ["Activity", "Members", "API tokens", "Webhooks", "Audit log", "Projects"]
    assert [link.strip() for link in links if link.strip() in all_pages] == pages


def test_a_page_of_admins_tells_a_viewer_whom_to_ask(demo: Ui, log_in: Callable[..., None]) -> None:
    calls: list[str] = []
    demo.page.on("request", lambda request: calls.append(request.url))
    log_in("Viewer", "/members")
    expect(demo.page.get_by_role("heading", name="This page is for admins")).to_be_visible()
    demo.look("refused-page")
    demo.open("/audit")
    expect(demo.page.get_by_role("heading", name="This page is for admins")).to_be_visible()
    assert not [call for call in calls if "ListMembers" in call or "ListAuditEntries" in call]
    demo.open("/deployments/new")
    expect(demo.page.get_by_role("heading", name="This page is for deployers")).to_be_visible()
    demo.open("/environments")
    expect(demo.page.get_by_text("Operators may limit the namespaces")).to_be_visible()


def test_an_ended_session_does_not_lose_what_was_typed(demo: Ui, log_in: Callable[[str], None]) -> None:
    log_in("Editor")
    demo.button("New model").first.click()
    name = demo.page.get_by_label("Name", exact=True)
    name.fill("kept-after-login")
    end_the_session(demo)
    demo.button("Create the model").click()
    login = demo.dialog.filter(has_text="Your session has ended.")
    expect(login).to_be_visible()
    demo.look("session-ended")
    with demo.page.expect_popup() as opened:
        login.get_by_role("button", name=re.compile("^Sign in with")).click()
    demo.page.unroute("**/modelregistry.v1.*/*")
    opened.value.get_by_role("link", name="Admin").click()
    expect(login).to_have_count(0)
    expect(name).to_have_value("kept-after-login")
    expect(demo.page.locator(".caller")).to_contain_text("admin")
    assert opened.value.is_closed()


def test_who_closes_the_login_finds_it_again(demo: Ui, log_in: Callable[[str], None]) -> None:
    log_in("Editor")
    end_the_session(demo)
    demo.page.reload()
    expect(demo.dialog).to_be_visible()
    demo.page.keyboard.press("Escape")
    demo.page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(sign_in_button(demo)).to_be_visible()


def test_a_call_that_was_made_before_does_not_show_a_closed_login_again(
    demo: Ui, log_in: Callable[[str], None]
) -> None:
    log_in("Editor")
    held: list[Route] = []
    end_the_session(demo)
    demo.page.route("**/ListRegisteredModels", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks it
    with demo.page.expect_request("**/ListRegisteredModels"):
        demo.page.reload()
    expect(demo.dialog).to_be_visible()
    demo.page.keyboard.press("Escape")
    expect(demo.dialog).to_have_count(0)
    with demo.page.expect_response("**/ListRegisteredModels"):
        for route in held:
            route.continue_(headers={**route.request.headers, "authorization": "Bearer rgt_ended"})
    expect(demo.page.get_by_role("main").get_by_role("button", name="Sign in")).to_be_visible()
    expect(demo.dialog).to_have_count(0)


def test_a_project_without_a_role_says_why_it_looks_empty(demo: Ui, log_in: Callable[[str], None]) -> None:
    log_in("Editor")
    notice = demo.page.get_by_text("You have no role in this project")
    expect(notice).to_have_count(0)
    demo.open("/models", project="22222222-2222-4222-8222-222222222222")
    expect(notice).to_be_visible()
    demo.look("no-role")


def test_an_answer_that_nobody_asked_for_is_not_used(demo: Ui) -> None:
    demo.page.goto(f"{demo.url}/ui/?code=stolen&state=forged")
    expect(demo.dialog.get_by_role("alert")).to_contain_text("This login was begun in another tab")
    expect(demo.page).not_to_have_url(re.compile("code="))


def test_the_issuer_refuses(demo: Ui) -> None:
    demo.page.goto(f"{demo.url}/ui/p/{PROJECT}/models")
    sign_in_button(demo).click()
    demo.page.wait_for_url("**/authorize?*")
    state = re.search(r"state=([^&]+)", demo.page.url)
    assert state
    demo.page.goto(f"{demo.url}/ui/?error=access_denied&state={state[1]}")
    expect(demo.dialog.get_by_role("alert")).to_contain_text("You have not allowed the login")
    demo.look("login-refused")


def test_the_issuer_is_away(demo: Ui) -> None:
    demo.broken = True
    demo.page.route("**/.well-known/openid-configuration", lambda route: route.abort())
    demo.page.goto(f"{demo.url}/ui/p/{PROJECT}/models")
    sign_in_button(demo).click()
    expect(demo.dialog.get_by_role("alert")).to_contain_text("does not answer")


def test_a_token_can_be_pasted(demo: Ui) -> None:
    demo.page.goto(f"{demo.url}/ui/p/{PROJECT}/models")
    demo.page.get_by_text("Use a token instead").click()
    demo.dialog.get_by_label("Token").fill("rgt_wrong")
    demo.dialog.get_by_role("button", name="Sign in with the token").click()
    expect(demo.dialog).to_contain_text("The registry does not accept your token.")


def test_projects_are_switched_with_the_role_in_each(demo: Ui, log_in: Callable[[str], None]) -> None:
    log_in("Editor")
    demo.page.get_by_role("button", name="editor").click()
    demo.button("Switch project").click()
    expect(demo.dialog.get_by_role("button", name=PROJECT)).to_contain_text("Editor")
