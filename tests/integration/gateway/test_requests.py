"""What of a REST request reaches the registry, and what is refused before."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tests.integration.gateway.backend import Route, rest_routes
from tests.integration.gateway.test_answers import API, assert_error, assert_plain

from registry_grpc.devtools.envoy import Envoy

ROUTES = rest_routes()
WITH_VARIABLES = [route for route in ROUTES if route.variables()]
WITHOUT_BODY = [route for route in WITH_VARIABLES if not route.body]
LISTS_OF_ONE_MODEL = [f"GET {API}/models/{{registered_model_id}}/versions"]


def path_of(route: Route) -> str:
    return route.template.format(**{name: f"path-{name}" for name in route.variables()})


def from_path(route: Route) -> dict[str, str]:
    return {name: f"path-{name}" for name in route.variables()}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


async def echoed(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert_plain(answer)
    return answer.json()["request"]


def test_all_routes_are_seen() -> None:
    assert len(ROUTES) == len({str(route) for route in ROUTES}) == 39


@pytest.mark.parametrize("route", ROUTES, ids=str)
async def test_every_route_reaches_its_rpc(rest: httpx.AsyncClient, route: Route) -> None:
    answer = await rest.request(route.verb, path_of(route), json={} if route.body else None)
    assert answer.json()["method"] == route.rpc
    assert await echoed(answer) == from_path(route) | ({route.body: {}} if route.body else {})


@pytest.mark.parametrize("spelling", [str, camel], ids=["snake_case", "camelCase"])
@pytest.mark.parametrize("route", WITH_VARIABLES, ids=str)
async def test_a_query_never_overrides_the_path(rest: httpx.AsyncClient, route: Route, spelling: Any) -> None:
    for name in route.variables():
        answer = await rest.request(
            route.verb, path_of(route), params={spelling(name): "other"}, json={} if route.body else None
        )
        if str(route) in LISTS_OF_ONE_MODEL:
            assert_error(answer, 400, "registered_model_id: given more than once")
        else:
            assert await echoed(answer) == from_path(route) | ({route.body: {}} if route.body else {})


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=str)
async def test_a_query_never_sets_fields_of_the_body(rest: httpx.AsyncClient, route: Route) -> None:
    query = {f"{route.body}.name": "x", f"{camel(route.body)}.name": "x"} | dict.fromkeys(route.fields, "x")
    answer = await rest.request(route.verb, path_of(route), params=query, json={"name": "from-body"})
    assert (await echoed(answer)) in (
        from_path(route) | {route.body: {"name": "from-body"}},
        from_path(route) | {route.body: {}},  # a body without a name: POST /serve_models
    )


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=str)
async def test_a_body_never_overrides_the_path(rest: httpx.AsyncClient, route: Route) -> None:
    body = dict.fromkeys(route.variables(), "other")
    answer = await rest.request(route.verb, path_of(route), json=body | {"created_at": "yesterday", "project_id": "p"})
    assert await echoed(answer) == from_path(route) | {route.body: {}}


@pytest.mark.parametrize("route", [route for route in WITHOUT_BODY if route.verb == "GET"], ids=str)
async def test_the_body_of_a_get_never_overrides_the_path(rest: httpx.AsyncClient, route: Route) -> None:
    for name in route.variables():
        for spelling in (name, camel(name)):
            answer = await rest.request(route.verb, path_of(route), json={spelling: "other"})
            assert_error(answer, 400, f"{name}: given more than once")
    assert await echoed(await rest.request(route.verb, path_of(route), json={})) == from_path(route)


@pytest.mark.parametrize("route", [route for route in WITHOUT_BODY if route.verb != "GET"], ids=str)
@pytest.mark.parametrize("body", ['{"id":"other"}', "null", "[]", "no JSON", "{"])
async def test_a_body_where_none_belongs_is_ignored(rest: httpx.AsyncClient, route: Route, body: str) -> None:
    answer = await rest.request(route.verb, path_of(route), content=body)
    assert await echoed(answer) == from_path(route)


@pytest.mark.parametrize(
    ("query", "request_fields"),
    [
        ("state=LIVE&limit=5&offset=-1", {"state": "LIVE", "limit": "5", "offset": "-1"}),
        ("sort_by=name&order=asc", {"sort_by": "name", "order": "asc"}),
        ("sortBy=name&modelType=x", {"sort_by": "name", "model_type": "x"}),
        ("limit=%2B5", {"limit": "5"}),
        ("limit=9223372036854775807", {"limit": "9223372036854775807"}),
        ("search=a+b%2Bc%20%C3%A9%25", {"search": "a b+c é%"}),
        ("search=%zz", {"search": "%zz"}),
        ("search=a%00b", {"search": "a\0b"}),
        ("state=", {"state": ""}),
        ("unknown=1&un.known=2&=3&&page_size=x&page_token=x&pageSize=-1&pageToken=", {}),
    ],
)
async def test_the_query_of_a_list(rest: httpx.AsyncClient, query: str, request_fields: dict[str, str]) -> None:
    assert await echoed(await rest.get(f"{API}/models?{query}")) == request_fields


async def test_the_query_of_a_find(rest: httpx.AsyncClient) -> None:
    answer = await rest.get(f"{API}/model_version", params={"externalId": "e", "parentResourceId": "p", "name": "n"})
    assert await echoed(answer) == {"external_id": "e", "parent_resource_id": "p", "name": "n"}


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("limit=abc", "limit: must be an integer"),
        ("limit=", "limit: must be an integer"),
        ("limit=1.5", "limit: must be an integer"),
        ("limit=99999999999999999999", "limit: must be an integer"),
        ("limit=1&limit=2", "limit: given more than once"),
        ("sort_by=name&sortBy=name", "sort_by: given more than once"),
        ("search=%FF", "the request is not valid UTF-8"),
    ],
)
async def test_a_query_that_is_refused(rest: httpx.AsyncClient, query: str, text: str) -> None:
    assert_error(await rest.get(f"{API}/models?{query}"), 400, text)


@pytest.mark.parametrize(
    ("sent", "id_"),
    [
        ("a%20b%C3%A9%2Fc%2e", "a bé/c."),
        ("%7B18290927-9d84-4313-8694-f7658f7b8632%7D", "{18290927-9d84-4313-8694-f7658f7b8632}"),
        ("a%00b", "a\0b"),
        ("%zz", "%zz"),
        ("abc/", "abc"),
        ("x" * 20_000, "x" * 20_000),
    ],
)
async def test_the_id_in_the_path(gateway: Envoy, rest: httpx.AsyncClient, sent: str, id_: str) -> None:
    assert await echoed(await rest.get(f"{API}/models/{sent}")) == {"id": id_}


async def test_invalid_utf_8_in_the_path_is_a_400(rest: httpx.AsyncClient) -> None:
    assert_error(await rest.get(f"{API}/models/%ff"), 400, "the request is not valid UTF-8")


async def test_a_slash_at_the_end_is_the_same_path(rest: httpx.AsyncClient) -> None:
    assert await echoed(await rest.get(f"{API}/models/?state=LIVE")) == {"state": "LIVE"}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"hello", "invalid JSON: Unexpected token."),
        (b"   ", "invalid JSON: Unexpected end of string. Expected a value."),
        (b"{", "invalid JSON: Unexpected end of string. Expected an object key or }."),
        (b'{"name" "x"}', "invalid JSON: Expected : between key:value pair."),
        (b'{"name":"x"} junk', "invalid JSON: Parsing terminated before end of input."),
        (b'{"name":"\xff"}', "invalid JSON: Encountered non UTF-8 code points."),
        (b'{"name":"\\ud800"}', "invalid JSON: Missing low surrogate."),
        (b'{"a\\', "invalid JSON: Closing quote expected in string."),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "Message too deep. Max recursion depth reached for key 'a'"),
        (b"[]", "request body: must be an object"),
        (b"1", "request body: must be an object"),
        (b'"x"', "request body: must be an object"),
        (b'{"name":["x"]}', "request body: unexpected list"),
        (b'{"name":5}', "name: must be a string"),
        (b'{"name":{}}', "name: must be a string"),
        (b'{"":1}', "request body: keys must not be empty"),
        (b'{"tags":{"":1}}', "tags: keys must not be empty"),
        (b'{"tags":5}', "tags: must be an object"),
        (b'{"tags":["x"]}', "request body: unexpected list"),
        (b'{"tags":{"tasks":5}}', "tags.tasks: must be a list of strings"),
        (b'{"tags":{"tasks":["a",5]}}', "tags.tasks: must be a list of strings"),
        (b'{"tags":{"tasks":{}}}', "tags.tasks: must be a list of strings"),
        (b'{"tags":{"tasks":["a",{}]}}', "tags.tasks: must be a list of strings"),
        (b'{"labels":["x"]}', "labels: must be an object"),
        (b'{"labels":{"a":1}}', "labels: values must be strings"),
        (b'{"labels":{"a":["b"]}}', "labels: values must be strings"),
        (b'{"labels":{"a":"b","c":[]}}', "labels: values must be strings"),
        (b'{"labels":{"a":{"":"b"}}}', "labels: values must be strings"),
        (b'{"labels":{"a b\\"\\n":"1","a b\\"\\n":"2"}}', "labels: key 'a b\"\n' given more than once"),
    ],
)
async def test_a_body_that_is_refused(rest: httpx.AsyncClient, body: bytes, text: str) -> None:
    assert_error(await rest.post(f"{API}/models", content=body), 400, text)


async def test_a_label_given_twice_to_a_patch_is_named(rest: httpx.AsyncClient) -> None:
    answer = await rest.patch(f"{API}/models/a", content=b'{"labels":{"a":"1","a":"2"}}')
    assert_error(answer, 400, "labels: key 'a' given more than once")


@pytest.mark.parametrize("body", ["[]", "5", '"x"', "[{}]"])
async def test_the_body_of_a_get_must_be_an_object(rest: httpx.AsyncClient, body: str) -> None:
    answer = await rest.request("GET", f"{API}/models/a", content=body)
    assert_error(answer, 400, "request body: must be an object")


KINDS = {
    FieldDescriptor.TYPE_STRING: "a string",
    FieldDescriptor.TYPE_BOOL: "true or false",
    FieldDescriptor.TYPE_INT32: "an integer",
    FieldDescriptor.TYPE_INT64: "an integer",
}


def scalars(kind: Descriptor | None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The single values and lists of texts in a body, and what they must be."""
    assert kind is not None
    for field in kind.fields:
        place = (*path, field.name)
        if field.message_type is None:
            ids = "UUIDs" if field.name.endswith("_ids") else "strings"
            yield place, f"a list of {ids}" if field.is_repeated else KINDS[field.type]
        elif not field.message_type.GetOptions().map_entry and field.message_type.full_name.startswith("modelregistry"):
            yield from scalars(field.message_type, place)


