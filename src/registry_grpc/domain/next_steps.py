"""What a person can do about where a deployment stands."""

from __future__ import annotations

from collections.abc import Mapping

from registry_grpc.domain.deployment import Phase

_NEXT_STEPS: Mapping[str, str] = {
    "REJECTED": "Read the message of the API server, correct the deployment's options or the version, and update it.",
    "FORBIDDEN": "Allow what the message names: a right of the registry (`registry-grpc doctor` prints the RBAC), or "
    "pods that the namespace's limits, pod security or service accounts forbid.",
    "QUOTA": "Free quota in the namespace, ask for more, or lower `options.resources`.",
    "KSERVE_NOT_INSTALLED": "Install KServe in the cluster; the registry goes on by itself then.",
    "NAMESPACE_NOT_FOUND": "Create the namespace, or correct the environment's `external_id`.",
    "NAME_TAKEN": "Deploy under another name, or remove the object that has it.",
    "NAME_BEING_RELEASED": "Wait until the old object is gone; the registry goes on by itself then.",
    "NEWER_RELEASE": "Run the newer release of the registry, or undeploy it and deploy it anew without what is named.",
    "NAME_INVALID": "Deploy under a name of lower-case letters, digits and dashes that begins with a letter.",
    "NAME_TOO_LONG": "Deploy under a shorter name.",
    "NAMESPACE_INVALID": "Set the environment's `external_id` to the name of a Kubernetes namespace.",
    "INVALID_LABEL": "Use label keys and values that Kubernetes takes.",
    "URI_SCHEME_UNSUPPORTED": "Put the model where KServe can fetch it and correct the version's uri.",
    "FIELD_CONFLICT": "Take the change back, or set the environment's drift policy to `enforce`.",
    "API_UNAVAILABLE": "Nothing to do but to see to the Kubernetes API; the registry goes on by itself.",
    "DELETED_EXTERNALLY": "Nothing to do: it is made again. Undeploy it if it shall go.",
    "BEING_DELETED": "Nothing to do: it is made again once it is gone. Undeploy it if it shall go.",
    "SPEC_CHANGED": "Take the change back, or set the environment's drift policy to `enforce`.",
    "STOPPED": "Remove the annotation serving.kserve.io/stop from the object to start it again.",
    "CONTROLLER_SILENT": "See whether KServe's controller manager runs and what its log says.",
    "DELETE_STUCK": "See to the finalizers named; they wait for a controller that may be gone.",
    "NO_SUPPORTING_RUNTIME": "Name a runtime in `options.runtime`, or correct the framework and its version.",
    "RUNTIME_NOT_RECOGNIZED": "Name a serving runtime that exists in the namespace or the cluster.",
    "RUNTIME_DISABLED": "Enable the serving runtime, or name another one.",
    "INVALID_SPEC": "Correct the deployment's options and update it.",
    "INVALID_PREDICTOR_SPEC": "Correct the deployment's options and update it.",
    "RECONCILE_FAILED": "Read the message of KServe, correct the deployment and update it.",
    "STORAGE_URI_UNSUPPORTED": "Put the model where KServe can fetch it, and correct the version's uri.",
    "MODE_UNSUPPORTED": "Install Knative Serving, or undeploy it and deploy it in mode `Standard`.",
    "KSERVE_ERROR": "Read the message of KServe, correct the deployment and update it.",
    "ADMISSION": "See which policy of the cluster denies the pods and meet it.",
    "SECRET_MISSING": "Create the Secret named, or give the version's keys.",
    "FAILED_CREATE": "Read why the pods cannot be created.",
    "CREDENTIALS_UNREADABLE": "Configure the encryption key the message names, or give the version its keys again.",
    "MODEL_DOWNLOAD": "Check the version's uri and its keys; the download is tried again and again.",
    "MODEL_LOAD": "Check that the runtime can load this model; its message is the end of the server's log.",
    "OUT_OF_MEMORY": "Raise the memory in `options.resources`.",
    "IMAGE_PULL": "Check the image of the serving runtime and the pull secrets.",
    "CONTAINER_CONFIG": "Check the ConfigMaps and Secrets that the serving runtime names.",
    "UNSCHEDULABLE": "Lower `options.resources`, or add nodes that have what is asked for.",
    "DEADLINE": "Look at the message; large models may take longer: raise `options.deadline_seconds`.",
    "NO_REPLICAS": "See who scaled the Deployment of the object to zero, and scale it up again.",
    "ROUTE_PENDING": "Nothing to do yet: the route is being made.",
    "INGRESS": "Check the ingress or gateway that KServe is configured with.",
}


_BY_PHASE: Mapping[Phase, str] = {
    Phase.DEGRADED: "See in the message why its pods are not ready; the status follows by itself when they are.",
    Phase.FAILED: "Read the message of KServe, correct the deployment and update it.",
}
"""For reasons that are KServe's own words."""


def next_step_for(phase: Phase, reason: str) -> str:
    """Empty when there is nothing to do but to wait."""
    return _NEXT_STEPS.get(reason) or _BY_PHASE.get(phase, "")
