"""The target of a REST request is read as by the Go service (contract 0.1, 0.9)."""

from __future__ import annotations

import pytest

from registry_grpc.adapters.rest.target import UNREADABLE, integer, parameters, segment, split_target

GREATEST = 2**63 - 1


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/models", "/models", ""),
        ("/models/", "/models", ""),
        ("/models///", "/models", ""),
        ("/models?", "/models", ""),
        ("/models/?a=/b?c", "/models", "a=/b?c"),
        ("/models/a%2Fb/versions", "/models/a%2Fb/versions", ""),
        ("/models//versions", "/models//versions", ""),
        ("//models", "//models", ""),
    ],
)
def test_the_path_is_split_before_it_is_decoded(target: str, path: str, query: str) -> None:
    assert split_target(target) == (path, query)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("abc", "abc"),
        ("a%2db", "a-b"),
        ("a%2Db", "a-b"),
        ("a%2Fb", "a/b"),
        ("a+b", "a+b"),
        ("%C3%A9", "é"),
        ("%00", "\0"),
        ("%25zz", "%zz"),
        ("a%ffb", "a\ufffdb"),
        ("", UNREADABLE),
        ("%zz", UNREADABLE),
        ("a%", UNREADABLE),
        ("a%4", UNREADABLE),
        ("%41%4", UNREADABLE),
        ("%+1", UNREADABLE),
    ],
)
def test_a_segment_is_decoded_once(raw: str, text: str) -> None:
    assert segment(raw) == text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {b"": b""}),
        ("a=1&b=2", {b"a": b"1", b"b": b"2"}),
        ("a=1&a=2&%61=3", {b"a": b"1"}),
        ("a=&a=2", {b"a": b""}),
        ("a&a=2", {b"a": b""}),
        ("a=b=c", {b"a": b"b=c"}),
        ("a=b+c%2B%20d", {b"a": b"b c+ d"}),
        ("a+b=1", {b"a b": b"1"}),
        ("a%3Db=1", {b"a=b": b"1"}),
        ("a=%zz&a=2", {b"a": b"2"}),
        ("%zz=1&b=2", {b"b": b"2"}),
        ("a=%", {}),
        ("a=%4", {}),
        ("a=1;b=2&c=3", {b"c": b"3"}),
        ("a;=1&a=2", {b"a": b"2"}),
        ("a=%3B", {b"a": b";"}),
        ("a=%ff%00", {b"a": b"\xff\0"}),
        ("A=1&a=2", {b"A": b"1", b"a": b"2"}),
    ],
)
def test_of_equal_parameters_the_first_counts_and_broken_ones_are_dropped(
    query: str, found: dict[bytes, bytes]
) -> None:
    assert parameters(query) == found


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("20", 20),
        ("-1", -1),
        ("+5", 5),
        ("-0", 0),
        ("007", 7),
        (str(GREATEST), GREATEST),
        (str(GREATEST + 1), GREATEST),
        (str(-GREATEST - 1), -GREATEST - 1),
        (str(-GREATEST - 2), -GREATEST - 1),
        ("99999999999999999999", GREATEST),
        ("+99999999999999999999", GREATEST),
        ("-99999999999999999999", -GREATEST - 1),
        ("0" * 30 + "7", 7),
        ("-" + "0" * 30 + "7", -7),
        ("+" + "0" * 30 + "7", 7),
        ("0" * 30, 0),
        ("-" + "0" * 30, 0),
        ("9" * 100_000, GREATEST),
        ("-" + "9" * 100_000, -GREATEST - 1),
        ("0" * 100_000 + "9" * 5, 99999),
    ],
)
def test_an_integer_beyond_64_bits_becomes_the_nearest_one(text: str, number: int) -> None:
    assert integer(text) == number


@pytest.mark.parametrize(
    "text", ["", "abc", "1.5", " 2", "2 ", "2\n", "1e2", "0x10", "1_000", "--1", "+-1", "+", "-", "null", "٢", "²"]
)
def test_an_invalid_integer_is_0(text: str) -> None:
    assert integer(text) == 0
