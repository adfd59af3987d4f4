import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelregistry.v1 import artifact_pb2 as _artifact_pb2
from modelregistry.v1 import model_alias_pb2 as _model_alias_pb2
from modelregistry.v1 import model_version_pb2 as _model_version_pb2
from modelregistry.v1 import registered_model_pb2 as _registered_model_pb2
from modelregistry.v1 import serving_environment_pb2 as _serving_environment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class TransferRecord(_message.Message):
    __slots__ = ("header", "serving_environment", "registered_model", "model_version", "model_alias", "artifact", "model_parent", "trailer", "last_version_number", "has_keys", "model_version_name")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODEL_ALIAS_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_FIELD_NUMBER: _ClassVar[int]
    MODEL_PARENT_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    LAST_VERSION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    HAS_KEYS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_NAME_FIELD_NUMBER: _ClassVar[int]
    header: TransferHeader
    serving_environment: _serving_environment_pb2.ServingEnvironment
    registered_model: _registered_model_pb2.RegisteredModel
    model_version: _model_version_pb2.ModelVersion
    model_alias: _model_alias_pb2.ModelAlias
    artifact: _artifact_pb2.Artifact
    model_parent: ModelParent
    trailer: TransferTrailer
    last_version_number: int
    has_keys: bool
    model_version_name: str
    def __init__(self, header: _Optional[_Union[TransferHeader, _Mapping]] = ..., serving_environment: _Optional[_Union[_serving_environment_pb2.ServingEnvironment, _Mapping]] = ..., registered_model: _Optional[_Union[_registered_model_pb2.RegisteredModel, _Mapping]] = ..., model_version: _Optional[_Union[_model_version_pb2.ModelVersion, _Mapping]] = ..., model_alias: _Optional[_Union[_model_alias_pb2.ModelAlias, _Mapping]] = ..., artifact: _Optional[_Union[_artifact_pb2.Artifact, _Mapping]] = ..., model_parent: _Optional[_Union[ModelParent, _Mapping]] = ..., trailer: _Optional[_Union[TransferTrailer, _Mapping]] = ..., last_version_number: _Optional[int] = ..., has_keys: _Optional[bool] = ..., model_version_name: _Optional[str] = ...) -> None: ...

class TransferHeader(_message.Message):
    __slots__ = ("format_version", "project_id", "exported_at")
    FORMAT_VERSION_FIELD_NUMBER: _ClassVar[int]
    PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_AT_FIELD_NUMBER: _ClassVar[int]
    format_version: int
    project_id: str
    exported_at: _timestamp_pb2.Timestamp
    def __init__(self, format_version: _Optional[int] = ..., project_id: _Optional[str] = ..., exported_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ModelParent(_message.Message):
    __slots__ = ("registered_model_id", "registered_model_name", "parent_model_id", "parent_model_name")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    PARENT_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_MODEL_NAME_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    registered_model_name: str
    parent_model_id: str
    parent_model_name: str
    def __init__(self, registered_model_id: _Optional[str] = ..., registered_model_name: _Optional[str] = ..., parent_model_id: _Optional[str] = ..., parent_model_name: _Optional[str] = ...) -> None: ...

class TransferTrailer(_message.Message):
    __slots__ = ("record_count",)
    RECORD_COUNT_FIELD_NUMBER: _ClassVar[int]
    record_count: int
    def __init__(self, record_count: _Optional[int] = ...) -> None: ...

class ExportProjectRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExportProjectResponse(_message.Message):
    __slots__ = ("ndjson",)
    NDJSON_FIELD_NUMBER: _ClassVar[int]
    ndjson: bytes
    def __init__(self, ndjson: _Optional[bytes] = ...) -> None: ...

class ImportProjectRequest(_message.Message):
    __slots__ = ("ndjson",)
    NDJSON_FIELD_NUMBER: _ClassVar[int]
    ndjson: bytes
    def __init__(self, ndjson: _Optional[bytes] = ...) -> None: ...

class ImportProjectResponse(_message.Message):
    __slots__ = ("serving_environments", "registered_models", "model_versions", "model_aliases", "artifacts", "renumbered_versions", "versions_without_keys", "first_version_ids_without_keys")
    SERVING_ENVIRONMENTS_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODELS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    MODEL_ALIASES_FIELD_NUMBER: _ClassVar[int]
    ARTIFACTS_FIELD_NUMBER: _ClassVar[int]
    RENUMBERED_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_WITHOUT_KEYS_FIELD_NUMBER: _ClassVar[int]
    FIRST_VERSION_IDS_WITHOUT_KEYS_FIELD_NUMBER: _ClassVar[int]
    serving_environments: ImportedCount
    registered_models: ImportedCount
    model_versions: ImportedCount
    model_aliases: ImportedCount
    artifacts: ImportedCount
    renumbered_versions: int
    versions_without_keys: int
    first_version_ids_without_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, serving_environments: _Optional[_Union[ImportedCount, _Mapping]] = ..., registered_models: _Optional[_Union[ImportedCount, _Mapping]] = ..., model_versions: _Optional[_Union[ImportedCount, _Mapping]] = ..., model_aliases: _Optional[_Union[ImportedCount, _Mapping]] = ..., artifacts: _Optional[_Union[ImportedCount, _Mapping]] = ..., renumbered_versions: _Optional[int] = ..., versions_without_keys: _Optional[int] = ..., first_version_ids_without_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class ImportedCount(_message.Message):
    __slots__ = ("created", "existing")
    CREATED_FIELD_NUMBER: _ClassVar[int]
    EXISTING_FIELD_NUMBER: _ClassVar[int]
    created: int
    existing: int
    def __init__(self, created: _Optional[int] = ..., existing: _Optional[int] = ...) -> None: ...

class CopyModelVersionRequest(_message.Message):
    __slots__ = ("source_project_id", "model_version_id", "registered_model_id", "name", "with_keys", "request_id")
    SOURCE_PROJECT_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    WITH_KEYS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    source_project_id: str
    model_version_id: str
    registered_model_id: str
    name: str
    with_keys: bool
    request_id: str
    def __init__(self, source_project_id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., with_keys: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class CopyModelVersionResponse(_message.Message):
    __slots__ = ("model_version", "keys_left_out")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    KEYS_LEFT_OUT_FIELD_NUMBER: _ClassVar[int]
    model_version: _model_version_pb2.ModelVersion
    keys_left_out: bool
    def __init__(self, model_version: _Optional[_Union[_model_version_pb2.ModelVersion, _Mapping]] = ..., keys_left_out: _Optional[bool] = ...) -> None: ...
