"""The REST API for tests, as one project sees it over HTTP."""

from __future__ import annotations

import uuid
from typing import Any, Final

import httpx
from tests.e2e.documented import assert_documented

PREFIX: Final = "/api/v1/model-registry"
NO_BODY: Final = object()

JSON = dict[str, Any]


class Api:
    """The REST API as the tenant `project_id` sees it. Paths are relative to the prefix, unless they start with `!`."""

    def __init__(self, http: httpx.Client, project_id: str | None = None) -> None:
        self.http = http
        self.project_id = project_id or str(uuid.uuid4())

    def of_another_project(self) -> Api:
        """The API of the same service for a new project."""
        return Api(self.http)

    def request(
        self,
        method: str,
        path: str,
        body: object = NO_BODY,
        *,
        content: bytes | str | None = None,
        headers: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request with this project's header; `headers` adds to it or, with the same name, replaces it. The
        answer must be as gateway/web/openapi.json says."""
        url = path[1:] if path.startswith("!") else PREFIX + path
        payload: dict[str, Any] = {} if body is NO_BODY else {"json": body}
        if body is None:  # for httpx, None means no body
            payload = {"content": b"null"}
        if content is not None:
            payload = {"content": content}
        if params:
            payload["params"] = params
        sent = {"Project-ID": self.project_id} | (headers or {})
        response = self.http.request(method, url, headers=sent, **payload)
        if not response.history and "grpc" not in response.request.headers.get("content-type", ""):
            path = response.request.url.raw_path.decode().partition("?")[0]
            assert_documented(method, path, response.status_code, response.headers, response.content)
        return response

    def get(self, path: str, **params: str) -> httpx.Response:
        return self.request("GET", path, params=params)

    def post(self, path: str, body: object = NO_BODY) -> httpx.Response:
        return self.request("POST", path, body)

    def patch(self, path: str, body: object = NO_BODY) -> httpx.Response:
        return self.request("PATCH", path, body)

    def delete(self, path: str) -> httpx.Response:
        return self.request("DELETE", path)

    def read(self, path: str, **params: str) -> Any:
        """The JSON of a GET that must succeed."""
        response = self.get(path, **params)
        assert response.status_code == 200, response.text
        return response.json()
