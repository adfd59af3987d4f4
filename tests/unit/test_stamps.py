"""The number on the pods: which revisions share it, and for how long it is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from tests.deployments import a_deployment, a_spec

from registry_grpc.adapters.kserve.manifests import Fit, Manifest, inference_service
from registry_grpc.adapters.kserve.stamps import stamp_of, stamp_pods
from registry_grpc.domain.deployment import Applied, Deployment
from registry_grpc.domain.deployment_options import DeploymentMode, DeploymentOptions
from registry_grpc.domain.runtimes import ModelFormat

ONE, TWO, THREE = (a_spec(storage_uri=f"s3://models/{name}") for name in ("one", "two", "three"))


def manifest(deployment: Deployment, secret_name: str = "") -> Manifest:
    fit = Fit(ModelFormat("sklearn", "1", None), {})
    return inference_service(deployment, fit, registry_id="r", secret_name=secret_name)


def stamped(deployment: Deployment, secret_name: str = "") -> tuple[int, Mapping[str, int]]:
    made = manifest(deployment, secret_name)
    stamps = stamp_pods(made, deployment)
    return stamp_of(made), stamps


def after(deployment: Deployment, **fields: Any) -> Deployment:
    """The next revision, when this one was applied."""
    number, stamps = stamped(deployment)
    applied = Applied(uid="u", k8s_generation=1, resource_version="1", content={"stamps": dict(stamps)}, stamp=number)
    generation = deployment.generation
    return replace(
        deployment, **{"applied": applied, "applied_generation": generation, "generation": generation + 1, **fields}
    )


def test_the_first_revision_has_its_own_number() -> None:
    assert stamped(a_deployment(generation=1, spec=ONE))[0] == 1
    assert stamped(a_deployment(generation=3, spec=ONE))[0] == 3


def test_the_same_pods_keep_their_number() -> None:
    second = after(a_deployment(spec=ONE), serving_generation=1)
    assert stamped(second)[0] == 1
    assert stamped(replace(second, spec=TWO))[0] == 2


def test_a_rollback_after_failed_updates_returns_to_the_pods_that_serve() -> None:
    second = after(a_deployment(spec=ONE), serving_generation=1, spec=TWO)
    third = after(second, spec=THREE)
    assert stamped(after(third, spec=ONE))[0] == 1
    assert stamped(after(third, spec=THREE))[0] == 3
    assert stamped(after(third, spec=TWO))[0] == 4, "no pods of revision 2 are left"
    assert len(stamped(after(third, spec=ONE))[1]) == 2


def test_pods_that_another_revision_has_replaced_are_forgotten() -> None:
    second = after(a_deployment(spec=ONE), serving_generation=1, spec=TWO)
    third = after(second, serving_generation=2, spec=ONE)
    assert stamped(third)[0] == 3


def test_an_object_that_was_given_up_keeps_nothing() -> None:
    assert stamped(replace(after(a_deployment(spec=ONE)), applied_generation=0))[0] == 2
    assert stamped(replace(after(a_deployment(spec=ONE)), applied=None))[0] == 2


def test_an_object_of_an_earlier_release_has_no_numbers() -> None:
    second = after(a_deployment(spec=ONE), serving_generation=1)
    assert second.applied is not None
    unknown = replace(second, applied=replace(second.applied, content={}, stamp=0))
    assert stamped(unknown)[0] == 2


@pytest.mark.parametrize(
    ("options", "number"),
    [
        (DeploymentOptions(min_replicas=2, max_replicas=3, scale_target=80), 1),
        (DeploymentOptions(deadline_seconds=7), 1),
        (DeploymentOptions(env={"A": "B"}), 2),
        (DeploymentOptions(timeout_seconds=7), 2),
        (DeploymentOptions(requests={"cpu": "1"}), 2),
    ],
)
def test_options_that_change_pods(options: DeploymentOptions, number: int) -> None:
    second = after(a_deployment(spec=ONE), serving_generation=1)
    assert stamped(replace(second, spec=replace(ONE, options=options)))[0] == number


def test_knative_makes_new_pods_for_another_scale() -> None:
    first = DeploymentOptions(deployment_mode=DeploymentMode.KNATIVE)
    second = after(a_deployment(spec=replace(ONE, options=first)), serving_generation=1)
    assert stamped(second)[0] == 1
    assert stamped(replace(second, spec=replace(ONE, options=replace(first, max_replicas=3))))[0] == 2


def test_other_keys_and_labels_make_other_pods() -> None:
    second = after(a_deployment(spec=ONE), serving_generation=1)
    assert stamped(second, "iris-creds")[0] == 2
    assert stamped(replace(second, spec=replace(ONE, labels={"team": "a"})))[0] == 2
