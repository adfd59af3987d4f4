"""Checks the gateway, if one listens on this machine."""

from __future__ import annotations

import aiohttp

from registry_grpc.doctor.diagnosis import Diagnosis, missing, ok, skipped
from registry_grpc.settings import Settings

_PATIENCE = aiohttp.ClientTimeout(total=5)


async def check_gateway(settings: Settings) -> Diagnosis:
    """GET /healthz on REGISTRY_PORT, which needs Envoy, a worker and the database."""
    about, url = "gateway", f"http://127.0.0.1:{settings.port}/healthz"
    try:
        async with aiohttp.ClientSession(timeout=_PATIENCE) as session, session.get(url) as answer:
            text = (await answer.text()).strip()
            if answer.status == 200:
                return ok(about, f"{url} answers {text}")
            advice = "the answer says whether the workers or the database cannot be reached; see docs/operations.md"
            return missing(about, f"{url} answers {answer.status} {text}", advice)
    except aiohttp.ClientConnectorError:
        return skipped(
            about, f"nothing listens on 127.0.0.1:{settings.port}", "run this on the machine where the gateway runs"
        )
    except (aiohttp.ClientError, TimeoutError) as error:
        text = f"{url} does not answer: {error or type(error).__name__}"
        return missing(about, text, "the program that listens there is not the gateway, or hangs; see its log")
