"""The errors of API servers, and of proxies in front of them."""

from __future__ import annotations

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError, denied_by_webhook


def unavailable(message: str = "the server is currently unable to handle the request") -> ApiError:
    return ApiError(503, "ServiceUnavailable", message)


def throttled(retry_after: int) -> ApiError:
    """API Priority and Fairness refuses the call."""
    message = "the server has received too many requests and has asked us to try again later"
    details = {"retryAfterSeconds": retry_after}
    return ApiError(429, "TooManyRequests", message, details=details, headers={"Retry-After": str(retry_after)})


def gone(message: str = "The resourceVersion for the provided watch is too old.") -> ApiError:
    return ApiError(410, "Expired", message)


def webhook_denied(text: str, webhook: str = "policy.example.com") -> ApiError:
    """A policy engine refuses the write."""
    return denied_by_webhook(webhook, text)


def webhook_down(webhook: str = "inferenceservice.kserve-webhook-server.defaulter") -> ApiError:
    """KServe's webhook server does not answer."""
    message = (
        f'Internal error occurred: failed calling webhook "{webhook}": failed to call webhook: '
        'Post "https://kserve-webhook-server-service.kserve.svc:443/mutate": dial tcp: connect: connection refused'
    )
    return ApiError(500, "InternalError", message)


def quota_exceeded(name: str, quota: str = "count/inferenceservices.serving.kserve.io") -> ApiError:
    """A ResourceQuota limits the number of objects of a kind."""
    plural, _, group = quota.removeprefix("count/").partition(".")
    message = (
        f'{plural}.{group} "{name}" is forbidden: exceeded quota: registry-quota, '
        f"requested: {quota}=1, used: {quota}=1, limited: {quota}=1"
    )
    return ApiError(403, "Forbidden", message, details={"name": name, "group": group, "kind": plural})
