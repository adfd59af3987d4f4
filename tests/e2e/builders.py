"""Objects that tests need: each builder creates one over the API and returns its JSON."""

from __future__ import annotations

import uuid
from typing import Any

from tests.e2e.api import JSON, Api


def fresh(prefix: str) -> str:
    """A unique name."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def an_id() -> str:
    """A UUID that no object has."""
    return str(uuid.uuid4())


def created(api: Api, path: str, body: JSON) -> JSON:
    response = api.post(path, body)
    assert response.status_code == 201, f"{response.status_code}: {response.text}"
    answer: JSON = response.json()
    return answer


def a_model(api: Api, name: str | None = None, **fields: Any) -> JSON:
    return created(api, "/models", {"name": name or fresh("model"), **fields})


def version_body(name: str | None = None, **fields: Any) -> JSON:
    required = {"model_framework": "pytorch", "model_framework_version": "2.0", "uri": "s3://b/k"}
    return {"name": name or fresh("v"), **required, **fields}


def a_version(api: Api, model_id: str, name: str | None = None, **fields: Any) -> JSON:
    """A version. A PATCH sets `status` and `state`, because creation ignores them."""
    later = {key: fields.pop(key) for key in ("status", "state") if key in fields}
    version = created(api, f"/models/{model_id}/versions", version_body(name, **fields))
    if not later:
        return version
    response = api.patch(f"/model_versions/{version['id']}", later)
    assert response.status_code == 200, response.text
    answer: JSON = response.json()
    return answer


def an_artifact(api: Api, model_id: str, name: str | None = None, **fields: Any) -> JSON:
    return created(api, "/model_artifacts", version_body(name, registered_model_id=model_id, **fields))


def an_environment(api: Api, name: str | None = None, **fields: Any) -> JSON:
    return created(api, "/serving_environments", {"name": name or fresh("env"), **fields})


def a_service(api: Api, environment: JSON, model: JSON, name: str | None = None, **fields: Any) -> JSON:
    body = {"serving_environment_id": environment["id"], "registered_model_id": model["id"], **fields}
    return created(api, "/inference_services", {"name": name or fresh("service"), **body})


def a_serve_model(api: Api, service: JSON, version: JSON) -> JSON:
    body = {"inference_service_id": service["id"], "model_version_id": version["id"]}
    return created(api, "/serve_models", body)


class World:
    """One object of every kind in one project. They refer to each other."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.model = a_model(api)
        self.version = a_version(api, self.model["id"], status="READY", is_default=True)
        self.environment = an_environment(api)
        self.service = a_service(api, self.environment, self.model)
        self.serve_model = a_serve_model(api, self.service, self.version)

    def path(self, template: str) -> str:
        """The path of a route of `routes.py` for these objects."""
        return template.format(
            model=self.model["id"],
            version=self.version["id"],
            environment=self.environment["id"],
            service=self.service["id"],
            serve_model=self.serve_model["id"],
        )
