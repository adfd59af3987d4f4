"""`registry deployments`: what reads deployments."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter

from registry_cli import names, options, output, tables, values
from registry_cli.errors import FAILED, CommandError
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
    filter: options.Filter = "",
    order_by: options.OrderBy = "",
    limit: options.Limit = 0,
) -> None:
    """List the deployments, newest first."""
    found = pages(
        "deployment.ListDeployments",
        limit,
        registered_model_id=names.model_id(model) if model else None,
        phase=phase and f"DEPLOYMENT_PHASE_{phase.upper()}",
        filter=filter,
        order_by=order_by,
    )
    if options.chosen.output in {"table", "wide"}:
        found = list(found)  # type: ignore[assignment]
        output.show(found, tables.deployments(*_names(found)))
    else:
        output.show(found, tables.DEPLOYMENT)


@app.command
def get(deployment: options.Deployment, /) -> None:
    """Show a deployment."""
    output.show_one(call("deployment.GetDeployment", id=names.deployment_id(deployment)).deployment, tables.DEPLOYMENT)


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
        output.show(pages("deployment.ListDeploymentRevisions", limit, id=id_, filter=filter), tables.REVISIONS)
        return
    served = call("deployment.GetServedRevision", id=id_, at=values.time(at))
    output.show([served.revision] if served.HasField("revision") else [], tables.REVISIONS)


@app.command
def diff(deployment: options.Deployment, /) -> None:
    """Show how the object in the cluster differs from what was applied. Ends with status 1 if it does."""
    found = call("deployment.GetDeployment", id=names.deployment_id(deployment)).deployment
    output.show(found.drift, tables.DIFFERENCES)
    for field in found.edited_version_fields:
        output.say(f"The version was changed since it was deployed: {field}")
    if found.drift:
        raise CommandError("The object in the cluster is not as it was applied.", status=FAILED)
    output.say("The object in the cluster is as it was applied.")


@app.command
def explain(deployment: options.Deployment, /) -> None:
    """Show the chain from the intent to the URL, down to the log of the container, and what to do."""
    explained = call("deployment.ExplainDeployment", id=names.deployment_id(deployment))
    if options.chosen.output not in {"table", "wide"}:
        output.show_one(explained, tables.EXPLANATION)
        return
    for link in explained.chain:
        state = output.word(link, "state")
        kind = output.word(link, "kind").lower().replace("_", " ")
        print(output.line(f"{_MARKS.get(state, '?')} {kind} {link.name}: {link.summary}"))
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


def _names(deployments: Any) -> tuple[dict[str, str], dict[str, int]]:
    """The names of the models and the numbers of the versions, by their ids."""
    models = sorted({each.registered_model_id for each in deployments})
    versions = sorted({each.model_version_id for each in deployments})
    basic = {"view": "REGISTERED_MODEL_VIEW_BASIC"}, {"view": "MODEL_VERSION_VIEW_BASIC"}
    found = [
        each
        for ids, rpc, field, view in (
            (models, "registered_model.ListRegisteredModels", "registered_models", basic[0]),
            (versions, "model_version.ListProjectModelVersions", "model_versions", basic[1]),
        )
        for start in range(0, len(ids), 20)
        for each in getattr(call(rpc, filter=_any_id(ids[start : start + 20]), page_size=20, **view), field)
    ]
    return (
        {each.id: each.name for each in found if each.DESCRIPTOR.name == "RegisteredModel"},
        {each.id: each.number for each in found if each.DESCRIPTOR.name == "ModelVersion"},
    )


def _any_id(ids: list[str]) -> str:
    return " OR ".join(f"id = {each}" for each in ids)
