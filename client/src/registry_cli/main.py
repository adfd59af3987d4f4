"""The command `registry`: its commands, its global options, and how errors end it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NoReturn

from cyclopts import App, Group, Parameter

from registry_cli import completion, errors
from registry_cli.help import Formatter
from registry_cli.options import GLOBAL, Format, chosen

if TYPE_CHECKING:
    from cyclopts import CycloptsError

_HELP = """A model registry that deploys: models, their versions, and where they serve.

Objects are named by their names or ids. A version is named by `MODEL@3` (its number), `MODEL@champion` (an alias),
`MODEL@latest` or `MODEL:NAME`.

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 not found, 4 not allowed, 5 unavailable, 6 timed out while waiting,
7 the deployment failed."""
_OBJECTS = Group("Objects", sort_key=1)
_DEPLOYING = Group("Deploying", sort_key=2)
_PROJECT = Group("The project", sort_key=3)
_CLIENT = Group("This command", sort_key=4)


def _version() -> str:
    from registry_cli.about import client_version

    return client_version()


def _usage(error: CycloptsError) -> str:
    return f"registry: {' '.join(str(error).split())}"


_formatter = Formatter()
app = App(
    name="registry",
    help=_HELP,
    help_format="plaintext",
    help_formatter=_formatter,
    version=_version,
    default_parameter=Parameter(negative=(), show_default=lambda value: value or None),
    error_formatter=_usage,
    suppress_keyboard_interrupt=False,
)
_formatter.app = app
app["--help"].group = app["--version"].group = GLOBAL

for _key, (_name, _path, _group, _about) in enumerate(
    (
        ("models", "models:app", _OBJECTS, "Register, change and list models."),
        ("versions", "versions:app", _OBJECTS, "Add, change and list versions of models."),
        ("aliases", "aliases:app", _OBJECTS, "Move aliases between versions, and see who did."),
        ("artifacts", "artifacts:app", _OBJECTS, "Keep documents, data sets, metrics and parameters."),
        ("environments", "environments:app", _OBJECTS, "Manage the places to deploy to."),
        ("deployments", "deployments:app", _OBJECTS, "Look at deployments, and see why they are as they are."),
        ("deploy", "deploying:deploy", _DEPLOYING, None),
        ("plan", "deploying:plan", _DEPLOYING, None),
        ("update", "deploying:update", _DEPLOYING, None),
        ("promote", "deploying:promote", _DEPLOYING, None),
        ("abort", "deploying:abort", _DEPLOYING, None),
        ("rollback", "deploying:rollback", _DEPLOYING, None),
        ("undeploy", "deploying:undeploy", _DEPLOYING, None),
        ("redeploy", "deploying:redeploy", _DEPLOYING, None),
        ("events", "events:events", _PROJECT, None),
        ("webhooks", "events:webhooks", _PROJECT, "Send events to a URL."),
        ("audit", "events:audit", _PROJECT, "See who has changed what."),
        ("projects", "access:projects", _PROJECT, "Manage projects, as an operator."),
        ("members", "access:members", _PROJECT, "Give users and groups roles in the project."),
        ("tokens", "access:tokens", _PROJECT, "Make and revoke API tokens."),
        ("export", "transfer:export", _PROJECT, None),
        ("import", "transfer:import_", _PROJECT, None),
        ("demo", "demo:demo", _PROJECT, None),
        ("context", "contexts:app", _CLIENT, "Choose the registry and the project."),
        ("login", "contexts:login", _CLIENT, None),
        ("logout", "contexts:logout", _CLIENT, None),
        ("whoami", "access:whoami", _CLIENT, None),
        ("print-token", "contexts:print_token", _CLIENT, None),
        ("open", "about:open_", _CLIENT, None),
        ("completion", "completion:completion", _CLIENT, None),
        ("version", "about:version", _CLIENT, None),
    )
):
    app.command(f"registry_cli.{_path}", name=_name, group=_group, help=_about, sort_key=_key)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    context: Annotated[
        str,
        Parameter(group=GLOBAL, completer=completion.contexts, help="The context to use instead of the current one."),
    ] = "",
    url: Annotated[
        str, Parameter(group=GLOBAL, help="The registry: http://127.0.0.1:8080 or https://registry.example.com.")
    ] = "",
    project: Annotated[str, Parameter(group=GLOBAL, help="The UUID of the project.")] = "",
    output: Annotated[Format, Parameter(name=["--output", "-o"], group=GLOBAL, help="How data is printed.")] = "table",
    request_id: Annotated[
        str, Parameter(group=GLOBAL, help="An id by which a write takes effect once, however often the command runs.")
    ] = "",
    debug: Annotated[bool, Parameter(group=GLOBAL, help="Show the traceback of an error.")] = False,
) -> None:
    chosen.context, chosen.url, chosen.project = context, url, project
    chosen.output, chosen.request_id, chosen.debug = output, request_id, debug
    app(tokens)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command of the arguments, by default those of the process, and exit with its code."""
    try:
        try:
            app.meta(sys.argv[1:] if arguments is None else arguments)
        finally:
            if session := sys.modules.get("registry_cli.session"):  # something was called
                session.close()
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(errors.PIPE_BROKEN)
    except KeyboardInterrupt:  # gRPC may wait for ever when Python ends in the midst of a call
        os._exit(errors.INTERRUPTED)
    except Exception as error:
        if chosen.debug:
            raise
        sys.exit(errors.tell(error))
    sys.exit(0)
