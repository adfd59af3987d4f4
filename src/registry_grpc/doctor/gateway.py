"""Checks the gateway, if one listens on this machine, or at the address that is given."""

from __future__ import annotations

import asyncio

import aiohttp

from registry_grpc.doctor.diagnosis import Diagnosis, missing, ok, skipped
from registry_grpc.settings import ConfigurationError, Settings
from registry_grpc.tls import Endpoint

_PATIENCE = aiohttp.ClientTimeout(total=5)


async def check_gateway(settings: Settings, address: str | None) -> Diagnosis:
    """GET /healthz, which needs Envoy, a worker and the database."""
    about = "gateway"
    try:
        endpoint = Endpoint(settings, address or settings.gateway_address)
        context = endpoint.context() if endpoint.has_tls else True
    except ConfigurationError as error:
        return missing(about, str(error), "change this setting or option")
    url, name = f"{endpoint.url}/healthz", endpoint.name or None
    try:
        async with (
            aiohttp.ClientSession(timeout=_PATIENCE) as session,
            session.get(url, ssl=context, server_hostname=name) as answer,
        ):
            text = (await answer.text()).strip()
            if answer.status == 200:
                return ok(about, f"{url} answers {text}")
            advice = "the answer says whether the workers or the database cannot be reached; see docs/operations.md"
            return missing(about, f"{url} answers {answer.status} {text}", advice)
    except (aiohttp.ClientError, TimeoutError) as error:
        if why := await asyncio.to_thread(endpoint.problem):
            return missing(about, f"{url} does not answer", why)
        if not address and isinstance(error, aiohttp.ClientConnectorError):
            advice = "run this on the machine where the gateway runs, or name its address: --address"
            return skipped(about, f"nothing listens on {endpoint.target}", advice)
        text = f"{url} does not answer: {error or type(error).__name__}"
        return missing(about, text, "the program that listens there is not the gateway, or hangs; see its log")
