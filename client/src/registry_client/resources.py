"""The objects of the registry without their methods."""

from __future__ import annotations

from typing import Any

from modelregistry.v1 import (
    artifact_pb2,
    event_pb2,
    model_alias_pb2,
    model_version_pb2,
    registered_model_pb2,
    serving_environment_pb2,
)
from registry_client import fields
from registry_client.fields import Field, Word
from registry_client.records import Record
from registry_client.values import Property, property_of


def _tags(message: Any) -> dict[str, list[str]]:
    return {} if message is None else {each.name: list(value) for each, value in message.ListFields()}


class VersionRecord(Record[model_version_pb2.ModelVersion]):
    """The fields of a version of a model."""

    shown = ("name", "number", "status", "model_framework", "uri", "aliases", "created_at")

    id = fields.text()
    name = fields.text()
    number = fields.integer()
    registered_model_id = fields.text()
    description = fields.text()
    is_default = fields.flag()
    aliases = fields.texts()
    state = fields.text()
    status = fields.text()
    artifact_type = fields.text()
    model_framework = fields.text()
    model_framework_version = fields.text()
    container_image = fields.text()
    uri = fields.text()
    digest = fields.text()
    size_bytes = fields.integer()
    labels = fields.labels()
    properties = fields.properties()
    external_id = fields.text()
    readme = fields.text()
    metadata = fields.struct()
    model_catalog_name = fields.text()
    prebuilt_container_id = fields.optional_text()
    created_by_email = fields.text()
    updated_by_email = fields.text()
    created_at = fields.time()
    updated_at = fields.time()
    etag = fields.text()


class DeletedVersion(Record[model_version_pb2.DeletedModelVersion]):
    """A deleted version that can be restored."""

    shown = ("name", "number", "deleted_at", "deleted_by", "expires_at")

    deleted_at = fields.time()
    deleted_by = fields.text()
    expires_at = fields.time()
    """Until when it can be restored."""

    @property
    def version(self) -> VersionRecord:
        """As it was."""
        return VersionRecord(self.proto.model_version)

    @property
    def id(self) -> str:
        return self.version.id

    @property
    def name(self) -> str:
        return self.version.name

    @property
    def number(self) -> int:
        return self.version.number


def _version(message: Any) -> VersionRecord | None:
    return None if message is None else VersionRecord(message)


class ModelRecord(Record[registered_model_pb2.RegisteredModel]):
    """The fields of a registered model."""

    shown = ("name", "state", "version_count", "labels", "created_at")

    id = fields.text()
    name = fields.text()
    description = fields.text()
    state = fields.text()
    model_type = fields.text()
    version_count = fields.integer()
    latest_version: Field[VersionRecord | None] = Field(_version)
    default_version: Field[VersionRecord | None] = Field(_version)
    labels = fields.labels()
    tags: Field[dict[str, list[str]]] = Field(_tags)
    properties = fields.properties()
    external_id = fields.text()
    owner_email = fields.text()
    parent_model_id = fields.optional_text()
    slug = fields.text()
    model_size = fields.integer()
    deployment_status = fields.text()
    project_id = fields.text()
    created_at = fields.time()
    updated_at = fields.time()
    etag = fields.text()


class Alias(Record[model_alias_pb2.ModelAlias]):
    """A name of a version that is moved from version to version."""

    shown = ("name", "version_number", "is_protected", "moved_at", "moved_by")

    name = fields.text()
    registered_model_id = fields.text()
    model_version_id = fields.text()
    version_number = fields.integer()
    is_protected = fields.flag()
    moved_at = fields.time()
    moved_by = fields.text()


class AliasMove(Record[model_alias_pb2.ModelAliasMove]):
    """When an alias was set, moved or deleted."""

    shown = ("name", "version_number", "moved_at", "moved_by")

    name = fields.text()
    model_version_id = fields.text()
    version_number = fields.integer()
    """0 if the alias was deleted."""
    moved_at = fields.time()
    moved_by = fields.text()


def _artifact_value(message: Any) -> Property | None:
    return None if message is None else property_of(message)


class ArtifactRecord(Record[artifact_pb2.Artifact]):
    """The fields of a document, data set, metric or parameter."""

    shown = ("kind", "name", "value", "uri", "created_at")

    id = fields.text()
    kind = Word(artifact_pb2.ArtifactKind)
    """MODEL, DOCUMENT, DATASET, METRIC or PARAMETER."""
    name = fields.text()
    value: Field[Property | None] = Field(_artifact_value)
    uri = fields.text()
    digest = fields.text()
    size_bytes = fields.integer()
    model_version_id = fields.optional_text()
    """None if it stands alone."""
    description = fields.text()
    labels = fields.labels()
    properties = fields.properties()
    external_id = fields.text()
    created_at = fields.time()
    updated_at = fields.time()
    etag = fields.text()


class EnvironmentRecord(Record[serving_environment_pb2.ServingEnvironment]):
    """The fields of a place to deploy to."""

    shown = ("name", "namespace", "drift_policy", "created_at")

    id = fields.text()
    name = fields.text()
    description = fields.text()
    external_id = fields.text()
    drift_policy = fields.text()
    """`report` or `enforce`."""
    properties = fields.properties()
    created_at = fields.time()
    updated_at = fields.time()
    etag = fields.text()

    @property
    def namespace(self) -> str:
        """That of Kubernetes."""
        return self.external_id or self.name


class Event(Record[event_pb2.Event]):
    """One change of a resource."""

    shown = ("occurred_at", "type", "name", "actor", "changed_fields", "details")

    id = fields.text()
    occurred_at = fields.time()
    type = fields.text()
    """Such as `version.created`."""
    name = fields.text()
    """That of the resource."""
    actor = fields.text()
    changed_fields = fields.texts()
    details = fields.labels()
    resource_id = fields.text()
    registered_model_id = fields.text()
    resume_token = fields.text()
    """With it, `client.events.watch` continues after this event."""
