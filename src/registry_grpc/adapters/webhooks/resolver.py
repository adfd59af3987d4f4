"""Resolves the names of webhooks to addresses that the operator allows."""

from __future__ import annotations

import socket

from aiohttp.abc import AbstractResolver, ResolveResult

from registry_grpc.domain.webhook import Reach


class RefusedError(OSError):
    """The operator does not allow the address."""


class CheckedResolver(AbstractResolver):
    """Resolves names to addresses that are allowed for a scheme. If one of them is not, none is used."""

    def __init__(self, reach: Reach, scheme: str, resolver: AbstractResolver) -> None:
        self._reach = reach
        self._scheme = scheme
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            if refusal := self._reach.refusal(self._scheme, each["host"]):
                raise RefusedError(f"the url {refusal}")
        return found

    async def close(self) -> None:
        await self._resolver.close()