@pytest.mark.parametrize("route", [route for route in ROUTES if route.body], ids=str)
async def test_a_field_that_is_an_object_is_told_what_it_must_be(rest: httpx.AsyncClient, route: Route) -> None:
    service, _, name = route.rpc.replace(".rest.", ".").rpartition(".")
    request = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name].input_type
    for path, kind in scalars(request.fields_by_name[route.body].message_type):
        body: Any = {}
        for name in reversed(path):
            body = {name: body}
        answer = await rest.request(route.verb, path_of(route), json=body)
        assert_error(answer, 400, f"{'.'.join(path)}: must be {kind}")


@pytest.mark.parametrize("value", ["1.5", "true", "1e20", '"x\\ny\\\\\\"z"', '"' + '\\"\\n' * 50 + '"'])
async def test_what_is_no_integer_is_refused(rest: httpx.AsyncClient, value: str) -> None:
    answer = await rest.patch(f"{API}/models/a", content=f'{{"model_size":{value}}}')
    assert_error(answer, 400, "model_size: must be an integer")


async def test_a_refusal_does_not_repeat_a_long_value(rest: httpx.AsyncClient) -> None:
    answer = await rest.patch(f"{API}/models/a", json={"model_size": ": invalid value " * 100_000})
    assert_error(answer, 400, "invalid value")


