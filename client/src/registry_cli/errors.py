"""What can go wrong, how it is told, and the exit codes."""

from __future__ import annotations

import sys
from typing import Any, Final

FAILED: Final = 1
"""The registry refused it, or it failed."""
USAGE: Final = 2
NOT_FOUND: Final = 3
DENIED: Final = 4
"""No valid token, or too low a role."""
UNAVAILABLE: Final = 5
"""The registry could not be reached, or did not answer in time."""
TIMED_OUT: Final = 6
"""`--timeout` passed while waiting."""
DEPLOYMENT_FAILED: Final = 7
PIPE_BROKEN: Final = 141


class CommandError(Exception):
    """A command that failed, told in whole sentences."""

    status = FAILED

    def __init__(self, text: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(text)
        self.hint = hint
        self.status = status or self.status


class UsageError(CommandError):
    status = USAGE


class NotFoundError(CommandError):
    status = NOT_FOUND


_STATUS: Final = {
    "NOT_FOUND": NOT_FOUND,
    "UNAUTHENTICATED": DENIED,
    "PERMISSION_DENIED": DENIED,
    "UNAVAILABLE": UNAVAILABLE,
    "DEADLINE_EXCEEDED": UNAVAILABLE,
}
_HINTS: Final = {
    "PROJECT_ID_REQUIRED": "Name the project by --project or REGISTRY_PROJECT, or in a context: registry context add.",
    "UNAUTHENTICATED": "Log in: registry login. Or give a token: REGISTRY_TOKEN, REGISTRY_TOKEN_FILE.",
    "REGISTERED_MODEL_NAME_TAKEN": "Show the one that exists: registry models get NAME.",
    "MODEL_VERSION_NAME_TAKEN": "Show the one that exists: registry versions get MODEL:NAME.",
    "SERVING_ENVIRONMENT_NAME_TAKEN": "Show the one that exists: registry environments get NAME.",
    "INFERENCE_SERVICE_NAME_TAKEN": "Use --or-update to update the one that exists, or another --name.",
    "MODEL_NOT_ARCHIVED": "Archive it first: registry models archive MODEL.",
    "MODEL_VERSION_NOT_READY": "Make it READY first: registry versions ready VERSION.",
    "MODEL_VERSION_IN_USE": "Undeploy what serves it; --force also deletes its aliases.",
    "REGISTERED_MODEL_ARCHIVED": "Restore the model first: registry models restore MODEL.",
    "MODEL_VERSION_ARCHIVED": "Restore it first: registry versions update VERSION --state LIVE.",
    "MODEL_VERSION_DEPLOYED": "Add another version with these files instead.",
    "MODEL_ALIAS_PROTECTED": "Use --force if it shall be moved or removed nevertheless.",
    "ETAG_MISMATCH": "Somebody has changed it meanwhile: look at it again.",
    "REVISION_MISMATCH": "Somebody has changed the deployment meanwhile: look at it again.",
    "PERMISSION_DENIED": "Ask an admin of the project for the role: registry whoami shows yours.",
    "OPERATOR_NEEDED": "Ask an operator to do it; only the settings of the service say who is one: docs/access.md.",
    "CANARY_UNDER_WAY": "End the trial first: registry promote, or registry abort.",
}
"""For reasons whose remedy is a command."""


def tell(error: Exception) -> int:
    """Print the error to stderr, and return the exit code."""
    from registry_cli.output import say

    lines, status = _told(error)
    for line in lines:
        say(line)
    return status


def _told(error: Exception) -> tuple[list[str], int]:
    if isinstance(error, CommandError):
        return [f"registry: {error}", *([f"  hint: {error.hint}"] if error.hint else [])], error.status
    # Without a call there was no such error, and the import takes long.
    if module := sys.modules.get("registry_client.errors"):
        if isinstance(error, module.ConfigError):
            return [f"registry: {error}"], USAGE
        if isinstance(error, module.RegistryError):
            return _of_registry(error), _STATUS.get(error.code.name, FAILED)
        text, _, hint = str(error).partition("\nWhat to do: ")
        if isinstance(error, module.DeploymentFailed):
            return [f"registry: {text}", *([f"  hint: {hint}"] if hint else [])], DEPLOYMENT_FAILED
        if isinstance(error, module.WaitTimeout):
            hint = "It goes on nevertheless. `registry deployments explain` shows why it takes so long."
            return [f"registry: {text}", f"  hint: {hint}"], TIMED_OUT
    if isinstance(error, OSError):
        return [f"registry: {error.filename or 'a file'}: {error.strerror or error}."], FAILED
    return [
        f"registry: an unexpected {type(error).__name__}: {error}",
        "  hint: --debug shows where it was raised.",
    ], FAILED


def _of_registry(error: Any) -> list[str]:
    lines = [f"registry: {error.message}"]
    for each in error.problems:
        what = "" if each.text[:60] in error.message else f": {each.text}"
        lines.append(f"  {'field' if not each.kind else each.kind.lower()}: {each.subject}{what}")
    reason = "OPERATOR_NEEDED" if error.metadata.get("needed_role") == "OPERATOR" else error.reason
    hint = _HINTS.get(reason) or ("" if error.reason else _without_python(error.hint))
    lines += [f"  reason: {error.reason or error.code.name}"]
    lines += [f"  hint: {hint}"] if hint else []
    if error.code.name in {"INTERNAL", "UNKNOWN"}:
        lines.append(f"  request id: {error.request_id}")
    return lines


def _without_python(hint: str) -> str:
    """The hint of the client, in the words of this command."""
    return hint.replace("Client(url)", "--url").replace("Client(ca=…), ", "")
