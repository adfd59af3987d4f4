"""Which tokens of an issuer are accepted, and when its keys are read. The issuer is a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from tests.issuer import TestIssuer

from registry_grpc.adapters.oidc import keys as keys_module
from registry_grpc.adapters.oidc.issuers import Issuer, JwtIssuers
from registry_grpc.adapters.oidc.keys import KeySet, KeySource
from registry_grpc.devtools.demo_issuer import AUDIENCE, new_key
from registry_grpc.domain.errors import Unauthenticated, Unavailable


@pytest.fixture
async def issuer() -> AsyncIterator[TestIssuer]:
    issuer = TestIssuer()
    async with issuer.running():
        yield issuer


def accepting(issuer: TestIssuer, **fields: Any) -> JwtIssuers:
    given: dict[str, Any] = {
        "source": KeySource(issuer=issuer.url), "audiences": (AUDIENCE,), "algorithms": ("RS256",)
    }  # fmt: skip
    return JwtIssuers([Issuer(**given | fields)])


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def why_refused(issuers: JwtIssuers, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await issuers.caller_of(token)
    assert len(token) < 10 or token not in str(refused.value)
    return str(refused.value)


async def test_the_caller_has_the_name_and_the_groups_of_the_claims(issuer: TestIssuer) -> None:
    expires = int(time.time()) + 100
    token = issuer.token(email="ann@example.com", email_verified=True, roles=["a", 1, "b"], exp=expires)
    issuers = accepting(issuer, user_claim="email", groups_claim="roles", prefix="corp:")
    caller = await issuers.caller_of(token)
    assert (caller.name, caller.groups) == ("corp:ann@example.com", frozenset({"corp:a", "corp:b"}))
    assert (caller.method, caller.expires_at, caller.role) == (issuer.url, expires, None)


async def test_one_group_may_be_a_string(issuer: TestIssuer) -> None:
    assert (await accepting(issuer).caller_of(issuer.token(groups="team"))).groups == {"team"}
    assert (await accepting(issuer).caller_of(issuer.token(groups={"team": 1}))).groups == frozenset()


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": 1}, "expired"),
        ({"aud": "another"}, "another audience than registry"),
        ({"aud": None}, "lacks the claim aud"),
        ({"iss": "https://another"}, "not configured"),
        ({"iss": None}, "not configured"),
        ({"sub": None}, "lacks the claim sub"),
        ({"exp": None}, "lacks the claim exp"),
        ({"sub": ""}, "the claim sub of the token must be a name"),
        ({"sub": "x" * 256}, "the claim sub of the token must be a name"),
        ({"nbf": 2**40}, "not valid"),
        ({"iat": 2**40}, "not valid"),
        ({"sub": "a\0b"}, "the claim sub of the token must be a name"),
        ({"sub": "boss\u200b"}, "the claim sub of the token must be a name"),
        ({"sub": " ann"}, "the claim sub of the token must be a name"),
        ({"sub": "a\ud800"}, "the claim sub of the token must be a name"),
        ({"sub": "token:ci"}, "must not begin with token:"),
    ],
)
async def test_claims_that_are_refused(issuer: TestIssuer, claims: dict[str, Any], why: str) -> None:
    assert why in await why_refused(accepting(issuer), issuer.token(**claims))


async def test_an_address_must_be_verified(issuer: TestIssuer) -> None:
    issuers = accepting(issuer, user_claim="email")
    assert "not verified" in await why_refused(issuers, issuer.token(email="ann@example.com"))
    assert "not verified" in await why_refused(issuers, issuer.token(email="ann@example.com", email_verified="true"))


async def test_signatures_that_are_refused(issuer: TestIssuer) -> None:
    issuers = accepting(issuer)
    good = issuer.token()
    header, payload, _ = good.split(".")
    another = issuer.token(sub="admin").split(".")[1]
    await why_refused(issuers, f"{header}.{another}.{good.split('.')[2]}")
    await why_refused(issuers, f"{header}.{payload}.")
    await why_refused(issuers, f"{part({'alg': 'none', 'kid': 'k1'})}.{payload}.")
    await why_refused(issuers, issuer.token(key=new_key()))
    assert "RS256" in await why_refused(issuers, issuer.token(algorithm="RS512"))
    # The public key as the secret of an HMAC, which a library that believes the header would accept.
    signed = f"{part({'alg': 'HS256', 'kid': 'k1', 'typ': 'JWT'})}.{payload}"
    mac = base64.urlsafe_b64encode(hmac.digest(issuer.public_pem(), signed.encode(), hashlib.sha256)).rstrip(b"=")
    assert "RS256" in await why_refused(issuers, f"{signed}.{mac.decode()}")
    for garbage in ("", "a", "a.b.c", "....", part([1]), "é.é.é", f"{header}.{part('text')}.x", "x" * 40_000):
        await why_refused(issuers, garbage)
    assert (await issuers.caller_of(good)).name == "ann"


async def test_a_key_on_a_curve(issuer: TestIssuer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "e1"}
    issuer.document = json.dumps({"keys": [public]}).encode()
    token = issuer.token(key_id="e1", key=key, algorithm="ES256")
    assert (await accepting(issuer, algorithms=("ES256",)).caller_of(token)).name == "ann"
    assert "RS256" in await why_refused(accepting(issuer), token)


async def test_the_only_key_needs_no_id(issuer: TestIssuer) -> None:
    issuers = accepting(issuer)
    assert (await issuers.caller_of(issuer.token(key_id=None))).name == "ann"
    issuer.keys["k2"] = new_key()
    await why_refused(accepting(issuer), issuer.token(key_id=None))


async def test_keys_are_read_once_for_concurrent_callers_and_unknown_ids(issuer: TestIssuer) -> None:
    issuers = accepting(issuer)
    await asyncio.gather(*(issuers.caller_of(issuer.token(sub=f"u{i}")) for i in range(20)))
    assert issuer.reads == 1
    junk = [issuer.token(key_id=f"k{i}", key=issuer.keys["k1"]) for i in range(2, 50)]
    for token in junk:
        await why_refused(issuers, token)
    assert issuer.reads == 1


async def test_a_rotated_key_is_found_and_a_withdrawn_one_ends_by_itself(
    issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_PAUSE_SECONDS", 0)
    issuers = accepting(issuer)
    old = issuer.token()
    await issuers.caller_of(old)
    issuer.keys["k2"] = new_key()
    monkeypatch.setattr(keys_module, "_FRESH_SECONDS", 0.001)
    assert (await issuers.caller_of(issuer.token(key_id="k2"))).name == "ann"
    assert (await issuers.caller_of(old)).name == "ann"
    del issuer.keys["k1"]
    for _ in range(2):  # of two reads after this, the second one began after it
        issuer.asked.clear()
        async with asyncio.timeout(5):
            await issuer.asked.wait()
    monkeypatch.setattr(keys_module, "_PAUSE_SECONDS", 10)
    assert "does not have the key" in await why_refused(issuers, old)


async def test_the_last_keys_serve_while_the_issuer_does_not_answer(
    issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_FRESH_SECONDS", 0.001)
    monkeypatch.setattr(keys_module, "_AGAIN_SECONDS", 0.001)
    issuers = accepting(issuer)
    await issuers.caller_of(issuer.token())
    issuer.status = 500
    reads = issuer.reads
    async with asyncio.timeout(5):
        while issuer.reads < reads + 3:
            issuer.asked.clear()
            await issuer.asked.wait()
            assert (await issuers.caller_of(issuer.token())).name == "ann"
    monkeypatch.setattr(keys_module, "_OLDEST_SECONDS", 0)
    with pytest.raises(Unavailable):
        await issuers.caller_of(issuer.token())


async def test_an_issuer_that_does_not_answer_is_unavailable_and_recovers(
    issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuers = accepting(issuer)
    issuer.named = "https://another"
    with pytest.raises(Unavailable):
        await issuers.caller_of(issuer.token())
    issuer.named = ""
    monkeypatch.setattr(keys_module, "_PAUSE_SECONDS", 0)
    assert (await issuers.caller_of(issuer.token())).name == "ann"


@pytest.mark.parametrize("exp", [10**400, 1e308, 253_402_300_801])
async def test_a_token_that_never_ends_has_an_end_that_can_be_shown(issuer: TestIssuer, exp: float) -> None:
    caller = await accepting(issuer).caller_of(issuer.token(exp=exp))
    assert caller.expires_at is not None
    assert datetime.fromtimestamp(caller.expires_at, UTC).year == 9999


async def test_groups_that_cannot_be_shown_are_left_out(issuer: TestIssuer) -> None:
    assert (await accepting(issuer).caller_of(issuer.token(groups=["a", "b\ud800", "c\0", "d ", ""]))).groups == {"a"}


async def test_keys_that_arrive_in_parts_are_read_whole(issuer: TestIssuer) -> None:
    issuer.document = json.dumps({"keys": issuer.public_keys}).encode()
    assert (await accepting(issuer).caller_of(issuer.token())).name == "ann"


@pytest.mark.parametrize("keys", [None, 5, "text", {"kid": "k1"}, [None, 5, [], {"kty": "RSA", "kid": ["k1"]}]])
async def test_a_document_without_keys_makes_the_issuer_unavailable_or_the_key_unknown(
    issuer: TestIssuer, keys: object
) -> None:
    issuer.document = json.dumps({"keys": keys}).encode()
    with pytest.raises((Unavailable, Unauthenticated)):
        await accepting(issuer).caller_of(issuer.token())


async def test_strange_keys_do_not_hide_the_good_one(issuer: TestIssuer) -> None:
    good = issuer.public_keys[0]
    secret = {"kty": "oct", "kid": "k1", "alg": "HS256", "k": "c2VjcmV0"}
    issuer.document = json.dumps({"keys": [5, good | {"kid": ["k1"]}, good | {"kid": 5}, good, secret]}).encode()
    assert (await accepting(issuer).caller_of(issuer.token())).name == "ann"


async def test_a_document_that_is_too_large_is_refused(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_module, "_LARGEST_ANSWER", 100)
    with pytest.raises(Unavailable):
        await accepting(issuer).caller_of(issuer.token())


@pytest.mark.parametrize("redirect", ["/keys", "https://elsewhere"])
async def test_keys_are_only_read_where_the_issuer_says(issuer: TestIssuer, redirect: str) -> None:
    issuer.redirect = redirect
    with pytest.raises(Unavailable):
        await accepting(issuer).caller_of(issuer.token())
    assert issuer.reads == 1


async def refreshing(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> tuple[JwtIssuers, asyncio.Event]:
    """Issuers whose keys are known and are being read again, until the event."""
    monkeypatch.setattr(keys_module, "_FRESH_SECONDS", 0.001)
    issuers = accepting(issuer)
    await issuers.caller_of(issuer.token())
    issuer.gate = go_on = asyncio.Event()
    issuer.asked.clear()
    async with asyncio.timeout(2):
        await issuer.asked.wait()
    return issuers, go_on


async def test_nobody_waits_for_the_refresh_of_known_keys(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    issuers, go_on = await refreshing(issuer, monkeypatch)
    async with asyncio.timeout(2):
        for _ in range(3):
            assert (await issuers.caller_of(issuer.token())).name == "ann"
    assert issuer.reads == 2, "one read is under way"
    go_on.set()


async def test_closed_issuers_are_asked_no_more(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    issuers, go_on = await refreshing(issuer, monkeypatch)
    issuers.close()
    go_on.set()
    reads = issuer.reads
    await asyncio.sleep(0.05)
    assert issuer.reads == reads


async def test_reads_do_not_belong_to_the_call_that_began_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the lines that they log for months would have its request id."""
    monkeypatch.setattr(keys_module, "_FRESH_SECONDS", 0.001)
    call, seen, twice = ContextVar("call", default=""), list[str](), asyncio.Event()

    class Keys(KeySet):
        async def _fetched(self) -> Any:
            seen.append(call.get())
            if len(seen) == 2:
                twice.set()
            return {"keys": []}

    call.set("the first one")
    await Keys(KeySource(issuer="https://issuer"), ("RS256",)).key("k1")
    async with asyncio.timeout(5):
        await twice.wait()
    assert seen[:2] == ["", ""]


