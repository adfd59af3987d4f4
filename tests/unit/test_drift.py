"""Differences between the applied and the live object, by the owners of fields, and the removal of additions."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.deployments import a_deployment, a_spec

from registry_grpc.adapters.kserve.drift import applied_content, drift, removal_of_additions, without_additions
from registry_grpc.adapters.kserve.manifests import Fit, inference_service
from registry_grpc.adapters.kserve.owners import last_other
from registry_grpc.devtools.simulated_cluster.api import ownership
from registry_grpc.devtools.simulated_cluster.api.ownership import Manager
from registry_grpc.devtools.simulated_cluster.api.schemas import INFERENCE_SERVICE
from registry_grpc.domain.deployment import Applied
from registry_grpc.domain.deployment_options import DeploymentOptions
from registry_grpc.domain.runtimes import Runtimes


def manifest(options: DeploymentOptions) -> dict[str, Any]:
    spec = a_spec(options=options)
    return inference_service(a_deployment(spec=spec), Fit.of(spec, Runtimes()), registry_id="r")


MANIFEST = manifest(DeploymentOptions(min_replicas=1, env={"A": "1"}))
US, KUBECTL = Manager("registry-grpc/1", "Apply", "v1"), Manager("kubectl-edit", "Update", "v1")
KSERVE = Manager("manager", "Update", "v1")

Object = dict[str, Any]


def stored() -> Object:
    """The answer of an API server to the apply. Defaults have no owner."""
    live = copy.deepcopy(MANIFEST)
    live["metadata"] |= {"uid": "u", "generation": 1, "resourceVersion": "10"}
    ownership.write(live, ownership.after_write({"metadata": {}}, MANIFEST, INFERENCE_SERVICE, US))
    live["metadata"]["annotations"]["modelFormat"] = "sklearn"
    live["spec"]["predictor"]["model"]["protocolVersion"] = "v1"
    return live


def applied() -> Applied:
    content = applied_content(stored(), MANIFEST, None)
    return Applied(uid="u", k8s_generation=1, resource_version="10", content=content)


def written(change: Any, by: Manager = KUBECTL, live: Object | None = None) -> Object:
    """The object after a write of somebody, which may change it in place."""
    before = live or stored()
    after = copy.deepcopy(before)
    change(after)
    after["metadata"]["generation"] += 1
    ownership.write(after, ownership.after_write(before, after, INFERENCE_SERVICE, by))
    return after


def changed(by: Manager = KUBECTL, **predictor: Any) -> Object:
    return written(lambda live: live["spec"]["predictor"].update(predictor), by)


def remodelled(by: Manager = KUBECTL, **model: Any) -> Object:
    return written(lambda live: live["spec"]["predictor"]["model"].update(model), by)


def defaulted(**model: Any) -> Object:
    """The object after a webhook has changed it, which owns nothing."""
    live = stored()
    live["spec"]["predictor"]["model"] |= model
    live["metadata"]["generation"] = 2
    return live


def found(live: Object, before: Applied | None = None) -> list[tuple[str, str, str]]:
    return [(d.path, d.applied, d.found) for d in drift(before or applied(), live)]


def test_an_object_as_it_was_stored_has_no_drift() -> None:
    assert found(stored()) == []


def test_a_changed_field() -> None:
    assert found(changed(minReplicas=5)) == [("spec.predictor.minReplicas", "1", "5")]


def test_an_added_field() -> None:
    assert found(changed(nodeSelector={"gpu": "yes"})) == [("spec.predictor.nodeSelector", "", '{"gpu": "yes"}')]


def test_a_removed_field() -> None:
    live = written(lambda live: live["spec"]["predictor"]["model"].pop("env"))
    assert found(live) == [("spec.predictor.model.env", '[{"name": "A", "value": "1"}]', "")]


def test_items_of_a_list_have_owners_of_their_own() -> None:
    live = remodelled(env=[{"name": "A", "value": "2"}, {"name": "B", "value": "3"}])
    assert found(live) == [
        ("spec.predictor.model.env[A].value", '"1"', '"2"'),
        ("spec.predictor.model.env[B]", "", '{"name": "B", "value": "3"}'),
    ]


def test_a_changed_default_of_others() -> None:
    assert found(remodelled(protocolVersion="v2")) == [("spec.predictor.model.protocolVersion", "", '"v2"')]


@pytest.mark.parametrize(
    "live",
    [
        defaulted(protocolVersion="v2"),
        defaulted(protocolVersion="v1", runtime="kserve-sklearnserver"),
        defaulted(storageUri="gs://normalized"),
        remodelled(name="", resources={}, command=[]),
        remodelled(resources={"limits": {}}),
    ],
    ids=["changed", "added", "our own field", "empty", "empty inside"],
)
def test_what_webhooks_set_is_no_drift(live: Object) -> None:
    assert found(live) == []


def test_what_the_controller_of_the_object_writes_is_no_drift() -> None:
    live = remodelled(KSERVE, runtime="kserve-sklearnserver", storageUri="gs://normalized")
    assert len(found(live)) == 2
    status = {"manager": "manager", "operation": "Update", "subresource": "status", "fieldsV1": {"f:status": {}}}
    live["metadata"]["managedFields"].append(status)
    assert found(live) == []
    assert last_other(live["metadata"]) == ""


def test_a_removed_default_is_no_drift() -> None:
    assert found(written(lambda live: live["spec"]["predictor"]["model"].pop("protocolVersion"))) == []


def test_a_value_that_others_have_restored_is_no_drift() -> None:
    live = changed(minReplicas=5)
    assert found(written(lambda live: live["spec"]["predictor"].update(minReplicas=1), live=live)) == []


def test_a_spec_that_is_one_field_to_the_api_server() -> None:
    """As with KServe's minimal CRDs: whoever writes any of it owns all of it."""
    live = changed(minReplicas=5, nodeSelector={"gpu": "yes"})
    theirs = {"manager": "kubectl-edit", "operation": "Update", "fieldsV1": {"f:spec": {}}}
    live["metadata"]["managedFields"] = [theirs]
    assert [difference for difference in found(live) if not difference[0].startswith("metadata")] == [
        ("spec.predictor.minReplicas", "1", "5"),
        ("spec.predictor.nodeSelector", "", '{"gpu": "yes"}'),
    ]


