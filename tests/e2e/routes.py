"""All routes (contract, Parts 1 and 2) as data, for tests that hold for every route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MODEL: Final = "registered model not found"
VERSION: Final = "model version not found"
ENVIRONMENT: Final = "serving environment not found"
SERVICE: Final = "inference service not found"
SERVE_MODEL: Final = "serve model not found"


@dataclass(frozen=True)
class Route:
    """A method and a path; `{model}`, `{version}`, ... stand for ids (`builders.World.path`)."""

    method: str
    path: str
    not_found: str = ""
    bad_id: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


LISTS: Final = (
    Route("GET", "/models"),
    Route("GET", "/models/{model}/versions", bad_id="invalid model id"),
    Route("GET", "/model_versions"),
    Route("GET", "/model_artifacts"),
    Route("GET", "/serving_environments"),
    Route("GET", "/inference_services"),
    Route("GET", "/serve_models"),
)
FINDS: Final = (
    Route("GET", "/model", MODEL),
    Route("GET", "/model_version", VERSION),
    Route("GET", "/model_artifact", VERSION),
    Route("GET", "/serving_environment", ENVIRONMENT),
    Route("GET", "/inference_service", SERVICE),
)
CREATES: Final = (
    Route("POST", "/models"),
    Route("POST", "/models/{model}/versions", MODEL, "invalid model id"),
    Route("POST", "/model_artifacts"),
    Route("POST", "/serving_environments"),
    Route("POST", "/inference_services"),
    Route("POST", "/serve_models"),
    Route("POST", "/deploy"),
)
GETS: Final = (
    Route("GET", "/models/{model}", MODEL, "invalid model id"),
    Route("GET", "/models/{model}/versions/{version}", VERSION, "invalid version id"),
    Route("GET", "/model_versions/{version}", VERSION, "invalid version id"),
    Route("GET", "/model_artifacts/{version}", VERSION, "invalid artifact id"),
    Route("GET", "/serving_environments/{environment}", ENVIRONMENT, "invalid id"),
    Route("GET", "/inference_services/{service}", SERVICE, "invalid id"),
    Route("GET", "/serve_models/{serve_model}", SERVE_MODEL, "invalid id"),
)
PATCHES: Final = (
    Route("PATCH", "/models/{model}", MODEL, "invalid model id"),
    Route("PATCH", "/models/{model}/versions/{version}", VERSION, "invalid version id"),
    Route("PATCH", "/model_versions/{version}", VERSION, "invalid version id"),
    Route("PATCH", "/model_artifacts/{version}", VERSION, "invalid artifact id"),
    Route("PATCH", "/serving_environments/{environment}", ENVIRONMENT, "invalid id"),
    Route("PATCH", "/inference_services/{service}", SERVICE, "invalid id"),
)
DELETES: Final = (
    Route("DELETE", "/models/{model}", MODEL, "invalid model id"),
    Route("DELETE", "/serving_environments/{environment}", ENVIRONMENT, "invalid id"),
    Route("DELETE", "/inference_services/{service}", SERVICE, "invalid id"),
    Route("DELETE", "/serve_models/{serve_model}", SERVE_MODEL, "invalid id"),
)
ACTIONS: Final = (
    Route("DELETE", "/inference_services/{service}/undeploy", SERVICE, "invalid inference service id"),
    Route("POST", "/inference_services/{service}/sync", SERVICE, "invalid inference service id"),
)
BY_ID: Final = GETS + PATCHES + DELETES + ACTIONS
ALL: Final = LISTS + FINDS + CREATES + BY_ID
