import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelregistry.v1 import property_pb2 as _property_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelVersionView(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_VERSION_VIEW_UNSPECIFIED: _ClassVar[ModelVersionView]
    MODEL_VERSION_VIEW_BASIC: _ClassVar[ModelVersionView]
    MODEL_VERSION_VIEW_FULL: _ClassVar[ModelVersionView]
MODEL_VERSION_VIEW_UNSPECIFIED: ModelVersionView
MODEL_VERSION_VIEW_BASIC: ModelVersionView
MODEL_VERSION_VIEW_FULL: ModelVersionView

class ModelVersion(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "registered_model_id", "name", "description", "is_default", "state", "status", "created_by_email", "updated_by_email", "artifact_type", "model_framework", "model_framework_version", "container_image", "model_catalog_name", "uri", "labels", "prebuilt_container_id", "etag", "number", "aliases", "properties", "external_id", "readme", "metadata", "digest", "size_bytes")
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
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_EMAIL_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_EMAIL_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_CATALOG_NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PREBUILT_CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ALIASES_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    README_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    registered_model_id: str
    name: str
    description: str
    is_default: bool
    state: str
    status: str
    created_by_email: str
    updated_by_email: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    model_catalog_name: str
    uri: str
    labels: _containers.ScalarMap[str, str]
    prebuilt_container_id: str
    etag: str
    number: int
    aliases: _containers.RepeatedScalarFieldContainer[str]
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    external_id: str
    readme: str
    metadata: _struct_pb2.Struct
    digest: str
    size_bytes: int
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., registered_model_id: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., is_default: _Optional[bool] = ..., state: _Optional[str] = ..., status: _Optional[str] = ..., created_by_email: _Optional[str] = ..., updated_by_email: _Optional[str] = ..., artifact_type: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., model_catalog_name: _Optional[str] = ..., uri: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., prebuilt_container_id: _Optional[str] = ..., etag: _Optional[str] = ..., number: _Optional[int] = ..., aliases: _Optional[_Iterable[str]] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ..., external_id: _Optional[str] = ..., readme: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class NewModelVersion(_message.Message):
    __slots__ = ("name", "description", "is_default", "artifact_type", "model_framework", "model_framework_version", "container_image", "model_catalog_name", "uri", "access_key", "secret_key", "labels", "prebuilt_container_id", "created_by_email", "updated_by_email", "properties", "external_id", "readme", "metadata", "digest", "size_bytes")
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
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    MODEL_CATALOG_NAME_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    ACCESS_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PREBUILT_CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_EMAIL_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_EMAIL_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    README_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    is_default: bool
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    model_catalog_name: str
    uri: str
    access_key: str
    secret_key: str
    labels: _containers.ScalarMap[str, str]
    prebuilt_container_id: str
    created_by_email: str
    updated_by_email: str
    properties: _containers.MessageMap[str, _property_pb2.PropertyValue]
    external_id: str
    readme: str
    metadata: _struct_pb2.Struct
    digest: str
    size_bytes: int
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., is_default: _Optional[bool] = ..., artifact_type: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., model_catalog_name: _Optional[str] = ..., uri: _Optional[str] = ..., access_key: _Optional[str] = ..., secret_key: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., prebuilt_container_id: _Optional[str] = ..., created_by_email: _Optional[str] = ..., updated_by_email: _Optional[str] = ..., properties: _Optional[_Mapping[str, _property_pb2.PropertyValue]] = ..., external_id: _Optional[str] = ..., readme: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ModelVersionPatch(_message.Message):
    __slots__ = ("name", "description", "is_default", "state", "status", "artifact_type", "model_framework", "model_framework_version", "container_image", "uri", "labels", "access_key", "secret_key", "model_catalog_name", "prebuilt_container_id", "properties", "external_id", "readme", "metadata", "digest", "size_bytes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    IS_DEFAULT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_TYPE_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    MODEL_CATALOG_NAME_FIELD_NUMBER: _ClassVar[int]
    PREBUILT_CONTAINER_ID_FIELD_NUMBER: _ClassVar[int]
    PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    README_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    is_default: bool
    state: str
    status: str
    artifact_type: str
    model_framework: str
    model_framework_version: str
    container_image: str
    uri: str
    labels: _struct_pb2.Struct
    access_key: str
    secret_key: str
    model_catalog_name: str
    prebuilt_container_id: str
    properties: _property_pb2.PropertyMap
    external_id: str
    readme: str
    metadata: _struct_pb2.Struct
    digest: str
    size_bytes: int
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., is_default: _Optional[bool] = ..., state: _Optional[str] = ..., status: _Optional[str] = ..., artifact_type: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., uri: _Optional[str] = ..., labels: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., access_key: _Optional[str] = ..., secret_key: _Optional[str] = ..., model_catalog_name: _Optional[str] = ..., prebuilt_container_id: _Optional[str] = ..., properties: _Optional[_Union[_property_pb2.PropertyMap, _Mapping]] = ..., external_id: _Optional[str] = ..., readme: _Optional[str] = ..., metadata: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ListModelVersionsRequest(_message.Message):
    __slots__ = ("registered_model_id", "state", "status", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token", "view")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
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
    VIEW_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
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
    view: ModelVersionView
    def __init__(self, registered_model_id: _Optional[str] = ..., state: _Optional[str] = ..., status: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[ModelVersionView, str]] = ...) -> None: ...

class ListModelVersionsResponse(_message.Message):
    __slots__ = ("model_versions", "total_size", "next_offset", "next_page_token")
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_versions: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, model_versions: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListProjectModelVersionsRequest(_message.Message):
    __slots__ = ("state", "status", "filter", "order_by", "sort_by", "order", "limit", "offset", "page_size", "page_token", "view")
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
    VIEW_FIELD_NUMBER: _ClassVar[int]
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
    view: ModelVersionView
    def __init__(self, state: _Optional[str] = ..., status: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., sort_by: _Optional[str] = ..., order: _Optional[str] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[ModelVersionView, str]] = ...) -> None: ...

class ListProjectModelVersionsResponse(_message.Message):
    __slots__ = ("model_versions", "total_size", "next_offset", "next_page_token")
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_versions: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    total_size: int
    next_offset: int
    next_page_token: str
    def __init__(self, model_versions: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_offset: _Optional[int] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetModelVersionRequest(_message.Message):
    __slots__ = ("id", "registered_model_id", "version", "view")
    ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    id: str
    registered_model_id: str
    version: str
    view: ModelVersionView
    def __init__(self, id: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., version: _Optional[str] = ..., view: _Optional[_Union[ModelVersionView, str]] = ...) -> None: ...

class GetModelVersionResponse(_message.Message):
    __slots__ = ("model_version",)
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ...) -> None: ...

class BatchGetModelVersionsRequest(_message.Message):
    __slots__ = ("ids", "view")
    IDS_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    view: ModelVersionView
    def __init__(self, ids: _Optional[_Iterable[str]] = ..., view: _Optional[_Union[ModelVersionView, str]] = ...) -> None: ...

class BatchGetModelVersionsResponse(_message.Message):
    __slots__ = ("model_versions",)
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    model_versions: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    def __init__(self, model_versions: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ...) -> None: ...

class FindModelVersionRequest(_message.Message):
    __slots__ = ("name", "external_id", "parent_resource_id", "registered_model_id", "view")
    NAME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_RESOURCE_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    name: str
    external_id: str
    parent_resource_id: str
    registered_model_id: str
    view: ModelVersionView
    def __init__(self, name: _Optional[str] = ..., external_id: _Optional[str] = ..., parent_resource_id: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., view: _Optional[_Union[ModelVersionView, str]] = ...) -> None: ...

class FindModelVersionResponse(_message.Message):
    __slots__ = ("model_version",)
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ...) -> None: ...

