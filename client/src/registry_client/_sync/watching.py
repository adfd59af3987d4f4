# Made from registry_client/aio by scripts/blocking_client.py. Change it there.
"""Streams that are opened again where they ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Final

from registry_client._sync import runtime
from registry_client.errors import RegistryError, ResourceExhausted, Unauthenticated, Unavailable

_ATTEMPTS: Final = 10
_FIRST_ATTEMPTS: Final = 3
_MAX_DELAY_SECONDS: Final = 5.0


def watched(
    method: Any, request_after: Callable[[str], Any], token_of: Callable[[Any], str], timeout: float | None
) -> runtime.Stream[Any]:
    """See Client.watch."""
    deadline = None if timeout is None else time.monotonic() + timeout
    token, failures = "", 0
    while True:
        left = None if deadline is None else max(deadline - time.monotonic(), 0)
        try:
            with closing(method(request_after(token), timeout=left)) as answers:
                for answer in answers:
                    token, failures = token_of(answer), 0
                    yield answer
        except (ResourceExhausted, Unauthenticated, Unavailable) as error:
            failures += 1
            if failures >= _attempts(error, has_begun=bool(token)):
                raise
            delay = max(error.retry_after or 0, min(0.2 * 2**failures, _MAX_DELAY_SECONDS))
            if deadline is not None:
                delay = min(delay, max(deadline - time.monotonic(), 0))
            runtime.sleep(delay)


def _attempts(error: RegistryError, *, has_begun: bool) -> int:
    """A token that has expired ends a stream; then there may be another one. The url of a registry that has not
    answered yet may be wrong."""
    if isinstance(error, Unauthenticated):
        return 2
    return _ATTEMPTS if has_begun else _FIRST_ATTEMPTS
