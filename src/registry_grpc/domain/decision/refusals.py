"""Reads why the cluster refused what a controller wrote for a deployment. Kubernetes only tells it as text."""

from __future__ import annotations

from registry_grpc.domain.reason import DeploymentReason as Why

_WORDS = (
    # First, because the author of a ValidatingAdmissionPolicy can write any text.
    (Why.ADMISSION, ("validatingadmissionpolicy", "denied request")),
    # A quota is reported as "forbidden: exceeded quota", and KServe's webhook denies pods whose Secret is missing.
    (Why.QUOTA, ("exceeded quota",)),
    (Why.SECRET_MISSING, ("secret", "not found")),
    (Why.ADMISSION, ("denied the request",)),
    (Why.NAMESPACE_NOT_FOUND, ("because it is being terminated",)),
    (Why.PRIORITY_CLASS_NOT_FOUND, ("no priorityclass with name",)),
    (Why.SERVICE_ACCOUNT_NOT_FOUND, ("error looking up service account",)),
    (Why.FORBIDDEN, ("forbidden", "cannot", "resource")),
    # Who may write, but not this: Pod Security, a LimitRange and other plugins.
    (Why.ADMISSION, ("is forbidden",)),
)


def why_refused(message: str, *, otherwise: Why) -> Why:
    text = message.lower()
    return next((reason for reason, words in _WORDS if all(word in text for word in words)), otherwise)
