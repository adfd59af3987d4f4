"""`make docs` builds the documentation as a site, which needs nothing from other servers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from registry_grpc.shipped import PROJECT_ROOT

pytestmark = pytest.mark.slow

_COUNTED = ("table", "tr", "ol", "ul", "li", "pre")
_SOURCES = {"index": PROJECT_ROOT / "README.md", "changelog": PROJECT_ROOT / "CHANGELOG.md"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def build(folder: Path, configuration: Path = PROJECT_ROOT / "mkdocs.yml") -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--quiet",
        "--site-dir",
        str(folder),
        "--config-file",
        str(configuration),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


class _Loaded(HTMLParser):
    """What a page loads, and so may not be elsewhere. Links may."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"script", "img", "iframe"} or (
            tag == "link" and given.get("rel") not in {"canonical", "prev", "next"}
        ):
            self.found.add(given.get("src") or given.get("href") or "")


def test_every_page_loads_only_what_the_site_has(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        text = page.read_text("utf-8")
        loaded = _Loaded(text).found
        assert not [it for it in loaded if "//" in it], page
        assert all(in_site(it, page, site).exists() for it in loaded), page
        assert 'data-md-component="source"' not in text, "it asks GitHub for the stars"


def in_site(address: str, page: Path, site: Path) -> Path:
    """The page for addresses that do not exist has absolute addresses, because it may be shown anywhere."""
    path = address.partition("?")[0]
    return site / path.removeprefix("/registry-grpc/") if path.startswith("/") else page.parent / path


def test_lists_tables_and_code_are_those_that_github_shows(site: Path) -> None:
    """Python's Markdown wants blank lines and four spaces where GitHub does not."""
    github = MarkdownIt("commonmark", {"html": True}).enable("table")
    sources = _SOURCES | {
        str(it.relative_to(PROJECT_ROOT / "docs").with_suffix("")): it for it in (PROJECT_ROOT / "docs").rglob("*.md")
    }
    for name, source in sources.items():
        page = site / f"{re.sub(r'README$', 'index', name)}.html"
        article = page.read_text("utf-8").partition("<article")[2].partition("</article>")[0]
        there, here = (counts(html) for html in (github.render(source.read_text("utf-8")), article))
        assert here == there, name


def counts(html: str) -> dict[str, int]:
    return {tag: len(re.findall(rf"<{tag}[ >]", html)) for tag in _COUNTED}


def test_the_reference_has_roles_routes_and_links_to_messages(site: Path) -> None:
    overview = (site / "reference" / "index.html").read_text("utf-8")
    link = '<a href="grpc/registered_model.html#createregisteredmodel">CreateRegisteredModel</a>'
    assert re.search(rf"{link}</td>\s*<td>EDITOR</td>\s*<td><code>POST /models</code>", overview)
    page = (site / "reference" / "grpc" / "model_alias.html").read_text("utf-8")
    assert 'id="setmodelalias"' in page
    assert '<a href="#setmodelaliasrequest">SetModelAliasRequest</a>' in page


def test_links_out_of_the_documentation_lead_to_github(site: Path) -> None:
    guide = (site / "api.html").read_text("utf-8")
    assert 'href="https://github.com/registrygrpc/registry-grpc/tree/main/proto/modelregistry/v1"' in guide
    assert 'href="contract/rest.html"' in guide
    assert 'href="api.html"' in (site / "index.html").read_text("utf-8")
