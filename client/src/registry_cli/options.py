"""Options and arguments that several commands share, and what the global options say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Group, Parameter, Token

from registry_cli import completion

Format = Literal["table", "wide", "json", "yaml", "name"]
GLOBAL = Group("Global options", sort_key=100)


@dataclass
class Globals:
    """The global options of this run."""

    context: str = ""
    url: str = ""
    project: str = ""
    output: Format = "table"
    request_id: str = ""
    debug: bool = False
    call_seconds: float = 60.0
    """How long a call may take, with all its attempts."""


chosen = Globals()


def _seconds(_: object, tokens: Sequence[Token]) -> float:
    from registry_cli.values import seconds

    return seconds(tokens[0].value)


Model = Annotated[str, Parameter(completer=completion.models, help="The model: its name or id.")]
Version = Annotated[
    str,
    Parameter(
        completer=completion.versions,
        help="The version: `MODEL@3` (number), `MODEL@champion` (alias), `MODEL@latest`, `MODEL:NAME`, or its id.",
    ),
]
Alias = Annotated[str, Parameter(help="The name of the alias.")]
Environment = Annotated[str, Parameter(completer=completion.environments, help="The environment: its name or id.")]
Deployment = Annotated[
    str,
    Parameter(
        completer=completion.deployments,
        help="The deployment: its name or id, or `MODEL` or `MODEL/ENVIRONMENT` if there is only one such deployment.",
    ),
]

Filter = Annotated[str, Parameter(help="Only objects that match this expression: docs/filters.md.")]
Limit = Annotated[int, Parameter(name=["--limit", "-n"], help="How many at most. 0: all.")]
Description = Annotated[str | None, Parameter(help="The description, or `@FILE` for that of a file.")]
NewName = Annotated[str, Parameter(help="The name. It must be unique.")]
Rename = Annotated[str | None, Parameter(name="--name", help="The new name.")]
Labels = Annotated[
    list[str] | None, Parameter(name="--label", help="`KEY=VALUE` sets a label, `KEY-` removes it. Can be repeated.")
]
Properties = Annotated[
    list[str] | None,
    Parameter(
        name="--property",
        help="`KEY=VALUE` sets a property, `KEY-` removes it. Numbers, true, false and times keep their type.",
    ),
]
ExternalId = Annotated[str | None, Parameter(help="The id in another system.")]
Digest = Annotated[str | None, Parameter(help="The digest of the files: sha256: and 64 digits.")]
Size = Annotated[int | None, Parameter(help="The size of the files in bytes.")]
Clear = Annotated[list[str] | None, Parameter(name="--clear", help="A field to clear. Can be repeated.")]
Etag = Annotated[str, Parameter(help="Do it only if the object still has this etag.")]
Force = Annotated[bool, Parameter(help="Also if it is protected.")]
Yes = Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask.")]
Timeout = Annotated[
    float,
    Parameter(
        metavar="TIME",
        converter=_seconds,
        show_default=lambda value: f"{value / 60:g}m",
        help="How long to wait, such as `90s`, `15m` or `1h`.",
    ),
]


@Parameter(name="*")
@dataclass
class Waiting:
    """Whether a command that changes a deployment waits for it."""

    wait: Annotated[
        bool, Parameter(help="Wait until it serves, or a canary gets its share, and show its progress.")
    ] = False
    timeout: Timeout = 900.0


@Parameter(name="*")
@dataclass
class Listing:
    """Which objects a list has, and in which order."""

    filter: Filter = ""
    order_by: Annotated[str, Parameter(help="The field to sort by, such as `name` or `created_at desc`.")] = ""
    limit: Limit = 0


NO_WAIT, ALL = Waiting(), Listing()
