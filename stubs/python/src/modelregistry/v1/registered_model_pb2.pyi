import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelregistry.v1 import model_version_pb2 as _model_version_pb2
from modelregistry.v1 import property_pb2 as _property_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RegisteredModelView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REGISTERED_MODEL_VIEW_UNSPECIFIED: _ClassVar[RegisteredModelView]
    REGISTERED_MODEL_VIEW_BASIC: _ClassVar[RegisteredModelView]
    REGISTERED_MODEL_VIEW_FULL: _ClassVar[RegisteredModelView]
REGISTERED_MODEL_VIEW_UNSPECIFIED: RegisteredModelView
REGISTERED_MODEL_VIEW_BASIC: RegisteredModelView
REGISTERED_MODEL_VIEW_FULL: RegisteredModelView

class RegisteredModel(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "project_id", "owner_email", "name", "slug", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels", "parent_model_id", "version_count", "latest_version", "default_version", "etag", "properties", "external_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _property_pb2.PropertyValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_property_pb2.PropertyValue, _Mapping]] = ...) -> None: ...
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    OWNER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SLUG_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_STATUS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PARENT_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    project_id: str
    owner_email: str
    name: str
    slug: str
    description: str
    model_type: str
    model_size: int
    state: str
    deployment_status: str
    tags: Tags
    labels: _containers.ScalarMap[str, str]
    parent_model_id: str
    version_count: int
    latest_version: _model_version_pb2.ModelVersion
    default_version: _model_version_pb2.ModelVersion
    etag: str
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    external_id: str
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., project_id: _Optional[str] = ..., owner_email: _Optional[str] = ..., name: _Optional[str] = ..., slug: _Optional[str] = ..., description: _Optional[str] = ..., model_type: _Optional[str] = ..., model_size: _Optional[int] = ..., state: _Optional[str] = ..., deployment_status: _Optional[str] = ..., tags: _Optional[_Union[Tags, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., parent_model_id: _Optional[str] = ..., version_count: _Optional[int] = ..., latest_version: _Optional[_Union[_model_version_pb2.ModelVersion, _Mapping]] = ..., default_version: _Optional[_Union[_model_version_pb2.ModelVersion, _Mapping]] = ..., etag: _Optional[str] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ..., external_id: _Optional[str] = ...) -> None: ...

class Tags(_message.Message):
    __slots__ = ("frameworks", "architectures", "tasks", "subjects")
    FRAMEWORKS_FIELD_NUMBER: _ClassVar[int]
    ARCHITECTURES_FIELD_NUMBER: _ClassVar[int]
    TASKS_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    frameworks: _containers.RepeatedScalarFieldContainer[str]
    architectures: _containers.RepeatedScalarFieldContainer[str]
    tasks: _containers.RepeatedScalarFieldContainer[str]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, frameworks: _Optional[_Iterable[str]] = ..., architectures: _Optional[_Iterable[str]] = ..., tasks: _Optional[_Iterable[str]] = ..., subjects: _Optional[_Iterable[str]] = ...) -> None: ...

class NewRegisteredModel(_message.Message):
    __slots__ = ("name", "description", "owner_email", "model_type", "tags", "labels", "parent_model_id", "properties", "external_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _property_pb2.PropertyValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_property_pb2.PropertyValue, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    OWNER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PARENT_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    owner_email: str
    model_type: str
    tags: Tags
    labels: _containers.ScalarMap[str, str]
    parent_model_id: str
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    external_id: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., owner_email: _Optional[str] = ..., model_type: _Optional[str] = ..., tags: _Optional[_Union[Tags, _Mapping]] = ..., labels: _Optional[_Mapping[str, str]] = ..., parent_model_id: _Optional[str] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ..., external_id: _Optional[str] = ...) -> None: ...

class RegisteredModelPatch(_message.Message):
    __slots__ = ("name", "description", "model_type", "model_size", "state", "deployment_status", "tags", "labels", "owner_email", "parent_model_id", "properties", "external_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_SIZE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_STATUS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OWNER_EMAIL_FIELD_NUMBER: _ClassVar[int]
    PARENT_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    model_type: str
    model_size: int
    state: str
    deployment_status: str
    tags: Tags
    labels: _struct_pb2.Struct
    owner_email: str
    parent_model_id: str
    properties: _property_pb2.PropertyMap
    external_id: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., model_type: _Optional[str] = ..., model_size: _Optional[int] = ..., state: _Optional[str] = ..., deployment_status: _Optional[str] = ..., tags: _Optional[_Union[Tags, _Mapping]] = ..., labels: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., owner_email: _Optional[str] = ..., parent_model_id: _Optional[str] = ..., properties: _Optional[_Union[_property_pb2.PropertyMap, _Mapping]] = ..., external_id: _Optional[str] = ...) -> None: ...