class CreateModelVersionRequest(_message.Message):
    __slots__ = ("registered_model_id", "model_version", "request_id")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    model_version: NewModelVersion
    request_id: str
    def __init__(self, registered_model_id: _Optional[str] = ..., model_version: _Optional[_Union[NewModelVersion, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateModelVersionResponse(_message.Message):
    __slots__ = ("model_version",)
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ...) -> None: ...

class UpdateModelVersionRequest(_message.Message):
    __slots__ = ("id", "registered_model_id", "model_version", "etag", "request_id", "update_mask")
    ID_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    id: str
    registered_model_id: str
    model_version: ModelVersionPatch
    etag: str
    request_id: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, id: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., model_version: _Optional[_Union[ModelVersionPatch, _Mapping]] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateModelVersionResponse(_message.Message):
    __slots__ = ("model_version",)
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ...) -> None: ...

class DeletedModelVersion(_message.Message):
    __slots__ = ("model_version", "deleted_at", "deleted_by", "expires_at")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DELETED_AT_FIELD_NUMBER: _ClassVar[int]
    DELETED_BY_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    deleted_at: _timestamp_pb2.Timestamp
    deleted_by: str
    expires_at: _timestamp_pb2.Timestamp
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ..., deleted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deleted_by: _Optional[str] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeleteModelVersionRequest(_message.Message):
    __slots__ = ("id", "force", "allow_missing", "etag", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_MISSING_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    force: bool
    allow_missing: bool
    etag: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., force: _Optional[bool] = ..., allow_missing: _Optional[bool] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeleteModelVersionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class UndeleteModelVersionRequest(_message.Message):
    __slots__ = ("id", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    request_id: str
    def __init__(self, id: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UndeleteModelVersionResponse(_message.Message):
    __slots__ = ("model_version",)
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ...) -> None: ...

class ListDeletedModelVersionsRequest(_message.Message):
    __slots__ = ("registered_model_id", "filter", "order_by", "page_size", "page_token", "view")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    filter: str
    order_by: str
    page_size: int
    page_token: str
    view: ModelVersionView
    def __init__(self, registered_model_id: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., view: _Optional[_Union[ModelVersionView, str]] = ...) -> None: ...

class ListDeletedModelVersionsResponse(_message.Message):
    __slots__ = ("deleted_model_versions", "next_page_token")
    DELETED_MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deleted_model_versions: _containers.RepeatedCompositeFieldContainer[DeletedModelVersion]
    next_page_token: str
    def __init__(self, deleted_model_versions: _Optional[_Iterable[_Union[DeletedModelVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AttachModelArtifactRequest(_message.Message):
    __slots__ = ("id", "files", "request_id", "etag")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    id: str
    files: ModelFiles
    request_id: str
    etag: str
    def __init__(self, id: _Optional[str] = ..., files: _Optional[_Union[ModelFiles, _Mapping]] = ..., request_id: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ModelFiles(_message.Message):
    __slots__ = ("uri", "model_framework", "model_framework_version", "container_image", "access_key", "secret_key", "digest", "size_bytes")
    URI_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    ACCESS_KEY_FIELD_NUMBER: _ClassVar[int]
    SECRET_KEY_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    uri: str
    model_framework: str
    model_framework_version: str
    container_image: str
    access_key: str
    secret_key: str
    digest: str
    size_bytes: int
    def __init__(self, uri: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., access_key: _Optional[str] = ..., secret_key: _Optional[str] = ..., digest: _Optional[str] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class AttachModelArtifactResponse(_message.Message):
    __slots__ = ("model_version",)
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version: ModelVersion
    def __init__(self, model_version: _Optional[_Union[ModelVersion, _Mapping]] = ...) -> None: ...
