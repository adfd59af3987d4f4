import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelArtifact(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "registered_model_id", "name", "artifact_type", "model_framework", "model_framework_version", "container_image", "uri", "labels", "prebuilt_container_id", "etag")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PREBUILT_CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    registered_model_id: str
    name: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    uri: str
    labels: _containers.ScalarMap[str, str]
    prebuilt_container_id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., artifact_type: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., uri: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., prebuilt_container_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class NewModelArtifact(_message.Message):
    __slots__ = ("registered_model_id", "name", "description", "artifact_type", "model_framework", "model_framework_version", "container_image", "uri", "access_key", "secret_key", "labels", "prebuilt_container_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    ACCESS_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PREBUILT_CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    name: str
    description: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    uri: str
    access_key: str
    secret_key: str
    labels: _containers.ScalarMap[str, str]
    prebuilt_container_id: str
    def __init__(self, registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., artifact_type: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., uri: _Optional[str] = ..., access_key: _Optional[str] = ..., secret_key: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., prebuilt_container_id: _Optional[str] = ...) -> None: ...

class ModelArtifactPatch(_message.Message):
    __slots__ = ("artifact_type", "model_framework", "model_framework_version", "container_image", "uri", "labels", "access_key", "secret_key", "prebuilt_container_id")
    ARTIFACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    PREBUILT_CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    uri: str
    labels: _struct_pb2.Struct
    access_key: str
    secret_key: str
    prebuilt_container_id: str
    def __init__(self, artifact_type: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., uri: _Optional[str] = ..., labels: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., access_key: _Optional[str] = ..., secret_key: _Optional[str] = ..., prebuilt_container_id: _Optional[str] = ...) -> None: ...

class ListModelArtifactsRequest(_message.Message):
    __slots__ = ("state", "status", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token")
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    SORT_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    state: str
    status: str
    filter: str
    order_by: str
    sort_by: str
    order: str
    limit: int
    offset: int
    page_size: int
    page_token: str
    def __init__(self, state: _Optional[str] = ..., status: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelArtifactsResponse(_message.Message):
    __slots__ = ("model_artifacts", "total_size", "next_offset", "next_page_token")
    MODEL_ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_artifacts: _containers.RepeatedCompositeFieldContainer[ModelArtifact]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, model_artifacts: _Optional[_Iterable[_Union[ModelArtifact, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetModelArtifactRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetModelArtifactResponse(_message.Message):
    __slots__ = ("model_artifact",)
    MODEL_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    model_artifact: ModelArtifact
    def __init__(self, model_artifact: _Optional[_Union[ModelArtifact, _Mapping]] = ...) -> None: ...

class FindModelArtifactRequest(_message.Message):
    __slots__ = ("name", "external_id", "parent_resource_id", "registered_model_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    external_id: str
    parent_resource_id: str
    registered_model_id: str
    def __init__(self, name: _Optional[str] = ..., external_id: _Optional[str] = ..., parent_resource_id: _Optional[str] = ..., registered_model_id: _Optional[str] = ...) -> None: ...

class FindModelArtifactResponse(_message.Message):
    __slots__ = ("model_artifact",)
    MODEL_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    model_artifact: ModelArtifact
    def __init__(self, model_artifact: _Optional[_Union[ModelArtifact, _Mapping]] = ...) -> None: ...

class CreateModelArtifactRequest(_message.Message):
    __slots__ = ("model_artifact", "request_id")
    MODEL_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model_artifact: NewModelArtifact
    request_id: str
    def __init__(self, model_artifact: _Optional[_Union[NewModelArtifact, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateModelArtifactResponse(_message.Message):
    __slots__ = ("model_artifact",)
    MODEL_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    model_artifact: ModelArtifact
    def __init__(self, model_artifact: _Optional[_Union[ModelArtifact, _Mapping]] = ...) -> None: ...

class UpdateModelArtifactRequest(_message.Message):
    __slots__ = ("id", "model_artifact", "etag", "request_id", "update_mask")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    id: str
    model_artifact: ModelArtifactPatch
    etag: str
    request_id: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, id: _Optional[str] = ..., model_artifact: _Optional[_Union[ModelArtifactPatch, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateModelArtifactResponse(_message.Message):
    __slots__ = ("model_artifact",)
    MODEL_ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    model_artifact: ModelArtifact
    def __init__(self, model_artifact: _Optional[_Union[ModelArtifact, _Mapping]] = ...) -> None: ...
