"""What changes deployments: `registry deploy`, `plan`, `update`, `promote`, `abort`, `rollback` and others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from registry_cli import deployments, names, options, output, progress, tables, values
from registry_cli.errors import CommandError, UsageError
from registry_cli.session import call, client, request_id

Target = Annotated[
    str,
    Parameter(
        completer=options.completion.versions,
        help="The model, with its version if it is not the default one: `MODEL@3`, `MODEL@champion`, `MODEL:NAME`.",
    ),
]
OptionsFile = Annotated[
    str,
    Parameter(
        name="--options",
        allow_leading_hyphen=True,
        help="A YAML file with options of the deployment; `-` is stdin: docs/kserve.md.",
    ),
]
Set = Annotated[
    list[str] | None,
    Parameter(name="--set", help="An option, such as `min_replicas=2` or `resources.limits.cpu=2`. Can be repeated."),
]
Name = Annotated[str, Parameter(help="The name of the deployment. Default: made of those of model and version.")]
NewVersion = Annotated[
    str,
    Parameter(
        name="--version", help="The version to serve from now on: a number, an alias or a name. Default: as now."
    ),
]
Traffic = Annotated[
    int | None, Parameter(name="--traffic-percent", help="Try it as a canary with so much of the requests, 1 to 99.")
]
Revision = Annotated[int, Parameter(help="The revision that must be the present one; 0: any.")]


@Parameter(name="*")
@dataclass
class New:
    """What a new deployment and its plan have in common."""

    name: Name = ""
    options_file: OptionsFile = ""
    setting: Set = None
    labels: options.Labels = None
    or_update: Annotated[
        bool,
        Parameter(
            help="If the environment has a deployment with this --name, give it the version and the options instead."
        ),
    ] = False


def deploy(
    target: Target,
    environment: options.Environment,
    /,
    *,
    new: New | None = None,
    waiting: options.Waiting = options.NO_WAIT,
) -> None:
    new = new or New()
    wanted = _wanted(target, environment, new)
    done = client().deployments.create_from(wanted, or_update=new.or_update, request_id=request_id())
    _finish(done.proto, waiting)


def plan(
    target: Target,
    environment: options.Environment,
    /,
    *,
    new: New | None = None,
    manifest: Annotated[bool, Parameter(help="Print the object that would be applied, as JSON.")] = False,
) -> None:
    new = new or New()
    planned = client().deployments.plan_from(_wanted(target, environment, new), or_update=new.or_update)
    show_plan(planned.proto, manifest=manifest)


def update(
    deployment: options.Deployment,
    /,
    *,
    version: NewVersion = "",
    options_file: OptionsFile = "",
    setting: Set = None,
    clear: options.Clear = None,
    traffic_percent: Traffic = None,
    expected_revision: Revision = 0,
    dry_run: Annotated[bool, Parameter(name="--plan", help="Only tell what would change, and what is wrong.")] = False,
    waiting: options.Waiting = options.NO_WAIT,
) -> None:
    changes = values.options(options_file, setting)
    fields = {
        "id": names.deployment_id(deployment),
        "version": version,
        "options": _options(changes),
        "traffic_percent": traffic_percent,
        "expected_revision": expected_revision,
        "update_mask": values.mask(
            {f"options.{option}": value for option, value in changes.items()}
            | {"version": version or None, "traffic_percent": traffic_percent},
            [f"options.{option}" for option in clear or ()],
        ),
    }
    if dry_run:
        show_plan(call("deployment.PlanDeployment", update=values.given(fields)))
        return
    _finish(call("deployment.UpdateDeployment", **fields).deployment, waiting)


def promote(deployment: options.Deployment, /, *, waiting: options.Waiting = options.NO_WAIT) -> None:
    _finish(call("deployment.PromoteDeployment", id=names.deployment_id(deployment)).deployment, waiting)


def abort(deployment: options.Deployment, /, *, waiting: options.Waiting = options.NO_WAIT) -> None:
    _finish(call("deployment.AbortDeployment", id=names.deployment_id(deployment)).deployment, waiting)


def rollback(
    deployment: options.Deployment,
    /,
    *,
    to: Annotated[int, Parameter(help="The revision to repeat. Default: the one that served before.")] = 0,
    expected_revision: Revision = 0,
    waiting: options.Waiting = options.NO_WAIT,
) -> None:
    id_ = names.deployment_id(deployment)
    done = call("deployment.RollbackDeployment", id=id_, revision=to, expected_revision=expected_revision).deployment
    _finish(done, waiting)


def redeploy(deployment: options.Deployment, /, *, waiting: options.Waiting = options.NO_WAIT) -> None:
    id_ = names.deployment_id(deployment)
    call("inference_service.UpdateInferenceService", id=id_, inference_service={"desired_state": "DEPLOYED"})
    _finish(call("deployment.GetDeployment", id=id_).deployment, waiting)


def undeploy(
    deployment: options.Deployment,
    /,
    *,
    yes: options.Yes = False,
    expected_revision: Revision = 0,
    wait: Annotated[bool, Parameter(help="Wait until the cluster has removed it.")] = False,
    timeout: options.Timeout = 300.0,
) -> None:
    found = call("deployment.GetDeployment", id=names.deployment_id(deployment)).deployment
    phase = output.word(found, "phase")
    url = f" and answers at {found.url}" if found.url else ""
    output.say(
        f"{found.name} in the namespace {found.namespace} is {phase}{url}. It would answer no requests any more."
    )
    output.confirm(f"Undeploy {found.name}?", yes=yes)
    call("deployment.UndeployModel", id=found.id, expected_revision=expected_revision)
    if wait:
        progress.wait(found.id, timeout, until="UNDEPLOYED")
    deployments.show(call("deployment.GetDeployment", id=found.id).deployment)


def show_plan(planned: Any, *, manifest: bool = False) -> None:
    """Print the findings and the differences. Ends with status 1 if the deployment would certainly fail."""
    blocking = sum(finding.blocking for finding in planned.findings)
    if manifest:
        print(planned.manifest)
    elif options.chosen.output in {"json", "yaml"}:
        output.show_one(planned, tables.FINDINGS)
    else:
        output.show(planned.findings, tables.FINDINGS)
        output.show(planned.differences, tables.DIFFERENCES)
        if not planned.findings:
            output.say("Nothing is wrong with it.")
    if blocking:
        raise CommandError("It would certainly fail.", hint="Correct what is BLOCKING.")


def _wanted(target: str, environment: str, new: New) -> Any:
    from modelregistry.v1.deployment_pb2 import NewDeployment

    model_name, word, exact = names.split(target)
    if names.is_id(target):
        raise UsageError("A version is deployed by its model.", hint="Write MODEL@3 or MODEL:NAME.")
    if new.or_update and not (new.name and (word or exact)):
        raise UsageError("--or-update needs --name and a version.", hint="Write MODEL@3 or MODEL:NAME.")
    return NewDeployment(
        registered_model_id=names.model_id(model_name),
        serving_environment_id=names.environment(environment).id,
        version=word,
        model_version_id=names.version(target).id if exact else None,
        name=new.name,
        options=_options(values.options(new.options_file, new.setting)),
        **values.new(None, labels=new.labels),
    )


def _options(given: dict[str, Any]) -> Any:
    from google.protobuf.json_format import ParseDict, ParseError

    from modelregistry.v1.deployment_pb2 import DeploymentOptions

    if not given:
        return None
    try:
        return ParseDict(given, DeploymentOptions())
    except ParseError as error:
        raise UsageError(f"The options are wrong: {error}.") from None


def _finish(deployment: Any, waiting: options.Waiting) -> None:
    if waiting.wait:
        deployment = progress.wait(deployment.id, waiting.timeout)
    else:
        output.say(f"It is on its way. Follow it with: registry deployments watch {deployment.name}")
    deployments.show(deployment)
