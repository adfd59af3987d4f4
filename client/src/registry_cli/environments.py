"""`registry environments`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables, values
from registry_cli.session import call, pages

app = App(name="environments")


@Parameter(name="*")
@dataclass
class Fields:
    """What a new environment and a change have in common."""

    external_id: Annotated[
        str | None, Parameter(name="--namespace", help="The Kubernetes namespace, if it differs from the name.")
    ] = None
    description: options.Description = None
    drift_policy: Annotated[
        Literal["report", "enforce"] | None,
        Parameter(help="What happens when somebody else changes a deployed object."),
    ] = None
    properties: options.Properties = None


@app.command(name="list")
def list_(*, which: options.Listing = options.ALL) -> None:
    """List the environments."""
    output.show(pages("serving_environment.ListServingEnvironments", **vars(which)), tables.ENVIRONMENTS)


@app.command
def get(environment: options.Environment, /) -> None:
    """Show an environment."""
    output.show_one(names.environment(environment), tables.ENVIRONMENTS)


@app.command
def create(name: options.NewName, /, *, fields: Fields | None = None) -> None:
    """Add an environment: a place to deploy to."""
    done = call("serving_environment.CreateServingEnvironment", serving_environment=values.new(fields, name=name))
    output.show_one(done.serving_environment, tables.ENVIRONMENTS)


@app.command
def update(
    environment: options.Environment,
    /,
    *,
    name: options.Rename = None,
    fields: Fields | None = None,
    clear: options.Clear = None,
    etag: options.Etag = "",
) -> None:
    """Change the fields of an environment that are given. Deployments stay where they are."""
    request = values.change("serving_environment", names.environment(environment), fields, clear, etag, name=name)
    done = call("serving_environment.UpdateServingEnvironment", **request)
    output.show_one(done.serving_environment, tables.ENVIRONMENTS)


@app.command
def delete(environment: options.Environment, /, *, yes: options.Yes = False, etag: options.Etag = "") -> None:
    """Delete an environment without deployments."""
    id_ = names.environment(environment).id
    output.confirm(f"Delete the environment {environment}?", yes=yes)
    call("serving_environment.DeleteServingEnvironment", id=id_, etag=etag)
    output.say(f"The environment {environment} was deleted.")
