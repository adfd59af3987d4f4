"""The number that is stamped on the pods: the first revision that needs such pods.

KServe copies it to the pod template, so that a new number restarts the pods. Therefore a revision that needs the same
pods as the one that serves, or as the one last applied, keeps their number: after a failed update, a rollback returns
to the pods that still serve.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from registry_grpc.adapters.kserve.identity import REVISION
from registry_grpc.adapters.kserve.manifests import DEPLOYMENT_MODE, SCALING, Manifest
from registry_grpc.domain.decision import is_withdrawn
from registry_grpc.domain.deployment import Deployment
from registry_grpc.domain.deployment_options import DeploymentMode


def stamp_pods(manifest: Manifest, deployment: Deployment) -> Mapping[str, int]:
    """Stamps the manifest. Returns the numbers to keep with the applied content, by the digest of their pods. A canary
    has pods of its own."""
    kept, digest = _reusable(deployment), _digest_of_pods(manifest)
    number = deployment.generation if deployment.canary else kept.get(digest, deployment.generation)
    manifest["spec"]["predictor"]["annotations"] = {REVISION: str(number)}
    return {**kept, digest: number}


def stamp_of(manifest: Manifest) -> int:
    return int(manifest["spec"]["predictor"]["annotations"][REVISION])


def _reusable(deployment: Deployment) -> dict[str, int]:
    """The numbers of the last applied revision and of the one that serves, which is the oldest that is known."""
    applied = deployment.applied
    if applied is None or is_withdrawn(deployment):
        return {}
    known: dict[str, int] = applied.content.get("stamps", {})
    wanted = {applied.stamp}
    if deployment.serving_generation not in {None, deployment.applied_generation}:
        wanted.add(min(known.values(), default=0))
    return {digest: number for digest, number in known.items() if number in wanted}


def _digest_of_pods(manifest: Manifest) -> str:
    """The same for manifests of which KServe makes the same pods."""
    metadata, predictor = manifest["metadata"], manifest["spec"]["predictor"]
    ignored = {"annotations"}
    if metadata["annotations"][DEPLOYMENT_MODE] == DeploymentMode.STANDARD:
        ignored.update(SCALING)
    pods = {name: value for name, value in predictor.items() if name not in ignored}
    text = json.dumps([metadata["labels"], metadata["annotations"], pods], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
