"""Objects of the domain with every field filled. Tests only set the fields that they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from registry_grpc.domain.inference_service import InferenceService
from registry_grpc.domain.model_version import ModelVersion, NewModelVersion
from registry_grpc.domain.registered_model import RegisteredModel, Tags
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.domain.serving_environment import DriftPolicy, ServingEnvironment

CREATED_AT = datetime(2020, 2, 11, 8, 0, 38, 346231, tzinfo=UTC)
"""A time long ago, so that every change is later."""


def a_model(project_id: UUID, **fields: Any) -> RegisteredModel:
    model = RegisteredModel(
        id=uuid4(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        project_id=project_id,
        owner_email="owner@example.com",
        name=f"model {uuid4().hex}",
        slug="model-slug",
        description="what it does",
        model_type="PRETRAIN",
        model_size=7,
        state="LIVE",
        deployment_status="UNDEPLOYED",
        tags=Tags(frameworks=("onnx", "pytorch"), architectures=("bert",), tasks=("qa",), subjects=("law",)),
        labels={"team": "a"},
        parent_model_id=None,
        external_id=uuid4().hex,
        properties={"accuracy": {"double": 0.97}},
    )
    return model._replace(**fields)


def a_new_version(**fields: Any) -> NewModelVersion:
    required = {"name": "v1", "model_framework": "onnx", "model_framework_version": "1.17", "uri": "s3://bucket/key"}
    return NewModelVersion(**required | fields)


def a_version(model: RegisteredModel, **fields: Any) -> ModelVersion:
    version = ModelVersion(
        id=uuid4(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        registered_model_id=model.id,
        name=f"version {uuid4().hex}",
        description="trained on more",
        is_default=False,
        state="LIVE",
        status="READY",
        created_by_email="creator@example.com",
        updated_by_email="updater@example.com",
        artifact_type="doc-artifact",
        model_framework="onnx",
        model_framework_version="1.17",
        container_image="registry.example.com/onnx:1",
        model_catalog_name="catalog",
        uri="s3://bucket/key",
        labels={"stage": "test"},
        prebuilt_container_id=uuid4(),
        readme="# A model",
        metadata={"signature": {"inputs": ["x", 1.5, None, True]}},
        external_id=uuid4().hex,
        properties={"accuracy": {"double": 0.97}},
    )
    return version._replace(**fields)


def an_environment(project_id: UUID, **fields: Any) -> ServingEnvironment:
    environment = ServingEnvironment(
        id=uuid4(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        project_id=project_id,
        name=f"environment {uuid4().hex}",
        description="where it runs",
        external_id="namespace-x",
        drift_policy=DriftPolicy.ENFORCE,
        properties={"accuracy": {"double": 0.97}},
    )
    return replace(environment, **fields)


def a_service(environment: ServingEnvironment, model: RegisteredModel, **fields: Any) -> InferenceService:
    service = InferenceService(
        id=uuid4(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        project_id=environment.project_id,
        name=f"service {uuid4().hex}",
        external_id="f8d5052d-ce0d-4766-9fa8-76b6bfc5721e",
        serving_environment_id=environment.id,
        registered_model_id=model.id,
        desired_state="DEPLOYED",
        current_state="UNDEPLOYED",
        runtime="kserve-onnx",
        url="http://service.example.com",
        last_error="it was slow",
        labels={"tier": "gold"},
        properties={"accuracy": {"double": 0.97}},
    )
    return replace(service, **fields)


def a_serve_model(service: InferenceService, version: ModelVersion, **fields: Any) -> ServeModel:
    serve_model = ServeModel(
        id=uuid4(),
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        project_id=service.project_id,
        inference_service_id=service.id,
        model_version_id=version.id,
        last_known_state="RUNNING",
    )
    return replace(serve_model, **fields)
