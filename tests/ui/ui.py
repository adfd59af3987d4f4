"""A browser window with the web UI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route

SCREENSHOTS: Final = Path(os.environ.get("UI_SCREENSHOTS", "build/screenshots"))
_SIZES: Final = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1440, 900)}
_RULES: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]}


class Ui:
    """The pages of one project."""

    def __init__(self, page: Page, url: str, project: str) -> None:
        self.page = page
        self.url = url
        self.project = project
        self.errors: list[str] = []
        """What the console of the browser complained about, such as a failed script or a file that is missing."""
        self.broken = False
        """Whether the test breaks connections, which the browser logs as well."""
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not (self.broken and "Failed to load resource: net::" in message.text):
            self.errors.append(f"{message.text} ({message.location['url']})")

    def open(self, path: str, *, project: str | None = None) -> None:
        """Opens a page such as `/models`, and waits until it has read what it shows."""
        self.page.goto(f"{self.url}/ui/p/{project or self.project}{path}")
        self.settled()

    def settled(self) -> None:
        """Waits until nothing on the page is loading."""
        self.page.locator("main h1").wait_for()
        self.page.locator(".skeleton, .table-frame.loading").first.wait_for(state="detached")

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("link", name=name, exact=True)

    @contextmanager
    def holding(self, call: str) -> Iterator[None]:
        """While the block runs, calls of this RPC get no answer."""
        held: list[Route] = []
        self.page.route(f"**/{call}", lambda route: held.append(route))  # noqa: PLW0108 - playwright marks it
        yield
        for route in held:
            route.continue_()
        self.page.unroute(f"**/{call}")

    @property
    def count(self) -> Locator:
        """The line below a table that says how many rows it has."""
        return self.page.locator(".table-foot")

    @property
    def dialog(self) -> Locator:
        return self.page.get_by_role("dialog")

    def look(self, name: str) -> None:
        """Takes pictures in light and dark at all sizes, and fails if a page is too wide, or axe finds a barrier."""
        found = []
        for scheme, sizes in {"light": ("phone", "tablet", "desktop"), "dark": ("desktop", "phone")}.items():
            self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
            for size in sizes:
                self._resize(size)
                self.page.screenshot(path=screenshot(f"{name}-{scheme}-{size}"))
                if self.page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
                    found.append(f"{name} is wider than the window of a {size}")
            # Of the size that comes last. The frame and the colours of both are seen by this, in half of the time.
            results = Axe().run(self.page, options=_RULES)
            if results.violations_count:
                found.append(f"{name} {scheme}: {results.generate_report()}")
        self._resize("desktop")
        self.page.emulate_media(color_scheme="light")
        assert not found, "\n".join(found)

    def _resize(self, size: str) -> None:
        width, height = _SIZES[size]
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


@contextmanager
def window(browser: Browser, url: str, project: str) -> Iterator[Ui]:
    """A new window. Errors of scripts or of the content security policy, and files that are missing, fail the test."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    ui = Ui(context.new_page(), url, project)
    yield ui
    context.close()
    assert ui.errors == []


def screenshot(name: str) -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS / f"{name}.png"
