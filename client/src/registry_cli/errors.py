"""What can go wrong, how it is told, and the exit codes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from cyclopts import CycloptsError

from registry_cli.options import chosen


class Exit(IntEnum):
    """The exit codes."""

    FAILED = 1
    """The registry refused it, or it failed."""
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    """No valid token, or too low a role."""
    UNAVAILABLE = 5
    """The registry could not be reached, or did not answer in time."""
    TIMED_OUT = 6
    """`--timeout` passed while waiting."""
    DEPLOYMENT_FAILED = 7
    PIPE_BROKEN = 141


class CommandError(Exception):
    """A command that failed, told in whole sentences."""

    status = Exit.FAILED

    def __init__(self, text: str, *, hint: str = "", status: Exit | None = None) -> None:
        super().__init__(text)
        self.hint = hint
        self.status = status or self.status


class UsageError(CommandError):
    status = Exit.USAGE


class NotFoundError(CommandError):
    status = Exit.NOT_FOUND


_STATUS: Final = {
    "NOT_FOUND": Exit.NOT_FOUND,
    "UNAUTHENTICATED": Exit.DENIED,
    "PERMISSION_DENIED": Exit.DENIED,
    "UNAVAILABLE": Exit.UNAVAILABLE,
    "DEADLINE_EXCEEDED": Exit.UNAVAILABLE,
}
_HINTS: Final = {
    "PROJECT_ID_REQUIRED": "Name the project by --project or REGISTRY_PROJECT, or in a context: registry context add.",
    "UNAUTHENTICATED": "Log in: registry login. Or give a token: REGISTRY_TOKEN, REGISTRY_TOKEN_FILE.",
    "REGISTERED_MODEL_NAME_TAKEN": "Show the one that exists: registry models get NAME.",
    "MODEL_VERSION_NAME_TAKEN": "Show the one that exists: registry versions get MODEL:NAME.",
    "SERVING_ENVIRONMENT_NAME_TAKEN": "Show the one that exists: registry environments get NAME.",
    "INFERENCE_SERVICE_NAME_TAKEN": "Use --or-update to update one of the same model, or choose another --name.",
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


def tell(error: Exception) -> Exit:
    """Print the error to stderr, and return the exit code."""
    from registry_cli import output

    told = _told(error)
    if chosen.output in {"json", "yaml"}:
        print(output.document(told.as_json()), file=sys.stderr, flush=True)
    else:
        output.say("\n".join(told.lines()))
    return told.status


@dataclass(frozen=True)
class _Told:
    """What is told of an error."""

    status: Exit
    message: str
    hint: str = ""
    reason: str = ""
    code: str = ""
    """That of gRPC; empty if the registry was not asked."""
    problems: tuple[Any, ...] = ()
    request_id: str = ""

    def lines(self) -> Iterator[str]:
        yield f"registry: {self.message}"
        for each in self.problems:
            what = "" if each.text[:60] in self.message else f": {each.text}"
            yield f"  {each.kind.lower() or 'field'}: {each.subject}{what}"
        reason = self.reason or self.code
        if reason and reason not in self.message:
            yield f"  reason: {reason}"
        if self.hint:
            yield f"  hint: {self.hint}"
        if self.code in {"INTERNAL", "UNKNOWN"}:
            yield f"  request id: {self.request_id}"

    def as_json(self) -> dict[str, Any]:
        """The violations are named as in google.rpc."""
        return {
            "code": self.code or self.status.name,
            "reason": self.reason,
            "message": self.message,
            "field_violations": [
                {"field": each.subject, "description": each.text} for each in self.problems if not each.kind
            ],
            "violations": [
                {"type": each.kind, "subject": each.subject, "description": each.text}
                for each in self.problems
                if each.kind
            ],
            "hint": self.hint,
            "request_id": self.request_id,
        }


def _told(error: Any) -> _Told:
    # Without a call there was no error of the client, and the import takes long.
    if (client := sys.modules.get("registry_client.errors")) and isinstance(error, client.Error):
        if isinstance(error, client.RegistryError):
            return _of_registry(error)
        if isinstance(error, client.DeploymentFailed):
            return _Told(Exit.DEPLOYMENT_FAILED, error.summary, error.next_step, error.reason)
        if isinstance(error, client.WaitTimeout):
            hint = "It goes on nevertheless. `registry deployments explain` shows why it takes so long."
            return _Told(Exit.TIMED_OUT, error.summary, hint)
        return _Told(Exit.USAGE if isinstance(error, client.ConfigError) else Exit.FAILED, str(error))
    match error:
        case CommandError():
            return _Told(error.status, str(error), error.hint)
        case CycloptsError():
            return _Told(Exit.USAGE, " ".join(str(error).split()))
        case OSError():
            return _Told(Exit.FAILED, f"{error.filename or 'a file'}: {error.strerror or error}.")
    hint = "--debug shows where it was raised."
    return _Told(Exit.FAILED, f"an unexpected {type(error).__name__}: {error}", hint)


def _of_registry(error: Any) -> _Told:
    code = error.code.name
    reason = "OPERATOR_NEEDED" if error.metadata.get("needed_role") == "OPERATOR" else error.reason
    hint = _HINTS.get(reason) or ("" if error.reason else _without_python(error.hint))
    status = _STATUS.get(code, Exit.FAILED)
    return _Told(status, error.message, hint, error.reason, code, error.problems, error.request_id)


def _without_python(hint: str) -> str:
    """The hint of the client, in the words of this command."""
    return hint.replace("Client(url)", "--url").replace("Client(ca=…), ", "")
