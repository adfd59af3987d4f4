"""The command `registry`: its commands, its global options, and how errors end it."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NoReturn, get_args, get_origin

from cyclopts import App, CycloptsError, Group, Parameter, Token, convert

from registry_cli import completion, errors
from registry_cli.help import Formatter
from registry_cli.options import GLOBAL, Format, chosen

_HELP = """A model registry that deploys: models, their versions, and where they serve.

Objects are named by their names or ids. A version is named by `MODEL@3` (its number), `MODEL@champion` (an alias),
`MODEL@latest` or `MODEL:NAME`.

Exit codes: 0 done, 1 refused or failed, 2 usage, 3 not found, 4 not allowed, 5 unavailable, 6 timed out while waiting,
7 the deployment failed."""


def _version() -> str:
    from registry_cli.about import client_version

    return client_version()


def _in_any_case(wanted: Any, tokens: Sequence[Token]) -> Any:
    """The value of an option. Words of a closed set may be in capitals, as tables and the API have them."""
    words = _words(wanted)
    known = [token.evolve(value=token.value.lower()) if token.value.lower() in words else token for token in tokens]
    return convert(wanted, known)


def _words(wanted: Any) -> tuple[Any, ...]:
    inner = get_args(wanted)
    return inner if get_origin(wanted) is Literal else tuple(word for each in inner for word in _words(each))


app = App(
    name="registry",
    help=_HELP,
    help_format="plaintext",
    help_formatter=Formatter(),
    version=_version,
    default_parameter=Parameter(converter=_in_any_case, negative=(), show_default=lambda value: value or None),
    print_error=False,
    exit_on_error=False,
    suppress_keyboard_interrupt=False,
)
app.meta.suppress_keyboard_interrupt = False
app["--help"].group = app["--version"].group = GLOBAL

_COMMANDS = {
    Group("Objects", sort_key=1): """
        models models:app Register, change and list models.
        versions versions:app Add, change and list versions of models.
        aliases aliases:app Move aliases between versions, and see who did.
        artifacts artifacts:app Keep documents, data sets, metrics and parameters.
        environments environments:app Manage the places to deploy to.
        deployments deployments:app Look at deployments, and see why they are as they are.
    """,
    Group("Deploying", sort_key=2): """
        deploy deploying:deploy Deploy a version of a model to an environment.
        plan deploying:plan Tell what `registry deploy` would apply and what is wrong with it. Nothing is done.
        update deploying:update Serve another version, or with other options. Options that are not given stay.
        promote deploying:promote Give all requests to the canary, which ends its trial.
        abort deploying:abort Take all requests from the canary. The stable revision goes on.
        rollback deploying:rollback Serve what an earlier revision served.
        undeploy deploying:undeploy Stop serving. The record stays, and `registry redeploy` uses it.
        redeploy deploying:redeploy Deploy what was undeployed, as it was.
    """,
    Group("The project", sort_key=3): """
        events events:events Print what has changed in the project, the newest last.
        webhooks events:webhooks Send events to a URL.
        audit events:audit See who has changed what.
        projects access:projects Manage projects, as an operator.
        members access:members Give users and groups roles in the project.
        tokens access:tokens Make and revoke API tokens.
        export transfer:export Write the content of the project as a file, one object on a line: docs/transfer.md.
        import transfer:import_ Add the content of a file to the project. What is there already is not changed.
        demo demo:demo Fill the project with samples, and deploy two of them. It can be repeated.
    """,
    Group("This command", sort_key=4): """
        context contexts:app Choose the registry and the project.
        login contexts:login Log in to the registry of the context, with a browser on any device, or with a token.
        logout contexts:logout Forget the token of the context. `registry tokens revoke` ends API tokens for all.
        whoami access:whoami Show the caller's name, groups and role in the project.
        print-token contexts:print_token Print the token of a login, refreshed if needed, for other programs.
        open about:open_ Print the address of the registry's page for people, and open it on a desktop.
        completion completion:completion Print a script that completes this command in a shell: see docs/cli.md.
        version about:version Show the version of this command, and of the registry if it can be reached.
    """,
}
"""The name of each command, where it is, and what it does. It is only imported when it is needed."""

for _group, _lines in _COMMANDS.items():
    for _key, _line in enumerate(_lines.strip().splitlines()):
        _name, _path, _about = _line.split(maxsplit=2)
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
    """Run the command of the arguments, by default those of the process, and exit with its code. Raises
    KeyboardInterrupt."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name is no reason to fail where letters are missing
            stream.reconfigure(errors="replace")
    try:
        try:
            app.meta(sys.argv[1:] if arguments is None else arguments)
        finally:
            if not isinstance(sys.exception(), KeyboardInterrupt):
                if session := sys.modules.get("registry_cli.session"):  # something was called
                    session.close()
                sys.stdout.flush()
    except BrokenPipeError:  # whoever reads the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(errors.Exit.PIPE_BROKEN)
    except CycloptsError as error:
        sys.exit(errors.tell(error))
    except Exception as error:
        if chosen.debug:
            raise
        sys.exit(errors.tell(error))
    sys.exit(0)
