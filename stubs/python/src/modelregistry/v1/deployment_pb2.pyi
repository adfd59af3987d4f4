import datetime

from modelregistry._validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from modelregistry.v1 import deployment_reason_pb2 as _deployment_reason_pb2
from modelregistry.v1 import inference_service_pb2 as _inference_service_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DeploymentPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPLOYMENT_PHASE_UNSPECIFIED: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_PENDING: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_DEPLOYING: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_DEPLOYED: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_UPDATING: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_DEGRADED: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_DRIFTED: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_STOPPED: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_DELETING: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_UNDEPLOYED: _ClassVar[DeploymentPhase]
    DEPLOYMENT_PHASE_FAILED: _ClassVar[DeploymentPhase]

class CanaryStep(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANARY_STEP_UNSPECIFIED: _ClassVar[CanaryStep]
    CANARY_STEP_TRY: _ClassVar[CanaryStep]
    CANARY_STEP_PROMOTE: _ClassVar[CanaryStep]
    CANARY_STEP_ABORT: _ClassVar[CanaryStep]

class DeploymentMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEPLOYMENT_MODE_UNSPECIFIED: _ClassVar[DeploymentMode]
    DEPLOYMENT_MODE_STANDARD: _ClassVar[DeploymentMode]
    DEPLOYMENT_MODE_KNATIVE: _ClassVar[DeploymentMode]

class ScaleMetric(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCALE_METRIC_UNSPECIFIED: _ClassVar[ScaleMetric]
    SCALE_METRIC_CPU: _ClassVar[ScaleMetric]
    SCALE_METRIC_MEMORY: _ClassVar[ScaleMetric]
    SCALE_METRIC_CONCURRENCY: _ClassVar[ScaleMetric]
    SCALE_METRIC_RPS: _ClassVar[ScaleMetric]

class ServingProtocol(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVING_PROTOCOL_UNSPECIFIED: _ClassVar[ServingProtocol]
    SERVING_PROTOCOL_V1: _ClassVar[ServingProtocol]
    SERVING_PROTOCOL_V2: _ClassVar[ServingProtocol]
    SERVING_PROTOCOL_GRPC_V1: _ClassVar[ServingProtocol]
    SERVING_PROTOCOL_GRPC_V2: _ClassVar[ServingProtocol]

class TolerationOperator(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOLERATION_OPERATOR_UNSPECIFIED: _ClassVar[TolerationOperator]
    TOLERATION_OPERATOR_EQUAL: _ClassVar[TolerationOperator]
    TOLERATION_OPERATOR_EXISTS: _ClassVar[TolerationOperator]

class TaintEffect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TAINT_EFFECT_UNSPECIFIED: _ClassVar[TaintEffect]
    TAINT_EFFECT_NO_SCHEDULE: _ClassVar[TaintEffect]
    TAINT_EFFECT_PREFER_NO_SCHEDULE: _ClassVar[TaintEffect]
    TAINT_EFFECT_NO_EXECUTE: _ClassVar[TaintEffect]

class RevisionCause(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVISION_CAUSE_UNSPECIFIED: _ClassVar[RevisionCause]
    REVISION_CAUSE_DEPLOY: _ClassVar[RevisionCause]
    REVISION_CAUSE_UPDATE: _ClassVar[RevisionCause]
    REVISION_CAUSE_ROLLBACK: _ClassVar[RevisionCause]
    REVISION_CAUSE_REDEPLOY: _ClassVar[RevisionCause]
    REVISION_CAUSE_UNDEPLOY: _ClassVar[RevisionCause]
    REVISION_CAUSE_RESTORE: _ClassVar[RevisionCause]

class RevisionOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVISION_OUTCOME_UNSPECIFIED: _ClassVar[RevisionOutcome]
    REVISION_OUTCOME_PENDING: _ClassVar[RevisionOutcome]
    REVISION_OUTCOME_SERVED: _ClassVar[RevisionOutcome]
    REVISION_OUTCOME_FAILED: _ClassVar[RevisionOutcome]
    REVISION_OUTCOME_SUPERSEDED: _ClassVar[RevisionOutcome]
    REVISION_OUTCOME_ABORTED: _ClassVar[RevisionOutcome]

class ChainLinkState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHAIN_LINK_STATE_UNSPECIFIED: _ClassVar[ChainLinkState]
    CHAIN_LINK_STATE_OK: _ClassVar[ChainLinkState]
    CHAIN_LINK_STATE_WAITING: _ClassVar[ChainLinkState]
    CHAIN_LINK_STATE_FAILED: _ClassVar[ChainLinkState]
    CHAIN_LINK_STATE_UNKNOWN: _ClassVar[ChainLinkState]

class ChainLinkKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHAIN_LINK_KIND_UNSPECIFIED: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_INTENT: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_INFERENCE_SERVICE: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_DEPLOYMENT: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_KNATIVE_SERVICE: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_REPLICA_SET: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_POD: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_CONTAINER: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_URL: _ClassVar[ChainLinkKind]
    CHAIN_LINK_KIND_NEXT: _ClassVar[ChainLinkKind]
DEPLOYMENT_PHASE_UNSPECIFIED: DeploymentPhase
DEPLOYMENT_PHASE_PENDING: DeploymentPhase
DEPLOYMENT_PHASE_DEPLOYING: DeploymentPhase
DEPLOYMENT_PHASE_DEPLOYED: DeploymentPhase
DEPLOYMENT_PHASE_UPDATING: DeploymentPhase
DEPLOYMENT_PHASE_DEGRADED: DeploymentPhase
DEPLOYMENT_PHASE_DRIFTED: DeploymentPhase
DEPLOYMENT_PHASE_STOPPED: DeploymentPhase
DEPLOYMENT_PHASE_DELETING: DeploymentPhase
DEPLOYMENT_PHASE_UNDEPLOYED: DeploymentPhase
DEPLOYMENT_PHASE_FAILED: DeploymentPhase
CANARY_STEP_UNSPECIFIED: CanaryStep
CANARY_STEP_TRY: CanaryStep
CANARY_STEP_PROMOTE: CanaryStep
CANARY_STEP_ABORT: CanaryStep
DEPLOYMENT_MODE_UNSPECIFIED: DeploymentMode
DEPLOYMENT_MODE_STANDARD: DeploymentMode
DEPLOYMENT_MODE_KNATIVE: DeploymentMode
SCALE_METRIC_UNSPECIFIED: ScaleMetric
SCALE_METRIC_CPU: ScaleMetric
SCALE_METRIC_MEMORY: ScaleMetric
SCALE_METRIC_CONCURRENCY: ScaleMetric
SCALE_METRIC_RPS: ScaleMetric
SERVING_PROTOCOL_UNSPECIFIED: ServingProtocol
SERVING_PROTOCOL_V1: ServingProtocol
SERVING_PROTOCOL_V2: ServingProtocol
SERVING_PROTOCOL_GRPC_V1: ServingProtocol
SERVING_PROTOCOL_GRPC_V2: ServingProtocol
TOLERATION_OPERATOR_UNSPECIFIED: TolerationOperator
TOLERATION_OPERATOR_EQUAL: TolerationOperator
TOLERATION_OPERATOR_EXISTS: TolerationOperator
TAINT_EFFECT_UNSPECIFIED: TaintEffect
TAINT_EFFECT_NO_SCHEDULE: TaintEffect
TAINT_EFFECT_PREFER_NO_SCHEDULE: TaintEffect
TAINT_EFFECT_NO_EXECUTE: TaintEffect
REVISION_CAUSE_UNSPECIFIED: RevisionCause
REVISION_CAUSE_DEPLOY: RevisionCause
REVISION_CAUSE_UPDATE: RevisionCause
REVISION_CAUSE_ROLLBACK: RevisionCause
REVISION_CAUSE_REDEPLOY: RevisionCause
REVISION_CAUSE_UNDEPLOY: RevisionCause
REVISION_CAUSE_RESTORE: RevisionCause
REVISION_OUTCOME_UNSPECIFIED: RevisionOutcome
REVISION_OUTCOME_PENDING: RevisionOutcome
REVISION_OUTCOME_SERVED: RevisionOutcome
REVISION_OUTCOME_FAILED: RevisionOutcome
REVISION_OUTCOME_SUPERSEDED: RevisionOutcome
REVISION_OUTCOME_ABORTED: RevisionOutcome
CHAIN_LINK_STATE_UNSPECIFIED: ChainLinkState
CHAIN_LINK_STATE_OK: ChainLinkState
CHAIN_LINK_STATE_WAITING: ChainLinkState
CHAIN_LINK_STATE_FAILED: ChainLinkState
CHAIN_LINK_STATE_UNKNOWN: ChainLinkState
CHAIN_LINK_KIND_UNSPECIFIED: ChainLinkKind
CHAIN_LINK_KIND_INTENT: ChainLinkKind
CHAIN_LINK_KIND_INFERENCE_SERVICE: ChainLinkKind
CHAIN_LINK_KIND_DEPLOYMENT: ChainLinkKind
CHAIN_LINK_KIND_KNATIVE_SERVICE: ChainLinkKind
CHAIN_LINK_KIND_REPLICA_SET: ChainLinkKind
CHAIN_LINK_KIND_POD: ChainLinkKind
CHAIN_LINK_KIND_CONTAINER: ChainLinkKind
CHAIN_LINK_KIND_URL: ChainLinkKind
CHAIN_LINK_KIND_NEXT: ChainLinkKind

class Deployment(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "name", "namespace", "registered_model_id", "model_version_id", "target_revision", "serving_revision", "phase", "reason", "message", "next_step", "url", "phase_since", "observed_at", "options", "drift", "snapshot", "edited_version_fields", "unknown_reason", "unknown_phase", "canary")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REVISION_FIELD_NUMBER: _ClassVar[int]
    SERVING_REVISION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    PHASE_SINCE_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_AT_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DRIFT_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    EDITED_VERSION_FIELDS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_REASON_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_PHASE_FIELD_NUMBER: _ClassVar[int]
    CANARY_FIELD_NUMBER: _ClassVar[int]
    id: str
    created_at: _timestamp_pb2.Timestamp
    updated_at: _timestamp_pb2.Timestamp
    name: str
    namespace: str
    registered_model_id: str
    model_version_id: str
    target_revision: int
    serving_revision: int
    phase: DeploymentPhase
    reason: _deployment_reason_pb2.DeploymentReason
    message: str
    next_step: str
    url: str
    phase_since: _timestamp_pb2.Timestamp
    observed_at: _timestamp_pb2.Timestamp
    options: DeploymentOptions
    drift: _containers.RepeatedCompositeFieldContainer[FieldDifference]
    snapshot: DeploymentSnapshot
    edited_version_fields: _containers.RepeatedScalarFieldContainer[str]
    unknown_reason: str
    unknown_phase: str
    canary: Canary
    def __init__(self, id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., updated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., name: _Optional[str] = ..., namespace: _Optional[str] = ..., registered_model_id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., target_revision: _Optional[int] = ..., serving_revision: _Optional[int] = ..., phase: _Optional[_Union[DeploymentPhase, str]] = ..., reason: _Optional[_Union[_deployment_reason_pb2.DeploymentReason, str]] = ..., message: _Optional[str] = ..., next_step: _Optional[str] = ..., url: _Optional[str] = ..., phase_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., observed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., options: _Optional[_Union[DeploymentOptions, _Mapping]] = ..., drift: _Optional[_Iterable[_Union[FieldDifference, _Mapping]]] = ..., snapshot: _Optional[_Union[DeploymentSnapshot, _Mapping]] = ..., edited_version_fields: _Optional[_Iterable[str]] = ..., unknown_reason: _Optional[str] = ..., unknown_phase: _Optional[str] = ..., canary: _Optional[_Union[Canary, _Mapping]] = ...) -> None: ...

class Canary(_message.Message):
    __slots__ = ("stable_revision", "stable_version_id", "step", "percent", "share", "actual_share", "target_replicas", "stable_replicas", "unknown_step")
    STABLE_REVISION_FIELD_NUMBER: _ClassVar[int]
    STABLE_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    ACTUAL_SHARE_FIELD_NUMBER: _ClassVar[int]
    TARGET_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    STABLE_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_STEP_FIELD_NUMBER: _ClassVar[int]
    stable_revision: int
    stable_version_id: str
    step: CanaryStep
    percent: int
    share: int
    actual_share: int
    target_replicas: Replicas
    stable_replicas: Replicas
    unknown_step: str
    def __init__(self, stable_revision: _Optional[int] = ..., stable_version_id: _Optional[str] = ..., step: _Optional[_Union[CanaryStep, str]] = ..., percent: _Optional[int] = ..., share: _Optional[int] = ..., actual_share: _Optional[int] = ..., target_replicas: _Optional[_Union[Replicas, _Mapping]] = ..., stable_replicas: _Optional[_Union[Replicas, _Mapping]] = ..., unknown_step: _Optional[str] = ...) -> None: ...

class Replicas(_message.Message):
    __slots__ = ("wanted", "available")
    WANTED_FIELD_NUMBER: _ClassVar[int]
    AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    wanted: int
    available: int
    def __init__(self, wanted: _Optional[int] = ..., available: _Optional[int] = ...) -> None: ...

class DeploymentSnapshot(_message.Message):
    __slots__ = ("model_version_ids", "uri", "model_framework", "model_framework_version", "container_image", "runtime", "labels", "versions", "needs_keys", "requested_version")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    MODEL_VERSION_IDS_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEEDS_KEYS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_VERSION_FIELD_NUMBER: _ClassVar[int]
    model_version_ids: _containers.RepeatedScalarFieldContainer[str]
    uri: str
    model_framework: str
    model_framework_version: str
    container_image: str
    runtime: str
    labels: _containers.ScalarMap[str, str]
    versions: _containers.RepeatedCompositeFieldContainer[ServedVersion]
    needs_keys: bool
    requested_version: str
    def __init__(self, model_version_ids: _Optional[_Iterable[str]] = ..., uri: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ..., runtime: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., versions: _Optional[_Iterable[_Union[ServedVersion, _Mapping]]] = ..., needs_keys: _Optional[bool] = ..., requested_version: _Optional[str] = ...) -> None: ...

class ServedVersion(_message.Message):
    __slots__ = ("model_version_id", "uri", "model_framework", "model_framework_version", "container_image")
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    URI_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_FIELD_NUMBER: _ClassVar[int]
    MODEL_FRAMEWORK_VERSION_FIELD_NUMBER: _ClassVar[int]
    CONTAINER_IMAGE_FIELD_NUMBER: _ClassVar[int]
    model_version_id: str
    uri: str
    model_framework: str
    model_framework_version: str
    container_image: str
    def __init__(self, model_version_id: _Optional[str] = ..., uri: _Optional[str] = ..., model_framework: _Optional[str] = ..., model_framework_version: _Optional[str] = ..., container_image: _Optional[str] = ...) -> None: ...

class DeploymentOptions(_message.Message):
    __slots__ = ("runtime", "service_account", "deployment_mode", "min_replicas", "max_replicas", "scale_metric", "scale_target", "resources", "env", "timeout", "deadline", "storage", "protocol_version", "args", "node_selector", "tolerations", "priority_class_name", "shared_memory", "image_pull_secrets", "storage_uris", "probes")
    class EnvEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class NodeSelectorEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    SERVICE_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_MODE_FIELD_NUMBER: _ClassVar[int]
    MIN_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    MAX_REPLICAS_FIELD_NUMBER: _ClassVar[int]
    SCALE_METRIC_FIELD_NUMBER: _ClassVar[int]
    SCALE_TARGET_FIELD_NUMBER: _ClassVar[int]
    RESOURCES_FIELD_NUMBER: _ClassVar[int]
    ENV_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    STORAGE_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ARGS_FIELD_NUMBER: _ClassVar[int]
    NODE_SELECTOR_FIELD_NUMBER: _ClassVar[int]
    TOLERATIONS_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_CLASS_NAME_FIELD_NUMBER: _ClassVar[int]
    SHARED_MEMORY_FIELD_NUMBER: _ClassVar[int]
    IMAGE_PULL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_URIS_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    runtime: str
    service_account: str
    deployment_mode: DeploymentMode
    min_replicas: int
    max_replicas: int
    scale_metric: ScaleMetric
    scale_target: int
    resources: ResourceRequirements
    env: _containers.ScalarMap[str, str]
    timeout: _duration_pb2.Duration
    deadline: _duration_pb2.Duration
    storage: StorageOptions
    protocol_version: ServingProtocol
    args: _containers.RepeatedScalarFieldContainer[str]
    node_selector: _containers.ScalarMap[str, str]
    tolerations: _containers.RepeatedCompositeFieldContainer[Toleration]
    priority_class_name: str
    shared_memory: str
    image_pull_secrets: _containers.RepeatedScalarFieldContainer[str]
    storage_uris: _containers.RepeatedCompositeFieldContainer[StorageUri]
    probes: ProbeOptions
    def __init__(self, runtime: _Optional[str] = ..., service_account: _Optional[str] = ..., deployment_mode: _Optional[_Union[DeploymentMode, str]] = ..., min_replicas: _Optional[int] = ..., max_replicas: _Optional[int] = ..., scale_metric: _Optional[_Union[ScaleMetric, str]] = ..., scale_target: _Optional[int] = ..., resources: _Optional[_Union[ResourceRequirements, _Mapping]] = ..., env: _Optional[_Mapping[str, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., deadline: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., storage: _Optional[_Union[StorageOptions, _Mapping]] = ..., protocol_version: _Optional[_Union[ServingProtocol, str]] = ..., args: _Optional[_Iterable[str]] = ..., node_selector: _Optional[_Mapping[str, str]] = ..., tolerations: _Optional[_Iterable[_Union[Toleration, _Mapping]]] = ..., priority_class_name: _Optional[str] = ..., shared_memory: _Optional[str] = ..., image_pull_secrets: _Optional[_Iterable[str]] = ..., storage_uris: _Optional[_Iterable[_Union[StorageUri, _Mapping]]] = ..., probes: _Optional[_Union[ProbeOptions, _Mapping]] = ...) -> None: ...

class ResourceRequirements(_message.Message):
    __slots__ = ("requests", "limits")
    class RequestsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.ScalarMap[str, str]
    limits: _containers.ScalarMap[str, str]
    def __init__(self, requests: _Optional[_Mapping[str, str]] = ..., limits: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Toleration(_message.Message):
    __slots__ = ("key", "operator", "value", "effect", "toleration_period")
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    TOLERATION_PERIOD_FIELD_NUMBER: _ClassVar[int]
    key: str
    operator: TolerationOperator
    value: str
    effect: TaintEffect
    toleration_period: _duration_pb2.Duration
    def __init__(self, key: _Optional[str] = ..., operator: _Optional[_Union[TolerationOperator, str]] = ..., value: _Optional[str] = ..., effect: _Optional[_Union[TaintEffect, str]] = ..., toleration_period: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ProbeOptions(_message.Message):
    __slots__ = ("startup", "timeout")
    STARTUP_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    startup: _duration_pb2.Duration
    timeout: _duration_pb2.Duration
    def __init__(self, startup: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class StorageUri(_message.Message):
    __slots__ = ("uri", "mount_path")
    URI_FIELD_NUMBER: _ClassVar[int]
    MOUNT_PATH_FIELD_NUMBER: _ClassVar[int]
    uri: str
    mount_path: str
    def __init__(self, uri: _Optional[str] = ..., mount_path: _Optional[str] = ...) -> None: ...

class StorageOptions(_message.Message):
    __slots__ = ("endpoint", "region", "anonymous", "ca_bundle", "verify_ssl")
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    ANONYMOUS_FIELD_NUMBER: _ClassVar[int]
    CA_BUNDLE_FIELD_NUMBER: _ClassVar[int]
    VERIFY_SSL_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    region: str
    anonymous: bool
    ca_bundle: str
    verify_ssl: bool
    def __init__(self, endpoint: _Optional[str] = ..., region: _Optional[str] = ..., anonymous: _Optional[bool] = ..., ca_bundle: _Optional[str] = ..., verify_ssl: _Optional[bool] = ...) -> None: ...

class NewDeployment(_message.Message):
    __slots__ = ("registered_model_id", "serving_environment_id", "model_version_id", "model_version_ids", "name", "labels", "options", "version")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    SERVING_ENVIRONMENT_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_IDS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    serving_environment_id: str
    model_version_id: str
    model_version_ids: _containers.RepeatedScalarFieldContainer[str]
    name: str
    labels: _containers.ScalarMap[str, str]
    options: DeploymentOptions
    version: str
    def __init__(self, registered_model_id: _Optional[str] = ..., serving_environment_id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., model_version_ids: _Optional[_Iterable[str]] = ..., name: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., options: _Optional[_Union[DeploymentOptions, _Mapping]] = ..., version: _Optional[str] = ...) -> None: ...

class DeploymentRevision(_message.Message):
    __slots__ = ("revision", "created_at", "created_by", "cause", "model_version_id", "options", "outcome", "reason", "served_from", "served_until", "snapshot", "unknown_reason", "unknown_cause", "unknown_outcome")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    CREATED_BY_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SERVED_FROM_FIELD_NUMBER: _ClassVar[int]
    SERVED_UNTIL_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_REASON_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_CAUSE_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    revision: int
    created_at: _timestamp_pb2.Timestamp
    created_by: str
    cause: RevisionCause
    model_version_id: str
    options: DeploymentOptions
    outcome: RevisionOutcome
    reason: _deployment_reason_pb2.DeploymentReason
    served_from: _timestamp_pb2.Timestamp
    served_until: _timestamp_pb2.Timestamp
    snapshot: DeploymentSnapshot
    unknown_reason: str
    unknown_cause: str
    unknown_outcome: str
    def __init__(self, revision: _Optional[int] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_by: _Optional[str] = ..., cause: _Optional[_Union[RevisionCause, str]] = ..., model_version_id: _Optional[str] = ..., options: _Optional[_Union[DeploymentOptions, _Mapping]] = ..., outcome: _Optional[_Union[RevisionOutcome, str]] = ..., reason: _Optional[_Union[_deployment_reason_pb2.DeploymentReason, str]] = ..., served_from: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., served_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., snapshot: _Optional[_Union[DeploymentSnapshot, _Mapping]] = ..., unknown_reason: _Optional[str] = ..., unknown_cause: _Optional[str] = ..., unknown_outcome: _Optional[str] = ...) -> None: ...

class DeploymentEvent(_message.Message):
    __slots__ = ("sequence", "occurred_at", "deployment_id", "target_revision", "serving_revision", "phase", "reason", "message", "next_step", "unknown_reason", "unknown_phase", "resume_token")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TARGET_REVISION_FIELD_NUMBER: _ClassVar[int]
    SERVING_REVISION_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_REASON_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_PHASE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    occurred_at: _timestamp_pb2.Timestamp
    deployment_id: str
    target_revision: int
    serving_revision: int
    phase: DeploymentPhase
    reason: _deployment_reason_pb2.DeploymentReason
    message: str
    next_step: str
    unknown_reason: str
    unknown_phase: str
    resume_token: str
    def __init__(self, sequence: _Optional[int] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deployment_id: _Optional[str] = ..., target_revision: _Optional[int] = ..., serving_revision: _Optional[int] = ..., phase: _Optional[_Union[DeploymentPhase, str]] = ..., reason: _Optional[_Union[_deployment_reason_pb2.DeploymentReason, str]] = ..., message: _Optional[str] = ..., next_step: _Optional[str] = ..., unknown_reason: _Optional[str] = ..., unknown_phase: _Optional[str] = ..., resume_token: _Optional[str] = ...) -> None: ...

class FieldDifference(_message.Message):
    __slots__ = ("path", "applied", "found")
    PATH_FIELD_NUMBER: _ClassVar[int]
    APPLIED_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    path: str
    applied: str
    found: str
    def __init__(self, path: _Optional[str] = ..., applied: _Optional[str] = ..., found: _Optional[str] = ...) -> None: ...

class ChainSign(_message.Message):
    __slots__ = ("source", "text", "at")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    source: str
    text: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, source: _Optional[str] = ..., text: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ChainLink(_message.Message):
    __slots__ = ("kind", "name", "state", "summary", "since", "signs", "revision", "is_canary")
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    SIGNS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    IS_CANARY_FIELD_NUMBER: _ClassVar[int]
    kind: ChainLinkKind
    name: str
    state: ChainLinkState
    summary: str
    since: _timestamp_pb2.Timestamp
    signs: _containers.RepeatedCompositeFieldContainer[ChainSign]
    revision: int
    is_canary: bool
    def __init__(self, kind: _Optional[_Union[ChainLinkKind, str]] = ..., name: _Optional[str] = ..., state: _Optional[_Union[ChainLinkState, str]] = ..., summary: _Optional[str] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., signs: _Optional[_Iterable[_Union[ChainSign, _Mapping]]] = ..., revision: _Optional[int] = ..., is_canary: _Optional[bool] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("code", "message", "hint", "blocking", "field")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    HINT_FIELD_NUMBER: _ClassVar[int]
    BLOCKING_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    code: _deployment_reason_pb2.DeploymentReason
    message: str
    hint: str
    blocking: bool
    field: str
    def __init__(self, code: _Optional[_Union[_deployment_reason_pb2.DeploymentReason, str]] = ..., message: _Optional[str] = ..., hint: _Optional[str] = ..., blocking: _Optional[bool] = ..., field: _Optional[str] = ...) -> None: ...

class Orphan(_message.Message):
    __slots__ = ("namespace", "name", "uid", "deployment_id", "seen_at")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_ID_FIELD_NUMBER: _ClassVar[int]
    SEEN_AT_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    name: str
    uid: str
    deployment_id: str
    seen_at: _timestamp_pb2.Timestamp
    def __init__(self, namespace: _Optional[str] = ..., name: _Optional[str] = ..., uid: _Optional[str] = ..., deployment_id: _Optional[str] = ..., seen_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DeployModelRequest(_message.Message):
    __slots__ = ("deployment", "validate_only", "request_id")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    deployment: NewDeployment
    validate_only: bool
    request_id: str
    def __init__(self, deployment: _Optional[_Union[NewDeployment, _Mapping]] = ..., validate_only: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class DeployModelResponse(_message.Message):
    __slots__ = ("inference_service", "status", "message", "deployment")
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    inference_service: _inference_service_pb2.InferenceService
    status: str
    message: str
    deployment: Deployment
    def __init__(self, inference_service: _Optional[_Union[_inference_service_pb2.InferenceService, _Mapping]] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class UndeployModelRequest(_message.Message):
    __slots__ = ("id", "expected_revision", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    expected_revision: int
    request_id: str
    def __init__(self, id: _Optional[str] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class UndeployModelResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SyncInferenceServiceRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class SyncInferenceServiceResponse(_message.Message):
    __slots__ = ("inference_service",)
    INFERENCE_SERVICE_FIELD_NUMBER: _ClassVar[int]
    inference_service: _inference_service_pb2.InferenceService
    def __init__(self, inference_service: _Optional[_Union[_inference_service_pb2.InferenceService, _Mapping]] = ...) -> None: ...

class PlanDeploymentRequest(_message.Message):
    __slots__ = ("deployment", "update")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    deployment: NewDeployment
    update: UpdateDeploymentRequest
    def __init__(self, deployment: _Optional[_Union[NewDeployment, _Mapping]] = ..., update: _Optional[_Union[UpdateDeploymentRequest, _Mapping]] = ...) -> None: ...

class PlanDeploymentResponse(_message.Message):
    __slots__ = ("manifest", "differences", "findings")
    MANIFEST_FIELD_NUMBER: _ClassVar[int]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    manifest: str
    differences: _containers.RepeatedCompositeFieldContainer[FieldDifference]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    def __init__(self, manifest: _Optional[str] = ..., differences: _Optional[_Iterable[_Union[FieldDifference, _Mapping]]] = ..., findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ...) -> None: ...

class UpdateDeploymentRequest(_message.Message):
    __slots__ = ("id", "model_version_id", "options", "version", "traffic_percent", "expected_revision", "request_id", "update_mask")
    ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_PERCENT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    id: str
    model_version_id: str
    options: DeploymentOptions
    version: str
    traffic_percent: int
    expected_revision: int
    request_id: str
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, id: _Optional[str] = ..., model_version_id: _Optional[str] = ..., options: _Optional[_Union[DeploymentOptions, _Mapping]] = ..., version: _Optional[str] = ..., traffic_percent: _Optional[int] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class UpdateDeploymentResponse(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: Deployment
    def __init__(self, deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class PromoteDeploymentRequest(_message.Message):
    __slots__ = ("id", "revision", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    request_id: str
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class PromoteDeploymentResponse(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: Deployment
    def __init__(self, deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class AbortDeploymentRequest(_message.Message):
    __slots__ = ("id", "revision", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    request_id: str
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class AbortDeploymentResponse(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: Deployment
    def __init__(self, deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class RollbackDeploymentRequest(_message.Message):
    __slots__ = ("id", "revision", "expected_revision", "request_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    revision: int
    expected_revision: int
    request_id: str
    def __init__(self, id: _Optional[str] = ..., revision: _Optional[int] = ..., expected_revision: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class RollbackDeploymentResponse(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: Deployment
    def __init__(self, deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class GetDeploymentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class GetDeploymentResponse(_message.Message):
    __slots__ = ("deployment",)
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    deployment: Deployment
    def __init__(self, deployment: _Optional[_Union[Deployment, _Mapping]] = ...) -> None: ...

class BatchGetDeploymentsRequest(_message.Message):
    __slots__ = ("ids",)
    IDS_FIELD_NUMBER: _ClassVar[int]
    ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchGetDeploymentsResponse(_message.Message):
    __slots__ = ("deployments",)
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    deployments: _containers.RepeatedCompositeFieldContainer[Deployment]
    def __init__(self, deployments: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ...) -> None: ...

class ExplainDeploymentRequest(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: str
    def __init__(self, id: _Optional[str] = ...) -> None: ...

class ExplainDeploymentResponse(_message.Message):
    __slots__ = ("deployment", "cause", "next_step", "chain")
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    CAUSE_FIELD_NUMBER: _ClassVar[int]
    NEXT_STEP_FIELD_NUMBER: _ClassVar[int]
    CHAIN_FIELD_NUMBER: _ClassVar[int]
    deployment: Deployment
    cause: str
    next_step: str
    chain: _containers.RepeatedCompositeFieldContainer[ChainLink]
    def __init__(self, deployment: _Optional[_Union[Deployment, _Mapping]] = ..., cause: _Optional[str] = ..., next_step: _Optional[str] = ..., chain: _Optional[_Iterable[_Union[ChainLink, _Mapping]]] = ...) -> None: ...

class ListDeploymentsRequest(_message.Message):
    __slots__ = ("registered_model_id", "phase", "filter", "order_by", "page_size", "page_token")
    REGISTERED_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    registered_model_id: str
    phase: DeploymentPhase
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, registered_model_id: _Optional[str] = ..., phase: _Optional[_Union[DeploymentPhase, str]] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeploymentsResponse(_message.Message):
    __slots__ = ("deployments", "next_page_token")
    DEPLOYMENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    deployments: _containers.RepeatedCompositeFieldContainer[Deployment]
    next_page_token: str
    def __init__(self, deployments: _Optional[_Iterable[_Union[Deployment, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ListDeploymentRevisionsRequest(_message.Message):
    __slots__ = ("id", "filter", "order_by", "page_size", "page_token")
    ID_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    filter: str
    order_by: str
    page_size: int
    page_token: str
    def __init__(self, id: _Optional[str] = ..., filter: _Optional[str] = ..., order_by: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListDeploymentRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "next_page_token")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[DeploymentRevision]
    next_page_token: str
    def __init__(self, revisions: _Optional[_Iterable[_Union[DeploymentRevision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetServedRevisionRequest(_message.Message):
    __slots__ = ("id", "at")
    ID_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    id: str
    at: _timestamp_pb2.Timestamp
    def __init__(self, id: _Optional[str] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetServedRevisionResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: DeploymentRevision
    def __init__(self, revision: _Optional[_Union[DeploymentRevision, _Mapping]] = ...) -> None: ...

class WatchDeploymentRequest(_message.Message):
    __slots__ = ("id", "after_sequence", "resume_token")
    ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    id: str
    after_sequence: int
    resume_token: str
    def __init__(self, id: _Optional[str] = ..., after_sequence: _Optional[int] = ..., resume_token: _Optional[str] = ...) -> None: ...

class WatchDeploymentResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: DeploymentEvent
    def __init__(self, event: _Optional[_Union[DeploymentEvent, _Mapping]] = ...) -> None: ...

class ListOrphansRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListOrphansResponse(_message.Message):
    __slots__ = ("orphans",)
    ORPHANS_FIELD_NUMBER: _ClassVar[int]
    orphans: _containers.RepeatedCompositeFieldContainer[Orphan]
    def __init__(self, orphans: _Optional[_Iterable[_Union[Orphan, _Mapping]]] = ...) -> None: ...
