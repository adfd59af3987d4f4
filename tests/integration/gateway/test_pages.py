"""The pages that the gateway serves from files: their headers, their limits, and what else is at their paths."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from tests.certificates import Authority, trusting
from tests.integration.gateway.test_answers import API, assert_error, raw
from tests.integration.gateway.test_uploads import memory_limit, peak_memory

from registry_grpc import pages
from registry_grpc.devtools import envoy as envoys
from registry_grpc.devtools.envoy import Envoy, EnvoyConfig
from registry_grpc.pages import Login, UiConfig
from registry_grpc.settings import AuthKind
from registry_grpc.shipped import GATEWAY

WEB = GATEWAY / "web"
HTML, JSON, SCRIPT, STYLE = (
    f"{kind}; charset=utf-8" for kind in ("text/html", "application/json", "text/javascript", "text/css")
)
FILES = {
    "/": ("index.json", JSON),
    "/ui": ("ui/index.html", HTML),
    "/ui/": ("ui/index.html", HTML),
    "/ui/models/6f1c?version=3": ("ui/index.html", HTML),
    "/ui/app.js/": ("ui/index.html", HTML),
    "/ui/app.js": ("ui/app.js", SCRIPT),
    "/ui/app.css": ("ui/app.css", STYLE),
    "/ui/icon.svg": ("ui/icon.svg", "image/svg+xml"),
    "/docs": ("docs/index.html", HTML),
    "/docs/": ("docs/index.html", HTML),
    "/docs/init.js": ("docs/init.js", SCRIPT),
    "/docs/reference.js": ("docs/reference.js", SCRIPT),
    "/docs/reference.css": ("docs/reference.css", STYLE),
    "/openapi.json": ("openapi.json", JSON),
}
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
FOR_EVER = "public, max-age=31536000, immutable"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data:; connect-src {}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
MIB = 1024 * 1024
LARGE = "".join(f"const größe{number} = {number * 7919 % 10007};\n" for number in range(100_000)).encode()
"""3 MiB of text that is not plain ASCII."""


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("http2", [False, True])
async def test_each_path_has_its_file(gateway: Envoy, path: str, http2: bool) -> None:
    name, kind = FILES[path]
    async with httpx.AsyncClient(base_url=gateway.url, http1=not http2, http2=http2, trust_env=False) as client:
        plain = {"accept-encoding": "identity"}
        answer, head = await client.get(path, headers=plain), await client.head(path, headers=plain)
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == (WEB / name).read_bytes()
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-cache", "nosniff")
    assert answer.headers["x-request-id"]
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(answer.content)))
    assert set(head.headers) == set(answer.headers)


async def test_the_root_says_where_things_are(rest: httpx.AsyncClient) -> None:
    program, browser = await rest.get("/"), await rest.get("/", headers={"accept": BROWSER})
    places = program.json()
    assert places.pop("service") == "registry-grpc"
    assert (browser.headers["content-type"], browser.headers["vary"]) == (HTML, "Accept")
    assert program.headers["vary"] == "Accept"
    for name in ("openapi", "docs", "ui", "health"):
        assert f'href="{places[name]}"' in browser.text
        assert (await rest.get(places[name])).status_code == 200
    assert (await rest.get(f"{places['api']}/models")).status_code == 200


async def test_pages_may_do_little(rest: httpx.AsyncClient) -> None:
    for path in ("/ui/", "/ui/models", "/docs", "/docs/"):
        headers = (await rest.get(path)).headers
        if path.startswith("/ui"):
            assert headers["content-security-policy"] == POLICY.format("'self'")
        assert headers["referrer-policy"] == "no-referrer"
        assert "camera=()" in headers["permissions-policy"]
        assert "strict-transport-security" not in headers, "there is no TLS"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/ui", "/ui/models", "/ui/app.js?v=0", "/docs/", "/openapi.json"])
async def test_pages_can_only_be_read(rest: httpx.AsyncClient, method: str, path: str) -> None:
    answer = await rest.request(method, path)
    assert_error(answer, 405, "method not allowed")
    assert (answer.headers["allow"], answer.headers["cache-control"]) == ("GET, HEAD", "no-store")


async def test_pages_of_other_origins_get_no_access(rest: httpx.AsyncClient) -> None:
    origin = {"origin": "http://localhost:3000"}
    assert "access-control-allow-origin" not in (await rest.get("/ui/config.json", headers=origin)).headers
    asked = await rest.options("/ui/", headers={**origin, "access-control-request-method": "GET"})
    assert asked.status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        *("/uix", "/UI/", "//ui/", "/%75i/", "/ui%2f", "/docs/nothing", "/docs/index.html", "/docsx", "/favicon.ico"),
        *("/openapi", "/openapi.json/", "/web/ui/index.html", "/index.html", "/docs/%2e%2e/ui/", "/docs/../ui/"),
    ],
)
async def test_other_paths_are_unknown_as_before(gateway: Envoy, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"  # httpx would change the path
    head, body = await raw(gateway, request.encode())
    assert head.startswith(b"HTTP/1.1 404 ")
    assert json.loads(body) == {"error": "not found"}


@pytest.mark.parametrize("path", ["/ui/../../../etc/passwd", "/ui/..%2f..%2fenvoy.yaml", "/ui/../api/v1", "/ui/%00"])
async def test_nobody_gets_out_of_the_folder(gateway: Envoy, path: str) -> None:
    head, body = await raw(gateway, f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.1 200 ")
    assert body == (WEB / "ui/index.html").read_bytes()


async def test_grpc_takes_its_own_routes_there_too(gateway: Envoy, rest: httpx.AsyncClient) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{gateway.port}") as channel:
        call: Any = channel.unary_unary("/ui/app.js")
        assert await call(b"x").code() is grpc.StatusCode.UNIMPLEMENTED
    answer = await rest.get("/ui/", headers={"content-type": "application/grpc"})
    assert answer.headers["grpc-message"] == "a call is a POST"


@pytest.fixture(scope="module")
async def own(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Envoy]:
    """A gateway without any worker, with a login, and with the large files of a build."""
    release = tmp_path_factory.mktemp("release")
    shutil.copytree(WEB, release / "gateway" / "web")
    (release / "gateway" / "web" / "ui" / "app.js").write_bytes(LARGE)
    (release / "gateway" / "web" / "ui" / "index.html").write_text('<script src="/ui/app.js?v=5eed"></script>')
    login = Login(issuer="https://login.example:8443/realms/a", client_id="ui", scopes=("openid", "email"))
    ui = UiConfig(auth=AuthKind.REQUIRED, oidc=login, project="P")
    config = EnvoyConfig(folder=release / "own", endpoints=["127.0.0.1:1"], ui=ui, requests_per_second=1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(envoys, "PROJECT_ROOT", release)
        patched.setattr(pages, "GATEWAY", release / "gateway")
        envoy = Envoy(config)
        await envoy.start()
    yield envoy
    await envoy.stop()


@pytest.mark.parametrize(("accepted", "chosen"), [("gzip", "gzip"), ("br", "br"), ("identity", None), ("", None)])
async def test_a_large_file_arrives_whole(own: Envoy, accepted: str, chosen: str | None) -> None:
    async with (
        httpx.AsyncClient(base_url=own.url, trust_env=False, timeout=20) as client,
        client.stream("GET", "/ui/app.js?v=5eed", headers={"accept-encoding": accepted}) as answer,
    ):
        assert (answer.headers.get("content-encoding"), answer.headers["vary"].lower()) == (chosen, "accept-encoding")
        assert (answer.headers["cache-control"], answer.headers["content-type"]) == (FOR_EVER, SCRIPT)
        received = b"".join([part async for part in answer.aiter_raw()])
    if chosen:
        assert len(received) < len(LARGE) / 3
    if chosen == "gzip":
        received = zlib.decompress(received, wbits=31)
    assert chosen == "br" or received == LARGE


async def test_what_the_ui_needs_to_know(own: Envoy) -> None:
    async with httpx.AsyncClient(base_url=own.url, trust_env=False) as client:
        known = (await client.get("/ui/config.json")).json()
        assert known.pop("version")
        oidc = {"issuer": "https://login.example:8443/realms/a", "client_id": "ui", "scopes": ["openid", "email"]}
        assert known == {"auth": "required", "oidc": oidc, "project": "P"}
        policy = (await client.get("/ui/")).headers["content-security-policy"]
        assert policy == POLICY.format("'self' https://login.example:8443")


@pytest.mark.parametrize(
    "path", ["/ui/app.js", "/ui/app.js?v=01d", "/ui/app.js?v=5eed&x", "/ui/other.js?v=5eed", "/ui/?v=5eed"]
)
async def test_only_the_version_that_the_page_names_is_kept(own: Envoy, path: str) -> None:
    async with httpx.AsyncClient(base_url=own.url, trust_env=False) as client:
        assert (await client.get(path)).headers["cache-control"] == "no-cache"


async def test_pages_need_no_worker_and_take_no_projects_rate(own: Envoy) -> None:
    async with httpx.AsyncClient(base_url=own.url, trust_env=False) as client:
        for headers in ({}, {"project-id": "A"}):
            answers = [await client.get("/ui/", headers=headers) for _ in range(20)]
            assert {answer.status_code for answer in answers} == {200}
            assert (await client.get(f"{API}/models", headers=headers)).status_code == 503, "not 429"


async def test_too_many_requests_for_one_file_are_refused(own: Envoy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", own.port)
    head, body = b"", b""
    async with asyncio.timeout(60):
        while not head.startswith(b"HTTP/1.1 429 "):
            writer.write(b"GET /docs/init.js HTTP/1.1\r\nhost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = re.findall(rb"content-length: (\d+)", head)
            body = await reader.readexactly(int(length))
    writer.transport.abort()
    assert json.loads(body) == {"error": "overloaded, try again later"}
    async with httpx.AsyncClient(base_url=own.url, trust_env=False) as client:
        assert (await client.get("/ui/")).status_code == 200, "another file"


@pytest.mark.slow
async def test_clients_that_do_not_read_cost_a_bounded_amount(own: Envoy) -> None:
    writers = []
    for _ in range(70):
        # The reader stops the connection when it holds twice its limit.
        _, writer = await asyncio.open_connection("127.0.0.1", own.port, limit=1024)
        writer.write(b"GET /ui/app.js HTTP/1.1\r\nhost: x\r\n\r\n")
        writers.append(writer)
    async with httpx.AsyncClient(base_url=own.url, trust_env=False, timeout=30) as client:
        for _ in range(20):
            assert (await client.get("/ui/app.js?v=5eed")).content == LARGE
    assert peak_memory(own) < memory_limit()
    for writer in writers:
        writer.transport.abort()


async def test_pages_over_tls(tmp_path: Path) -> None:
    authority = Authority()
    authority.mount(tmp_path / "tls")
    config = EnvoyConfig(folder=tmp_path, endpoints=["127.0.0.1:1"], switches=["tls", "hsts"])
    async with (
        Envoy(config) as envoy,
        httpx.AsyncClient(base_url=envoy.url, verify=trusting(authority), trust_env=False, http2=True) as client,
    ):
        answer = await client.get("/ui/")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
