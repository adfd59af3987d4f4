"""`registry versions`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import App, Parameter

from registry_cli import completion, names, options, output, tables, values
from registry_cli.session import call, pages

app = App(name="versions")


@Parameter(name="*")
@dataclass
class Fields:
    """What a new version and a change have in common."""

    uri: Annotated[str | None, Parameter(help="Where the files are, such as s3://models/iris/1.")] = None
    framework: Annotated[str | None, Parameter(help="The framework, with its version: `sklearn:1`.")] = None
    description: options.Description = None
    is_default: Annotated[
        bool | None, Parameter(name="--default", negative="--no-default", help="Whether it is the default version.")
    ] = None
    labels: options.Labels = None
    properties: options.Properties = None
    readme: Annotated[str | None, Parameter(help="Markdown, or `@FILE` for that of a file.")] = None
    metadata: Annotated[str | None, Parameter(help="A JSON object, or `@FILE` for that of a file.")] = None
    digest: options.Digest = None
    size_bytes: options.Size = None
    container_image: Annotated[str | None, Parameter(name="--runtime", help="The serving runtime.")] = None
    keys: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="A file with the access key on its first line and the secret key on its second; `-` is stdin.",
        ),
    ] = None
    external_id: options.ExternalId = None


@app.command(name="list")
def list_(
    model: Annotated[str, Parameter(completer=completion.models, help="The model. Default: all of the project.")] = "",
    /,
    *,
    deleted: Annotated[bool, Parameter(help="Those of the model that were deleted and can be restored.")] = False,
    which: options.Listing = options.ALL,
) -> None:
    """List the versions of a model, newest first."""
    fields = vars(which) | ({"registered_model_id": names.model_id(model)} if model else {})
    if deleted:
        output.show(pages("model_version.ListDeletedModelVersions", **fields), tables.DELETED_VERSIONS)
        return
    rpc = "model_version.ListModelVersions" if model else "model_version.ListProjectModelVersions"
    output.show(pages(rpc, view="MODEL_VERSION_VIEW_BASIC", **fields), tables.VERSIONS)


@app.command
def get(version: options.Version, /) -> None:
    """Show a version."""
    output.show_one(names.version(version), tables.VERSIONS)


@app.command
def create(
    model: options.Model,
    name: options.NewName,
    /,
    *,
    ready: Annotated[bool, Parameter(help="Make it READY at once, so that it can be deployed.")] = False,
    fields: Fields | None = None,
) -> None:
    """Add a version to a model."""
    new = values.new(fields, name=name)
    made = call("model_version.CreateModelVersion", registered_model_id=names.model_id(model), model_version=new)
    if ready:
        _update({"id": made.model_version.id, "model_version": {"status": "READY"}})
    else:
        output.show_one(made.model_version, tables.VERSIONS)


@app.command
def update(
    version: options.Version,
    /,
    *,
    name: options.Rename = None,
    status: Annotated[str | None, Parameter(help="The new status, such as READY.")] = None,
    state: Annotated[str | None, Parameter(help="The new state: LIVE or ARCHIVED.")] = None,
    fields: Fields | None = None,
    clear: options.Clear = None,
    etag: options.Etag = "",
) -> None:
    """Change the fields of a version that are given. The files of a version that was deployed are fixed."""
    more = {"name": name, "status": status, "state": state}
    _update(values.change("model_version", names.version(version), fields, clear, etag, **more))


@app.command
def ready(version: options.Version, /) -> None:
    """Make a version READY, so that it can be deployed."""
    _update({"id": names.version(version).id, "model_version": {"status": "READY"}})


@app.command
def delete(
    version: options.Version,
    /,
    *,
    force: Annotated[bool, Parameter(help="Delete its aliases too.")] = False,
    yes: options.Yes = False,
    etag: options.Etag = "",
) -> None:
    """Delete a version. `registry versions undelete` restores it, as long as the registry keeps it."""
    present = names.version(version)
    output.confirm(f"Delete version {present.number} ({present.name})?", yes=yes)
    call("model_version.DeleteModelVersion", id=present.id, force=force, etag=etag)
    output.say(f"Version {present.number} was deleted. Restore it with: registry versions undelete {present.id}")


@app.command
def undelete(
    id: Annotated[str, Parameter(help="The id, which `registry versions list MODEL --deleted` shows.")], /
) -> None:
    """Restore a deleted version with its number, keys and artifacts, but without its aliases."""
    output.show_one(call("model_version.UndeleteModelVersion", id=id).model_version, tables.VERSIONS)


@app.command
def copy(
    version: options.Version,
    model: options.Model,
    /,
    *,
    name: Annotated[str, Parameter(help="The name of the copy. Default: that of the version.")] = "",
    from_project: Annotated[str, Parameter(help="The project of the version, which needs its id then.")] = "",
    with_keys: Annotated[bool, Parameter(help="Copy the keys for its files too.")] = False,
) -> None:
    """Copy a version with its artifacts to a model."""
    done = call(
        "transfer.CopyModelVersion",
        source_project_id=from_project,
        model_version_id=version if names.is_id(version) else names.version(version).id,
        registered_model_id=names.model_id(model),
        name=name,
        with_keys=with_keys,
    )
    if done.keys_left_out:
        output.say("The keys for its files were not copied. Set them with: registry versions update --keys")
    output.show_one(done.model_version, tables.VERSIONS)


def _update(request: dict[str, Any]) -> None:
    output.show_one(call("model_version.UpdateModelVersion", **request).model_version, tables.VERSIONS)
