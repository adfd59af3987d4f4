"""A stream ends with the proof of its caller."""

from __future__ import annotations

import time
import uuid
from typing import Any

import grpc
import pytest
from tests.e2e.api import Api
from tests.e2e.builders import fresh
from tests.e2e.test_access import Registry, registry

from modelregistry.v1 import access_pb2 as pb
from modelregistry.v1 import audit_pb2, event_pb2
from modelregistry.v1.audit_pb2_grpc import AuditServiceStub
from modelregistry.v1.event_pb2_grpc import EventServiceStub

__all__ = ["registry"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_EVENTS: Any = EventServiceStub
_AUDIT: Any = AuditServiceStub


def watch(registry: Registry, token: str) -> Any:
    """A watch that has begun."""
    stream = _EVENTS(registry.channel).WatchEvents(
        event_pb2.WatchEventsRequest(), metadata=registry.metadata(token), timeout=60
    )
    assert next(stream).resume_token
    return stream


def watch_audit(registry: Registry, token: str, **fields: Any) -> Any:
    request = audit_pb2.WatchAuditEntriesRequest(**fields)
    return _AUDIT(registry.channel).WatchAuditEntries(request, metadata=registry.metadata(token), timeout=60)


def end_of(stream: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as ended:
        for _ in stream:
            pass
    return ended.value


def made_token(registry: Registry, role: str = "ROLE_VIEWER") -> pb.ApiToken:
    request = pb.CreateApiTokenRequest(name=fresh("ci"), role=role)
    answer = registry.access.CreateApiToken(request, metadata=registry.metadata(registry.operator), timeout=20)
    token: pb.ApiToken = answer.api_token
    return token


def operator(registry: Registry) -> Api:
    return registry.client(registry.operator)


def test_a_stream_ends_when_its_token_expires(registry: Registry) -> None:
    """Without any message: its own clock ends it."""
    expires = int(time.time()) + 4
    stream = watch(registry, registry.issuer.token(sub="boss", exp=expires))
    error = end_of(stream)
    late = time.time() - expires
    assert (error.code(), "has expired" in str(error.details())) == (grpc.StatusCode.UNAUTHENTICATED, True)
    assert 0 <= late < 1


def test_a_revoked_token_ends_a_stream_with_its_next_message(registry: Registry) -> None:
    token = made_token(registry)
    stream = watch(registry, token.token)
    operator(registry).post("/models", {"name": fresh("before")})
    assert next(stream).event.type
    registry.access.RevokeApiToken(
        pb.RevokeApiTokenRequest(id=token.id), metadata=registry.metadata(registry.operator), timeout=20
    )
    time.sleep(1)  # every worker learns of it by a notification
    name = fresh("after")
    operator(registry).post("/models", {"name": name})
    error = end_of(stream)
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert "revoked" in str(error.details())


def test_a_member_who_is_removed_sees_no_further_message(registry: Registry) -> None:
    name = fresh("watcher")
    member = {"kind": "MEMBER_KIND_GROUP", "name": name}
    admin = registry.metadata(registry.operator)
    registry.access.SetMember(pb.SetMemberRequest(**member, role="ROLE_VIEWER"), metadata=admin, timeout=20)
    stream = watch(registry, registry.issuer.token(sub=fresh("user"), groups=[name]))
    registry.access.RemoveMember(pb.RemoveMemberRequest(**member), metadata=admin, timeout=20)
    time.sleep(1)  # every worker learns of it by a notification
    operator(registry).post("/models", {"name": fresh("after")})
    assert end_of(stream).code() is grpc.StatusCode.PERMISSION_DENIED


def test_the_audit_log_is_streamed_until_the_token_expires(registry: Registry) -> None:
    """The past, then the present, and nothing of other projects."""
    names = [fresh("model") for _ in range(3)]
    filter_ = " OR ".join(f"name = {name}" for name in names)
    registry.client(registry.operator, str(uuid.uuid4())).post("/models", {"name": names[2]})
    operator(registry).post("/models", {"name": names[0]})
    past = next(watch_audit(registry, registry.operator, after_position=0, filter=filter_)).audit_entry
    assert (past.name, past.project_id, past.actor) == (names[0], registry.project_id, "boss")
    expires = int(time.time()) + 15
    stream = watch_audit(
        registry, registry.issuer.token(sub="boss", exp=expires), after_position=past.position, filter=filter_
    )
    operator(registry).post("/models", {"name": names[1]})
    assert next(stream).audit_entry.name == names[1]
    assert next(watch_audit(registry, registry.operator, after_position=past.position)).audit_entry.name == names[1]
    error = end_of(stream)
    assert (error.code(), "has expired" in str(error.details())) == (grpc.StatusCode.UNAUTHENTICATED, True)
