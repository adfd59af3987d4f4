"""The object of a deployment with a canary, and how the cluster divides the requests (docs/decisions/canary.md).

The stable part of the object is kept as it was applied, because any change would restart its pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from registry_grpc.adapters.kserve.evidence import Raw, number_of, revision_of
from registry_grpc.adapters.kserve.identity import MODEL_VERSION_ID
from registry_grpc.adapters.kserve.manifests import SCALING, STORAGE_SECRET_NAME, Manifest
from registry_grpc.domain.canary import Canary, CanaryStep
from registry_grpc.domain.decision import is_withdrawn
from registry_grpc.domain.deployment import Applied, Deployment
from registry_grpc.domain.deployment_options import DeploymentMode
from registry_grpc.domain.evidence import ApplyRefused
from registry_grpc.domain.reason import DeploymentReason

_ALL = 100


def divided(manifest: Manifest, deployment: Deployment) -> Manifest:
    """The object that divides the requests as the row says, made of the one that has only the target revision.

    Raises ApplyRefused if KServe would not run the target as it was asked for.
    """
    applied, canary = deployment.applied, deployment.canary
    if applied is None or is_withdrawn(deployment):
        return manifest
    stable = stable_part(applied, canary)
    if canary is None:
        if stable["revision"] == deployment.generation:
            return _with_metadata(manifest, stable, predictor=stable["predictor"])
        return _named(manifest, _name_after(applied, manifest, deployment.generation))
    is_aborted = canary.step is CanaryStep.ABORT
    if deployment.spec.options.deployment_mode is DeploymentMode.KNATIVE:
        part = _with_metadata(manifest, stable, predictor=stable["predictor"]) if is_aborted else manifest
        predictor = {**part["spec"]["predictor"], "canaryTrafficPercent": canary.share}
        return {**part, "spec": {"predictor": predictor}}
    if is_aborted and not applied.split:  # it may be refused, and nothing was ever given to it
        return _with_metadata(manifest, stable, predictor=stable["predictor"])
    entry = _entry(manifest, stable, deployment.canary_name)
    if inherited := [] if is_aborted else list(_inherited(stable["predictor"], entry)):
        fields = ", ".join(sorted(inherited))
        text = f"KServe would give the new revision the old one's {fields}, which it shall not have"
        raise ApplyRefused(DeploymentReason.CANARY_UNSUPPORTED, text)
    if canary.step is CanaryStep.PROMOTE and not _can_take_over(stable["predictor"], entry):
        whole = _named(manifest, stable["predictor"].get("name", ""))
        return {**whole, "spec": {**whole["spec"], "canary": [_share(entry, canary.percent)]}}
    whole = _with_metadata(manifest, stable, predictor=stable["predictor"])
    return {**whole, "spec": {**whole["spec"], "canary": [_share(entry, canary.share)]}}


def stable_part(applied: Applied, canary: Canary | None) -> dict[str, Any]:
    """The stable revision's part of the object: its predictor, labels and annotations. Before a canary, all of it."""
    content = applied.content
    kept: dict[str, Any] | None = content.get("stable")
    return kept or {
        "revision": canary.stable_generation if canary else 0,
        "predictor": applied.ours["predictor"],
        **{kind: content[kind] for kind in ("labels", "annotations")},
    }


def _with_metadata(manifest: Manifest, part: Mapping[str, Any], *, predictor: Manifest) -> Manifest:
    metadata = {**manifest["metadata"], "labels": part["labels"], "annotations": part["annotations"]}
    return {**manifest, "metadata": metadata, "spec": {"predictor": predictor}}


def _named(manifest: Manifest, name: str) -> Manifest:
    """The predictor's name is that of its Deployment, so it stays, or a rollout would replace the Deployment."""
    named = {"name": name} if name else {}
    return {**manifest, "spec": {"predictor": {**named, **manifest["spec"]["predictor"]}}}


