"""An environment and a model of one project, for creating inference services."""

from __future__ import annotations

from typing import Any

from tests.e2e import shapes
from tests.e2e.api import JSON, Api
from tests.e2e.builders import a_model, a_service, an_environment, fresh


class Place:
    """An environment and a model to create services with."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.environment = an_environment(api)
        self.model = a_model(api)

    def body(self, **fields: Any) -> JSON:
        ids = {"serving_environment_id": self.environment["id"], "registered_model_id": self.model["id"]}
        return {"name": fresh("service"), **ids, **fields}

    def service(self, **fields: Any) -> JSON:
        return a_service(self.api, self.environment, self.model, **fields)

    def expected(self, name: str, **fields: Any) -> JSON:
        return shapes.service(name, self.environment, self.model, **fields)
