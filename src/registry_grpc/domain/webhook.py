"""Webhooks: URLs to which the events of a project are sent, as CloudEvents signed by the Standard Webhooks
specification (https://www.standardwebhooks.com)."""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from registry_grpc.domain.errors import InvalidRequest, Violation
from registry_grpc.domain.event import FILTER_FIELDS as EVENT_FIELDS
from registry_grpc.domain.event import Event, check_types
from registry_grpc.domain.filter.fields import declared, within, word
from registry_grpc.domain.paging import Sort
from registry_grpc.domain.patch import UNSET, Unset
from registry_grpc.domain.times import NOT_STORED

RETRY_SECONDS = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 28_800)
"""The pauses between the attempts to deliver an event, almost 24 hours in all. Then the webhook is disabled."""
GONE = 410
MOST_WEBHOOKS = 100
"""How many a project may have."""
_LONGEST_URL = 2000
_SECRET_PREFIX = "whsec_"  # noqa: S105 - no password
_SECRET_BYTES = range(24, 65)
_NEW_SECRET_BYTES = 32
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class WebhookState(StrEnum):
    """Whether events are delivered."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


class DeliveryState(StrEnum):
    """Whether an event is still to be delivered."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"


SORT_FIELDS = ("created_at", "updated_at", "url", "id")
FILTER_FIELDS = declared(
    word("state", WebhookState, "WEBHOOK_STATE_"),
    id=("id",),
    time=("created_at", "updated_at"),
    text=("url", "disabled_reason"),
    list=("types",),
)
DELIVERY_SORT_FIELDS = ("event.occurred_at",)
NEWEST_EVENT_FIRST = Sort("event.occurred_at")
DELIVERY_FILTER_FIELDS = declared(
    word("state", DeliveryState, "WEBHOOK_DELIVERY_STATE_"),
    time=("next_at", "attempted_at"),
    text=("error",),
    integer=("attempts", "status"),
) | within("event", EVENT_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWebhook:
    """A webhook to create. Without a secret, one is made. Raises InvalidRequest."""

    url: str
    types: tuple[str, ...] = ()
    secret: str = ""

    def __post_init__(self) -> None:
        _check(self.url, self.types, self.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPatch:
    """The fields to change. Raises InvalidRequest."""

    CLEARED: ClassVar[Mapping[str, Any]] = {"types": (), "state": WebhookState.ACTIVE}

    url: str | Unset = UNSET
    types: tuple[str, ...] | Unset = UNSET
    secret: str | Unset = UNSET
    state: WebhookState | Unset | Literal[""] = UNSET

    def __post_init__(self) -> None:
        others = []
        if self.secret == "":
            others.append(Violation("secret", "must not be empty"))
        if self.state == "":
            others.append(Violation("state", f"must be {WebhookState.ACTIVE} or {WebhookState.DISABLED}"))
        types = () if self.types is UNSET else self.types
        _check(self.url, types, "" if self.secret is UNSET else self.secret, others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where the events of a project are delivered, from its creation on."""

    id: UUID
    created_at: datetime = NOT_STORED
    updated_at: datetime = NOT_STORED
    project_id: UUID
    url: str
    types: tuple[str, ...]
    state: WebhookState
    disabled_reason: str = ""
    secret: str = ""
    """Only set in the answer to the creation, if it was made."""
    etag: str = ""

    @classmethod
    def create(cls, new: NewWebhook, *, id: UUID, project_id: UUID) -> Self:
        return cls(id=id, project_id=project_id, url=new.url, types=new.types, state=WebhookState.ACTIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event that a webhook is to get or has got, and what came of the last attempt."""

    event: Event
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    """None when it was delivered."""
    attempted_at: datetime | None
    status: int | None
    """The HTTP status of the last answer; None if there was none."""
    error: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt: a status, or an error because there was no answer."""

    status: int | None
    error: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Reach:
    """Which addresses webhooks may have. Only public ones over https, and in the operator's `networks` any, also over
    http: otherwise a webhook could make the registry send requests to services that only it can reach."""

    networks: tuple[_Network, ...] = ()

    def check_url(self, url: str) -> None:
        """Raises InvalidRequest if the URL can already be refused by its text."""
        parts = urlsplit(url)
        if parts.scheme == "http" and not self.networks:
            raise InvalidRequest([Violation("url", _NOT_HTTPS)])
        try:
            ipaddress.ip_address(parts.hostname or "")
        except ValueError:
            return  # a name, which is resolved for each connection
        if refusal := self.refusal(parts.scheme, parts.hostname or ""):
            raise InvalidRequest([Violation("url", refusal)])

    def refusal(self, scheme: str, address: str) -> str:
        """Why this address must not be connected to; empty if it may be."""
        ip = ipaddress.ip_address(address.partition("%")[0])
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if any(ip.version == network.version and ip in network for network in self.networks):
            return ""
        if scheme != "https":
            return _NOT_HTTPS
        if not ip.is_global or ip.is_multicast or any(ip in network for network in _RESERVED):
            return _NOT_PUBLIC
        if ip.version == 6 and ip not in _ASSIGNED:
            return _NOT_PUBLIC
        return ""


_NOT_HTTPS = "must begin with https://: http is only allowed to the networks of REGISTRY_WEBHOOK_NETWORKS"
_NOT_PUBLIC = "must not lead to a private, local or reserved address (see REGISTRY_WEBHOOK_NETWORKS)"
# What `is_global` does not know. Addresses that IPv6 translates to IPv4 ones lead to wherever those lead. Most
# are outside of 2000::/3, which is what is assigned to the internet.
_ASSIGNED = ipaddress.ip_network("2000::/3")
_RESERVED = tuple(map(ipaddress.ip_network, ("2001::/32", "2002::/16", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24")))


def new_secret() -> str:
    return _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_NEW_SECRET_BYTES)).decode()


def retry_after(attempts: int, jitter: float) -> timedelta | None:
    """The pause after this many failed attempts; None when it is not tried again. `jitter` is about 1."""
    if attempts > len(RETRY_SECONDS):
        return None
    return timedelta(seconds=RETRY_SECONDS[attempts - 1] * jitter)


def body_of(event: Event, project_id: UUID) -> bytes:
    """The event as CloudEvent 1.0 in JSON. It is the same for each attempt."""
    kind = event.type.partition(".")[0]
    cloud_event = {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/projects/{project_id}",
        "type": f"modelregistry.v1.{event.type}",
        "subject": f"{kind}/{event.resource_id}",
        "time": event.occurred_at.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {
            "resource_id": str(event.resource_id),
            "registered_model_id": str(event.registered_model_id) if event.registered_model_id else None,
            "name": event.name,
            "actor": event.actor,
            "changed_fields": event.changed_fields,
            "details": dict(event.details),
        },
    }
    return json.dumps(cloud_event, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(event_id: str, body: bytes, secret: str, now: datetime) -> dict[str, str]:
    """The headers of an attempt at this time."""
    timestamp = str(int(now.timestamp()))
    key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
    signed = hmac.digest(key, f"{event_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "content-type": "application/cloudevents+json",
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


def _check(url: str | Unset, types: tuple[str, ...], secret: str, others: Sequence[Violation] = ()) -> None:
    errors = [InvalidRequest(others)] if others else []
    if url is not UNSET and (rule := _broken_rule(url)):
        errors.append(InvalidRequest([Violation("url", rule)]))
    if secret and not _is_secret(secret):
        text = f"must be {_SECRET_PREFIX} and the base64 of {_SECRET_BYTES[0]} to {_SECRET_BYTES[-1]} bytes"
        errors.append(InvalidRequest([Violation("secret", text)]))
    try:
        check_types(types)
    except InvalidRequest as error:
        errors.append(error)
    if errors:
        raise InvalidRequest.of_all(errors)


def _broken_rule(url: str) -> str:
    if len(url) > _LONGEST_URL:
        return f"must be at most {_LONGEST_URL} characters"
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not url.isascii() or not url.isprintable() or " " in url:
        return "must be a URL such as https://example.com/hook, in ASCII"
    if parts.username is not None or parts.fragment:
        return "must have neither a user nor a fragment"
    return ""


def _is_secret(secret: str) -> bool:
    if not secret.startswith(_SECRET_PREFIX):
        return False
    try:
        return len(base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)) in _SECRET_BYTES
    except binascii.Error:
        return False


def networks_of(texts: Iterable[str]) -> tuple[_Network, ...]:
    """Raises ValueError."""
    return tuple(ipaddress.ip_network(text) for text in texts)
