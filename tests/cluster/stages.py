"""The outcomes of pods under kwok, which simulates the nodes. They are the same as in the simulated cluster.

A stage is a test on the pod and a template of the status that follows.
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from registry_grpc.devtools.simulated_cluster.workloads.pods import LABEL, URI_MARKERS, Outcome

_POD = {"apiGroup": "v1", "kind": "Pod"}
_RUNNING = "{running: {startedAt: {{ Now | Quote }}}}"
_COMPLETED = (
    "{terminated: {exitCode: 0, reason: Completed, startedAt: {{ Now | Quote }}, finishedAt: {{ Now | Quote }}}}"
)
_INITIALIZING = "{waiting: {reason: PodInitializing}}"
_BACK_OFF = "{waiting: {reason: CrashLoopBackOff, message: back-off 10s restarting failed container}}"
_NO_LAST = "{}"
_CRASH_LOG = (
    '{{ if eq .terminationMessagePolicy "FallbackToLogsOnError" }}ValueError - the model file cannot be read{{ end }}'
)

# KServe's own manager passes the storage URI to the first init container, and sets no label.
_BY_URI = (
    '((.spec.initContainers // [])[0].args // [] | join(" ") | '
    + " ".join(f'if contains("{marker}") then "{outcome}" else' for marker, outcome in URI_MARKERS.items())
    + " empty"
    + " end" * len(URI_MARKERS)
    + ")"
)


_OWNER = "(.metadata.ownerReferences // [])[0].kind"
_NEW: list[dict[str, Any]] = [
    {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"},
    {"key": ".status.containerStatuses", "operator": "DoesNotExist"},
]


def _ended(exit_code: int, reason: str, message: str = "") -> str:
    times = "startedAt: {{ Now | Quote }}, finishedAt: {{ Now | Quote }}"
    return f'{{terminated: {{exitCode: {exit_code}, reason: {reason}, message: "{message}", {times}}}}}'


def _containers(field: str, state: str, *, ready: bool, restarts: int = 0, last: str = _NO_LAST) -> str:
    spec = "initContainers" if field == "initContainerStatuses" else "containers"
    return f"""
{field}:
{{{{ range .spec.{spec} }}}}
- name: {{{{ .name | Quote }}}}
  image: {{{{ .image | Quote }}}}
  imageID: ""
  ready: {str(ready).lower()}
  started: {str("running" in state).lower()}
  restartCount: {restarts}
  state: {state}
  lastState: {last}
{{{{ end }}}}"""


def _conditions(*, initialized: bool, ready: bool) -> str:
    met = {"Initialized": initialized, "Ready": ready, "ContainersReady": ready}
    items = [
        f'- {{type: {kind}, status: "{value}", lastTransitionTime: {{{{ Now | Quote }}}}}}'
        for kind, value in met.items()
    ]
    return "conditions:\n" + "\n".join(items)


def _stage(name: str, outcomes: list[Outcome], status: str, *, phase: str, delay: int) -> dict[str, Any]:
    labels = f'(.metadata.labels["{LABEL}"] // {_BY_URI})'
    values = [str(outcome) for outcome in outcomes]
    chosen = {"key": labels, "operator": "In", "values": values}
    if not outcomes:
        chosen = {"key": labels, "operator": "NotIn", "values": [item.value for item in Outcome]}
    selected: list[dict[str, Any]] = [*_NEW, chosen, {"key": _OWNER, "operator": "NotIn", "values": ["Job"]}]
    template = f"{status}\nphase: {phase}\nstartTime: {{{{ Now | Quote }}}}\n"
    return _of(name, _POD, selected, {"statusTemplate": template}, delay={"durationMilliseconds": delay})


def _of(
    name: str, kind: dict[str, str], selected: list[dict[str, Any]], following: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """The stage that objects of the kind reach if all expressions select them."""
    spec = {"resourceRef": kind, "selector": {"matchExpressions": selected}, "next": following, **more}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


def _initialized(main: str) -> str:
    ready = "ready: true" in main
    init = _containers("initContainerStatuses", _COMPLETED, ready=True)
    return _conditions(initialized=True, ready=ready) + init + main


def _main(state: str, *, ready: bool = False, restarts: int = 0, last: str = _NO_LAST) -> str:
    return _containers("containerStatuses", state, ready=ready, restarts=restarts, last=last)


def _node_ready() -> dict[str, Any]:
    """kwok only handles pods of nodes for which it has a stage."""
    ready = '.status.conditions.[] | select( .type == "Ready" ) | .status'
    condition = '{type: Ready, status: "True", reason: KubeletReady, lastTransitionTime: {{ Now | Quote }}}'
    selected = [{"key": ready, "operator": "NotIn", "values": ["True"]}]
    return _of(
        "node-ready", {"apiGroup": "v1", "kind": "Node"}, selected, {"statusTemplate": f"conditions:\n- {condition}\n"}
    )


def _route_accepted() -> dict[str, Any]:
    """Plays the gateway, for which KServe waits before it says that an object is ready."""
    parent = {"controllerName": "example.com/gateway", "parentRef": {"name": "kserve-ingress-gateway"}}
    condition = '{type: Accepted, status: "True", reason: Accepted, lastTransitionTime: {{ Now | Quote }}}'
    route = {"apiGroup": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    selected = [{"key": ".status.parents", "operator": "DoesNotExist"}]
    template = f"parents: [{{{json.dumps(parent)[1:-1]}, conditions: [{condition}]}}]\n"
    return _of("route-accepted", route, selected, {"statusTemplate": template})


def _job_done() -> dict[str, Any]:
    selected = [*_NEW, {"key": _OWNER, "operator": "In", "values": ["Job"]}]
    status = _conditions(initialized=True, ready=False) + _main(_COMPLETED) + "\nphase: Succeeded\n"
    return _of("job-done", _POD, selected, {"statusTemplate": status}, delay={"durationMilliseconds": 300})


def _delete() -> dict[str, Any]:
    selected = [{"key": ".metadata.deletionTimestamp", "operator": "Exists"}]
    return _of("pod-delete", _POD, selected, {"delete": True})


def _failing() -> dict[Outcome, str]:
    download = _ended(1, "Error", "RuntimeError - Failed to fetch model. No model found.")
    init = _containers("initContainerStatuses", _BACK_OFF, ready=False, restarts=1, last=download)
    pull = "{waiting: {reason: ImagePullBackOff, message: Back-off pulling image}}"
    config = '{waiting: {reason: CreateContainerConfigError, message: configmap "model-settings" not found}}'
    crash = _ended(1, "Error", _CRASH_LOG)
    return {
        Outcome.DOWNLOAD_FAILED: _conditions(initialized=False, ready=False) + init + _main(_INITIALIZING),
        Outcome.IMAGE_PULL: _initialized(_main(pull)),
        Outcome.CONFIG_ERROR: _initialized(_main(config)),
        Outcome.CRASH_LOOP: _initialized(_main(_BACK_OFF, restarts=1, last=crash)),
        Outcome.OUT_OF_MEMORY: _initialized(_main(_BACK_OFF, restarts=1, last=_ended(137, "OOMKilled"))),
        Outcome.NEVER_READY: _initialized(_main(_RUNNING)),
    }


def as_yaml() -> str:
    """kwok's configuration."""
    ready = _initialized(_main(_RUNNING, ready=True))
    documents = [
        _node_ready(),
        _route_accepted(),
        _stage("pod-ready", [], ready, phase="Running", delay=300),
        _job_done(),
        _delete(),
    ]
    for outcome, status in _failing().items():
        phase = "Running" if outcome in {Outcome.CRASH_LOOP, Outcome.OUT_OF_MEMORY, Outcome.NEVER_READY} else "Pending"
        documents.append(_stage(f"pod-{outcome}", [outcome], status, phase=phase, delay=300))
    return yaml.safe_dump_all(documents)
