"""Structural schemas: which fields a kind has, and how server-side apply merges its lists.

The kinds of KServe are described as far as a registry writes or reads them; the CRDs that tests install on a real
kube-apiserver are made from the same description, so that both agree.
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


def set_of(items: Schema) -> Schema:
    return {"type": "array", "items": items, "x-kubernetes-list-type": "set"}


def keyed_list(items: Schema, key: str) -> Schema:
    """A list whose items are told apart, and merged, by the given field; other lists are replaced as a whole."""
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}
    return {"type": "array", "items": {**items, "required": [key]}, **keys}


def any_of_these(names: str) -> dict[str, Schema]:
    """Fields that are known by name, with whatever is in them."""
    return dict.fromkeys(names.split(), ANY)


METADATA = open_struct(
    labels=map_of(STRING),
    annotations=map_of(STRING),
    finalizers=set_of(STRING),
    ownerReferences=keyed_list(open_struct(uid=STRING), "uid"),
)
_OBJECT = {"apiVersion": STRING, "kind": STRING, "metadata": METADATA}
OPEN = open_struct(**_OBJECT)
SECRET = open_struct(**_OBJECT, type=STRING, data=map_of(STRING), stringData=map_of(STRING))
SERVING_RUNTIME = struct(**_OBJECT, spec=open_struct(), status=open_struct())

# The pattern in the CRDs of KServe.
_QUANTITY: Schema = {
    "x-kubernetes-int-or-string": True,
    "pattern": r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$",
}
_RESOURCES = struct(limits=map_of(_QUANTITY), requests=map_of(_QUANTITY), claims=ANY)
_CONTAINER: dict[str, Schema] = {
    **any_of_these(
        "command args envFrom ports volumeMounts securityContext livenessProbe readinessProbe startupProbe lifecycle"
    ),
    "name": STRING,
    "image": STRING,
    "imagePullPolicy": STRING,
    "workingDir": STRING,
    "terminationMessagePath": STRING,
    "terminationMessagePolicy": STRING,
    "env": keyed_list(struct(name=STRING, value=STRING, valueFrom=open_struct()), "name"),
    "resources": _RESOURCES,
}
_PREDICTOR = struct(
    **any_of_these(
        "scaleMetricType autoScaling containerConcurrency canaryTrafficPercent deploymentStrategy logger batcher "
        "workerSpec storageUris storageContainerName automountServiceAccountToken tolerations affinity "
        "priorityClassName securityContext terminationGracePeriodSeconds"
    ),
    model=struct(
        "modelFormat",
        **_CONTAINER,
        modelFormat=struct("name", name=STRING, version=STRING),
        runtime=STRING,
        runtimeVersion=STRING,
        protocolVersion=STRING,
        storageUri=STRING,
        storage=struct(key=STRING, path=STRING, schemaPath=STRING, parameters=map_of(STRING)),
    ),
    labels=map_of(STRING),
    annotations=map_of(STRING),
    minReplicas=INTEGER,
    maxReplicas=INTEGER,
    scaleTarget=INTEGER,
    scaleMetric={"type": "string", "enum": ["cpu", "memory", "concurrency", "rps"]},
    timeout=INTEGER,
    serviceAccountName=STRING,
    nodeSelector=map_of(STRING),
    imagePullSecrets=keyed_list(struct(name=STRING), "name"),
    volumes=keyed_list(open_struct(name=STRING), "name"),
    containers=keyed_list(struct(**_CONTAINER), "name"),
    initContainers=keyed_list(struct(**_CONTAINER), "name"),
)
_POD_SPEC = open_struct(
    "containers", containers={"type": "array", "items": open_struct("name", name=STRING, resources=_RESOURCES)}
)
POD = open_struct(**_OBJECT, spec=_POD_SPEC)
DEPLOYMENT = open_struct(
    **_OBJECT,
    spec=open_struct(
        *("selector", "template"),
        replicas=INTEGER,
        selector=open_struct(),
        template=open_struct("spec", metadata=METADATA, spec=_POD_SPEC),
    ),
)
INFERENCE_SERVICE = struct(
    **_OBJECT,
    spec=struct("predictor", predictor=_PREDICTOR, canary=ANY, transformer=ANY, explainer=ANY),
    status=open_struct(),
)
