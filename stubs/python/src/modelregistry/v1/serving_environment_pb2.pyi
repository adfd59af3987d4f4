import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelregistry.v1 import property_pb2 as _property_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServingEnvironment(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "name", "description", "external_id", "drift_policy", "etag", "properties")
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
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    DRIFT_POLICY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    name: str
    description: str
    external_id: str
    drift_policy: str
    etag: str
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., external_id: _Optional[str] = ..., drift_policy: _Optional[str] = ..., etag: _Optional[str] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ...) -> None: ...

class NewServingEnvironment(_message.Message):
    __slots__ = ("name", "description", "external_id", "drift_policy", "properties")
    class PropertiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _property_pb2.PropertyValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_property_pb2.PropertyValue, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    DRIFT_POLICY_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    external_id: str
    drift_policy: str
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., external_id: _Optional[str] = ..., drift_policy: _Optional[str] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ...) -> None: ...

class ServingEnvironmentPatch(_message.Message):
    __slots__ = ("name", "description", "external_id", "drift_policy", "properties")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    DRIFT_POLICY_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    external_id: str
    drift_policy: str
    properties: _property_pb2.PropertyMap
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., external_id: _Optional[str] = ..., drift_policy: _Optional[str] = ..., properties: _Optional[_Union[_property_pb2.PropertyMap, _Mapping]] = ...) -> None: ...

class ListServingEnvironmentsRequest(_message.Message):
    __slots__ = ("search", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token")
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    SORT_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    search: str
    filter: str
    order_by: str
    sort_by: str
    order: str
    limit: int
    offset: int
    page_size: int
    page_token: str
    def __init__(self, search: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListServingEnvironmentsResponse(_message.Message):
    __slots__ = ("serving_environments", "total_size", "next_offset", "next_page_token")
    SERVING_ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    serving_environments: _containers.RepeatedCompositeFieldContainer[ServingEnvironment]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, serving_environments: _Optional[_Iterable[_Union[ServingEnvironment, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetServingEnvironmentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class FindServingEnvironmentRequest(_message.Message):
    __slots__ = ("name", "external_id")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    name: str
    external_id: str
    def __init__(self, name: _Optional[str] = ..., external_id: _Optional[str] = ...) -> None: ...

class FindServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class CreateServingEnvironmentRequest(_message.Message):
    __slots__ = ("serving_environment", "request_id")
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    serving_environment: NewServingEnvironment
    request_id: str
    def __init__(self, serving_environment: _Optional[_Union[NewServingEnvironment, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class UpdateServingEnvironmentRequest(_message.Message):
    __slots__ = ("id", "serving_environment", "etag", "request_id", "update_mask")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    id: str
    serving_environment: ServingEnvironmentPatch
    etag: str
    request_id: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, id: _Optional[str] = ..., serving_environment: _Optional[_Union[ServingEnvironmentPatch, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class DeleteServingEnvironmentRequest(_message.Message):
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

class DeleteServingEnvironmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
