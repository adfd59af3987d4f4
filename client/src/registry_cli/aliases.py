"""`registry aliases`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables
from registry_cli.session import call, pages

app = App(name="aliases")


@app.command(name="list")
def list_(model: options.Model, /, *, filter: options.Filter = "", limit: options.Limit = 0) -> None:
    """List the aliases of a model."""
    found = pages("model_alias.ListModelAliases", limit, registered_model_id=names.model_id(model), filter=filter)
    output.show(found, tables.ALIASES)


@app.command(name="set")
def set_(
    version: options.Version,
    alias: options.Alias,
    /,
    *,
    expected: Annotated[
        str | None, Parameter(help="The version that must have it now, as `MODEL@3` or id. Empty: no version.")
    ] = None,
    force: options.Force = False,
) -> None:
    """Give a version an alias, or move the alias to it: `registry aliases set iris@3 champion`."""
    found = names.version(version)
    done = call(
        "model_alias.SetModelAlias",
        registered_model_id=found.registered_model_id,
        name=alias,
        version=str(found.number),
        expected_version_id=names.version(expected).id if expected else expected,
        force=force,
    )
    output.show_one(done.model_alias, tables.ALIASES)


@app.command
def remove(
    model: options.Model,
    alias: options.Alias,
    /,
    *,
    force: options.Force = False,
    allow_missing: Annotated[bool, Parameter(help="Succeed if there is none.")] = False,
) -> None:
    """Remove an alias. Deployments that were made by it stay."""
    id_ = names.model_id(model)
    call("model_alias.DeleteModelAlias", registered_model_id=id_, name=alias, force=force, allow_missing=allow_missing)
    output.say(f"{model} has no alias {alias} now.")


@app.command
def history(
    model: options.Model,
    alias: Annotated[str, Parameter(help="Only this alias.")] = "",
    /,
    *,
    filter: options.Filter = "",
    limit: options.Limit = 0,
) -> None:
    """List who moved which alias to which version, newest first."""
    id_ = names.model_id(model)
    found = pages("model_alias.ListModelAliasMoves", limit, registered_model_id=id_, name=alias, filter=filter)
    output.show(found, tables.ALIAS_MOVES)


@app.command
def protect(
    model: options.Model,
    alias: options.Alias,
    /,
    *,
    off: Annotated[bool, Parameter(help="Take the protection away.")] = False,
) -> None:
    """Protect an alias: it is only moved or removed with --force."""
    found = names.version(f"{model}@{alias}")
    done = call(
        "model_alias.SetModelAlias",
        registered_model_id=found.registered_model_id,
        name=alias,
        version=str(found.number),
        expected_version_id=found.id,
        is_protected=not off,
        force=True,
    )
    output.show_one(done.model_alias, tables.ALIASES)
