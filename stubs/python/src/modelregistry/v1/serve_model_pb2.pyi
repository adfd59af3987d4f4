import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServeModel(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "inference_service_id", "inference_service_name", "model_version_id", "model_version_name", "last_known_state", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_SERVICE_NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_NAME_FIELD_NUMBER: _ClassVar[int]
    LAST_KNOWN_STATE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    inference_service_id: str
    inference_service_name: str
    model_version_id: str
    model_version_name: str
    last_known_state: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., inference_service_id: _Optional[str] = ..., inference_service_name: _Optional[str] = ..., model_version_id: _Optional[str] = ..., model_version_name: _Optional[str] = ..., last_known_state: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class NewServeModel(_message.Message):
    __slots__ = ("inference_service_id", "model_version_id")
    INFERENCE_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    inference_service_id: str
    model_version_id: str
    def __init__(self, inference_service_id: _Optional[str] = ..., model_version_id: _Optional[str] = ...) -> None: ...

class ListServeModelsRequest(_message.Message):
    __slots__ = ("inference_service_id", "model_version_id", "state", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token")
    INFERENCE_SERVICE_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    SORT_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    inference_service_id: str
    model_version_id: str
    state: str
    filter: str
    order_by: str
    sort_by: str
    order: str
    limit: int
    offset: int
    page_size: int
    page_token: str
    def __init__(self, inference_service_id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., state: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListServeModelsResponse(_message.Message):
    __slots__ = ("serve_models", "total_size", "next_offset", "next_page_token")
    SERVE_MODELS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    serve_models: _containers.RepeatedCompositeFieldContainer[ServeModel]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, serve_models: _Optional[_Iterable[_Union[ServeModel, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetServeModelRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetServeModelResponse(_message.Message):
    __slots__ = ("serve_model",)
    SERVE_MODEL_FIELD_NUMBER: _ClassVar[int]
    serve_model: ServeModel
    def __init__(self, serve_model: _Optional[_Union[ServeModel, _Mapping]] = ...) -> None: ...

class CreateServeModelRequest(_message.Message):
    __slots__ = ("serve_model", "request_id")
    SERVE_MODEL_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    serve_model: NewServeModel
    request_id: str
    def __init__(self, serve_model: _Optional[_Union[NewServeModel, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateServeModelResponse(_message.Message):
    __slots__ = ("serve_model",)
    SERVE_MODEL_FIELD_NUMBER: _ClassVar[int]
    serve_model: ServeModel
    def __init__(self, serve_model: _Optional[_Union[ServeModel, _Mapping]] = ...) -> None: ...

class DeleteServeModelRequest(_message.Message):
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

class DeleteServeModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
