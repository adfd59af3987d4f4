"""The pages of the real service; tests/integration/gateway/test_pages.py has all details of the gateway."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from tests.e2e.stack import Addresses


@pytest.mark.parametrize("path", ["/", "/ui", "/ui/", "/ui/models/1", "/docs", "/docs/"])
def test_a_browser_gets_a_page_whose_files_exist(http: httpx.Client, path: str) -> None:
    page = http.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]* src=)|<style|style=", page.text), "the policy forbids what is inline"
    for file in re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"]+)"', page.text):
        found = http.get(file)
        assert found.status_code == 200
        assert not found.headers["content-type"].startswith("text/html"), f"{file} is not there"
        if "?v=" in file:
            assert found.headers["cache-control"].endswith("immutable")


def test_a_program_is_told_where_things_are(http: httpx.Client) -> None:
    places = http.get("/").json()
    assert http.get(places["openapi"]).json()["openapi"].startswith("3.1")
    assert http.get(places["health"]).status_code == 200
    listed = http.get(f"{places['api']}/models", headers={"Project-ID": "11111111-1111-1111-1111-111111111111"})
    assert listed.status_code == 200


def test_the_ui_is_told_that_there_is_no_authentication(http: httpx.Client) -> None:
    known = http.get("/ui/config.json").json()
    assert (known["auth"], known["oidc"]) == ("off", None)
    assert known["project"] == "11111111-1111-1111-1111-111111111111"


@pytest.mark.parametrize("path", ["/", "/ui/", "/ui/models/1", "/docs/", "/openapi.json"])
def test_a_page_cannot_be_written(http: httpx.Client, path: str) -> None:
    refused = http.post(path, json={"name": "x"})
    assert (refused.status_code, refused.json()) == (405, {"error": "method not allowed"})
    assert refused.headers["allow"] == "GET, HEAD"


def test_the_addresses_are_printed(stack: Addresses) -> None:
    if not stack.folder:
        pytest.skip("the stack was started by somebody else")
    printed = (Path(stack.folder) / "stack.log").read_text()
    assert f"\nui       {stack.base_url}/ui/\n" in printed
    assert f"\ndocs     {stack.base_url}/docs/ (" in printed
