"""The operator's rules for the options of deployments."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation

RESERVED_LABELS = (
    "app.kubernetes.io/", "istio.io/", "kueue.x-k8s.io/", "modelregistry.ai-platform/", "pod-security.kubernetes.io/",
    "security.istio.io/", "service.istio.io/", "serving.knative.dev/", "serving.kserve.io/", "sidecar.istio.io/",
    "topology.istio.io/",
)  # fmt: skip
"""Prefixes of label keys with which a tenant could control other programs, such as switch a mesh's sidecar off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPolicy:
    """Allow-lists of patterns with `*`. An empty list allows nothing.

    `service_accounts` and `image_pull_secrets` are written `namespace/name`. A pod has the rights of its service
    account, so a tenant that could choose any account would get around the access control of the cluster.
    """

    service_accounts: tuple[str, ...] = ()
    image_pull_secrets: tuple[str, ...] = ()
    env: tuple[str, ...] = ()

    def violations(self, options: DeploymentOptions, namespace: str) -> tuple[Violation, ...]:
        """The options that are not allowed."""
        violations = []
        account = f"{namespace}/{options.service_account}"
        if options.service_account and not matches(account, self.service_accounts):
            violations.append(Violation("options.service_account", f"{account} is not on the operator's allow-list"))
        violations += [
            Violation("options.image_pull_secrets", f"{secret} is not on the operator's allow-list")
            for secret in (f"{namespace}/{name}" for name in options.image_pull_secrets)
            if not matches(secret, self.image_pull_secrets)
        ]
        violations += [
            Violation(f"options.env.{name}", "is not on the operator's allow-list of environment variables")
            for name in sorted(options.env)
            if not matches(name, self.env)
        ]
        return tuple(violations)

    def check(self, options: DeploymentOptions, namespace: str) -> None:
        """Raises InvalidRequest that names the options that are not allowed."""
        if violations := self.violations(options, namespace):
            raise InvalidRequest(violations)


def matches(text: str, patterns: Iterable[str]) -> bool:
    """Whether the text matches one of the patterns with `*`."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)
