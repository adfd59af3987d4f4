"""The routes that read a body, and their fields: the tables of contract 0.7, 1.5 and 2.3 as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from tests.e2e.api import JSON
from tests.e2e.builders import World, a_version, fresh, version_body


@dataclass(frozen=True)
class BodyRoute:
    """A route, its required fields in order, and its other fields by JSON type."""

    method: str
    path: str
    required: tuple[str, ...] = ()
    strings: tuple[str, ...] = ()
    uuids: tuple[str, ...] = ()
    uuid_lists: tuple[str, ...] = ()
    bools: tuple[str, ...] = ()
    integers: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)
    is_version: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def success(self) -> int:
        if self.method == "PATCH":
            return 200
        return 202 if self.path == "/deploy" else 201

    def good(self, world: World) -> JSON:
        """A body that this route accepts."""
        body = version_body() if self.is_version else {"name": fresh("name")}
        if self.path == "/serve_models":
            body = {"model_version_id": a_version(world.api, world.model["id"])["id"]}
        return body | {key: world.path(template) for key, template in self.ids.items()}


VERSION_STRINGS: Final = [
    "description",
    "artifact_type",
    "container_image",
    "model_framework",
    "model_framework_version",
    "uri",
    "name",
]
MODEL_ID: Final = {"registered_model_id": "{model}"}
PLACE: Final = MODEL_ID | {"serving_environment_id": "{environment}"}

BODY_ROUTES: Final = (
    BodyRoute(
        "POST",
        "/models",
        required=("name",),
        strings=("name", "description", "owner_email", "model_type"),
        uuids=("parent_model_id",),
        objects=("tags", "labels"),
    ),
    BodyRoute(
        "PATCH",
        "/models/{model}",
        strings=("name", "description", "model_type", "state", "deployment_status"),
        integers=("model_size",),
        objects=("tags", "labels"),
    ),
    BodyRoute(
        "POST",
        "/models/{model}/versions",
        required=("name", "model_framework", "model_framework_version", "uri"),
        strings=(
            *VERSION_STRINGS,
            *("model_catalog_name", "access_key", "secret_key", "created_by_email", "updated_by_email"),
        ),
        uuids=("prebuilt_container_id",),
        bools=("is_default",),
        objects=("labels",),
        is_version=True,
    ),
    *(
        BodyRoute(
            "PATCH",
            path,
            strings=(*VERSION_STRINGS, "state", "status"),
            bools=("is_default",),
            objects=("labels",),
            is_version=True,
        )
        for path in ("/models/{model}/versions/{version}", "/model_versions/{version}")
    ),
    BodyRoute(
        "POST",
        "/model_artifacts",
        required=("registered_model_id", "name", "model_framework", "model_framework_version", "uri"),
        strings=(*VERSION_STRINGS, "access_key", "secret_key"),
        uuids=("registered_model_id", "prebuilt_container_id"),
        objects=("labels",),
        ids=MODEL_ID,
        is_version=True,
    ),
    BodyRoute(
        "PATCH",
        "/model_artifacts/{version}",
        strings=("artifact_type", "model_framework", "model_framework_version", "container_image", "uri"),
        objects=("labels",),
        is_version=True,
    ),
    BodyRoute("POST", "/serving_environments", required=("name",), strings=("name", "description", "external_id")),
    BodyRoute("PATCH", "/serving_environments/{environment}", strings=("name", "description", "external_id")),
    BodyRoute(
        "POST",
        "/inference_services",
        required=("name", "serving_environment_id", "registered_model_id"),
        strings=("name", "runtime"),
        uuids=("serving_environment_id", "registered_model_id", "model_version_id"),
        uuid_lists=("model_version_ids",),
        objects=("labels",),
        ids=PLACE,
    ),
    BodyRoute(
        "PATCH",
        "/inference_services/{service}",
        strings=("name", "external_id", "url", "last_error", "desired_state", "current_state"),
        uuids=("model_version_id",),
        objects=("labels",),
    ),
    BodyRoute(
        "POST",
        "/serve_models",
        required=("inference_service_id", "model_version_id"),
        uuids=("inference_service_id", "model_version_id"),
        ids={"inference_service_id": "{service}"},
    ),
    BodyRoute(
        "POST",
        "/deploy",
        required=("registered_model_id", "serving_environment_id"),
        strings=("name",),
        uuids=("registered_model_id", "serving_environment_id", "model_version_id"),
        uuid_lists=("model_version_ids",),
        objects=("labels",),
        ids=PLACE,
    ),
)
