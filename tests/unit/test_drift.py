"""Differences between the applied and the live object, and the patch that removes additions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.deployments import a_deployment, a_spec

from registry_grpc.adapters.kserve.drift import content_of, drift, removal_of_additions
from registry_grpc.adapters.kserve.manifests import Fit, inference_service
from registry_grpc.domain.deployment import Applied
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.runtimes import Runtimes

OPTIONS = DeploymentOptions(min_replicas=1, env={"A": "1"})
SPEC = a_spec(options=OPTIONS)
MANIFEST = inference_service(a_deployment(spec=SPEC), Fit.of(SPEC, Runtimes()), registry_id="r")


def stored() -> dict[str, Any]:
    """The answer of an API server to the apply."""
    live = copy.deepcopy(MANIFEST)
    live["metadata"] |= {"uid": "u", "generation": 1, "resourceVersion": "10"}
    live["metadata"]["annotations"]["modelFormat"] = "sklearn"
    live["spec"]["predictor"]["model"]["protocolVersion"] = "v1"
    return live


def applied() -> Applied:
    return Applied(uid="u", k8s_generation=1, resource_version="10", content=content_of(stored(), MANIFEST))


def changed(**predictor: Any) -> dict[str, Any]:
    live = stored()
    live["metadata"]["generation"] = 2
    live["spec"]["predictor"] |= predictor
    return live


def found(live: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(d.path, d.applied, d.found) for d in drift(applied(), live)]


def test_defaults_of_webhooks_are_no_drift() -> None:
    assert found(stored()) == []


def test_a_changed_field() -> None:
    assert found(changed(minReplicas=5)) == [("spec.predictor.minReplicas", "1", "5")]


def test_an_added_field() -> None:
    assert found(changed(nodeSelector={"gpu": "yes"})) == [("spec.predictor.nodeSelector", "", '{"gpu": "yes"}')]


def test_a_removed_field() -> None:
    live = changed()
    del live["spec"]["predictor"]["model"]["env"]
    assert found(live) == [("spec.predictor.model.env", '[{"name": "A", "value": "1"}]', "")]


def test_a_changed_label_counts_without_a_new_generation() -> None:
    live = stored()
    live["metadata"]["labels"]["modelregistry.ai-platform/registry-id"] = "other"
    assert found(live) == [("metadata.labels[modelregistry.ai-platform/registry-id]", '"r"', '"other"')]


def test_a_removed_annotation_counts() -> None:
    live = stored()
    del live["metadata"]["annotations"]["serving.kserve.io/deploymentMode"]
    assert found(live) == [("metadata.annotations[serving.kserve.io/deploymentMode]", '"Standard"', "")]


def test_labels_and_annotations_of_others_are_no_drift() -> None:
    live = stored()
    live["metadata"]["labels"]["kubeflow.org/x"] = "y"
    live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"
    assert found(live) == []


def test_a_spec_nobody_has_written_since_has_no_drift() -> None:
    live = changed(newDefaultOfTheCrd=True)
    live["metadata"]["generation"] = 1
    assert found(live) == []


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 2}, {}),
        ({"a": 1}, {}, {}),
        ({"a": 1}, {"a": 1, "b": {"c": 1}}, {"b": None}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"a": {"c": None}}),
        ({"a": 1}, {"a": {"b": 1}}, {}),
        (
            {"env": [{"name": "A", "value": "1"}]},
            {"env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
            {"env": [{"name": "A", "value": "2"}]},
        ),
        ({"args": ["x"]}, {"args": ["x", "y"]}, {"args": ["x"]}),
    ],
    ids=["changed", "removed", "added", "added inside", "another type", "added to env", "added to a list of texts"],
)
def test_the_patch_takes_out_additions_only(before: Any, after: Any, patch: Any) -> None:
    assert removal_of_additions(before, after) == patch
