"""Structural schemas: which fields a kind has, and how server-side apply merges its lists.

The kinds of KServe are described as far as a registry writes or reads them; their CRDs are made from the same
description, so that the simulated cluster and a real kube-apiserver agree. Built-in kinds only say what
server-side apply needs: the keys of their lists.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
INT32: Schema = {"type": "integer", "format": "int32"}
BOOLEAN: Schema = {"type": "boolean"}
INT_OR_STRING: Schema = {"x-kubernetes-int-or-string": True}


def struct(required: tuple[str, ...] = (), /, **properties: Schema) -> Schema:
    """An object with known fields only."""
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


def open_struct(**properties: Schema) -> Schema:
    """An object that keeps fields beyond the known ones."""
    return {"type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": True}


def map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def list_of(items: Schema) -> Schema:
    """A list that is replaced as a whole."""
    return {"type": "array", "items": items}


def set_of(items: Schema) -> Schema:
    return {"type": "array", "items": items, "x-kubernetes-list-type": "set"}


def keyed_list(items: Schema, *keys: str) -> Schema:
    """A list whose items are told apart, and merged, by the given fields."""
    item = {**items, "required": sorted({*items.get("required", ()), *keys})}
    return {
        "type": "array",
        "items": item,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": list(keys),
    }


METADATA = open_struct(
    labels=map_of(STRING),
    annotations=map_of(STRING),
    finalizers=set_of(STRING),
    ownerReferences=keyed_list(open_struct(uid=STRING), "uid"),
)

# The pattern in the CRDs of KServe.
_QUANTITY: Schema = {
    **INT_OR_STRING,
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
}
_QUANTITIES: Schema = map_of(_QUANTITY)
_ENV_VAR = struct((), name=STRING, value=STRING, valueFrom=open_struct())
_CONTAINER_FIELDS: dict[str, Schema] = {
    "name": STRING,
    "image": STRING,
    "imagePullPolicy": STRING,
    "command": list_of(STRING),
    "args": list_of(STRING),
    "env": keyed_list(_ENV_VAR, "name"),
    "envFrom": list_of(open_struct()),
    "resources": struct((), limits=_QUANTITIES, requests=_QUANTITIES, claims=list_of(open_struct())),
    "ports": list_of(open_struct()),
    "volumeMounts": list_of(open_struct()),
    "workingDir": STRING,
    "securityContext": open_struct(),
    "livenessProbe": open_struct(),
    "readinessProbe": open_struct(),
    "startupProbe": open_struct(),
    "lifecycle": open_struct(),
    "terminationMessagePath": STRING,
    "terminationMessagePolicy": STRING,
}
_CONTAINER = struct((), **_CONTAINER_FIELDS)
_MODEL = struct(
    ("modelFormat",),
    **_CONTAINER_FIELDS,
    modelFormat=struct(("name",), name=STRING, version=STRING),
    runtime=STRING,
    runtimeVersion=STRING,
    protocolVersion=STRING,
    storageUri=STRING,
    storage=struct((), key=STRING, path=STRING, schemaPath=STRING, parameters=map_of(STRING)),
    confidential=open_struct(),
)
_PREDICTOR = struct(
    (),
    model=_MODEL,
    name=STRING,
    labels=map_of(STRING),
    annotations=map_of(STRING),
    minReplicas=INT32,
    maxReplicas=INT32,
    scaleTarget=INT32,
    scaleMetric={"type": "string", "enum": ["cpu", "memory", "concurrency", "rps"]},
    scaleMetricType=STRING,
    autoScaling=open_struct(),
    containerConcurrency=INTEGER,
    timeout=INTEGER,
    canaryTrafficPercent=INTEGER,
    deploymentStrategy=open_struct(),
    logger=open_struct(),
    batcher=open_struct(),
    workerSpec=open_struct(),
    storageUris=list_of(open_struct()),
    storageContainerName=STRING,
    serviceAccountName=STRING,
    automountServiceAccountToken=BOOLEAN,
    nodeSelector=map_of(STRING),
    tolerations=list_of(open_struct()),
    affinity=open_struct(),
    imagePullSecrets=keyed_list(struct((), name=STRING), "name"),
    priorityClassName=STRING,
    securityContext=open_struct(),
    terminationGracePeriodSeconds=INTEGER,
    volumes=keyed_list(open_struct(name=STRING), "name"),
    containers=keyed_list(_CONTAINER, "name"),
    initContainers=keyed_list(_CONTAINER, "name"),
    # The short forms the defaulter turns into `model`.
    sklearn=open_struct(),
    xgboost=open_struct(),
    lightgbm=open_struct(),
    tensorflow=open_struct(),
    pytorch=open_struct(),
    onnx=open_struct(),
    triton=open_struct(),
    huggingface=open_struct(),
    paddle=open_struct(),
    pmml=open_struct(),
)

INFERENCE_SERVICE = struct(
    (),
    apiVersion=STRING,
    kind=STRING,
    metadata=METADATA,
    spec=struct(
        ("predictor",),
        predictor=_PREDICTOR,
        canary=list_of(struct(("predictor", "trafficPercent"), predictor=_PREDICTOR, trafficPercent=INT32)),
        transformer=open_struct(),
        explainer=open_struct(),
    ),
    status=open_struct(),
)
SERVING_RUNTIME = struct(
    (), apiVersion=STRING, kind=STRING, metadata=METADATA, spec=open_struct(), status=open_struct()
)
OPEN = open_struct(apiVersion=STRING, kind=STRING, metadata=METADATA)
SECRET = open_struct(
    apiVersion=STRING, kind=STRING, metadata=METADATA, type=STRING, data=map_of(STRING), stringData=map_of(STRING)
)
_POD_SPEC = open_struct(
    containers=keyed_list(open_struct(env=keyed_list(open_struct(), "name")), "name"),
    initContainers=keyed_list(open_struct(env=keyed_list(open_struct(), "name")), "name"),
    volumes=keyed_list(open_struct(), "name"),
    imagePullSecrets=keyed_list(open_struct(), "name"),
)
_CONDITIONS = open_struct(conditions=keyed_list(open_struct(), "type"))
POD = open_struct(apiVersion=STRING, kind=STRING, metadata=METADATA, spec=_POD_SPEC, status=_CONDITIONS)
DEPLOYMENT = open_struct(
    apiVersion=STRING,
    kind=STRING,
    metadata=METADATA,
    spec=open_struct(template=open_struct(metadata=METADATA, spec=_POD_SPEC)),
    status=_CONDITIONS,
)