def _name_after(applied: Applied, manifest: Manifest, revision: int) -> str:
    """The name for the target: that of its canary, if it can take that over, or else the present one."""
    before = stable_part(applied, None)["predictor"]
    for entry in applied.ours.get("canary", ()):
        was_tried = revision_of(entry["predictor"]) == revision
        if was_tried and _can_take_over(before, manifest["spec"]["predictor"]):
            return str(entry["predictor"]["name"])
    return str(before.get("name", ""))


def _can_take_over(stable: Manifest, target: Manifest) -> bool:
    """KServe refuses another predictor name for the same model."""
    return bool(stable["model"].get("storageUri") != target["model"].get("storageUri"))


def _entry(manifest: Manifest, stable: Mapping[str, Any], name: str) -> Manifest:
    """The target's predictor as a canary. What the object's metadata says about the stable revision is overridden, so
    that the pods stay the same when the metadata becomes the target's."""
    metadata, predictor = manifest["metadata"], manifest["spec"]["predictor"]
    secret = metadata["annotations"].get(STORAGE_SECRET_NAME, "")
    has_secret = secret or STORAGE_SECRET_NAME in stable["annotations"]
    return {
        **{key: value for key, value in predictor.items() if key not in SCALING},
        "name": name,
        "labels": {MODEL_VERSION_ID: metadata["labels"][MODEL_VERSION_ID]},
        "annotations": {**predictor["annotations"], **({STORAGE_SECRET_NAME: secret} if has_secret else {})},
    }


def _share(entry: Manifest, percent: int) -> Manifest:
    return {"predictor": entry, "trafficPercent": percent}


def _inherited(stable: Mapping[str, Any], entry: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The fields that only the stable predictor has. KServe merges the canary into it, so they would apply to both."""
    for key, value in stable.items():
        if key not in entry:
            if value and (path or key not in SCALING):
                yield f"{path}{key}"
        elif isinstance(value, dict) and isinstance(entry[key], dict):
            yield from _inherited(value, entry[key], f"{path}{key}.")


def removal_of_canary(before: Manifest, wanted: Manifest, stored: Manifest) -> Manifest:
    """The JSON merge patch that removes from a stored spec what it still has of a canary that was there before, and is
    no longer wanted; empty if there is nothing."""
    patch: Manifest = {}
    if "canary" in before and "canary" in stored and "canary" not in wanted:
        patch["canary"] = None
    share, parts = "canaryTrafficPercent", [spec["predictor"] for spec in (before, stored, wanted)]
    if [share in part for part in parts] == [True, True, False]:
        patch["predictor"] = {share: None}
    return patch


def canary_names(service: Raw) -> list[str]:
    """The names of the predictors of an InferenceService's canaries."""
    canaries = (service.get("spec") or {}).get("canary") or ()
    return [entry["predictor"]["name"] for entry in canaries if "name" in entry["predictor"]]


def share_by_route(route: Raw, workload: str) -> int:
    """The percentage of the requests that the route sends to the Service of a workload."""
    rules = (route.get("spec") or {}).get("rules") or ()
    backends = rules[0].get("backendRefs") or () if rules else ()
    weights = {backend.get("name"): number_of(backend.get("weight"), 1) for backend in backends}
    total = sum(weights.values())
    return round(_ALL * weights.get(workload, 0) / total) if total else 0


def share_by_status(service: Raw, name: str) -> int:
    """The percentage that KServe says the canary gets. It says so even where nothing divides the requests."""
    found = (service.get("status") or {}).get("canaryStatuses") or ()
    return next(
        (number_of(each.get("trafficPercent"), 0) for each in found if each["name"] == name and each.get("ready")), 0
    )


def share_of_latest(service: Raw) -> int:
    """The percentage of the requests that a Knative Service sends to its latest revision."""
    status = service.get("status") or {}
    latest = status.get("latestCreatedRevisionName")
    shares = (each for each in status.get("traffic") or () if each.get("revisionName") == latest)
    return sum(number_of(each.get("percent"), 0) for each in shares)
