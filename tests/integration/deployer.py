"""A client that deploys over REST, and waits until it serves."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx

API = "/api/v1/model-registry"


class Deployer:
    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self._project = {"Project-ID": str(uuid.uuid4())}

    async def _call(self, method: str, path: str, json: Any = None) -> Any:
        answer = await self._client.request(method, API + path, json=json, headers=self._project)
        assert answer.is_success, answer.text
        return answer.json()

    async def deploys(self, count: int) -> None:
        place = await self._call("POST", "/serving_environments", {"name": "models", "external_id": "models"})
        model = await self._call("POST", "/models", {"name": "iris"})
        for number in range(count):
            version = {"name": f"v{number}", "model_framework": "sklearn", "model_framework_version": "1"}
            version["uri"] = "gs://kfserving-examples/models/sklearn/1.0/model"
            made = await self._call("POST", f"/models/{model['id']}/versions", version)
            await self._call("PATCH", f"/model_versions/{made['id']}", {"status": "READY"})
            new = {"registered_model_id": model["id"], "serving_environment_id": place["id"]}
            await self._call("POST", "/deploy", new | {"model_version_id": made["id"], "name": f"iris-{number}"})
        async with asyncio.timeout(60):
            while (await self._states(model["id"])) != ["DEPLOYED"] * count:  # noqa: ASYNC110
                await asyncio.sleep(0.2)

    async def _states(self, model: str) -> list[str]:
        listed = await self._call("GET", f"/inference_services?registered_model_id={model}&limit=100")
        return [service["current_state"] for service in listed["items"]]
