"""One call of the registry: its request id, its deadline, and when it is sent again."""

from __future__ import annotations

import random
import time
import uuid
from typing import Any, Final

from google.protobuf.message import Message

from modelregistry.v1.webhook_pb2 import CreateWebhookRequest
from registry_client.errors import Aborted, RegistryError, ResourceExhausted, Unavailable

# For how long a call is repeated. The url of a registry that has never answered may be wrong.
_PATIENCE_SECONDS: Final = 10.0
_PATIENCE_WITH_STRANGERS_SECONDS: Final = 1.0
_FIRST_DELAY_SECONDS: Final = 0.2
_MAX_DELAY_SECONDS: Final = 3.0
_READS: Final = ("Get", "List", "Find", "BatchGet", "Explain", "Plan", "Watch", "Export")
# They can be repeated by their nature: see "Writing once" in docs/api.md.
_REPEATABLE: Final = ("UndeployModel", "SyncInferenceService")
# These do not end by waiting.
_LASTING: Final = frozenset({"QUOTA_EXCEEDED", "TOO_MANY_WEBHOOKS"})


class Call:
    """A call with all its attempts. It may be repeated if it is a read, or if its request has a request id: then it
    takes effect once, however often it is sent."""

    def __init__(self, path: str, request: Message, timeout: float) -> None:
        method = path.rpartition("/")[2]
        self.request, has_id = _with_request_id(request)
        self.request_id = new_request_id()
        """By which the log has all attempts."""
        self.is_repeatable = has_id or method.startswith(_READS) or method in _REPEATABLE
        self._begin = time.monotonic()
        self._deadline = self._begin + timeout
        self._attempts = 0

    @property
    def seconds_left(self) -> float:
        return max(self._deadline - time.monotonic(), 0.0)

    def delay_after(self, error: RegistryError, *, was_reached: bool) -> float | None:
        """How many seconds to wait before the next attempt; None if there shall be none."""
        self._attempts += 1
        if not self._may_pass(error):
            return None
        limit = min(_FIRST_DELAY_SECONDS * 2 ** (self._attempts - 1), _MAX_DELAY_SECONDS)
        # By chance, so that not all clients return at once.
        delay = max(error.retry_after or 0.0, random.uniform(limit / 2, limit))  # noqa: S311
        patience = _PATIENCE_SECONDS if was_reached or error.reason else _PATIENCE_WITH_STRANGERS_SECONDS
        return delay if time.monotonic() + delay < min(self._begin + patience, self._deadline) else None

    def _may_pass(self, error: RegistryError) -> bool:
        if isinstance(error, ResourceExhausted):  # it was not carried out
            return bool(error.reason) and error.reason not in _LASTING
        if isinstance(error, Aborted):
            return error.reason == "CONCURRENT_CHANGE"
        return isinstance(error, Unavailable) and self.is_repeatable


def _with_request_id(request: Message) -> tuple[Message, bool]:
    """The request with a request id, and whether it has one."""
    message: Any = request
    if "request_id" not in message.DESCRIPTOR.fields_by_name:
        return request, False
    if not message.request_id:
        if isinstance(message, CreateWebhookRequest) and not message.webhook.secret:
            return request, False  # a secret that the registry makes is only answered once
        message = type(request)()
        message.CopyFrom(request)
        message.request_id = new_request_id()
    return message, True


def new_request_id() -> str:
    return str(uuid.uuid4())