class ListRegisteredModelsRequest(_message.Message):
    __slots__ = ("state", "model_type", "search", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token", "view")
    STATE_FIELD_NUMBER: _ClassVar[int]
    MODEL_TYPE_FIELD_NUMBER: _ClassVar[int]
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    SORT_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    state: str
    model_type: str
    search: str
    filter: str
    order_by: str
    sort_by: str
    order: str
    limit: int
    offset: int
    page_size: int
    page_token: str
    view: RegisteredModelView
    def __init__(self, state: _Optional[str] = ..., model_type: _Optional[str] = ..., search: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[RegisteredModelView, str]] = ...) -> None: ...

class ListRegisteredModelsResponse(_message.Message):
    __slots__ = ("registered_models", "total_size", "next_offset", "next_page_token")
    REGISTERED_MODELS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    registered_models: _containers.RepeatedCompositeFieldContainer[RegisteredModel]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, registered_models: _Optional[_Iterable[_Union[RegisteredModel, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetRegisteredModelRequest(_message.Message):
    __slots__ = ("id", "view")
    ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    id: str
    view: RegisteredModelView
    def __init__(self, id: _Optional[str] = ..., view: _Optional[_Union[RegisteredModelView, str]] = ...) -> None: ...

class GetRegisteredModelResponse(_message.Message):
    __slots__ = ("registered_model",)
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    registered_model: RegisteredModel
    def __init__(self, registered_model: _Optional[_Union[RegisteredModel, _Mapping]] = ...) -> None: ...

class BatchGetRegisteredModelsRequest(_message.Message):
    __slots__ = ("ids", "view")
    IDS_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    view: RegisteredModelView
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., view: _Optional[_Union[RegisteredModelView, str]] = ...) -> None: ...

class BatchGetRegisteredModelsResponse(_message.Message):
    __slots__ = ("registered_models",)
    REGISTERED_MODELS_FIELD_NUMBER: _ClassVar[int]
    registered_models: _containers.RepeatedCompositeFieldContainer[RegisteredModel]
    def __init__(self, registered_models: _Optional[_Iterable[_Union[RegisteredModel, _Mapping]]] = ...) -> None: ...

class FindRegisteredModelRequest(_message.Message):
    __slots__ = ("name", "external_id", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    external_id: str
    view: RegisteredModelView
    def __init__(self, name: _Optional[str] = ..., external_id: _Optional[str] = ..., view: _Optional[_Union[RegisteredModelView, str]] = ...) -> None: ...

class FindRegisteredModelResponse(_message.Message):
    __slots__ = ("registered_model",)
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    registered_model: RegisteredModel
    def __init__(self, registered_model: _Optional[_Union[RegisteredModel, _Mapping]] = ...) -> None: ...

class CreateRegisteredModelRequest(_message.Message):
    __slots__ = ("registered_model", "request_id")
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    registered_model: NewRegisteredModel
    request_id: str
    def __init__(self, registered_model: _Optional[_Union[NewRegisteredModel, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateRegisteredModelResponse(_message.Message):
    __slots__ = ("registered_model",)
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    registered_model: RegisteredModel
    def __init__(self, registered_model: _Optional[_Union[RegisteredModel, _Mapping]] = ...) -> None: ...

class UpdateRegisteredModelRequest(_message.Message):
    __slots__ = ("id", "registered_model", "etag", "request_id", "update_mask")
    ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    id: str
    registered_model: RegisteredModelPatch
    etag: str
    request_id: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, id: _Optional[str] = ..., registered_model: _Optional[_Union[RegisteredModelPatch, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateRegisteredModelResponse(_message.Message):
    __slots__ = ("registered_model",)
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    registered_model: RegisteredModel
    def __init__(self, registered_model: _Optional[_Union[RegisteredModel, _Mapping]] = ...) -> None: ...

class DeleteRegisteredModelRequest(_message.Message):
    __slots__ = ("id", "etag", "request_id", "allow_missing")
    ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    id: str
    etag: str
    request_id: str
    allow_missing: bool
    def __init__(self, id: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., allow_missing: _Optional[bool] = ...) -> None: ...

class DeleteRegisteredModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