@pytest.mark.parametrize("value", ["5", "5.0", "5e0", '"5"'])
async def test_an_integer_may_be_written_in_many_ways(rest: httpx.AsyncClient, value: str) -> None:
    answer = await rest.patch(f"{API}/models/a", content=f'{{"model_size":{value}}}')
    assert await echoed(answer) == {"id": "a", "registered_model": {"model_size": "5"}}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", {"registered_model": {}}),
        (b"null", {}),
        (b'{"name":null,"unknown":[{}]}', {"registered_model": {}}),
        (b'{"name":"a","name":"b"}', {"registered_model": {"name": "b"}}),
        (b'{"name":"a\\u0000"}', {"registered_model": {"name": "a\0"}}),
        (b'{"labels":{"a":null}}', {"registered_model": {"labels": {"a": ""}}}),
        (b'{"tags":{"tasks":["a",null]}}', {"registered_model": {"tags": {"tasks": ["a"]}}}),
        (b'{"tags":{"tasks":"a"}}', {"registered_model": {"tags": {"tasks": ["a"]}}}),
        (b'{"modelType":"x","NAME":"x"}', {"registered_model": {"model_type": "x"}}),
    ],
)
async def test_a_body_that_passes(rest: httpx.AsyncClient, body: bytes, message: dict[str, Any]) -> None:
    assert await echoed(await rest.post(f"{API}/models", content=body)) == message


