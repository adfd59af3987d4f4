"""A model that can be deployed, and ways to wait for a deployment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_version, an_environment, fresh
from tests.e2e.checks import json_of

PATIENCE: Final = 20.0


class Place:
    """A model with a READY version, and an environment with a unique namespace."""

    def __init__(self, api: Api, model_name: str | None = None, uri: str = "s3://bucket/model") -> None:
        self.api = api
        self.model = a_model(api, model_name or fresh("iris"))
        self.version = self.another_version(uri=uri)
        self.environment = an_environment(api, fresh("ns"))

    def another_version(self, **fields: Any) -> JSON:
        sklearn = {"model_framework": "sklearn", "model_framework_version": "1", "status": "READY"}
        return a_version(self.api, self.model["id"], **sklearn | fields)

    @property
    def ids(self) -> JSON:
        return {"registered_model_id": self.model["id"], "serving_environment_id": self.environment["id"]}

    def deploy(self, **fields: Any) -> JSON:
        """The answer of a deployment that was accepted."""
        answer: JSON = json_of(self.api.post("/deploy", self.ids | fields), 202)
        assert list(answer)[:3] == ["inference_service", "status", "message"]
        return answer

    def sync(self, service: JSON) -> JSON:
        synced: JSON = json_of(self.api.post(f"/inference_services/{service['id']}/sync"))
        return synced

    def wait(self, service: JSON, reached: Callable[[JSON], bool]) -> JSON:
        """Sync until the service is as expected."""
        deadline = time.monotonic() + PATIENCE
        while not reached(synced := self.sync(service)):
            assert time.monotonic() < deadline, synced
            time.sleep(0.1)
        return synced

    def deployed(self, **fields: Any) -> JSON:
        service: JSON = self.deploy(**fields)["inference_service"]
        return self.wait(service, is_deployed)


def is_deployed(service: JSON) -> bool:
    return bool(service["current_state"] == "DEPLOYED")


def is_undeployed(service: JSON) -> bool:
    return bool(service["current_state"] == "UNDEPLOYED")


def states(service: JSON) -> tuple[str, str]:
    return service["desired_state"], service["current_state"]


def served_states(service: JSON) -> set[str]:
    return {served["last_known_state"] for served in service["served_models"]}
