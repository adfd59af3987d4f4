"""Checks of answers: status, content type, compact JSON, order of keys, formats of ids and times."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

JSON_TYPE: Final = "application/json; charset=utf-8"
NO_PROJECT: Final = "project ID is required (Project-ID header)"

_GO_ESCAPES: Final = {"\\u003c": "<", "\\u003e": ">", "\\u0026": "&", "\\u2028": "\u2028", "\\u2029": "\u2029"}
_GO_TYPE_NAMES: Final = re.compile(
    r"dto\.|Go (value|struct)|map\[string\]|\[\]string|Create\w+Request|Update\w+Request"
)


class _Matching:
    """Equal to every string with this form, so that whole objects can be compared."""

    def __init__(self, pattern: str, meaning: str) -> None:
        self._pattern = re.compile(pattern)
        self._meaning = meaning

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and bool(self._pattern.fullmatch(other)) and self._plausible(other)

    def __hash__(self) -> int:
        return hash(self._meaning)

    def __repr__(self) -> str:
        return f"<{self._meaning}>"

    def _plausible(self, text: str) -> bool:
        return True


class _Recent(_Matching):
    """A time of the given form that lies in the last ten minutes."""

    def _plausible(self, text: str) -> bool:
        age = datetime.now(UTC) - datetime.fromisoformat(text)
        return timedelta(seconds=-5) < age < timedelta(minutes=10)


ANY_UUID: Final = _Matching(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a canonical UUID")
SECONDS: Final = _Recent(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "a recent time in whole seconds")
MICROS: Final = _Recent(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z", "a recent time with a trimmed fraction")


def json_of(response: httpx.Response, status: int = 200) -> Any:
    """The JSON of an answer, which must have this status and the contract's content type, and be compact."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:2000]}"
    assert response.headers["content-type"] == JSON_TYPE
    value = response.json()
    text = response.text
    for escape, character in _GO_ESCAPES.items():
        text = text.replace(escape, character)
    assert text == json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return value


def same(actual: Any, expected: Any) -> bool:
    """Whether two JSON values are equal, including the order of keys."""
    assert actual == expected
    if isinstance(expected, dict):
        assert list(actual) == list(expected)
        return all(same(actual[key], expected[key]) for key in expected)
    if isinstance(expected, list):
        return all(same(one, other) for one, other in zip(actual, expected, strict=True))
    assert isinstance(actual, bool) == isinstance(expected, bool)
    assert isinstance(actual, float) == isinstance(expected, float)
    return True


def assert_error(response: httpx.Response, status: int, text: str) -> None:
    """The answer is exactly this business error (contract 0.8)."""
    assert (response.status_code, response.json()) == (status, {"error": text})
    assert json_of(response, status) == {"error": text}


def assert_refused(response: httpx.Response, *fields: str, status: int = 400) -> str:
    """The answer refuses the request with a text of the service that names these fields (contract 0.6, decision 3)."""
    assert response.status_code == status, f"{response.status_code}: {response.text[:500]}"
    assert response.headers["content-type"].startswith("application/json")
    body = response.json()
    assert list(body) == ["error"]
    text = body["error"]
    assert isinstance(text, str)
    assert text.strip()
    assert not _GO_TYPE_NAMES.search(text), text
    for field in fields:
        assert re.search(rf"\b{re.escape(field)}\b", text), f"{field} is not named in: {text}"
    return text


def assert_no_content(response: httpx.Response) -> None:
    """The answer is 204 without a body and without a content type."""
    assert response.status_code == 204, response.text
    assert response.content == b""
    assert "content-type" not in response.headers


def assert_page(
    response: httpx.Response, *, total: int, page_size: int = 20, next_offset: int | None = None
) -> list[Any]:
    """The answer is a list envelope with these numbers. Returns its items."""
    page = json_of(response)
    assert list(page) == ["items", "total", "page_size", "next_offset"]
    items = page["items"]
    assert isinstance(items, list)
    expected = {
        "total": total,
        "page_size": page_size,
        "next_offset": len(items) if next_offset is None else next_offset,
    }
    assert {key: page[key] for key in expected} == expected
    return items
