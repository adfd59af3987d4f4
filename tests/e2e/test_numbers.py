"""64-bit integers are exact, and are JSON numbers (contract 0.12, 0.13)."""

from __future__ import annotations

import re

import pytest
from tests.e2e.api import Api
from tests.e2e.builders import a_model, a_version
from tests.e2e.checks import assert_error, json_of

EXACT = [0, 1, -1, 2**31, 2**32 + 1, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]


@pytest.mark.parametrize("size", EXACT)
def test_every_integer_comes_back_exactly_and_as_a_number(api: Api, size: int) -> None:
    model = a_model(api)
    path = f"/models/{model['id']}"
    for response in (api.patch(path, {"model_size": size}), api.get(path), api.get("/models")):
        json_of(response)
        assert re.search(rf'"model_size":{size}[,}}]', response.text), response.text


@pytest.mark.parametrize(
    "literal",
    [
        *("9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e19", "-1e19", "1e400", "-1e99999"),
        *("1.5", "-0.1", "1e-1", "5.0", "5e0", "1e3", "-0.0"),
        *('"5"', '"-7"', '"many"', '""', '"1.5"', '"0x10"', "true", '{"a":1}', "[5]", "[]"),
    ],
)
def test_a_number_that_is_not_a_64_bit_integer_is_refused(api: Api, literal: str) -> None:
    model = a_model(api)
    path = f"/models/{model['id']}"
    text = "model_size must be an integer from -9223372036854775808 to 9223372036854775807"
    assert_error(api.request("PATCH", path, content=f'{{"model_size":{literal}}}'), 400, text)
    assert api.read(path) == model


@pytest.mark.parametrize("key", ["total", "page_size", "next_offset", "version_count", "model_size"])
def test_counts_are_numbers(api: Api, key: str) -> None:
    model = a_model(api)
    for _ in range(3):
        a_version(api, model["id"])
    text = api.get("/models?limit=1000").text
    assert re.search(rf'"{key}":-?\d+[,}}]', text), text
