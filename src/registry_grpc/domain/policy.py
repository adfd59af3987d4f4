"""What the operator allows deployments to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from registry_grpc.domain.deployment import DeploymentOptions
from registry_grpc.domain.errors import InvalidRequest, Violation


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentPolicy:
    """Allow-lists; patterns may hold `*`. Empty lists allow nothing.

    A pod takes the rights of its service account, so an account that a tenant could choose freely would be a way around
    the cluster's own access control: `service_accounts` are written `namespace/name`.
    """

    service_accounts: tuple[str, ...] = ()
    env: tuple[str, ...] = ()

    def violations(self, options: DeploymentOptions, namespace: str) -> tuple[Violation, ...]:
        """What is not allowed, environment variables by name."""
        violations = []
        account = f"{namespace}/{options.service_account}"
        if options.service_account and not _matches(account, self.service_accounts):
            violations.append(Violation("options.service_account", f"{account} is not on the operator's allow-list"))
        violations += [
            Violation(f"options.env.{name}", "is not on the operator's allow-list of environment variables")
            for name in sorted(options.env)
            if not _matches(name, self.env)
        ]
        return tuple(violations)

    def check(self, options: DeploymentOptions, namespace: str) -> None:
        """Raises InvalidRequest that names what is not allowed."""
        if violations := self.violations(options, namespace):
            raise InvalidRequest(violations)


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)
