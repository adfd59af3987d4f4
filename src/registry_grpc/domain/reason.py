"""The reasons of a deployment's phase and the codes of findings: a closed set, each with its next step.

The proto enum DeploymentReason documents each one. `python scripts/reasons.py` combines both.
"""

from __future__ import annotations

from typing import Self

from registry_grpc.domain.stored_word import StoredWord


class DeploymentReason(StoredWord):
    """A reason as it is stored."""

    next_step: str
    """What a person can do about it; empty if there is nothing to do."""

    def __new__(cls, word: str, next_step: str = "") -> Self:
        reason = str.__new__(cls, word)
        reason._value_, reason.next_step = word, next_step
        return reason

    @classmethod
    def stored(cls, word: str) -> Self:
        reason = super().stored(word)
        if not hasattr(reason, "next_step"):  # it is no member
            reason.next_step = "Read the message, and use the newer release of the registry, which knows this reason."
        return reason

    NONE = ""

    # Found by the registry before it sends anything.
    NEWER_RELEASE = "NEWER_RELEASE", "Use the newer release, or undeploy, and deploy again without the named option."
    NAME_INVALID = "NAME_INVALID", "Give a `name` of lower-case letters, digits and `-`, for example `my-model`."
    NAME_TOO_LONG = "NAME_TOO_LONG", "Give a shorter `name`, or deploy into a namespace with a shorter name."
    NAMESPACE_INVALID = "NAMESPACE_INVALID", "Set the environment's `external_id` to the name of the namespace."
    NAMESPACE_NOT_ALLOWED = (
        "NAMESPACE_NOT_ALLOWED",
        "Ask the operator of the project to allow the namespace, or undeploy.",
    )
    INVALID_LABEL = (
        "INVALID_LABEL",
        "Use up to 63 letters, digits, `-`, `_`, `.`; begin and end with a letter or digit.",
    )
    LABEL_RESERVED = "LABEL_RESERVED", "Use a key with another prefix: this label is only kept in the registry."
    RESOURCES_INVALID = (
        "RESOURCES_INVALID",
        "Set `options.resources` so that no request is above its limit, and GPUs have limits in whole numbers.",
    )
    CREDENTIALS_UNREADABLE = "CREDENTIALS_UNREADABLE", "Configure the missing encryption key, or set the keys again."
    CREDENTIALS_NEEDED = (
        "CREDENTIALS_NEEDED",
        "Set the version's keys for its uri again; if it needs none now, remove them, and update with the version.",
    )

    # Reported by the registry about itself.
    QUEUED = "QUEUED", "Wait: a controller continues with this deployment soon."

    # Reported by the API server.
    REJECTED = "REJECTED", "Read the message of the API server, correct the options or the version, and update."
    FORBIDDEN = "FORBIDDEN", "Grant the right in the message; `registry-grpc doctor` prints the rights that are needed."
    QUOTA = "QUOTA", "Free quota in the namespace, ask for more, or lower `options.resources`."
    KSERVE_NOT_INSTALLED = "KSERVE_NOT_INSTALLED", "Install KServe; then the registry continues by itself."
    NAMESPACE_NOT_FOUND = "NAMESPACE_NOT_FOUND", "Create the namespace, or correct the environment's `external_id`."
    NAMESPACE_NOT_VISIBLE = (
        "NAMESPACE_NOT_VISIBLE",
        "Grant the registry its rights in the namespace again, which `registry-grpc doctor` prints.",
    )
    NAME_TAKEN = "NAME_TAKEN", "Deploy with another name, or delete the object with this name."
    NAME_BEING_RELEASED = "NAME_BEING_RELEASED", "Wait until the object is gone; then the registry continues by itself."
    FIELD_CONFLICT = "FIELD_CONFLICT", "Revert the change, or set the environment's drift policy to `enforce`."
    OVERTAKEN = "OVERTAKEN", "Wait: the registry tries again. If it lasts, find out who keeps changing the object."
    API_UNAVAILABLE = "API_UNAVAILABLE", "Restore the Kubernetes API; the registry retries automatically."

    # Caused by somebody else.
    DELETED_EXTERNALLY = "DELETED_EXTERNALLY", "Do nothing: the registry creates it again. Undeploy to remove it."
    BEING_DELETED = "BEING_DELETED", "Wait until it is gone: then the registry creates it again. Undeploy to remove it."
    SPEC_CHANGED = "SPEC_CHANGED", "Revert the change, or set the environment's drift policy to `enforce`."
    DRIFT_FIGHT = (
        "DRIFT_FIGHT",
        "Stop the named writer from changing these fields, or set the environment's drift policy to `report`.",
    )
    STOPPED = "STOPPED", "Remove the annotation serving.kserve.io/stop from the object to start it again."
    DELETE_STUCK = "DELETE_STUCK", "Check the named finalizers: they wait for a controller that may be gone."

    # Reported by KServe about the object.
    CONTROLLER_SILENT = "CONTROLLER_SILENT", "Check whether KServe's controller manager runs, and read its log."
    NO_SUPPORTING_RUNTIME = "NO_SUPPORTING_RUNTIME", "Install a runtime for the framework, or set `options.runtime`."
    RUNTIME_NOT_RECOGNIZED = "RUNTIME_NOT_RECOGNIZED", "Name a runtime of the namespace or of the cluster."
    RUNTIME_DISABLED = "RUNTIME_DISABLED", "Name another runtime, or enable this one."
    INVALID_SPEC = "INVALID_SPEC", "Read the message of KServe, correct the options, and update."
    INVALID_PREDICTOR_SPEC = "INVALID_PREDICTOR_SPEC", "Correct the deployment's options, or use another runtime."
    RECONCILE_FAILED = "RECONCILE_FAILED", "Read the message of KServe, correct the deployment, and update."
    STORAGE_URI_UNSUPPORTED = "STORAGE_URI_UNSUPPORTED", "Store the model at a location that KServe supports."
    MODE_UNSUPPORTED = "MODE_UNSUPPORTED", "Install Knative Serving, or undeploy, and deploy again in mode `Standard`."
    KSERVE_ERROR = "KSERVE_ERROR", "Read the message of KServe, correct the deployment, and update."

    # Observed in the pods. The phase is DEGRADED instead of FAILED while other pods of the revision serve.
    ADMISSION = "ADMISSION", "Comply with the policy that the message names, or ask whoever set it up."
    SECRET_MISSING = "SECRET_MISSING", "Create the named Secret, or set the version's keys."
    FAILED_CREATE = "FAILED_CREATE", "Read the message, which tells why the pods cannot be created."
    MODEL_DOWNLOAD = "MODEL_DOWNLOAD", "Check the version's uri and keys; Kubernetes keeps trying the download."
    MODEL_LOAD = "MODEL_LOAD", "Check that the runtime can load this model; the message is the end of the server's log."
    OUT_OF_MEMORY = "OUT_OF_MEMORY", "Raise the memory in `options.resources`."
    IMAGE_PULL = "IMAGE_PULL", "Check the image of the serving runtime and the pull secrets."
    CONTAINER_CONFIG = "CONTAINER_CONFIG", "Check the ConfigMaps and Secrets that the serving runtime refers to."
    UNSCHEDULABLE = (
        "UNSCHEDULABLE",
        "Correct what the message names: resources, selector, tolerations or claim; or add nodes that fit.",
    )
    DEADLINE = "DEADLINE", "Read the message; if the model only needs more time, raise `options.deadline`."
    ROUTE_PENDING = "ROUTE_PENDING", "Wait until the route exists."
    INGRESS = "INGRESS", "Check the ingress or gateway in KServe's configuration."
    NO_REPLICAS = "NO_REPLICAS", "Find out who scaled the object's Deployment to zero, and scale it up again."
    MINIMUM_REPLICAS_UNAVAILABLE = "MINIMUM_REPLICAS_UNAVAILABLE", "Wait, and read the message to see what is missing."
    NOT_READY = "NOT_READY", "Read the message, which tells why; the registry notices when it is ready again."

    # About a canary.
    CANARY = "CANARY", "Watch how it does, then promote it or abort it, or change its share."
    CANARY_ENDING = "CANARY_ENDING", "Wait: the canary ends as soon as the requests are where they belong."
    CANARY_UNROUTED = "CANARY_UNROUTED", "Check the HTTPRoute that KServe made, and its gateway; or abort the canary."
    CANARY_UNSUPPORTED = "CANARY_UNSUPPORTED", "Provide what the message names, or update without `traffic_percent`."

    # Findings about a planned deployment, by PlanDeployment and `validate_only` only.
    URI_SCHEME_UNSUPPORTED = (
        "URI_SCHEME_UNSUPPORTED",
        "Store the model elsewhere, or install a ClusterStorageContainer.",
    )
    URI_MALFORMED = "URI_MALFORMED", "Correct the version's uri as the message says."
    RUNTIME_NOT_FOUND = "RUNTIME_NOT_FOUND", "Name an existing runtime, or none to let KServe choose by model format."
    RUNTIME_MISMATCH = "RUNTIME_MISMATCH", "Name another runtime, or none to let KServe choose by model format."
    NO_RUNTIME = "NO_RUNTIME", "Install a runtime for the format, or name one in `options.runtime`."
    RUNTIME_VERSION_DIFFERS = (
        "RUNTIME_VERSION_DIFFERS",
        "Check that the runtime can load this model, or install one for the version.",
    )
    PRIORITY_CLASS_NOT_FOUND = "PRIORITY_CLASS_NOT_FOUND", "Create the priority class, or name another one."
    OPTION_UNSUPPORTED = "OPTION_UNSUPPORTED", "Provide what the message names, or leave the option out."
    TIMEOUT_UNUSED = (
        "TIMEOUT_UNUSED",
        "Set the timeout in the ingress, or install the Gateway API and let KServe use it.",
    )
    CREDENTIALS_VISIBLE = (
        "CREDENTIALS_VISIBLE",
        "Store the model where KServe reads keys from a Secret, such as s3://, or use a token of little value.",
    )
    URI_IS_LOCAL = "URI_IS_LOCAL", "Copy the model to a location that KServe supports, and set the version's uri to it."
    SERVICE_ACCOUNT_NOT_FOUND = "SERVICE_ACCOUNT_NOT_FOUND", "Create the service account, or name another one."
    SCALE_METRIC_UNSUPPORTED = "SCALE_METRIC_UNSUPPORTED", "Use `concurrency` or `rps`."
    SCALE_METRIC_UNUSED = "SCALE_METRIC_UNUSED", "Use `cpu`, or `memory` with a percentage as `scale_target`."
    STORAGE_OPTIONS_UNUSED = (
        "STORAGE_OPTIONS_UNUSED",
        "Set the version's keys or `anonymous`, or annotate the service account.",
    )
    CREDENTIALS_UNUSED = "CREDENTIALS_UNUSED", "Name a `service_account` that may read the model, or remove the keys."
    CREDENTIALS_MISSING = "CREDENTIALS_MISSING", "Set the version's keys, or name a `service_account` that may read it."
    VERSION_EDITED = "VERSION_EDITED", "Check that this is intended; it is better to add a version for every change."
    INFERENCE_SERVICE_NAME_TAKEN = "INFERENCE_SERVICE_NAME_TAKEN", "Choose another `name`, or update the existing one."
    MODEL_VERSION_NOT_READY = "MODEL_VERSION_NOT_READY", "Set the version's status to READY, or deploy another one."
    REGISTERED_MODEL_ARCHIVED = "REGISTERED_MODEL_ARCHIVED", "Set the model's state to LIVE."
    MODEL_VERSION_ARCHIVED = "MODEL_VERSION_ARCHIVED", "Set the version's state to LIVE, or deploy another one."

    # Refusals of an update, a rollback or a redeployment only.
    OPTION_NOT_ALLOWED = "OPTION_NOT_ALLOWED", "Change the options, or ask the operator to allow the named ones."
    DEPLOYMENT_MODE_FIXED = "DEPLOYMENT_MODE_FIXED", "Undeploy first."


NO_ACCESS = (DeploymentReason.FORBIDDEN, DeploymentReason.NAMESPACE_NOT_FOUND, DeploymentReason.NAMESPACE_NOT_VISIBLE)
"""The reasons that may end when the namespace can be seen."""