async def test_a_read_of_an_issuer_that_hangs_ends_and_is_shared(
    issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys_module, "_READ_SECONDS", 0.5)  # enough to reach it on a busy machine
    issuer.gate = asyncio.Event()
    issuers = accepting(issuer)
    async with asyncio.timeout(5):
        ended = await asyncio.gather(
            *(issuers.caller_of(issuer.token(key_id=f"k{i}", key=issuer.keys["k1"])) for i in range(20)),
            return_exceptions=True,
        )
    assert {type(each) for each in ended} == {Unavailable}
    assert issuer.reads == 1
    issuer.gate.set()


async def test_clocks_may_differ_by_half_a_minute(issuer: TestIssuer) -> None:
    issuers, now = accepting(issuer), int(time.time())
    accepted: list[dict[str, Any]] = [{"exp": now - 20}, {"iat": now + 20}, {"nbf": now + 20}]
    for claims in accepted:
        assert (await issuers.caller_of(issuer.token(**claims))).name == "ann"
    refused: list[dict[str, Any]] = [{"exp": now - 40}, {"iat": now + 60}, {"nbf": now + 60}]
    for claims in refused:
        await why_refused(issuers, issuer.token(**claims))


async def test_each_of_several_issuers_has_its_own_keys_and_names(issuer: TestIssuer) -> None:
    other = TestIssuer()
    async with other.running():
        issuers = JwtIssuers(
            Issuer(
                source=KeySource(issuer=each.url), audiences=(AUDIENCE,), algorithms=("RS256",), prefix=prefix
            )
            for each, prefix in ((issuer, "corp:"), (other, "ci:"))
        )  # fmt: skip
        first = await issuers.caller_of(issuer.token(groups=["team"]))
        second = await issuers.caller_of(other.token(groups=["team"]))
        assert (first.name, *first.groups, first.method) == ("corp:ann", "corp:team", issuer.url)
        assert (second.name, *second.groups, second.method) == ("ci:ann", "ci:team", other.url)
        # The other issuer cannot speak for this one, though both call their keys alike.
        await why_refused(issuers, other.token(iss=issuer.url))


async def test_a_job_of_github_actions_is_a_user_and_its_repository_a_group(issuer: TestIssuer) -> None:
    """With the claims of https://token.actions.githubusercontent.com, signed by an issuer on this machine."""
    token = issuer.token(
        sub="repo:acme/models:ref:refs/heads/main", repository="acme/models", repository_owner="acme",
        ref="refs/heads/main", event_name="push", actor="ann", job_workflow_ref="acme/models/.github/workflows/x.yml@x",
    )  # fmt: skip
    caller = await accepting(issuer, prefix="github:", groups_claim="repository").caller_of(token)
    assert (caller.name, *caller.groups) == ("github:repo:acme/models:ref:refs/heads/main", "github:acme/models")
