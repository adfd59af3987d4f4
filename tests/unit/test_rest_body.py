"""The JSON body of a REST request is read strictly, as by the Go service (contract 0.5)."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from modelregistry.v1.deployment_pb2 import NewDeployment
from modelregistry.v1.inference_service_pb2 import NewInferenceService
from modelregistry.v1.model_version_pb2 import ModelVersionPatch
from modelregistry.v1.registered_model_pb2 import NewRegisteredModel, RegisteredModelPatch
from registry_grpc.adapters.rest.body import MOST_VALUES, BodyReader
from registry_grpc.domain.errors import InvalidRequest

MEBIBYTE = 1024 * 1024


def read(kind: Any, content: str | bytes) -> Any:
    message = GetMessageClass(kind)()
    BodyReader(kind).read(content.encode() if isinstance(content, str) else content, message)
    return message


def seen(kind: Any, content: str | bytes) -> Any:
    """The fields that are present."""
    return MessageToDict(read(kind.DESCRIPTOR, content), preserving_proto_field_name=True)


def refusal_of(kind: Any, content: str | bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as refusal:
        read(kind.DESCRIPTOR, content)
    return refusal.value


# --- the whole body ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", " ", "\n\t\r "])
def test_an_empty_body_is_eof(content: str) -> None:
    assert refusal_of(NewRegisteredModel, content).message == "EOF"


@pytest.mark.parametrize("content", ["null", " null ", "{}", "\n{ }\n", "null junk", "{} {}"])
def test_null_is_the_empty_object(content: str) -> None:
    assert seen(RegisteredModelPatch, content) == {}


@pytest.mark.parametrize("content", ["[]", '[{"name":"x"}]', '"x"', "5", "1.5", "true", "false", "5 junk", "0"])
def test_everything_else_than_an_object_is_refused(content: str) -> None:
    assert refusal_of(NewRegisteredModel, content).message == "request body must be an object"


@pytest.mark.parametrize(
    "content",
    [
        "hello",
        "{",
        '{"name"',
        '{"name":"a"',
        '{"name":"a',
        '{"name" "a"}',
        '{"name":"a",}',
        '{"labels":{"a":"b",}}',
        "{name:1}",
        "{'name':'a'}",
        '{"name":"\\a"}',
        '{"name":"\\u12"}',
        '{"name":"a\nb"}',
        '{"model_size":01}',
        '{"model_size":+1}',
        '{"model_size":.5}',
        '{"model_size":5.}',
        '{"model_size":0x10}',
        '{"x":NaN}',
        '{"x":Infinity}',
        '{"x":-Infinity}',
        '{"x":NaN} junk',
        "NaN",
        "\0",
        "\ufeff{}",
        "}",
        "\x0b{}",
        "\u00a0{}",
    ],
)
def test_a_body_that_is_not_json_is_refused_in_one_line(content: str) -> None:
    text = refusal_of(NewRegisteredModel, content).message
    assert text.startswith("invalid JSON: ")
    assert "\n" not in text
    assert "Traceback" not in text


def test_blanks_before_the_value_are_ignored_too() -> None:
    assert seen(NewRegisteredModel, '\n\t {"name":"a"} junk') == {"name": "a"}


@pytest.mark.parametrize("end", [" junk", "}", "\0", '{"name":"b"}', ",", "\n\n1"])
def test_bytes_after_the_value_are_ignored(end: str) -> None:
    assert seen(NewRegisteredModel, '{"name":"a"}' + end) == {"name": "a"}


@pytest.mark.parametrize("text", [b"\xff", b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80", b"\xc0\x80"])
@pytest.mark.parametrize("place", [b'{"name":"%b"}', b'{"unknown":"%b"}', b'{"%b":1}', b'{"name":"a"}%b'])
def test_invalid_utf_8_is_refused_everywhere(text: bytes, place: bytes) -> None:
    assert refusal_of(NewRegisteredModel, place % text).message == "request body must be UTF-8"


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        ("\\ud800", "\ufffd"),
        ("a\\udc00b", "a\ufffdb"),
        ("\\udc00\\ud800", "\ufffd\ufffd"),
        ("\\ud83d\\ude00", "😀"),
        ("\\ud83d\\ude00\\ud83d", "😀\ufffd"),
        ("é\\ud800", "é\ufffd"),
    ],
)
def test_a_lone_surrogate_becomes_the_replacement_character(escaped: str, text: str) -> None:
    content = f'{{"name":"{escaped}","labels":{{"{escaped}":"{escaped}"}},"model_type":"é"}}'
    assert seen(NewRegisteredModel, content) == {"name": text, "labels": {text: text}, "model_type": "é"}


def test_exact_numbers_survive_the_lenient_reading() -> None:
    assert read(RegisteredModelPatch.DESCRIPTOR, f'{{"model_size":{2**63 - 1}}} junk').model_size == 2**63 - 1
    assert refusal_of(RegisteredModelPatch, f'{{"model_size":{2**63}}} junk').violations[0].field == "model_size"


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_a_body_may_be_nested_but_not_too_deeply(opened: str, closed: str) -> None:
    def nested(depth: int) -> str:
        return '{"name":"n","unknown":' + opened * depth + "1" + closed * depth + "}"

    assert seen(NewRegisteredModel, nested(900)) == {"name": "n"}
    for depth in (5_000, 20_000):
        assert refusal_of(NewRegisteredModel, nested(depth)).message.startswith("invalid JSON: ")
        assert refusal_of(NewRegisteredModel, opened * depth).message.startswith("invalid JSON: ")


def test_a_large_body_is_read_strictly() -> None:
    """Lenient reading is slow, so it is only for small bodies."""
    text = "x" * MEBIBYTE
    assert seen(NewRegisteredModel, f'{{"name":"{text}"}}') == {"name": text}
    assert refusal_of(NewRegisteredModel, f'{{"name":"{text}"}} junk').message.startswith("invalid JSON: ")
    assert refusal_of(NewRegisteredModel, " " * 2 * MEBIBYTE).message == "EOF"


# --- how many values ---------------------------------------------------------------------------------------------

TOO_MANY = f"request body must not hold more than {MOST_VALUES} values"


@pytest.mark.parametrize("item", ["[]", "{}", "1", '""', "[1,1,1]", '"a,b"', '"\\"[["', '"\\\\"'])
def test_a_body_of_very_many_values_is_refused(item: str) -> None:
    content = '{"unknown":[' + ",".join([item] * (MOST_VALUES + 1)) + "]}"
    assert refusal_of(NewRegisteredModel, content).message == TOO_MANY


def test_as_many_values_as_the_limit_pass() -> None:
    # There are two opening brackets, and one comma less than values.
    content = '{"unknown":[' + ",".join(["1"] * (MOST_VALUES - 1)) + "]}"
    assert seen(NewRegisteredModel, content) == {}
    assert refusal_of(NewRegisteredModel, content.replace("1]", "1,1]")).message == TOO_MANY


@pytest.mark.parametrize("text", [",[{", "a, b, ", '\\",', '\\"\\",', "\\\\,", '[\\"a\\"],'])
def test_characters_in_a_text_do_not_count_as_structure(text: str) -> None:
    content = f'{{"name":"{text * (MOST_VALUES + 1)}"}}'
    assert len(seen(NewRegisteredModel, content)["name"]) > MOST_VALUES


def test_a_text_does_not_hide_the_values_behind_it() -> None:
    values = ",".join("1" * (MOST_VALUES + 1))
    assert refusal_of(NewRegisteredModel, f'{{"name":"\\\\","x":[{values}]}}').message == TOO_MANY
    assert refusal_of(NewRegisteredModel, f'{{"name":"\\"","x":[{values}]}}').message == TOO_MANY


def test_a_text_of_too_many_escapes_and_commas_is_refused_for_these() -> None:
    """Telling its commas from those between values would take the event loop too long."""
    text = "," * (MOST_VALUES + 1) + "\\n" * 500_000
    assert len(seen(NewRegisteredModel, f'{{"name":"{text}"}}')["name"]) > MOST_VALUES
    refusal = refusal_of(NewRegisteredModel, f'{{"name":"{text}\\n"}}').message
    assert refusal == "request body with more than 50000 commas and brackets must not hold more than 500000 backslashes"


# --- keys --------------------------------------------------------------------------------------------------------


def test_unknown_keys_are_ignored() -> None:
    content = '{"name":"a","modelType":"x","id":"b","":1,"é":[null],"labels.a":1,"registered_model":{"name":"z"}}'
    assert seen(NewRegisteredModel, content) == {"name": "a"}


@pytest.mark.parametrize("key", ["NAME", "Name", "nAmE"])
def test_keys_match_in_any_letter_case(key: str) -> None:
    assert seen(NewRegisteredModel, f'{{"{key}":"a","TAGS":{{"Tasks":["x"]}},"Labels":{{"KEPT":"v"}}}}') == {
        "name": "a",
        "tags": {"tasks": ["x"]},
        "labels": {"KEPT": "v"},
    }


def test_of_equal_keys_the_last_one_counts() -> None:
    content = '{"name":5,"name":"a","tags":{"tasks":["x"],"tasks":["y"]},"labels":{"k":1,"k":"v"},"model_type":null}'
    assert seen(NewRegisteredModel, content) == {"name": "a", "tags": {"tasks": ["y"]}, "labels": {"k": "v"}}
    assert seen(NewRegisteredModel, '{"name":"a","NAME":"b"}') == {"name": "b"}
    assert seen(NewRegisteredModel, '{"TAGS":{"tasks":["x"]},"tags":{"tasks":["y"]}}') == {"tags": {"tasks": ["y"]}}
    assert seen(NewRegisteredModel, '{"name":"a","name":"b"} junk') == {"name": "b"}


def test_of_keys_in_several_letter_cases_the_last_new_spelling_counts() -> None:
    """For the Go service the last key counts. The parser here merges equal keys first."""
    assert seen(NewRegisteredModel, '{"name":"a","NAME":"b","name":"c"}') == {"name": "b"}


def test_null_is_like_an_absent_key() -> None:
    content = '{"name":null,"tags":null,"labels":null,"parent_model_id":null}'
    assert seen(NewRegisteredModel, content) == {}
    patch = '{"name":null,"model_size":null,"tags":null,"labels":null}'
    assert seen(RegisteredModelPatch, patch) == {}
    assert seen(ModelVersionPatch, '{"is_default":null}') == {}
    assert seen(NewInferenceService, '{"model_version_ids":null}') == {}
    assert seen(NewRegisteredModel, '{"tags":{"tasks":null}}') == {"tags": {}}


# --- values ------------------------------------------------------------------------------------------------------


def test_an_empty_value_is_present() -> None:
    assert seen(RegisteredModelPatch, '{"name":"","model_size":0,"tags":{},"labels":{}}') == {
        "name": "",
        "model_size": "0",
        "tags": {},
        "labels": {},
    }
    assert seen(ModelVersionPatch, '{"is_default":false}') == {"is_default": False}
    assert seen(NewDeployment, '{"options":{}}') == {"options": {}}


@pytest.mark.parametrize("number", [0, 1, -1, 2**31, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_integers_of_64_bits_are_exact(number: int) -> None:
    assert read(RegisteredModelPatch.DESCRIPTOR, f'{{"model_size":{number}}}').model_size == number


@pytest.mark.parametrize(
    "literal",
    ['"5"', '""', "5.0", "5e0", "1e3", "1E400", "1e99999", "-1e400", "-0.0", "1.5", "true", "false", "[]", "[5]", "{}",
     str(2**63), str(-(2**63) - 1), str(2**64), "9" * 400, "-" + "9" * 400],
)  # fmt: skip
def test_nothing_is_converted_to_an_integer(literal: str) -> None:
    (violation,) = refusal_of(RegisteredModelPatch, f'{{"model_size":{literal}}}').violations
    assert (violation.field, violation.description) == (
        "model_size",
        f"must be an integer from {-(2**63)} to {2**63 - 1}",
    )


def test_minus_0_is_0() -> None:
    assert seen(RegisteredModelPatch, '{"model_size":-0}') == {"model_size": "0"}


@pytest.mark.parametrize("number", ["1e400", "-1E400", "9" * 400, "9" * 100_000, "1e" + "9" * 100_000, "1.5"])
def test_a_number_of_any_size_is_a_number(number: str) -> None:
    assert seen(NewRegisteredModel, f'{{"name":"a","unknown":[{number}]}}') == {"name": "a"}
    assert refusal_of(NewRegisteredModel, f'{{"name":{number}}}').message == "name must be a string"
    assert refusal_of(NewRegisteredModel, number).message == "request body must be an object"


def test_an_integer_of_32_bits_has_its_own_limits() -> None:
    assert seen(NewDeployment, f'{{"options":{{"min_replicas":{2**31 - 1}}}}}')["options"] == {
        "min_replicas": 2**31 - 1
    }
    for number in (2**31, -(2**31) - 1):
        (violation,) = refusal_of(NewDeployment, f'{{"options":{{"min_replicas":{number}}}}}').violations
        assert violation.field == "options.min_replicas"
        assert violation.description == f"must be an integer from {-(2**31)} to {2**31 - 1}"


@pytest.mark.parametrize("literal", ["5", "1.5", "true", "false", "[]", '["x"]', "{}"])
def test_nothing_is_converted_to_a_text(literal: str) -> None:
    error = refusal_of(NewRegisteredModel, f'{{"name":{literal}}}')
    assert error.message == "name must be a string"


@pytest.mark.parametrize("literal", ['"true"', '"yes"', '""', "0", "1", "1.0", "[]", "[true]", "{}"])
def test_nothing_is_converted_to_a_bool(literal: str) -> None:
    assert refusal_of(ModelVersionPatch, f'{{"is_default":{literal}}}').message == "is_default must be true or false"


@pytest.mark.parametrize("literal", ['"x"', "5", "true", "[]", "[{}]"])
@pytest.mark.parametrize("kind", [NewRegisteredModel, RegisteredModelPatch])
def test_an_object_is_nothing_else(kind: Any, literal: str) -> None:
    for field in ("tags", "labels"):
        assert refusal_of(kind, f'{{"{field}":{literal}}}').message == f"{field} must be an object"


@pytest.mark.parametrize("literal", ['"x"', "5", "true", "{}"])
def test_a_list_is_nothing_else(literal: str) -> None:
    assert (
        refusal_of(NewRegisteredModel, f'{{"tags":{{"tasks":{literal}}}}}').message
        == "tags.tasks must be a list of strings"
    )
    assert refusal_of(NewInferenceService, f'{{"model_version_ids":{literal}}}').message == (
        "model_version_ids must be a list of strings"
    )


@pytest.mark.parametrize("literal", ["5", "true", "{}", "[]", '["x"]', "1.5"])
def test_items_of_lists_and_maps_must_be_texts(literal: str) -> None:
    for kind in (NewRegisteredModel, RegisteredModelPatch):
        assert refusal_of(kind, f'{{"tags":{{"tasks":["a",{literal}]}}}}').message == "tags.tasks must be a string"
        assert refusal_of(kind, f'{{"labels":{{"a":"b","c":{literal}}}}}').message == "labels.c must be a string"


@pytest.mark.parametrize("kind", [NewRegisteredModel, RegisteredModelPatch])
def test_null_in_a_list_or_a_map_is_the_empty_text(kind: Any) -> None:
    assert seen(kind, '{"tags":{"tasks":["a",null,"b",null]},"labels":{"a":null,"b":"c"}}') == {
        "tags": {"tasks": ["a", "", "b", ""]},
        "labels": {"a": "", "b": "c"},
    }


def test_a_map_of_options_is_one_of_texts_too() -> None:
    assert seen(NewDeployment, '{"options":{"env":{"A":null,"B":"b"}}}')["options"] == {"env": {"A": "", "B": "b"}}
    assert refusal_of(NewDeployment, '{"options":{"env":{"A":{}}}}').message == "options.env.A must be a string"


def test_a_list_of_objects() -> None:
    content = '{"options":{"TOLERATIONS":[{"key":"a","toleration_seconds":5,"new":1},null,{"operator":"Exists"}]}}'
    assert seen(NewDeployment, content)["options"] == {
        "tolerations": [{"key": "a", "toleration_period": "5s"}, {}, {"operator": "TOLERATION_OPERATOR_EXISTS"}]
    }
    twice = '{"options":{"tolerations":[{"key":"a"}],"Tolerations":[{"key":"b"}]}}'
    assert seen(NewDeployment, twice)["options"] == {"tolerations": [{"key": "b"}]}
    for literal, text in (
        ("{}", "options.tolerations must be a list of objects"),
        ("[5]", "options.tolerations[0] must be an object"),
        ('[{"key":"a"},{"key":5}]', "options.tolerations[1].key must be a string"),
    ):
        assert refusal_of(NewDeployment, f'{{"options":{{"tolerations":{literal}}}}}').message == text


def test_durations_are_numbers_of_seconds() -> None:
    content = '{"options":{"timeout_seconds":-5,"DEADLINE_seconds":60,"timeout":7,"probes":{"startup_seconds":600}}}'
    assert seen(NewDeployment, content)["options"] == {
        "timeout": "-5s", "deadline": "60s", "probes": {"startup": "600s"}
    }  # fmt: skip
    for literal in ('"5s"', "1.5", "true", "{}"):
        refusal = refusal_of(NewDeployment, f'{{"options":{{"probes":{{"timeout_seconds":{literal}}}}}}}')
        assert refusal.message.startswith("options.probes.timeout_seconds must be an integer from ")


def test_words_of_enums() -> None:
    """REST has the words of KServe and Kubernetes, and gRPC enums."""
    words = '"deployment_mode":"Knative","scale_metric":"rps","protocol_version":"grpc-v2"'
    content = f'{{"options":{{{words},"tolerations":[{{"operator":"Exists","effect":"PreferNoSchedule"}}]}}}}'
    assert seen(NewDeployment, content)["options"] == {
        "deployment_mode": "DEPLOYMENT_MODE_KNATIVE",
        "scale_metric": "SCALE_METRIC_RPS",
        "protocol_version": "SERVING_PROTOCOL_GRPC_V2",
        "tolerations": [{"operator": "TOLERATION_OPERATOR_EXISTS", "effect": "TAINT_EFFECT_PREFER_NO_SCHEDULE"}],
    }
    for word, mode in (("RawDeployment", "STANDARD"), ("Serverless", "KNATIVE")):  # KServe's names until 0.15
        content = f'{{"options":{{"deployment_mode":"{word}"}}}}'
        assert seen(NewDeployment, content)["options"] == {"deployment_mode": f"DEPLOYMENT_MODE_{mode}"}
    assert seen(NewDeployment, '{"options":{"deployment_mode":"","scale_metric":null}}')["options"] == {}
    for literal, text in (
        ('{"deployment_mode":"knative"}', "options.deployment_mode must be one of Standard, Knative"),
        ('{"deployment_mode":2}', "options.deployment_mode must be a string"),
        ('{"scale_metric":"SCALE_METRIC_RPS"}', "options.scale_metric must be one of cpu, memory, concurrency, rps"),
        ('{"tolerations":[{"effect":"Never"}]}', "options.tolerations[0].effect must be one of NoSchedule, "),
    ):
        assert refusal_of(NewDeployment, f'{{"options":{literal}}}').message.startswith(text)


NUL = "must not hold NUL characters"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"name":"\\u0000"}', f"name {NUL}"),
        ('{"name":"a\\u0000b"}', f"name {NUL}"),
        ('{"tags":{"tasks":["a","b\\u0000"]}}', f"tags.tasks {NUL}"),
        ('{"labels":{"a":"b\\u0000"}}', f"labels.a {NUL}"),
        ('{"labels":{"a\\u0000":"b"}}', f"labels {NUL}"),
        ('{"labels":{"a\\u0000":null}} junk', f"labels {NUL}"),
    ],
)
@pytest.mark.parametrize("kind", [NewRegisteredModel, RegisteredModelPatch])
def test_no_text_may_hold_nul(kind: Any, content: str, text: str) -> None:
    assert refusal_of(kind, content).message == text


def test_nul_under_an_unknown_key_is_ignored() -> None:
    assert seen(NewRegisteredModel, '{"\\u0000":"\\u0000"}') == {}


def test_every_wrong_field_is_named_at_once() -> None:
    content = '{"NAME":1,"tags":{"tasks":"x","subjects":[2,"y",3]},"labels":{"a":1,"b":"c","d":2},"model_type":"x"}'
    error = refusal_of(NewRegisteredModel, content)
    assert [(v.field, v.description) for v in error.violations] == [
        ("name", "must be a string"),
        ("tags.tasks", "must be a list of strings"),
        ("tags.subjects", "must be a string"),
        ("labels.a", "must be a string"),  # of several in one object, the first
    ]


@pytest.mark.parametrize("kind", [Status, RetryInfo])
def test_a_kind_of_field_that_no_body_has_is_noticed_at_start(kind: Any) -> None:
    """Bytes; a duration with its 64-bit and 32-bit numbers is fine."""
    if kind is Status:
        with pytest.raises(TypeError, match=r"no reader for google\.protobuf\.Any\.value"):
            BodyReader(kind.DESCRIPTOR)
    else:
        BodyReader(kind.DESCRIPTOR)
