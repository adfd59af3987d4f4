"""Bodies at the limits of size and depth (contract 0.5; decision 5)."""

from __future__ import annotations

import httpx
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import a_model, a_version, fresh
from tests.e2e.checks import assert_error, assert_refused, json_of

MEBIBYTE = 1 << 20
TOO_LARGE = 16 * MEBIBYTE


@pytest.mark.parametrize("mebibytes", [1, 2, 3])
def test_a_few_megabytes_are_accepted(api: Api, mebibytes: int) -> None:
    text = "é" * (mebibytes * MEBIBYTE // 2)
    model = a_model(api, description=text)
    assert api.read(f"/models/{model['id']}")["description"] == text


def test_a_page_that_is_too_large_to_be_sent_is_refused(api: Api) -> None:
    for _ in range(6):
        a_model(api, description="x" * 3 * MEBIBYTE)
    assert assert_refused(api.get("/models"), "limit").endswith("the answer would be larger than 16 MiB")
    assert len(json_of(api.get("/models", limit="5"))["items"]) == 5


def test_a_page_that_grows_when_it_is_written_is_refused(api: Api) -> None:
    for _ in range(6):
        a_model(api, description="\x01" * (MEBIBYTE // 2))  # six characters each in JSON
    assert assert_refused(api.get("/models"), "limit").endswith("the answer would be larger than 16 MiB")


def test_a_value_that_is_too_large_for_its_field_is_refused(api: Api) -> None:
    model = a_model(api)
    too_large = {
        "description": "é" * (3 * MEBIBYTE // 2) + "x",
        "labels": {"key": "x" * 704 * 1024},
        "tags": {"tasks": ["x" * 256 * 1024]},
    }
    for field, value in too_large.items():
        for response in (
            api.post("/models", {"name": fresh("m"), field: value}),
            api.patch(f"/models/{model['id']}", {field: value}),
        ):
            assert f"{field} must be at most" in assert_refused(response, field)


@pytest.mark.parametrize(
    "path",
    [
        "/models?search={}", "/models?state={}", "/models?model_type={}", "/model?name={}",
        "/model_versions?state={}", "/model_versions?status={}", "/model_version?name={}", "/model_artifacts?state={}",
        "/model_artifact?name={}",
        "/serving_environments?search={}", "/serving_environment?name={}",
        "/inference_services?desired_state={}", "/inference_services?current_state={}",
        "/inference_service?externalId={}", "/serve_models?state={}",
        "/models?sort_by={}", "/serve_models?sort_by={}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("length", [1_001, 50_000])
def test_a_text_that_is_too_long_to_be_stored_is_not_found(api: Api, path: str, length: int) -> None:
    answer = api.get(path.format("ab" * (length // 2) + "c"))
    if "sort_by" in path:
        assert_refused(answer)
    elif path.partition("?")[0].endswith("s"):
        assert json_of(answer)["items"] == []
    else:
        assert answer.status_code == 404


def test_many_labels_and_tags_are_accepted(api: Api) -> None:
    labels = {f"key{number:05}": "value" * 4 for number in range(20_000)}
    tasks = [f"task{number}" for number in range(20_000)]
    model = a_model(api, labels=labels, tags={"tasks": tasks})
    assert (model["labels"], model["tags"]["tasks"]) == (labels, tasks)
    assert a_version(api, model["id"], labels=labels)["labels"] == labels


@pytest.mark.parametrize("path", ["/models", "/deploy"])
def test_a_huge_body_is_413(api: Api, path: str) -> None:
    try:
        response = api.request("POST", path, content=b'{"name":"' + b"x" * TOO_LARGE + b'"}')
    except httpx.WriteError:
        return  # refused while we were still sending
    assert_refused(response, status=413)


def test_a_huge_chunked_body_is_413(api: Api) -> None:
    chunks = (b" " * MEBIBYTE for _ in range(16))
    try:
        headers = {"Project-ID": api.project_id}
        response = api.http.post("/api/v1/model-registry/models", content=chunks, headers=headers)
    except httpx.WriteError:
        return
    assert_refused(response, status=413)


@pytest.mark.parametrize("depth", [5_000, 100_000])
@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_a_deeply_nested_body_is_refused(api: Api, depth: int, opened: str, closed: str) -> None:
    nested = opened * depth + "1" + closed * depth
    for content in (nested, f'{{"name":"{fresh("m")}","unknown":{nested}}}', f'{{"labels":{nested}}}', opened * depth):
        assert_refused(api.request("POST", "/models", content=content))
    json_of(api.get("/models"))


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_a_body_may_be_nested_a_thousand_levels_deep(api: Api, opened: str, closed: str) -> None:
    content = f'{{"name":"{fresh("m")}","unknown":{opened * 1000}1{closed * 1000}}}'
    json_of(api.request("POST", "/models", content=content), 201)


@pytest.mark.parametrize("item", ["[]", "{}", "1"])
def test_a_body_of_more_than_50_000_values_is_refused(api: Api, item: str) -> None:
    content = f'{{"name":"{fresh("m")}","unknown":[{",".join([item] * 50_001)}]}}'
    assert_error(
        api.request("POST", "/models", content=content), 400, "request body must not hold more than 50000 values"
    )


def test_a_text_counts_as_one_value(api: Api) -> None:
    text = ',[{"\\' * 100_000
    assert a_model(api, description=text)["description"] == text


def test_a_body_above_a_mebibyte_is_read_strictly(api: Api) -> None:
    text = "x" * MEBIBYTE
    for content in (
        f'{{"name":"{fresh("m")}","description":"{text}"}} junk',
        f'{{"name":"\\ud800","unknown":"{text}"}}',
    ):
        assert assert_refused(api.request("POST", "/models", content=content)).startswith("invalid JSON: ")
    small = f'{{"name":"{fresh("m")}","description":"x"}} junk'
    json_of(api.request("POST", "/models", content=small), 201)


def test_a_long_number_is_no_fault_of_the_service(api: Api) -> None:
    model = a_model(api)
    digits = "9" * 100_000
    for number in (digits, f"-{digits}", f"1e{digits}"):
        content = f'{{"model_size":{number}}}'
        assert_refused(api.request("PATCH", f"/models/{model['id']}", content=content), "model_size")
        json_of(api.request("PATCH", f"/models/{model['id']}", content=f'{{"unknown":{number}}}'))
