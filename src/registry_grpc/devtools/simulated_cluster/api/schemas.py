"""Structural schemas: which fields a kind has, and how server-side apply merges its lists.

The schemas of KServe's kinds have the fields that the registry writes or reads. Tests make the CRDs for a real
kube-apiserver from the same schemas, so that both agree.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

ANY: Schema = {"x-kubernetes-preserve-unknown-fields": True}
STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer", "format": "int32"}


def struct(*required: str, **properties: Schema) -> Schema:
    """An object with known fields only."""
    schema: Schema = {"type": "object", "properties": properties}
    return {**schema, "required": list(required)} if required else schema


def open_struct(*required: str, **properties: Schema) -> Schema:
    """An object that keeps fields beyond the known ones."""
    return {**struct(*required, **properties), **ANY}


def map_of(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def keyed_list(items: Schema, key: str) -> Schema:
    """A list whose items are identified by this field and merged. Other lists are replaced as a whole."""
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return {"type": "array", "items": {**items, "required": [key]}, **keys}


def _anything(names: str) -> dict[str, Schema]:
    """Fields of any type."""
    return dict.fromkeys(names.split(), ANY)


METADATA = open_struct(
    labels=map_of(STRING),
    annotations=map_of(STRING),
    finalizers={"type": "array", "items": STRING, "x-kubernetes-list-type": "set"},
    ownerReferences=keyed_list(open_struct(uid=STRING), "uid"),
)
_OBJECT = {"apiVersion": STRING, "kind": STRING, "metadata": METADATA}
OPEN = open_struct(**_OBJECT)
SECRET = open_struct(**_OBJECT, type=STRING, data=map_of(STRING), stringData=map_of(STRING))
HTTP_ROUTE = struct(**_OBJECT, spec=open_struct(), status=open_struct())
SERVING_RUNTIME = struct(**_OBJECT, spec=open_struct(), status=open_struct())

# This pattern is from the CRDs of KServe.
_QUANTITY: Schema = {
    "x-kubernetes-int-or-string": True,
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
}
_RESOURCES = struct(limits=map_of(_QUANTITY), requests=map_of(_QUANTITY), claims=ANY)
_MODEL = struct(
    "modelFormat",
    modelFormat=struct("name", name=STRING, version=STRING),
    storageUri=STRING,
    env=keyed_list(struct(name=STRING, value=STRING, valueFrom=open_struct()), "name"),
    resources=_RESOURCES,
    **dict.fromkeys(
        ["name", "runtime", "runtimeVersion", "protocolVersion", "image", "terminationMessagePolicy"], STRING
    ),
    **_anything("storage command args ports volumeMounts securityContext imagePullPolicy envFrom"),
    **_anything("livenessProbe readinessProbe startupProbe"),
)
# This object is closed, because below an object that keeps unknown fields, a kube-apiserver keeps all fields.
_PREDICTOR = struct(
    name=STRING,
    model=_MODEL,
    labels=map_of(STRING),
    annotations=map_of(STRING),
    minReplicas=INTEGER,
    maxReplicas=INTEGER,
    scaleTarget=INTEGER,
    scaleMetric={"type": "string", "enum": ["cpu", "memory", "concurrency", "rps"]},
    timeout=INTEGER,
    serviceAccountName=STRING,
    priorityClassName=STRING,
    storageUris={"type": "array", "items": struct("uri", uri=STRING, mountPath=STRING)},
    nodeSelector=map_of(STRING),
    **_anything(
        "tolerations affinity imagePullSecrets volumes containers initContainers securityContext logger batcher"
    ),
    **_anything("autoScaling scaleMetricType containerConcurrency canaryTrafficPercent deploymentStrategy"),
)
_CANARY = struct("predictor", "trafficPercent", predictor=_PREDICTOR, trafficPercent=INTEGER)
INFERENCE_SERVICE = struct(
    **_OBJECT,
    spec=struct(
        "predictor",
        predictor=_PREDICTOR,
        canary={"type": "array", "items": _CANARY},
        transformer=ANY,
        explainer=ANY,
    ),
    status=open_struct(),
)
_POD_SPEC = open_struct(
    "containers", containers={"type": "array", "items": open_struct("name", name=STRING, resources=_RESOURCES)}
)
POD = open_struct(**_OBJECT, spec=_POD_SPEC)
_TEMPLATE = open_struct("spec", metadata=METADATA, spec=_POD_SPEC)
DEPLOYMENT = open_struct(**_OBJECT, spec=open_struct("template", replicas=INTEGER, template=_TEMPLATE))
