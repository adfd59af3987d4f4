"""The rules of webhooks: URLs, addresses, secrets, signatures and CloudEvents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from tests.refusals import refused

from modelregistry.v1 import webhook_pb2 as pb
from registry_grpc.adapters.grpc.call import Call
from registry_grpc.adapters.grpc.servicers.webhooks import WebhookServicer, _patch_of
from registry_grpc.domain.errors import InvalidRequest, Reason
from registry_grpc.domain.event import Event
from registry_grpc.domain.patch import changes
from registry_grpc.domain.webhook import (
    RETRY_SECONDS,
    NewWebhook,
    Reach,
    WebhookPatch,
    WebhookState,
    body_of,
    headers_of,
    networks_of,
    new_secret,
    retry_after,
)

URL = "https://example.com/hook"
CREATE: Any = vars(WebhookServicer)["CreateWebhook"]
PUBLIC, PRIVATE = Reach(), Reach(networks_of(["10.0.0.0/8", "fd00::/8"]))
EVENT = Event(
    id="1764000000000000-7",
    resume_token="epoch-1764000000000000-7",
    occurred_at=datetime(2026, 11, 29, 12, 0, 0, 5, tzinfo=UTC),
    type="version.updated",
    resource_id=UUID(int=1),
    registered_model_id=UUID(int=2),
    name="v1",
    actor="registry",
    changed_fields=("status",),
    details={},
)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com", "https://", "https:///x", "https://ann:pw@example.com",
        "https://example.com/#x", "https://exa mple.com", "https://example.com:99999", "https://exämple.com",
        "https://example.com/\n", "https://example.com/" + "x" * 2000, "https://[::1",
    ],
)  # fmt: skip
def test_texts_that_are_no_url(url: str) -> None:
    with refused(InvalidRequest, Reason.INVALID_REQUEST) as refusal:
        NewWebhook(url=url)
    assert [violation.field for violation in refusal.value.violations] == ["url"]  # type: ignore[attr-defined]


def test_all_faults_are_named_at_once_and_no_secret() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        NewWebhook(url="x", types=("models",), secret="whsec_short")
    assert [violation.field for violation in refusal.value.violations] == ["url", "secret", "types"]
    assert "whsec_short" not in str(refusal.value)
    for secret in ("", "x", "whsec_????"):
        with pytest.raises(InvalidRequest, match="secret"):
            WebhookPatch(secret=secret)
    WebhookPatch(secret=new_secret())
    assert new_secret() != new_secret()


@pytest.mark.parametrize(
    ("url", "reach", "text"),
    [
        (URL, PUBLIC, ""),
        ("https://8.8.8.8/", PUBLIC, ""),
        ("http://example.com/", PUBLIC, "https://"),
        ("http://example.com/", PRIVATE, ""),
        ("https://127.0.0.1/", PUBLIC, "private"),
        ("https://[::1]/", PUBLIC, "private"),
        ("https://[::ffff:127.0.0.1]/", PUBLIC, "private"),
        ("https://10.1.2.3/", PUBLIC, "private"),
        ("https://10.1.2.3/", PRIVATE, ""),
        ("http://10.1.2.3/", PRIVATE, ""),
        ("https://127.0.0.1/", PRIVATE, "private"),
        ("http://8.8.8.8/", PRIVATE, "https://"),
    ],
)
def test_urls_that_are_refused_by_their_text(url: str, reach: Reach, text: str) -> None:
    if not text:
        return reach.check_url(url)
    with pytest.raises(InvalidRequest, match=text):
        reach.check_url(url)
    return None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "192.0.0.1",
        "224.0.0.1", "255.255.255.255", "240.0.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b::7f00:1", "2002:a00:1::", "2001:0:a00:1::", "198.18.0.1",
        "::10.0.0.1", "::ffff:0:a00:1", "fec0::1", "5f00::1", "3fff::1", "200::1", "fe00::1",
        "192.0.0.8", "192.88.99.1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert PUBLIC.refusal("https", address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_that_are_public(address: str) -> None:
    assert PUBLIC.refusal("https", address) == ""
    assert PUBLIC.refusal("http", address)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the reference implementation (standard-webhooks, libraries/python)."""
    headers = headers_of(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "content-type": "application/cloudevents+json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_an_event_is_a_cloud_event() -> None:
    body: dict[str, Any] = json.loads(body_of(EVENT, UUID(int=3)))
    assert body == {
        "specversion": "1.0",
        "id": "1764000000000000-7",
        "source": "/projects/00000000-0000-0000-0000-000000000003",
        "type": "modelregistry.v1.version.updated",
        "subject": "version/00000000-0000-0000-0000-000000000001",
        "time": "2026-11-29T12:00:00.000005Z",
        "datacontenttype": "application/json",
        "data": {
            "resource_id": "00000000-0000-0000-0000-000000000001",
            "registered_model_id": "00000000-0000-0000-0000-000000000002",
            "name": "v1",
            "actor": "registry",
            "changed_fields": ["status"],
            "details": {},
        },
    }
    assert body_of(EVENT, UUID(int=3)) == body_of(EVENT, UUID(int=3))


def test_it_is_tried_for_about_a_day() -> None:
    pauses = [retry_after(attempts, 1.0) for attempts in range(1, 12)]
    assert pauses[-1] is None
    assert [pause.total_seconds() for pause in pauses if pause] == list(RETRY_SECONDS)
    assert 23 * 3600 < sum(RETRY_SECONDS) < 25 * 3600


def test_an_update_takes_what_is_present_or_what_its_mask_names() -> None:
    def changed(webhook: pb.WebhookPatch, *paths: str) -> dict[str, Any]:
        return changes(_patch_of(pb.UpdateWebhookRequest(webhook=webhook, update_mask=FieldMask(paths=paths))))

    webhook = pb.WebhookPatch(url=URL, types=pb.WebhookTypes(types=["model"]), state=pb.WEBHOOK_STATE_DISABLED)
    assert changed(pb.WebhookPatch()) == {}
    assert changed(webhook) == {"url": URL, "types": ("model",), "state": WebhookState.DISABLED}
    assert changed(webhook, "types") == {"types": ("model",)}
    assert changed(webhook, "state", "url") == {"url": URL, "state": WebhookState.DISABLED}
    assert changed(pb.WebhookPatch(), "types", "state") == {"types": (), "state": WebhookState.ACTIVE}
    for path in ("url", "secret", "labels"):
        with pytest.raises(InvalidRequest, match=path):
            changed(pb.WebhookPatch(), path)
    with pytest.raises(InvalidRequest, match="state must be ACTIVE or DISABLED"):
        changed(pb.WebhookPatch(state=pb.WEBHOOK_STATE_UNSPECIFIED))


async def test_a_generated_secret_is_not_remembered_with_an_answer() -> None:
    request = pb.CreateWebhookRequest(webhook=pb.NewWebhook(url=URL), request_id="r")
    nothing: Any = None  # it is refused before
    with refused(InvalidRequest, Reason.INVALID_REQUEST) as refusal:
        await CREATE.serve(WebhookServicer(nothing, nothing), request, Call(method="m"))
    assert str(refusal.value).startswith("secret is required with a request_id")
