"""`registry context`, `registry login`, `registry logout` and `registry print-token`."""

from __future__ import annotations

import getpass
import os
import sys
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from registry_cli import completion, output
from registry_cli.errors import UsageError
from registry_cli.options import chosen

if TYPE_CHECKING:
    from registry_client.config import Context

app = App(name="context")
Name = Annotated[str, Parameter(completer=completion.contexts, help="The name of the context.")]


@app.command(name="list")
def list_() -> None:
    """List the contexts of the file ~/.config/registry/config.yaml."""
    from registry_client.config import load

    config = load()
    rows = [
        {"name": name, "url": each.url, "project": each.project, "current": name == config.current}
        for name, each in config.contexts.items()
    ]
    output.show_mappings(rows)


@app.command
def use(name: Name, /) -> None:
    """Use this context from now on."""
    from registry_client.config import load, save

    config = load()
    save(replace(config, current=name if config.context(name) else ""))
    output.say(f"The context is {name} now.")


@Parameter(name="*")
@dataclass
class How:
    """How a registry is called."""

    user: Annotated[str, Parameter(help="Your name for the history, while authentication is off.")] = ""
    token_file: Annotated[str, Parameter(help="A file with the token, read anew for each call.")] = ""
    token_command: Annotated[str, Parameter(help="A command that prints the token.")] = ""
    ca: Annotated[str, Parameter(help="A file with the certificates by which the registry is trusted.")] = ""
    certificate: Annotated[str, Parameter(help="A file with the certificate of this client.")] = ""
    key: Annotated[str, Parameter(help="A file with the key of that certificate.")] = ""
    server_name: Annotated[str, Parameter(help="The name in the registry's certificate.")] = ""


@app.command
def add(
    name: Annotated[str, Parameter(help="The name.")],
    /,
    *,
    how: How | None = None,
    keep_current: Annotated[bool, Parameter(help="Do not use it from now on.")] = False,
) -> None:
    """Add a context, or replace it: a registry (--url), a project (--project), and how to call it."""
    from registry_client.config import DEFAULT_URL, Context, load, save

    made = Context(url=chosen.url or DEFAULT_URL, project=chosen.project, **vars(how or How()))
    config = load()
    file = save(config.with_context(name, made, is_current=not (keep_current and config.current)))
    output.say(f"The context {name} is in {file}.")


@app.command
def remove(name: Name, /) -> None:
    """Remove a context, and what was kept of its login."""
    from registry_client.config import load, save

    save(load().without_context(name))
    _forget(name)
    output.say(f"The context {name} was removed.")


@app.command
def show() -> None:
    """Show what a command would use here: of the options, the variables and the context. Tokens are not shown."""
    from registry_cli.session import context

    found = {"context": current_name(), **asdict(context())}
    output.show_values({key: "(hidden)" if key == "token" and value else value for key, value in found.items()})


def login(
    *,
    token: Annotated[bool, Parameter(help="Keep a token that is read from stdin, or asked for on a terminal.")] = False,
    issuer: Annotated[str, Parameter(help="The issuer. Default: the one that the registry's own pages use.")] = "",
    client_id: Annotated[
        str, Parameter(help="The id of the client at the issuer. Default: likewise, or `registry`.")
    ] = "",
    scopes: Annotated[str, Parameter(help="The scopes to ask for.")] = "",
) -> None:
    from registry_cli import login as logins
    from registry_cli.session import context
    from registry_client.config import write_private

    name, here = current_name() or "default", context()
    if token:
        read = getpass.getpass("Token: ") if sys.stdin.isatty() else sys.stdin.read()
        if not read.strip():
            raise UsageError("There is no token in stdin.")
        write_private(logins.token_file(name), read.strip())
        _keep(name, replace(here, token="", token_file=str(logins.token_file(name)), token_command=""))
    else:
        told = {} if issuer else logins.settings_of(here.url.rstrip("/"))
        issuer = issuer or told.get("issuer", "")
        if not issuer:
            raise UsageError(
                f"{here.url} does not tell its issuer.",
                hint="Name it with --issuer, or use a token: registry login --token",
            )
        if not scopes:
            scopes = " ".join(dict.fromkeys([*told.get("scopes", ("openid", "email")), "offline_access"]))
        logins.device_login(name, issuer, client_id or told.get("client_id") or "registry", scopes)
        _keep(name, replace(here, token="", token_file="", token_command=logins.command(name)))
    output.say(f"You are logged in to {here.url} in the context {name}.")


def logout() -> None:
    from registry_client.config import load

    name = current_name()
    if not name:
        raise UsageError("There is no context.")
    _keep(name, replace(load().context(name), token="", token_file="", token_command=""))
    _forget(name)
    output.say(f"The token of the context {name} was removed from this machine.")


def print_token() -> None:
    from registry_cli.login import fresh_token

    print(fresh_token(current_name()))


def current_name() -> str:
    """The name of the context that is used; empty if there is none."""
    from registry_client.config import CONTEXT_VARIABLE, load

    return chosen.context or os.environ.get(CONTEXT_VARIABLE) or load().current


def _keep(name: str, context: Context) -> None:
    from registry_client.config import load, save

    config = load()
    save(config.with_context(name, context, is_current=not config.current or config.current == name))


def _forget(name: str) -> None:
    from registry_cli import login as logins

    for file in (logins.token_file(name), logins.session_file(name), logins.session_file(name).with_suffix(".lock")):
        file.unlink(missing_ok=True)