def test_a_changed_label_counts_without_a_new_generation() -> None:
    key = "modelregistry.ai-platform/registry-id"
    live = written(lambda live: live["metadata"]["labels"].update({key: "other"}))
    assert found(live) == [(f"metadata.labels[{key}]", '"r"', '"other"')]


def test_a_removed_annotation_counts() -> None:
    key = "serving.kserve.io/deploymentMode"
    live = written(lambda live: live["metadata"]["annotations"].pop(key))
    assert found(live) == [(f"metadata.annotations[{key}]", '"Standard"', "")]


def test_labels_and_annotations_of_others_are_no_drift() -> None:
    def label(live: Object) -> None:
        live["metadata"]["labels"]["kubeflow.org/x"] = "y"
        live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = "{}"

    live = written(label)
    assert found(live) == []
    assert last_other(live["metadata"]) == "kubectl-edit"


def revised(live: Object, before: Applied) -> Applied:
    """What is stored when the same manifest is applied over this object."""
    return Applied(uid="u", k8s_generation=2, resource_version="11", content=applied_content(live, MANIFEST, before))


def test_an_apply_does_not_absorb_additions() -> None:
    live = changed(nodeSelector={"gpu": "yes"})
    after = revised(live, applied())
    assert found(live, after) == [("spec.predictor.nodeSelector", "", '{"gpu": "yes"}')]
    assert found(stored(), after) == []
    assert after.content["spec"] == applied().content["spec"]


def test_an_adopted_object_keeps_what_others_had_written() -> None:
    live = changed(nodeSelector={"gpu": "yes"})
    adopted = Applied(uid="u", k8s_generation=1, resource_version="1", content=applied_content(live, MANIFEST, None))
    assert found(live, adopted) == []
    assert found(live, revised(live, adopted)) == []
    assert without_additions(adopted, live) == live["spec"]


def test_a_field_that_is_no_longer_ours_is_not_known_from_before() -> None:
    """Somebody had changed it, and changed it back: it stays when we leave it out."""
    live = changed(minReplicas=5)
    live = written(lambda live: live["spec"]["predictor"].update(minReplicas=1), live=live)
    less = manifest(DeploymentOptions(env={"A": "1"}))
    after = Applied(uid="u", k8s_generation=2, resource_version="3", content=applied_content(live, less, applied()))
    assert ("spec.predictor.minReplicas", "", "1") in found(live, after)


def test_a_content_of_an_earlier_release() -> None:
    content = {key: value for key, value in applied().content.items() if key != "ours"}
    before = Applied(uid="u", k8s_generation=1, resource_version="10", content=content)
    assert found(stored(), before) == []
    assert found(changed(minReplicas=5), before) == [("spec.predictor.minReplicas", "1", "5")]


@pytest.mark.parametrize(
    ("before", "after", "patch"),
    [
        ({"a": 1}, {"a": 1, "b": {"c": 1}}, {"b": None}),
        ({"a": {"b": 1}}, {"a": {"b": 1, "c": 2}}, {"a": {"c": None}}),
        (
            {"env": [{"name": "A", "value": "2"}]},
            {"env": [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]},
            {"env": [{"name": "A", "value": "2"}]},
        ),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}),
    ],
    ids=["added", "added inside", "added to env", "nothing"],
)
def test_the_patch_takes_out_additions_only(before: Any, after: Any, patch: Any) -> None:
    assert removal_of_additions(before, after) == patch


def test_additions_are_taken_out_and_changes_of_ours_are_kept() -> None:
    env = [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    live = written(lambda live: live["spec"]["predictor"].update(minReplicas=5, nodeSelector={"gpu": "yes"}))
    live = written(lambda live: live["spec"]["predictor"]["model"].update(env=env, protocolVersion="v2"), live=live)
    kept = without_additions(applied(), live)
    assert removal_of_additions(kept, live["spec"]) == {
        "predictor": {"nodeSelector": None, "model": {"env": env[:1], "protocolVersion": None}}
    }
