import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelregistry.v1 import property_pb2 as _property_pb2
from modelregistry.v1 import serve_model_pb2 as _serve_model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InferenceService(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "name", "external_id", "serving_environment_id", "serving_environment_name", "registered_model_id", "registered_model_name", "model_version_id", "desired_state", "current_state", "runtime", "url", "last_error", "labels", "served_models", "etag", "properties")
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
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_NAME_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    DESIRED_STATE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STATE_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    SERVED_MODELS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    name: str
    external_id: str
    serving_environment_id: str
    serving_environment_name: str
    registered_model_id: str
    registered_model_name: str
    model_version_id: str
    desired_state: str
    current_state: str
    runtime: str
    url: str
    last_error: str
    labels: _containers.ScalarMap[str, str]
    served_models: _containers.RepeatedCompositeFieldContainer[_serve_model_pb2.ServeModel]
    etag: str
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., external_id: _Optional[str] = ..., serving_environment_id: _Optional[str] = ..., serving_environment_name: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., registered_model_name: _Optional[str] = ..., model_version_id: _Optional[str] = ..., desired_state: _Optional[str] = ..., current_state: _Optional[str] = ..., runtime: _Optional[str] = ..., url: _Optional[str] = ..., last_error: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., served_models: _Optional[_Iterable[_Union[_serve_model_pb2.ServeModel, _Mapping]]] = ..., etag: _Optional[str] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ...) -> None: ...

class NewInferenceService(_message.Message):
    __slots__ = ("name", "serving_environment_id", "registered_model_id", "model_version_id", "model_version_ids", "runtime", "labels", "properties")
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
    SERVING_ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_IDS_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    serving_environment_id: str
    registered_model_id: str
    model_version_id: str
    model_version_ids: _containers.RepeatedScalarFieldContainer[str]
    runtime: str
    labels: _containers.ScalarMap[str, str]
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    def __init__(self, name: _Optional[str] = ..., serving_environment_id: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., model_version_ids: _Optional[_Iterable[str]] = ..., runtime: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ...) -> None: ...

class InferenceServicePatch(_message.Message):
    __slots__ = ("name", "desired_state", "current_state", "external_id", "url", "last_error", "labels", "model_version_id", "properties")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESIRED_STATE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STATE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    LAST_ERROR_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    desired_state: str
    current_state: str
    external_id: str
    url: str
    last_error: str
    labels: _struct_pb2.Struct
    model_version_id: str
    properties: _property_pb2.PropertyMap
    def __init__(self, name: _Optional[str] = ..., desired_state: _Optional[str] = ..., current_state: _Optional[str] = ..., external_id: _Optional[str] = ..., url: _Optional[str] = ..., last_error: _Optional[str] = ..., labels: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., model_version_id: _Optional[str] = ..., properties: _Optional[_Union[_property_pb2.PropertyMap, _Mapping]] = ...) -> None: ...

class ListInferenceServicesRequest(_message.Message):
    __slots__ = ("serving_environment_id", "registered_model_id", "model_version_id", "desired_state", "current_state", "state", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token")
    SERVING_ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    DESIRED_STATE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_STATE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    SORT_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    serving_environment_id: str
    registered_model_id: str
    model_version_id: str
    desired_state: str
    current_state: str
    state: str
    filter: str
    order_by: str
    sort_by: str
    order: str
    limit: int
    offset: int
    page_size: int
    page_token: str
    def __init__(self, serving_environment_id: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., desired_state: _Optional[str] = ..., current_state: _Optional[str] = ..., state: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListInferenceServicesResponse(_message.Message):
    __slots__ = ("inference_services", "total_size", "next_offset", "next_page_token")
    INFERENCE_SERVICES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    inference_services: _containers.RepeatedCompositeFieldContainer[InferenceService]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, inference_services: _Optional[_Iterable[_Union[InferenceService, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetInferenceServiceRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetInferenceServiceResponse(_message.Message):
    __slots__ = ("inference_service",)
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    inference_service: InferenceService
    def __init__(self, inference_service: _Optional[_Union[InferenceService, _Mapping]] = ...) -> None: ...

class FindInferenceServiceRequest(_message.Message):
    __slots__ = ("external_id", "name", "serving_environment_id")
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    external_id: str
    name: str
    serving_environment_id: str
    def __init__(self, external_id: _Optional[str] = ..., name: _Optional[str] = ..., serving_environment_id: _Optional[str] = ...) -> None: ...

class FindInferenceServiceResponse(_message.Message):
    __slots__ = ("inference_service",)
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    inference_service: InferenceService
    def __init__(self, inference_service: _Optional[_Union[InferenceService, _Mapping]] = ...) -> None: ...

class CreateInferenceServiceRequest(_message.Message):
    __slots__ = ("inference_service", "request_id")
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    inference_service: NewInferenceService
    request_id: str
    def __init__(self, inference_service: _Optional[_Union[NewInferenceService, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateInferenceServiceResponse(_message.Message):
    __slots__ = ("inference_service",)
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    inference_service: InferenceService
    def __init__(self, inference_service: _Optional[_Union[InferenceService, _Mapping]] = ...) -> None: ...

class UpdateInferenceServiceRequest(_message.Message):
    __slots__ = ("id", "inference_service", "etag", "request_id", "update_mask")
    ID_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    id: str
    inference_service: InferenceServicePatch
    etag: str
    request_id: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, id: _Optional[str] = ..., inference_service: _Optional[_Union[InferenceServicePatch, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateInferenceServiceResponse(_message.Message):
    __slots__ = ("inference_service",)
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    inference_service: InferenceService
    def __init__(self, inference_service: _Optional[_Union[InferenceService, _Mapping]] = ...) -> None: ...

class DeleteInferenceServiceRequest(_message.Message):
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

class DeleteInferenceServiceResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
