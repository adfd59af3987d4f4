"""What mkdocs calls while it builds the site (mkdocs.yml).

Adds pages that are not in docs/: the README as the front page, the changelog, and the reference of the gRPC API. Links
from docs/ may lead to any file of the repository; on the site, those to files that are no pages lead to GitHub.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.grpc_reference import REPOSITORY, pages  # noqa: E402 - mkdocs loads a hook by its path

_AT_THE_ROOT = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
"""Pages of the site that are files outside of docs/."""
_CODE = re.compile(r"(^ *```.*?^ *```$|`[^`\n]+`)", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]+)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    for name, source in _AT_THE_ROOT.items():
        files.append(File.generated(config, name, content=(ROOT / source).read_text("utf-8")))
    reference = {f"reference/{name}": text for name, text in pages().items()}
    for name, text in reference.items():
        files.append(File.generated(config, name, content=text))
    (section,) = (it["Reference"] for it in config.nav or () if "Reference" in it)
    section.insert(0, {"gRPC": list(reference)})
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 - mkdocs passes all by name
    name = page.file.src_uri
    source = _AT_THE_ROOT.get(name, f"docs/{name}")

    def lead(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        return f"]({place_of(target, name, files)}{link[2] or ''})"

    parts = _CODE.split(markdown)
    return "".join(part if place % 2 else _LINK.sub(lead, part) for place, part in enumerate(parts))


def place_of(target: str, page: str, files: Files) -> str:
    """Where a link of a page leads to a file of the repository: to another page, if it is one, otherwise to GitHub."""
    on_site = {source: name for name, source in _AT_THE_ROOT.items()}.get(target, target.removeprefix("docs/"))
    if target in _AT_THE_ROOT.values() or target.startswith("docs/"):
        if files.get_file_from_path(on_site) or not (ROOT / target).is_dir():
            return posixpath.relpath(on_site, posixpath.dirname(page))  # mkdocs warns if there is no such page
        if files.get_file_from_path(f"{on_site}/README.md"):
            return posixpath.relpath(f"{on_site}/README.md", posixpath.dirname(page))
    if not (ROOT / target).exists():
        return target  # which mkdocs warns about
    return f"{REPOSITORY}/{'tree' if (ROOT / target).is_dir() else 'blob'}/main/{target}"
