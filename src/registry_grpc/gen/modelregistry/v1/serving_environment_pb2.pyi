import datetime

from google.api import annotations_pb2 as _annotations_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServingEnvironment(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "name", "description", "external_id", "drift_policy")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    DRIFT_POLICY_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    name: str
    description: str
    external_id: str
    drift_policy: str
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., external_id: _Optional[str] = ..., drift_policy: _Optional[str] = ...) -> None: ...

class NewServingEnvironment(_message.Message):
    __slots__ = ("name", "description", "external_id", "drift_policy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    DRIFT_POLICY_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    external_id: str
    drift_policy: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., external_id: _Optional[str] = ..., drift_policy: _Optional[str] = ...) -> None: ...

class ServingEnvironmentPatch(_message.Message):
    __slots__ = ("name", "description", "external_id", "drift_policy")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    DRIFT_POLICY_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    external_id: str
    drift_policy: str
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., external_id: _Optional[str] = ..., drift_policy: _Optional[str] = ...) -> None: ...

class ListServingEnvironmentsRequest(_message.Message):
    __slots__ = ("search", "sort_by", "order", "limit", "offset", "page_size", "page_token")
    SEARCH_FIELD_NUMBER: _ClassVar[int]
    SORT_BY_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    search: str
    sort_by: str
    order: str
    limit: int
    offset: int
    page_size: int
    page_token: str
    def __init__(self, search: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

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
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class FindServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class CreateServingEnvironmentRequest(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: NewServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[NewServingEnvironment, _Mapping]] = ...) -> None: ...

class CreateServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class UpdateServingEnvironmentRequest(_message.Message):
    __slots__ = ("id", "serving_environment")
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    id: str
    serving_environment: ServingEnvironmentPatch
    def __init__(self, id: _Optional[str] = ..., serving_environment: _Optional[_Union[ServingEnvironmentPatch, _Mapping]] = ...) -> None: ...

class UpdateServingEnvironmentResponse(_message.Message):
    __slots__ = ("serving_environment",)
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    serving_environment: ServingEnvironment
    def __init__(self, serving_environment: _Optional[_Union[ServingEnvironment, _Mapping]] = ...) -> None: ...

class DeleteServingEnvironmentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class DeleteServingEnvironmentResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
