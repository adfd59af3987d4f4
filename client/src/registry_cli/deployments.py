"""`registry deployments`: what reads deployments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables, values
from registry_cli.errors import CommandError
from registry_cli.session import call, client, pages

app = App(name="deployments")
Phase = Literal[
    "pending", "deploying", "deployed", "updating", "degraded", "drifted", "stopped", "deleting", "undeployed", "failed"
]
_MARKS = {"OK": "✓", "WAITING": "…", "FAILED": "✗", "UNKNOWN": "?"}


@app.command(name="list")
def list_(
    *,
    model: Annotated[str, Parameter(completer=options.completion.models, help="Only those of this model.")] = "",
    phase: Annotated[Phase | None, Parameter(help="Only those in this phase.")] = None,
    which: options.Listing = options.ALL,
) -> None:
    """List the deployments, newest first."""
    found = pages(
        "deployment.ListDeployments",
        registered_model_id=names.model_id(model) if model else None,
        phase=phase and f"DEPLOYMENT_PHASE_{phase.upper()}",
        **vars(which),
    )
    output.show(listed := list(found), tables.deployments(*_names(listed)))


@app.command
def get(deployment: options.Deployment, /) -> None:
    """Show a deployment."""
    show(call("deployment.GetDeployment", id=names.deployment_id(deployment)).deployment)


@app.command
def history(
    deployment: options.Deployment,
    /,
    *,
    at: Annotated[
        str, Parameter(help="Only the revision that served at this time, such as 2026-01-31T12:00:00Z.")
    ] = "",
    filter: options.Filter = "",
    limit: options.Limit = 0,
) -> None:
    """List the revisions of a deployment, newest first."""
    id_ = names.deployment_id(deployment)
    if not at:
        found = list(pages("deployment.ListDeploymentRevisions", limit, id=id_, filter=filter))
    else:
        served = call("deployment.GetServedRevision", id=id_, at=values.time(at))
        found = [served.revision] if served.HasField("revision") else []
    output.show(found, tables.revisions(_numbers(found)))


@app.command
def diff(deployment: options.Deployment, /) -> None:
    """Show how the object in the cluster differs from what was applied. Ends with status 1 if it does."""
    found = call("deployment.GetDeployment", id=names.deployment_id(deployment)).deployment
    output.show(found.drift, tables.DIFFERENCES)
    for field in found.edited_version_fields:
        output.say(f"The version was changed since it was deployed: {field}")
    if found.drift:
        raise CommandError("The object in the cluster is not as it was applied.")
    output.say("The object in the cluster is as it was applied.")


@app.command
def explain(deployment: options.Deployment, /) -> None:
    """Show the chain from the intent to the URL, down to the log of the container, and what to do."""
    explained = call("deployment.ExplainDeployment", id=names.deployment_id(deployment))
    if not _is_for_people():
        output.show_one(explained, tables.EXPLANATION)
        return
    for link in explained.chain:
        state = output.word(link, "state")
        what = " ".join([output.word(link, "kind").lower().replace("_", " "), *([link.name] if link.name else [])])
        print(output.line(f"{_MARKS.get(state, '?')} {what}: {link.summary}"))
        for sign in link.signs if state != "OK" or options.chosen.output == "wide" else ():
            for text in f"{sign.source}: {sign.text}".splitlines():
                print(output.line(f"    {text}"))
    print(output.line(f"cause: {explained.cause}") if explained.cause else "cause: none, it is as it should be")
    if explained.next_step:
        print(output.line(f"next step: {explained.next_step}"))


@app.command
def watch(
    deployment: options.Deployment,
    /,
    *,
    all_events: Annotated[
        bool, Parameter(name="--all", help="Begin with the first event instead of the newest.")
    ] = False,
) -> None:
    """Print each change of a deployment, until interrupted."""
    watched = client().deployments.get(names.deployment_id(deployment))
    for event in watched.watch(from_start=all_events):
        output.show_line(event.proto, tables.DEPLOYMENT_EVENTS)


@app.command
def orphans() -> None:
    """List objects in the cluster that have no deployment."""
    output.show(call("deployment.ListOrphans").orphans, tables.ORPHANS)


def show(deployment: Any) -> None:
    """Print a deployment."""
    output.show_one(deployment, tables.deployment(*_names([deployment])))


def _names(deployments: list[Any]) -> tuple[dict[str, str], dict[str, int]]:
    """The names of the models and the numbers of the versions, by their ids."""
    ids = {each.registered_model_id for each in deployments}
    models = _found(ids, "registered_model.ListRegisteredModels", "REGISTERED_MODEL_VIEW_BASIC")
    return {each.id: each.name for each in models}, _numbers(deployments)


def _numbers(serving: list[Any]) -> dict[str, int]:
    ids = {each.model_version_id for each in serving}
    versions = _found(ids, "model_version.ListProjectModelVersions", "MODEL_VERSION_VIEW_BASIC")
    return {each.id: each.number for each in versions}


def _found(ids: set[str], rpc: str, view: str) -> list[Any]:
    """The objects with these ids. Only people are shown their names, for which the registry has to be asked."""
    conditions = [f"id = {each}" for each in sorted(ids) if _is_for_people()]
    parts = [" OR ".join(conditions[start : start + 20]) for start in range(0, len(conditions), 20)]
    return [each for part in parts for each in pages(rpc, filter=part, view=view)]


def _is_for_people() -> bool:
    return options.chosen.output in {"table", "wide"}
