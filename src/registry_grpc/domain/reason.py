"""Why a deployment stands as it does, or would not come up: a closed set of words, each with its next step.

The proto enum DeploymentReason has the meaning of each. `python scripts/reasons.py` puts the two together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class DeploymentReason(StrEnum):
    """The word, as it is stored."""

    next_step: str
    """What a person can do about it; empty when there is nothing to explain."""

    def __new__(cls, word: str, next_step: str = "") -> Self:
        reason = str.__new__(cls, word)
        reason._value_, reason.next_step = word, next_step
        return reason

    @classmethod
    def stored(cls, word: str) -> Self:
        """The reason in a row. A word that only a newer release knows is kept, as a value that is not in the set."""
        try:
            return cls(word)
        except ValueError:
            reason = str.__new__(cls, word)
            reason._name_ = reason._value_ = word
            reason.next_step = "Read the message, and use the newer release of the registry, which knows this reason."
            return reason

    NONE = ""

    # Found by the registry before it sends anything.
    NEWER_RELEASE = "NEWER_RELEASE", "Use the newer release, or undeploy it and deploy it anew without what is named."
    NAME_INVALID = "NAME_INVALID", "Give a `name` of lower-case letters, digits and `-`, for example `my-model`."
    NAME_TOO_LONG = "NAME_TOO_LONG", "Give a shorter `name`, or deploy into a namespace with a shorter name."
    NAMESPACE_INVALID = "NAMESPACE_INVALID", "Set the environment's `external_id` to the name of the namespace."
    INVALID_LABEL = "INVALID_LABEL", "Use at most 63 letters, digits, `-`, `_`, `.`; a letter or digit at both ends."
    CREDENTIALS_UNREADABLE = "CREDENTIALS_UNREADABLE", "Configure that encryption key, or give the keys again."

    # Told by the API server.
    REJECTED = "REJECTED", "Read the message of the API server, correct the options or the version, and update it."
    FORBIDDEN = "FORBIDDEN", "Allow what the message names; `registry-grpc doctor` prints the rights that are needed."
    QUOTA = "QUOTA", "Free quota in the namespace, ask for more, or lower `options.resources`."
    KSERVE_NOT_INSTALLED = "KSERVE_NOT_INSTALLED", "Install KServe; the registry goes on by itself then."
    NAMESPACE_NOT_FOUND = "NAMESPACE_NOT_FOUND", "Create the namespace, or correct the environment's `external_id`."
    NAME_TAKEN = "NAME_TAKEN", "Deploy under another name, or remove the object that has it."
    NAME_BEING_RELEASED = "NAME_BEING_RELEASED", "Wait until it is gone; the registry goes on by itself then."
    FIELD_CONFLICT = "FIELD_CONFLICT", "Take the change back, or set the environment's drift policy to `enforce`."
    OVERTAKEN = "OVERTAKEN", "Wait; the registry tries again. If it lasts, find out who keeps changing the object."
    API_UNAVAILABLE = "API_UNAVAILABLE", "Restore the Kubernetes API; the registry retries automatically."

    # Done by somebody else.
    DELETED_EXTERNALLY = "DELETED_EXTERNALLY", "Nothing needs to be done: it is made again. Undeploy it to remove it."
    BEING_DELETED = "BEING_DELETED", "Wait until it is gone: it is made again then. Undeploy it to remove it."
    SPEC_CHANGED = "SPEC_CHANGED", "Take the change back, or set the environment's drift policy to `enforce`."
    STOPPED = "STOPPED", "Remove the annotation serving.kserve.io/stop from the object to start it again."
    DELETE_STUCK = "DELETE_STUCK", "See to the finalizers that are named; they wait for a controller that may be gone."

    # Told by KServe of the object.
    CONTROLLER_SILENT = "CONTROLLER_SILENT", "See whether KServe's controller manager runs, and what its log says."
    NO_SUPPORTING_RUNTIME = "NO_SUPPORTING_RUNTIME", "Set `options.runtime`, or correct framework and version."
    RUNTIME_NOT_RECOGNIZED = "RUNTIME_NOT_RECOGNIZED", "Name a runtime of the namespace or of the cluster."
    RUNTIME_DISABLED = "RUNTIME_DISABLED", "Name another runtime, or enable this one."
    INVALID_SPEC = "INVALID_SPEC", "Read the message of KServe, correct the deployment's options and update it."
    INVALID_PREDICTOR_SPEC = "INVALID_PREDICTOR_SPEC", "Correct the deployment's options, or use another runtime."
    RECONCILE_FAILED = "RECONCILE_FAILED", "Read the message of KServe, correct the deployment and update it."
    STORAGE_URI_UNSUPPORTED = "STORAGE_URI_UNSUPPORTED", "Store the model where KServe can fetch it."
    MODE_UNSUPPORTED = "MODE_UNSUPPORTED", "Install Knative Serving, or undeploy it and deploy it in mode `Standard`."
    KSERVE_ERROR = "KSERVE_ERROR", "Read the message of KServe, correct the deployment and update it."

    # Seen of the pods. DEGRADED instead of FAILED while other pods of the revision serve.
    ADMISSION = "ADMISSION", "See which policy of the cluster denies the pods, and meet it."
    SECRET_MISSING = "SECRET_MISSING", "Create the Secret that is named, or give the version its keys."
    FAILED_CREATE = "FAILED_CREATE", "Read in the message why the pods cannot be created."
    MODEL_DOWNLOAD = "MODEL_DOWNLOAD", "Check the version's uri and keys; the download is tried again and again."
    MODEL_LOAD = "MODEL_LOAD", "Check that the runtime can load this model; the message is the end of the server's log."
    OUT_OF_MEMORY = "OUT_OF_MEMORY", "Raise the memory in `options.resources`."
    IMAGE_PULL = "IMAGE_PULL", "Check the image of the serving runtime and the pull secrets."
    CONTAINER_CONFIG = "CONTAINER_CONFIG", "Check the ConfigMaps and Secrets that the serving runtime names."
    UNSCHEDULABLE = "UNSCHEDULABLE", "Lower `options.resources`, or add nodes that have what is asked for."
    DEADLINE = "DEADLINE", "Read the message; if the model only needs longer, raise `options.deadline_seconds`."
    ROUTE_PENDING = "ROUTE_PENDING", "Wait until the route is made."
    INGRESS = "INGRESS", "Check the ingress or gateway that KServe is configured with."
    NO_REPLICAS = "NO_REPLICAS", "See who scaled the Deployment of the object to zero, and scale it up again."
    MINIMUM_REPLICAS_UNAVAILABLE = "MINIMUM_REPLICAS_UNAVAILABLE", "Wait, or read in the message what is missing."
    NOT_READY = "NOT_READY", "Read in the message why it is not ready; the status follows by itself when it is."

    # Said only of a deployment that is planned, by PlanDeploy and `validate_only`.
    URI_SCHEME_UNSUPPORTED = "URI_SCHEME_UNSUPPORTED", "Store it elsewhere, or install a ClusterStorageContainer."
    RUNTIME_NOT_FOUND = "RUNTIME_NOT_FOUND", "Name one that is there, or none to let KServe choose by model format."
    RUNTIME_MISMATCH = "RUNTIME_MISMATCH", "Name another runtime, or none to let KServe choose by model format."
    NO_RUNTIME = "NO_RUNTIME", "Install a runtime for the format, or name one in `options.runtime`."
    SERVICE_ACCOUNT_NOT_FOUND = "SERVICE_ACCOUNT_NOT_FOUND", "Create it, or name another one."
    SCALE_METRIC_UNSUPPORTED = "SCALE_METRIC_UNSUPPORTED", "Use `concurrency` or `rps`."
    SCALE_METRIC_UNUSED = "SCALE_METRIC_UNUSED", "Use `cpu`, or `memory` with a percentage as `scale_target`."
    STORAGE_OPTIONS_UNUSED = "STORAGE_OPTIONS_UNUSED", "Give the version its keys, or annotate the service account."
    CREDENTIALS_UNUSED = "CREDENTIALS_UNUSED", "Name a `service_account` that may read the model, or leave keys out."
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING", "Give the version its keys, or name a `service_account` that may read."
    VERSION_EDITED = "VERSION_EDITED", "Check that this is meant; better add a version for every change."
    INFERENCE_SERVICE_NAME_TAKEN = "INFERENCE_SERVICE_NAME_TAKEN", "Give another `name`, or update what has this one."
    MODEL_VERSION_NOT_READY = "MODEL_VERSION_NOT_READY", "Set the version's status to READY, or deploy another one."
    REGISTERED_MODEL_ARCHIVED = "REGISTERED_MODEL_ARCHIVED", "Set the model's state to LIVE."
    MODEL_VERSION_ARCHIVED = "MODEL_VERSION_ARCHIVED", "Set the version's state to LIVE, or deploy another one."

    # Said only of an update, a rollback or a redeployment that is refused.
    OPTION_NOT_ALLOWED = "OPTION_NOT_ALLOWED", "Update the options, or ask the operator to allow what is named."
    DEPLOYMENT_MODE_FIXED = "DEPLOYMENT_MODE_FIXED", "Undeploy it first."
