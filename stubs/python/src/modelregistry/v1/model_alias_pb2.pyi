import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelAlias(_message.Message):
    __slots__ = ("registered_model_id", "name", "model_version_id", "version_number", "is_protected", "moved_at", "moved_by")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    IS_PROTECTED_FIELD_NUMBER: _ClassVar[int]
    MOVED_AT_FIELD_NUMBER: _ClassVar[int]
    MOVED_BY_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    name: str
    model_version_id: str
    version_number: int
    is_protected: bool
    moved_at: _timestamp_pb2.Timestamp
    moved_by: str
    def __init__(self, registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., model_version_id: _Optional[str] = ..., version_number: _Optional[int] = ..., is_protected: _Optional[bool] = ..., moved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., moved_by: _Optional[str] = ...) -> None: ...

class ModelAliasMove(_message.Message):
    __slots__ = ("name", "model_version_id", "version_number", "moved_at", "moved_by")
    NAME_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    MOVED_AT_FIELD_NUMBER: _ClassVar[int]
    MOVED_BY_FIELD_NUMBER: _ClassVar[int]
    name: str
    model_version_id: str
    version_number: int
    moved_at: _timestamp_pb2.Timestamp
    moved_by: str
    def __init__(self, name: _Optional[str] = ..., model_version_id: _Optional[str] = ..., version_number: _Optional[int] = ..., moved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., moved_by: _Optional[str] = ...) -> None: ...

class SetModelAliasRequest(_message.Message):
    __slots__ = ("registered_model_id", "name", "version", "expected_version_id", "is_protected", "force", "request_id")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    IS_PROTECTED_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    name: str
    version: str
    expected_version_id: str
    is_protected: bool
    force: bool
    request_id: str
    def __init__(self, registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., expected_version_id: _Optional[str] = ..., is_protected: _Optional[bool] = ..., force: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class SetModelAliasResponse(_message.Message):
    __slots__ = ("model_alias",)
    MODEL_ALIAS_FIELD_NUMBER: _ClassVar[int]
    model_alias: ModelAlias
    def __init__(self, model_alias: _Optional[_Union[ModelAlias, _Mapping]] = ...) -> None: ...

class DeleteModelAliasRequest(_message.Message):
    __slots__ = ("registered_model_id", "name", "expected_version_id", "force", "allow_missing", "request_id")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    name: str
    expected_version_id: str
    force: bool
    allow_missing: bool
    request_id: str
    def __init__(self, registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., expected_version_id: _Optional[str] = ..., force: _Optional[bool] = ..., allow_missing: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteModelAliasResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelAliasesRequest(_message.Message):
    __slots__ = ("registered_model_id", "filter", "order_by", "page_size", "page_token")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, registered_model_id: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelAliasesResponse(_message.Message):
    __slots__ = ("model_aliases", "next_page_token")
    MODEL_ALIASES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_aliases: _containers.RepeatedCompositeFieldContainer[ModelAlias]
    next_page_token: str
    def __init__(self, model_aliases: _Optional[_Iterable[_Union[ModelAlias, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListModelAliasMovesRequest(_message.Message):
    __slots__ = ("registered_model_id", "name", "filter", "order_by", "page_size", "page_token")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    name: str
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelAliasMovesResponse(_message.Message):
    __slots__ = ("model_alias_moves", "next_page_token")
    MODEL_ALIAS_MOVES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_alias_moves: _containers.RepeatedCompositeFieldContainer[ModelAliasMove]
    next_page_token: str
    def __init__(self, model_alias_moves: _Optional[_Iterable[_Union[ModelAliasMove, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
