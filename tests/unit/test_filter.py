"""The grammar of filters, the check of names and types, and the texts of their errors (https://google.aip.dev/160)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry_grpc.domain.errors import InvalidRequest
from registry_grpc.domain.filter.fields import Condition, Filter, Pattern, declared, parse_filter, required, word
from registry_grpc.domain.filter.parser import DEEPEST, LONGEST, MOST_CONDITIONS
from registry_grpc.domain.filter.syntax import And, Not, Operator, Or

FIELDS = declared(
    word("phase", ("UP", "DOWN"), "PHASE_"),
    text=("name", "state", "a", "b", "c", "d"),
    map=("labels",),
    properties=("properties",),
    list=("tags.tasks",),
    time=("at",),
    integer=("size",),
    bool=("ok",),
    id=("id",),
)
LARGEST = 2**63 - 1


def shape(tree: Filter | None) -> str:
    """The tree in a short notation: `&(a=1 |(b=2 c=3))`."""
    match tree:
        case And(terms):
            return f"&({' '.join(map(shape, terms))})"
        case Or(terms):
            return f"|({' '.join(map(shape, terms))})"
        case Not(term):
            return f"!{shape(term)}"
        case Condition():
            key = "" if tree.key is None else f"[{tree.key}]"
            value = "~".join(tree.value.parts) if isinstance(tree.value, Pattern) else tree.value
            return f"{tree.field.name}{key}{tree.operator}{value}"
    return ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t", ""),
        ("a=1", "a=1"),
        ("  a  =  1  ", "a=1"),
        ("a=1 b=2", "&(a=1 b=2)"),
        ("a=1 AND b=2", "&(a=1 b=2)"),
        ("a=1 AND b=2 c=3 AND d=4", "&(a=1 b=2 c=3 d=4)"),
        ("a=1 OR b=2", "|(a=1 b=2)"),
        ("a=1 AND b=2 OR c=3", "&(a=1 |(b=2 c=3))"),
        ("a=1 OR b=2 AND c=3", "&(|(a=1 b=2) c=3)"),
        ("a=1 b=2 OR c=3 d=4", "&(a=1 |(b=2 c=3) d=4)"),
        ("(a=1 AND b=2) OR c=3", "|(&(a=1 b=2) c=3)"),
        ("((a=1))", "a=1"),
        ("(a=1)AND(b=2)", "&(a=1 b=2)"),
        ("(a=1)(b=2)", "&(a=1 b=2)"),
        ("NOT a=1", "!a=1"),
        ("-a=1", "!a=1"),
        ("NOT a=1 OR b=2", "|(!a=1 b=2)"),
        ("NOT (a=1 OR b=2)", "!|(a=1 b=2)"),
        ("-(a=1 b=2)", "!&(a=1 b=2)"),
        ("NOT(a=1)", "!a=1"),
        ("(NOT (-a=1))", "!!a=1"),
        ('a="AND"', "a=AND"),
        ("a=ANDROID", "a=ANDROID"),
        ("a=and", "a=and"),
        ("a=-5", "a=-5"),
        ("a!=1", "a!=1"),
        ("a<1 a<=2 a>3 a>=4", "&(a<1 a<=2 a>3 a>=4)"),
        ("a=''", "a="),
        ("a='it\\'s'", "a=it's"),
        ('a="say \\"so\\""', 'a=say "so"'),
        ('a="back\\\\slash"', "a=back\\slash"),
        ('a="two words (here)"', "a=two words (here)"),
        ("a=s3://bucket/v1.0", "a=s3://bucket/v1.0"),
        ("a=Ünïcode", "a=Ünïcode"),
        ("a=ir*", "a=ir~"),
        ('a="*r*s"', "a=~r~s"),
        ('a="5\\*"', "a=5*"),
        ("a!=ir*", "a!=ir~"),
        ("a=*", "a=~"),
        ("a:*", "a:None"),
        ("size=5", "size=5"),
        (f"size<=-{2**63}", f"size<=-{2**63}"),
        (f'size="{LARGEST}"', f"size={LARGEST}"),
        ("ok=true", "ok=True"),
        ("ok!=false", "ok!=False"),
        ("phase=UP", "phase=UP"),
        ("phase=PHASE_DOWN", "phase=DOWN"),
        ("phase:*", "phase:None"),
        ("labels.team=x", "labels[team]=x"),
        ("labels.team>=x", "labels[team]>=x"),
        ("labels.team!=x*", "labels[team]!=x~"),
        ("labels.app.kubernetes.io/name=x", "labels[app.kubernetes.io/name]=x"),
        ('labels."a b"=x', "labels[a b]=x"),
        ('labels."*"=x', "labels[*]=x"),
        ("labels.team:x", "labels[team]=x"),
        ("labels.team:*", "labels[team]:None"),
        ("labels:team", "labels[team]:None"),
        ('labels:"a:b"', "labels[a:b]:None"),
        ('labels:"\\*"', "labels[*]:None"),
        ("labels:*", "labels:None"),
        ("properties.x.y=1", "properties[x.y]=1"),
        ("properties.x=-1.50", "properties[x]=-1.5"),
        ("properties.x>1e3", "properties[x]>1000.0"),
        ("properties.x=99999999999999999999", "properties[x]=1E+20"),
        ("properties.x=true", "properties[x]=True"),
        ("properties.x='true'", "properties[x]=true"),
        ("properties.x>'1'", "properties[x]>1"),
        ("properties.x=1x", "properties[x]=1x"),
        ("properties.x=1*", "properties[x]=1~"),
        ("properties.x:5", "properties[x]=5"),
        ("properties.x=2026-01-02T03:04:05Z", "properties[x]=2026-01-02 03:04:05+00:00"),
        ("properties.x='2026-01-02T03:04:05Z'", "properties[x]=2026-01-02T03:04:05Z"),
        ("properties.x:*", "properties[x]:None"),
        ("properties:x", "properties[x]:None"),
        ("properties:*", "properties:None"),
        ("tags.tasks:x", "tags.tasks:x"),
        ('tags.tasks:"\\*"', "tags.tasks:*"),
        ("tags.tasks:*", "tags.tasks:None"),
    ],
)
def test_reads_the_grammar(text: str, expected: str) -> None:
    assert shape(parse_filter(text, FIELDS)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("at>2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("at>2026-01-31t12:00:00z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("at>'2026-01-31 12:00:00.5Z'", datetime(2026, 1, 31, 12, 0, 0, 500_000, tzinfo=UTC)),
        ("at>2026-01-31T12:00:00.1234567-04:00", datetime(2026, 1, 31, 16, 0, 0, 123_456, tzinfo=UTC)),
        ("id=B0000000-0000-4000-8000-000000000001", UUID("b0000000-0000-4000-8000-000000000001")),
        ("id=b0000000000040008000000000000001", UUID("b0000000-0000-4000-8000-000000000001")),
    ],
)
def test_reads_times_and_ids(text: str, value: Any) -> None:
    condition = parse_filter(text, FIELDS)
    assert isinstance(condition, Condition)
    assert condition.value == value
    assert not isinstance(value, datetime) or condition.value.utcoffset().total_seconds() == 0


A_TIME = '"at" is a time: write it like 2026-01-31T12:00:00Z or 2026-01-31T13:00:00+01:00'


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("name = a", "a"),
        ("size = 1 AND name = a", "a"),
        ("(a = 1 name = a) b = 2", "a"),
        ("name = a name = b", "a"),
        ("name = a*", None),
        ("name != a", None),
        ("NOT name = a", None),
        ("name = a OR name = b", None),
        ("labels.name = a", None),
        ("", None),
    ],
)
def test_the_value_that_a_field_must_have(text: str, value: str | None) -> None:
    assert required(parse_filter(text, FIELDS), "name") == value


@pytest.mark.parametrize(
    ("text", "position", "error"),
    [
        ("nam=1", 1, 'unknown field "nam": did you mean "name"? Fields: name, state, a,'),
        ("a=1 xyz=2", 5, 'unknown field "xyz". Fields: name, state,'),
        ("tags:x", 1, 'unknown field "tags"'),
        ("x" * 3000 + "=1", 1, f'unknown field "{"x" * 60}…". Fields: '),
        ("name", 1, '"name" is not a condition: write a condition such as state = "LIVE" or labels.team:*'),
        ("a=1 and b=2", 5, '"and" is not a condition: '),
        ("Victor Hugo", 1, '"Victor" is not a condition: '),
        ("name(1)", 1, '"name" is not a function: there are none; '),
        ("a=", 3, 'the filter ends where a value must follow "="'),
        ("a==1", 3, 'unexpected "=" where a value must follow "="'),
        ("a=(b OR c)", 3, 'unexpected "(" where a value must follow "="'),
        ("a=AND", 3, 'a value must follow "=": put AND in quotes if it is the value'),
        ("a=1=2", 4, 'unexpected "=" where the name of a field must begin'),
        ("=1", 1, 'unexpected "=" where the name of a field must begin'),
        ("a=1 AND", 8, "the filter ends where the name of a field must begin"),
        ("a=1 OR", 7, "the filter ends where the name of a field must begin"),
        ("OR a=1", 1, "OR stands where a condition must begin"),
        ("a=1 OR AND b=2", 8, "AND stands where a condition must begin"),
        ("NOT NOT a=1", 5, "NOT stands where a condition must begin"),
        ("NOT", 4, "the filter ends where the name of a field must begin"),
        ("labels.=1", 8, 'unexpected "=" where the name of a field must begin'),
        ("(a=1", 1, '"(" is not closed: add ")"'),
        ("()", 2, 'unexpected ")" where the name of a field must begin'),
        ("a=1)", 4, 'unexpected ")": no "(" is open'),
        ("a=1, b=2", 4, 'unexpected "," where the name of a field must begin'),
        ('a="b', 3, 'the text in quotes does not end: add "'),
        ("a='b\\'", 3, "the text in quotes does not end: add '"),
        ('a="b\\n"', 5, 'unknown escape "\\n": a backslash only escapes \\ " \' and *'),
        ("🙂=1 b=2", 1, 'unknown field "🙂"'),
        ("a=🙂 b", 5, '"b" is not a condition'),
        ("a.b=1", 3, '"a" has no field "b": it is a text'),
        ("a:b", 3, '":" only asks whether "a" is set, by a:*; compare values by "="'),
        ("a<b*", 3, '"<" does not know the wildcard "*": use = or !=, or write "\\*" in quotes'),
        ("size=1.5", 6, '"size" is a 64-bit integer, which "1.5" is not'),
        ("size=1*", 6, '"size" is a 64-bit integer, which "1*" is not'),
        ("size=٣", 6, '"size" is a 64-bit integer, which "٣" is not'),
        (f"size={2**63}", 6, f'"size" is a 64-bit integer, which "{2**63}" is not'),
        ("ok=1", 4, '"ok" is true or false, not "1"'),
        ("ok<true", 4, '"ok" is a boolean, which has no order: use = or !='),
        ("id=5", 4, '"id" is a UUID, which "5" is not'),
        ("id>5", 4, '"id" is a UUID, which has no order: use = or !='),
        ("phase=up", 7, '"phase" has no value "up". Values: UP, DOWN'),
        ("phase<UP", 7, '"phase" is one of a few words, which has no order: use = or !='),
        ("at>2026-01-31", 4, A_TIME),
        ("at>2026-01-31T12:00:00", 4, A_TIME),
        ("at>2026-13-31T12:00:00Z", 4, A_TIME),
        ("at>2026-01-31T24:00:01Z", 4, A_TIME),
        ("at>0001-01-01T00:00:00+01:00", 4, A_TIME),
        ("labels=x", 8, '"labels" is a map: compare the value of a key, labels.key = …'),
        ("labels:a*", 8, '"labels:" finds whole values: write a "*" that is part of it as "\\*", in quotes'),
        ("labels:team:x", 8, '"team:x" has a second ":": put the value in quotes'),
        ("properties=x", 12, '"properties" is a map: compare the value of a key, properties.key = …'),
        ("properties.x<true", 14, "true is a boolean, which has no order: use = or !="),
        ("properties.x<a*", 14, '"<" does not know the wildcard "*"'),
        ("properties.x=1e999", 14, '"1e999" is not a double: put it in quotes if it is a string'),
        ("properties.x=2026-13-01T00:00:00Z", 14, '"properties" is a time: write it like 2026-01-31T12:00:00Z'),
        ("tags.tasks=x", 12, '"tags.tasks" is a list: ask for one of its values by tags.tasks:value'),
        ("tags.tasks.0:x", 12, '"tags.tasks" has no field "0": it is a list'),
    ],
)
def test_says_where_a_filter_is_wrong_and_what_to_do(text: str, position: int, error: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_filter(text, FIELDS)
    [violation] = raised.value.violations
    assert violation.field == "filter"
    assert violation.description.startswith(f"at character {position}: {error}")
    assert len(violation.description) < 300


def test_limits_the_length_the_conditions_and_the_depth() -> None:
    longest = "a=" + "x" * (LONGEST - 2)
    assert shape(parse_filter(longest, FIELDS)) == longest
    with pytest.raises(InvalidRequest, match=f"filter must be at most {LONGEST} characters"):
        parse_filter(longest + "x", FIELDS)

    most = " ".join(["a=1"] * MOST_CONDITIONS)
    assert shape(parse_filter(most, FIELDS)) == f"&({most})"
    with pytest.raises(InvalidRequest, match=f"at character 81: must have at most {MOST_CONDITIONS} conditions"):
        parse_filter(most + " a=1", FIELDS)

    deepest = "(" * DEEPEST + "a=1" + ")" * DEEPEST
    assert shape(parse_filter(f"{deepest} OR {deepest}", FIELDS)) == "|(a=1 a=1)"
    with pytest.raises(InvalidRequest, match=f"at character {DEEPEST + 1}: parentheses must not be nested more than"):
        parse_filter(f"({deepest})", FIELDS)


WORDS = "a b labels tags.tasks at size ok id phase AND OR NOT - ( ) = != < <= : . * \" ' \\ , 1 true UP \0 \u0661"
PIECES = st.sampled_from([*WORDS.split(), " ", "2026-01-31T12:00:00Z"])


@given(st.one_of(st.lists(PIECES, max_size=60).map("".join), st.lists(PIECES, max_size=60).map(" ".join), st.text()))
def test_any_text_is_a_filter_or_refused_with_a_position(text: str) -> None:
    refused: InvalidRequest | None = None
    try:
        tree = parse_filter(text, FIELDS)
    except InvalidRequest as error:
        refused = error
    if refused is None:
        assert (tree is None) == (not text.strip())
    else:
        [violation] = refused.violations
        assert violation.field == "filter"
        assert re.match("at character [0-9]+: ", violation.description)


@given(st.text(), st.text(), st.sampled_from("\"'"))
def test_any_text_can_be_a_value_and_a_key_in_quotes(key: str, value: str, quote: str) -> None:
    def in_quotes(text: str) -> str:
        return quote + "".join(f"\\{letter}" if letter in "\\\"'*" else letter for letter in text) + quote

    condition = parse_filter(f"labels.{in_quotes(key)} = {in_quotes(value)}", FIELDS)
    assert condition == Condition(FIELDS["labels"], Operator.EQ, value, key)


@pytest.mark.parametrize("text", ["(", '"', "\\", "'\\", "a=1 OR ", "NOT ", "a.", "-", '""', "*a", "a=", " "])
def test_the_longest_texts_are_read_at_once(text: str) -> None:
    """Each character is read a fixed number of times, so that none of these takes seconds."""
    for long in (text * (LONGEST // len(text)), f"a={text * (LONGEST // len(text) - 1)}"):
        try:
            parse_filter(long, FIELDS)
        except InvalidRequest:
            continue
