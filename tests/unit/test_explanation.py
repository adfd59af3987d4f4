"""Explanations: the cause, what clients get of texts, and that no key is in them."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from tests.deployments import BORN, a_deployment

from registry_grpc.domain.deployment import Phase, Want
from registry_grpc.domain.explanation import MOST_BYTES, Explanation, Link, LinkKind, LinkState, Sign, end_of
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.redaction import HIDDEN, keys_in, redacted

KEYS = Credentials("AKIAEXAMPLE", "s3cr3t/s3cr3t+key")
DEPLOYED = a_deployment(applied_generation=1, message="the last message")


def link(kind: str, state: LinkState, summary: str = "") -> Link:
    return Link(kind=LinkKind(kind), name="iris", state=state, summary=summary or f"is {state}")


def test_the_cause_is_the_last_link_that_failed() -> None:
    chain = [
        link("Deployment", LinkState.WAITING),
        link("Pod", LinkState.FAILED),
        link("Container", LinkState.FAILED, "ended with exit code 1"),
        link("URL", LinkState.WAITING),
    ]
    assert Explanation.of(DEPLOYED, chain).cause == "Container iris: ended with exit code 1"


def test_if_nothing_failed_the_cause_is_what_was_recorded_or_what_is_waited_for() -> None:
    waiting = [link("Pod", LinkState.WAITING), link("URL", LinkState.WAITING)]
    assert Explanation.of(DEPLOYED, waiting).cause == "the last message"
    assert Explanation.of(replace(DEPLOYED, message=""), waiting).cause == "Pod iris: is WAITING"
    assert Explanation.of(replace(DEPLOYED, message=""), [link("Pod", LinkState.OK)]).cause == ""


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"phase": Phase.DRIFTED, "reason": "SPEC_CHANGED"}, "the last message"),
        ({"phase": Phase.DRIFTED, "reason": "FIELD_CONFLICT", "generation": 2}, "the last message"),
        ({"phase": Phase.DELETING, "reason": "DELETE_STUCK", "want": Want.ABSENT}, "the last message"),
        ({"phase": Phase.DEGRADED, "reason": "QUOTA"}, "ReplicaSet iris: cannot create pods"),
        ({"phase": Phase.FAILED, "reason": "REJECTED", "generation": 2}, "Intent revision 2: to serve "),
    ],
)
def test_a_failure_further_down_is_not_the_cause_of_what_is_about_the_object(
    fields: dict[str, object], cause: str
) -> None:
    """The next step is that of the recorded reason."""
    chain = [
        link("InferenceService", LinkState.WAITING),
        link("ReplicaSet", LinkState.FAILED, "cannot create pods"),
        link("URL", LinkState.WAITING),
    ]
    assert Explanation.of(replace(DEPLOYED, **fields), chain).cause.startswith(cause)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "state", "words"),
    [
        ({"applied_generation": 1}, LinkState.OK, "is in the cluster"),
        ({}, LinkState.WAITING, "is not in the cluster yet"),
        ({"phase": Phase.FAILED, "message": "denied"}, LinkState.FAILED, "is not in the cluster yet: denied"),
        ({"want": Want.ABSENT}, LinkState.OK, "to be removed"),
    ],
)
def test_the_chain_begins_with_the_intent(fields: dict[str, object], state: LinkState, words: str) -> None:
    (intent,) = Explanation.of(replace(a_deployment(), **fields), ()).chain  # type: ignore[arg-type]
    assert (intent.kind, intent.name, intent.state, intent.since) == ("Intent", "revision 1", state, BORN)
    assert words in intent.summary


def test_every_text_from_the_cluster_is_changed() -> None:
    signs = (Sign("log", "hush"),)
    explanation = Explanation.of(
        replace(DEPLOYED, message="hush"), [replace(link("Pod", LinkState.OK, "hush"), signs=signs)]
    )
    changed = explanation.with_texts(lambda text: text.replace("hush", "-"))
    assert "hush" not in repr(changed)


def test_only_the_end_of_a_text_is_kept() -> None:
    assert end_of("\n".join(map(str, range(30)))) == "\n".join(map(str, range(10, 30)))
    assert end_of("é" * 5000) == "é" * (MOST_BYTES // 2)
    assert len(end_of("x" + "é" * 5000).encode()) <= MOST_BYTES


@pytest.mark.parametrize(
    "text",
    [
        "denied for AKIAEXAMPLE",
        "key s3cr3t/s3cr3t+key",
        "GET /?key=s3cr3t%2Fs3cr3t%2Bkey",
        f"header {base64.b64encode(b'AKIAEXAMPLE:s3cr3t/s3cr3t+key').decode()}",
        f"data {base64.b64encode(b's3cr3t/s3cr3t+key').decode()}",
    ],
)
def test_known_keys_are_hidden_in_every_form(text: str) -> None:
    hidden = redacted(text, [KEYS])
    assert HIDDEN in hidden
    assert not [part for part in ("s3cr3t", "EXAMPLE", "czNjcjN0", "QUtJQ") if part in hidden]
    word = text.split(maxsplit=1)[0]
    assert redacted(word, [KEYS]) == word


def test_the_lines_of_a_key_of_several_lines_are_hidden_too() -> None:
    key = '{"private_key": "-----BEGIN PRIVATE KEY-----\\nMIIEvQIBADANBgkqhkiG9w0B\\n-----END"}'
    assert redacted("found MIIEvQIBADANBgkqhkiG9w0B there", [Credentials("", key)]) == f"found {HIDDEN} there"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI", "wJalrXUtnFEMI"),
        ("<AWSAccessKeyId>AKIAIOSFODNN7EXAMPLE</AWSAccessKeyId>", "AKIAIOSFODNN7EXAMPLE"),
        ("the key ASIAIOSFODNN7EXAMPLE is not valid", "ASIAIOSFODNN7EXAMPLE"),
        ('{"password": "hunter22"}', "hunter22"),
        (r"{\"password\": \"hunter22\"}", "hunter22"),
        ("--api-key=hunter22 --port=8080", "hunter22"),
        ("MYSQL_PWD=hunter22", "hunter22"),
        ("AccountKey=hunter22==;EndpointSuffix=core", "hunter22"),
        ("GET /m?sv=2024&sig=abcdef0123%3D&se=1", "abcdef0123"),
        ("Authorization: Bearer eyJhbGciOi", "eyJhbGciOi"),
        ("sent Bearer eyJhbGciOi", "eyJhbGciOi"),
        ("claims eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln are old", "eyJzdWIiOiIxIn0"),
        ("401 for hf_abcdefghijklmnopqrstuvwxyz", "abcdefghij"),
        ("sk-proj-abcdefghijklmnopqrstuvwxyz", "abcdefghij"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"),
        ("https://ann:hunter22@models.example.com", "hunter22"),
        ("https://ann:hunt@er22@models.example.com/x", "er22"),
        ("postgresql://:hunter22@db/mlflow", "hunter22"),
        ("git clone https://abcdefghijklmnop0123@git.example.com/x", "abcdefghijklmnop0123"),
        ("GET /m?X-Amz-Signature=abcdef0123&x=1", "abcdef0123"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END", "BgkqhkiG9w0B"),
        (r'"private_key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nBgkqhkiG9w0B\n-----END"', "BgkqhkiG9w0B"),
    ],
)
def test_what_looks_like_a_key_is_hidden(text: str, secret: str) -> None:
    hidden = redacted(text)
    assert secret not in hidden
    assert HIDDEN in hidden
    assert redacted(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "a." * 130_000, "token" * 50_000, "token_" * 50_000, "token " * 50_000, "token" + " " * 250_000,
        "://a:" * 50_000, "://" + "a" * 250_000, "://:" + "a" * 250_000, "bearer" + " " * 250_000, "bearer " * 40_000,
        "eyJ" * 80_000, "-----BEGIN " * 25_000, "sk-" * 80_000, "secret'" * 35_000, "private_" * 30_000, "-" * 250_000,
    ],
    ids=lambda text: text[:9],
)  # fmt: skip
def test_a_long_line_takes_no_long_time(text: str) -> None:
    """It would take hours with a pattern that tries every end of a name from every place in it."""
    redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ValueError: the model file cannot be read",
        "pods is forbidden: exceeded quota: q",
        "http://iris.example.com:80/v1",
        "unknown tokenizer: LlamaTokenizer",
        "max_num_batched_tokens: 8192, pad_token_id=151643",
        'secrets "iris-creds" is forbidden: User "system:serviceaccount:registry:controller" cannot get resource',
        'MountVolume.SetUp failed for volume "keys" : secret "iris-creds" not found',
        "failed to pull image ghcr.io/kserve/sklearnserver@sha256:0123456789abcdef0123456789abcdef",
        "signatures of the model: none",
    ],
)
def test_other_texts_stay(text: str) -> None:
    assert redacted(text, [KEYS, Credentials("", "a")]) == text


def test_the_values_of_an_environment_that_are_called_secret_are_hidden() -> None:
    environment = {
        "DB_PASSWORD": "hunter22",
        "HF_TOKEN": "h",
        "MAX_TOKENS": "4096",
        "LEVEL": "debug",
        "apikey": "k1k1k1",
    }
    text = "debug: hunter22 k1k1k1 4096 h"
    assert redacted(text, keys_in(environment)) == f"debug: {HIDDEN} {HIDDEN} 4096 h"
