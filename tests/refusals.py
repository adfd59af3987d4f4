"""Expects that a use case is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from registry_grpc.domain.errors import Reason, RegistryError


@contextmanager
def refused(error: type[RegistryError], reason: Reason) -> Iterator[pytest.ExceptionInfo[RegistryError]]:
    """The block must raise exactly this error, with this reason. Its `value` is set after the block."""
    with pytest.raises(RegistryError) as refusal:
        yield refusal
    assert (type(refusal.value), refusal.value.reason) == (error, reason)