@pytest.mark.parametrize("value", ["true", '"true"', '"yes"'])
async def test_true_may_be_written_in_many_ways(rest: httpx.AsyncClient, value: str) -> None:
    answer = await rest.patch(f"{API}/model_versions/a", content=f'{{"is_default":{value}}}')
    assert await echoed(answer) == {"id": "a", "model_version": {"is_default": True}}


async def test_what_is_no_boolean_is_refused(rest: httpx.AsyncClient) -> None:
    answer = await rest.patch(f"{API}/model_versions/a", json={"is_default": 1})
    assert_error(answer, 400, "is_default: must be true or false")


async def test_header_names_that_grpc_reserves(rest: httpx.AsyncClient) -> None:
    answer = await rest.get(f"{API}/models/a", headers={"x-some-bin": "not base64!"})
    assert_error(answer, 500, "Error parsing 'x-some-bin' metadata: illegal base64 encoding")


@pytest.mark.parametrize(
    "content_type", [None, "", "text/xml", "application/x-www-form-urlencoded", "application/grpcx"]
)
async def test_a_body_is_json_whatever_its_content_type(rest: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await rest.post(f"{API}/models?name=query", content=b'{"name":"x"}', headers=headers)
    assert await echoed(answer) == {"registered_model": {"name": "x"}}


@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_grpc_on_a_rest_path_is_told_so(rest: httpx.AsyncClient, verb: str) -> None:
    answer = await rest.request(verb, f"{API}/models", headers={"content-type": "application/grpc"})
    assert (answer.headers["grpc-status"], answer.headers["grpc-message"]) == ("2", "this path is not gRPC")


async def chunks(total: int) -> Any:
    for _ in range(total // 65536):
        yield b" " * 65536


async def test_bodies_up_to_the_limit_pass(rest: httpx.AsyncClient) -> None:
    content = b'{"name":"' + b"x" * (8 * 1024 * 1024 - 11) + b'"}'
    answer = await rest.post(f"{API}/models", content=content, headers={"x-test-size": "10"})
    assert (answer.status_code, answer.content) == (200, b'"xxxxxxxx"')


async def test_larger_bodies_are_a_413(rest: httpx.AsyncClient) -> None:
    for content in (b" " * (8 * 1024 * 1024 + 1), chunks(9 * 1024 * 1024)):
        assert_error(await rest.post(f"{API}/models", content=content), 413, "request body too large")


async def test_expect_100_continue_is_answered(gateway: Envoy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(f"POST {API}/models HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n".encode())
    async with asyncio.timeout(5):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


async def test_headers_reach_the_registry_as_metadata(rest: httpx.AsyncClient) -> None:
    headers = {"Project-ID": "P", "with_underscore": "u", "x-Custom": "C"}
    metadata = (await rest.get(f"{API}/models/a", headers=headers)).json()["metadata"]
    assert {"project-id": "P", "with_underscore": "u", "x-custom": "C"}.items() <= metadata.items()


async def test_a_client_cannot_speak_for_the_gateway(rest: httpx.AsyncClient) -> None:
    forged = {
        "grpc-timeout": "1n",
        "grpc-encoding": "gzip",
        "grpc-accept-encoding": "gzip",
        "te": "x",
        "x-envoy-original-path": "/forged",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
    }
    answer = await rest.get(f"{API}/models/a", headers=forged | {"x-test-seconds": "0.1"})
    assert answer.status_code == 200
    seen = answer.json()["metadata"]
    assert seen["x-envoy-original-path"] == f"{API}/models/a"
    assert not {"x-envoy-retry-on", "x-envoy-upstream-rq-timeout-ms"} & seen.keys()


async def test_the_registry_knows_the_deadline(rest: httpx.AsyncClient) -> None:
    for verb, path in [("GET", "models"), ("GET", "models/a"), ("POST", "models")]:
        answer = await rest.request(verb, f"{API}/{path}")
        assert 25 < answer.json()["seconds"] <= 30
