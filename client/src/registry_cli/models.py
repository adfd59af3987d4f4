"""`registry models`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables, values
from registry_cli.session import call, pages

app = App(name="models")


@Parameter(name="*")
@dataclass
class Fields:
    """What a new model and a change have in common."""

    description: options.Description = None
    owner_email: Annotated[str | None, Parameter(name="--owner", help="The mail address of the owner.")] = None
    model_type: Annotated[str | None, Parameter(name="--type", help="The type of the model.")] = None
    labels: options.Labels = None
    properties: options.Properties = None
    tags: Annotated[
        list[str] | None,
        Parameter(name="--tag", help="`framework=`, `architecture=`, `task=` or `subject=TAG`; all anew."),
    ] = None
    external_id: options.ExternalId = None


@app.command(name="list")
def list_(
    *,
    search: Annotated[str, Parameter(help="Only models whose name contains this text.")] = "",
    which: options.Listing = options.ALL,
) -> None:
    """List the models, newest first."""
    view = "REGISTERED_MODEL_VIEW_BASIC"
    found = pages("registered_model.ListRegisteredModels", search=search, view=view, **vars(which))
    output.show(found, tables.MODELS)


@app.command
def get(model: options.Model, /) -> None:
    """Show a model."""
    output.show_one(names.model(model), tables.MODELS)


@app.command
def create(name: options.NewName, /, *, fields: Fields | None = None) -> None:
    """Register a model."""
    done = call("registered_model.CreateRegisteredModel", registered_model=values.new(fields, name=name))
    output.show_one(done.registered_model, tables.MODELS)


@app.command
def update(
    model: options.Model,
    /,
    *,
    name: options.Rename = None,
    fields: Fields | None = None,
    clear: options.Clear = None,
    etag: options.Etag = "",
) -> None:
    """Change the fields of a model that are given."""
    _update(values.change("registered_model", names.model(model), fields, clear, etag, name=name))


@app.command
def archive(model: options.Model, /) -> None:
    """Archive a model: it stays, but cannot be deployed. Only archived models can be deleted."""
    _update({"id": names.model_id(model), "registered_model": {"state": "ARCHIVED"}})


@app.command
def restore(model: options.Model, /) -> None:
    """Take an archived model back into use."""
    _update({"id": names.model_id(model), "registered_model": {"state": "LIVE"}})


@app.command
def delete(model: options.Model, /, *, yes: options.Yes = False, etag: options.Etag = "") -> None:
    """Delete an archived model with all its versions. They cannot be restored."""
    id_ = names.model_id(model)
    output.confirm(f"Delete the model {model} with all its versions, for ever?", yes=yes)
    call("registered_model.DeleteRegisteredModel", id=id_, etag=etag)
    output.say(f"The model {model} was deleted.")


def _update(request: dict[str, Any]) -> None:
    output.show_one(call("registered_model.UpdateRegisteredModel", **request).registered_model, tables.MODELS)
