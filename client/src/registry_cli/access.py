"""`registry whoami`, `registry projects`, `registry members` and `registry tokens`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables, values
from registry_cli.session import call, pages

projects = App(name="projects")
members = App(name="members")
tokens = App(name="tokens")
Role = Annotated[Literal["viewer", "editor", "deployer", "admin"], Parameter(help="The role in the project.")]
Kind = Annotated[Literal["user", "group"], Parameter(help="What the name is.")]
Project = Annotated[str, Parameter(help="The project: its name or id.")]
Token = Annotated[str, Parameter(help="The token: its name or id.")]


@Parameter(name="*")
@dataclass
class Fields:
    """What a new project and a change have in common."""

    description: Annotated[str | None, Parameter(help="The description.")] = None
    namespaces: Annotated[
        list[str] | None, Parameter(name="--namespace", help="A namespace to which it may deploy.")
    ] = None
    uris: Annotated[
        list[str] | None, Parameter(name="--uri", help="Where its model files may be, such as `s3://team-*`.")
    ] = None
    service_accounts: Annotated[
        list[str] | None, Parameter(name="--service-account", help="`NAMESPACE/NAME` that it may use.")
    ] = None
    runtimes: Annotated[list[str] | None, Parameter(name="--runtime", help="A serving runtime that it may use.")] = None
    max_models: Annotated[int | None, Parameter(help="How many models it may have.")] = None
    max_versions: Annotated[int | None, Parameter(help="How many versions it may have.")] = None
    max_deployments: Annotated[int | None, Parameter(help="How many deployments it may have at a time.")] = None
    max_bytes: Annotated[int | None, Parameter(help="How many bytes its model files may have together.")] = None


def whoami() -> None:
    output.show_one(call("access.GetCaller"), tables.CALLER)


@projects.command(name="list")
def list_projects(*, limit: options.Limit = 0) -> None:
    """List all projects. Only operators may."""
    output.show(pages("project.ListProjects", limit), tables.PROJECTS)


@projects.command(name="get")
def get_project(project: Project, /) -> None:
    """Show a project, and how much it has. Only operators may."""
    output.show_one(call("project.GetProject", id=names.project_id(project)), tables.PROJECT_USAGE)


@projects.command(name="create")
def create_project(
    name: Annotated[str, Parameter(help="The name, unique.")],
    /,
    *,
    id: Annotated[str, Parameter(help="The id, to adopt a project that has models already.")] = "",
    fields: Fields | None = None,
) -> None:
    """Create a project. Only operators may."""
    output.show_one(
        call("project.CreateProject", id=id, project=values.new(fields, name=name)).project, tables.PROJECTS
    )


@projects.command(name="update")
def update_project(
    project: Project,
    /,
    *,
    name: options.Rename = None,
    fields: Fields | None = None,
    clear: options.Clear = None,
    etag: options.Etag = "",
) -> None:
    """Change the fields of a project that are given; lists as a whole. Only operators may."""
    given = values.new(fields, name=name)
    patch = {key: {"values": value} if isinstance(value, list) else value for key, value in given.items()}
    request = {"id": names.project_id(project), "update_mask": values.mask(patch, clear), "etag": etag}
    output.show_one(call("project.UpdateProject", project=patch, **request).project, tables.PROJECTS)


@members.command(name="list")
def list_members(*, limit: options.Limit = 0) -> None:
    """List the users and groups that have a role in the project."""
    output.show(pages("access.ListMembers", limit), tables.MEMBERS)


@members.command(name="set")
def set_member(
    name: Annotated[str, Parameter(help="The user or group, as `registry whoami` shows it.")],
    role: Role,
    /,
    *,
    kind: Kind = "user",
) -> None:
    """Give a user or a group a role."""
    done = call("access.SetMember", kind=_kind(kind), name=name, role=f"ROLE_{role.upper()}")
    output.show_one(done.member, tables.MEMBERS)


@members.command(name="remove")
def remove_member(
    name: Annotated[str, Parameter(help="The user or group.")], /, *, kind: Kind = "user", yes: options.Yes = False
) -> None:
    """Take the role of a user or a group away. The tokens that they made are revoked."""
    output.confirm(f"Remove {name}, and revoke the tokens that {name} made?", yes=yes)
    call("access.RemoveMember", kind=_kind(kind), name=name)
    output.say(f"{name} is no member now.")


@tokens.command(name="list")
def list_tokens(*, limit: options.Limit = 0) -> None:
    """List the API tokens of the project."""
    output.show(pages("access.ListApiTokens", limit), tables.TOKENS)


@tokens.command(name="create")
def create_token(
    name: Annotated[str, Parameter(help="The name.")],
    role: Role,
    /,
    *,
    lifetime: Annotated[str, Parameter(help="How long it can be used, such as `30d`; at most 366 days.")] = "90d",
) -> None:
    """Make an API token, and print it, once. `-o name` prints only the token."""
    until = dt.timedelta(seconds=values.seconds(lifetime))
    done = call("access.CreateApiToken", name=name, role=f"ROLE_{role.upper()}", lifetime=until)
    output.show_one(done.api_token, tables.NEW_TOKEN)


@tokens.command(name="revoke")
def revoke_token(token: Token, /, *, yes: options.Yes = False) -> None:
    """End an API token at once."""
    id_ = names.token_id(token)
    output.confirm(f"Revoke the token {token}?", yes=yes)
    output.show_one(call("access.RevokeApiToken", id=id_).api_token, tables.TOKENS)


def _kind(kind: str) -> str:
    return f"MEMBER_KIND_{kind.upper()}"
