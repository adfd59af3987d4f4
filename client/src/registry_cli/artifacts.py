"""`registry artifacts`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import App, Parameter

from registry_cli import completion, names, options, output, tables, values
from registry_cli.session import call, pages

app = App(name="artifacts")
Artifact = Annotated[str, Parameter(help="The artifact: its id, or its name and --version if it belongs to one.")]
Of = Annotated[str, Parameter(name="--version", completer=completion.versions, help="The version to which it belongs.")]
Kind = Literal["document", "dataset", "metric", "parameter"]


@Parameter(name="*")
@dataclass
class Fields:
    """What a new artifact and a change have in common."""

    value: Annotated[
        str | None, Parameter(help="The value of a metric or parameter. Numbers and truth values keep their type.")
    ] = None
    uri: Annotated[str | None, Parameter(help="Where its files are.")] = None
    description: options.Description = None
    digest: options.Digest = None
    size_bytes: options.Size = None
    labels: options.Labels = None
    properties: options.Properties = None
    external_id: options.ExternalId = None


@app.command(name="list")
def list_(
    version: Annotated[
        str, Parameter(completer=completion.versions, help="Only those of this version, with its files.")
    ] = "",
    /,
    *,
    kind: Annotated[Literal[Kind, "model"] | None, Parameter(help="Only those of this kind.")] = None,
    alone: Annotated[bool, Parameter(help="Only those that belong to no version.")] = False,
    which: options.Listing = options.ALL,
) -> None:
    """List artifacts, newest first."""
    found = pages(
        "artifact.ListArtifacts",
        kind=kind and f"ARTIFACT_KIND_{kind.upper()}",
        standing_alone=alone,
        model_version_id=names.version(version).id if version else None,
        **vars(which),
    )
    output.show(found, tables.ARTIFACTS)


@app.command
def get(artifact: Artifact, /, *, version: Of = "") -> None:
    """Show an artifact."""
    output.show_one(names.artifact(artifact, version), tables.ARTIFACTS)


@app.command
def create(
    name: options.NewName,
    /,
    *,
    kind: Annotated[Kind, Parameter(help="What it is.")],
    version: Of = "",
    fields: Fields | None = None,
) -> None:
    """Add an artifact: to a version, or one that stands alone."""
    more = {"name": name, "kind": kind, "model_version_id": names.version(version).id if version else None}
    output.show_one(call("artifact.CreateArtifact", artifact=values.new(fields, **more)).artifact, tables.ARTIFACTS)


@app.command
def update(
    artifact: Artifact,
    /,
    *,
    version: Of = "",
    name: options.Rename = None,
    fields: Fields | None = None,
    clear: options.Clear = None,
    etag: options.Etag = "",
) -> None:
    """Change the fields of an artifact that are given."""
    request = values.change("artifact", names.artifact(artifact, version), fields, clear, etag, name=name)
    output.show_one(call("artifact.UpdateArtifact", **request).artifact, tables.ARTIFACTS)


@app.command
def delete(artifact: Artifact, /, *, version: Of = "", yes: options.Yes = False, etag: options.Etag = "") -> None:
    """Delete an artifact. Its files stay where they are."""
    id_ = names.artifact(artifact, version).id
    output.confirm(f"Delete the artifact {artifact}?", yes=yes)
    call("artifact.DeleteArtifact", id=id_, etag=etag)
    output.say(f"The artifact {artifact} was deleted.")
