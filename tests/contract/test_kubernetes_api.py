"""The behaviour of a Kubernetes API on which the registry relies, simulated and on a real kube-apiserver."""

from __future__ import annotations

import copy
import json

import pytest
from tests.cluster.client import path_of
from tests.cluster.kube import Kube, Object, inference_service, runtime
from tests.cluster.own_kserve import OwnKServe

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import INFERENCE_SERVICES, SECRETS, SERVING_RUNTIMES

REQUESTING_LOTS = {"modelFormat": {"name": "sklearn"}, "resources": {"requests": {"cpu": "lots"}}}


def owners(obj: Object) -> dict[tuple[str, str], str]:
    """The fields of every manager, as one text each."""
    entries = obj["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"]): json.dumps(entry["fieldsV1"]) for entry in entries}


class TestApply:
    async def test_creates_a_missing_object(self, kube: Kube) -> None:
        created = await kube.apply(runtime("a"))

        assert created["metadata"]["generation"] == 1
        assert created["metadata"]["uid"]
        assert created["metadata"]["namespace"] == kube.namespace
        assert "f:containers" in owners(created)["registry", "Apply"]
        assert await kube.get(SERVING_RUNTIMES, "a") == created

    async def test_of_the_same_again_changes_nothing(self, kube: Kube) -> None:
        created = await kube.apply(runtime("a"))

        assert await kube.apply(runtime("a")) == created

    async def test_of_another_spec_is_a_new_generation(self, kube: Kube) -> None:
        created = await kube.apply(runtime("a", multiModel=False))
        changed = await kube.apply(runtime("a", multiModel=True))

        assert changed["metadata"]["generation"] == 2
        assert changed["metadata"]["uid"] == created["metadata"]["uid"]
        assert changed["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]

    async def test_of_other_labels_is_not_a_new_generation(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))
        changed = await kube.apply(runtime("a", labels={"team": "x"}))

        assert changed["metadata"]["labels"] == {"team": "x"}
        assert changed["metadata"]["generation"] == 1

    async def test_removes_fields_that_were_applied_before_and_are_now_omitted(self, kube: Kube) -> None:
        await kube.apply(runtime("a", labels={"team": "x", "tier": "y"}, multiModel=True))
        changed = await kube.apply(runtime("a", labels={"tier": "y"}))

        assert changed["metadata"]["labels"] == {"tier": "y"}
        assert "multiModel" not in changed["spec"]

    async def test_does_not_touch_fields_of_others(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))
        await kube.merge(SERVING_RUNTIMES, "a", {"metadata": {"labels": {"theirs": "1"}}, "spec": {"replicas": 3}})
        changed = await kube.apply(runtime("a", multiModel=True))

        assert changed["metadata"]["labels"] == {"theirs": "1"}
        assert changed["spec"]["replicas"] == 3

    async def test_keeps_a_field_that_somebody_else_owns_too(self, kube: Kube) -> None:
        await kube.apply(runtime("a", multiModel=True))
        await kube.apply(runtime("a", multiModel=True), manager="other")
        changed = await kube.apply(runtime("a"))

        assert changed["spec"]["multiModel"] is True

    async def test_merges_keyed_lists_by_item(self, kube: Kube) -> None:
        def with_env(name: str, value: str) -> Object:
            service = inference_service("a")
            service["spec"]["predictor"]["model"]["env"] = [{"name": name, "value": value}]
            return service

        await kube.apply(with_env("MINE", "1"), dryRun="All")
        await kube.apply(with_env("MINE", "1"))
        await kube.apply(with_env("THEIRS", "2"), manager="other")
        changed = await kube.apply(with_env("MINE", "3"))

        env = changed["spec"]["predictor"]["model"]["env"]
        assert env == [{"name": "MINE", "value": "3"}, {"name": "THEIRS", "value": "2"}]

    async def test_against_another_writer_is_a_conflict_that_names_it(self, kube: Kube) -> None:
        await kube.apply(runtime("a", multiModel=False))
        await kube.merge(SERVING_RUNTIMES, "a", {"spec": {"multiModel": True}}, manager="kubectl-edit")

        with pytest.raises(ApiError) as refused:
            await kube.apply(runtime("a", multiModel=False))

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")
        assert refused.value.details is not None
        (cause,) = refused.value.details["causes"]
        assert cause["reason"] == "FieldManagerConflict"
        assert cause["field"] == ".spec.multiModel"
        assert cause["message"] == 'conflict with "kubectl-edit" using serving.kserve.io/v1alpha1'
        assert refused.value.message == f"Apply failed with 1 conflict: {cause['message']}: .spec.multiModel"

    async def test_against_another_applier_lists_every_field(self, kube: Kube) -> None:
        await kube.apply(runtime("a", multiModel=False, replicas=1), manager="other")

        with pytest.raises(ApiError) as refused:
            await kube.apply(runtime("a", multiModel=True, replicas=2))

        assert refused.value.message == (
            'Apply failed with 2 conflicts: conflicts with "other":\n- .spec.multiModel\n- .spec.replicas'
        )

    async def test_by_force_takes_the_field_over(self, kube: Kube) -> None:
        await kube.apply(runtime("a", multiModel=False))
        await kube.merge(SERVING_RUNTIMES, "a", {"spec": {"multiModel": True}}, manager="kubectl-edit")
        forced = await kube.apply(runtime("a", multiModel=False), force="true")

        assert forced["spec"]["multiModel"] is False
        assert ("kubectl-edit", "Update") not in owners(forced)

    async def test_on_a_dry_run_stores_nothing(self, kube: Kube) -> None:
        tried = await kube.apply(runtime("a"), dryRun="All")

        assert tried["spec"] == runtime("a")["spec"]
        with pytest.raises(ApiError) as missing:
            await kube.get(SERVING_RUNTIMES, "a")
        assert missing.value.code == 404

        created = await kube.apply(runtime("a"))
        tried = await kube.apply(runtime("a", multiModel=True), dryRun="All")
        assert tried["spec"]["multiModel"] is True
        assert await kube.get(SERVING_RUNTIMES, "a") == created

    async def test_ignores_the_status_of_a_kind_that_has_it_as_a_subresource(self, kube: Kube) -> None:
        created = await kube.apply({**inference_service("a"), "status": {"url": "http://mine"}})

        assert created.get("status", {}).get("url") != "http://mine"


class TestPreconditionsOfApply:
    async def test_wrong_uid_of_an_object_is_invalid(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))
        wrong = runtime("a")
        wrong["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"

        with pytest.raises(ApiError) as refused:
            await kube.apply(wrong)

        assert (refused.value.code, refused.value.reason) == (422, "Invalid")
        assert "field is immutable" in refused.value.message

    async def test_uid_without_an_object_is_a_conflict(self, kube: Kube) -> None:
        wanted = runtime("a")
        wanted["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"

        with pytest.raises(ApiError) as refused:
            await kube.apply(wanted)

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")
        assert "uid mismatch" in refused.value.message

    async def test_stale_resource_version_is_a_conflict(self, kube: Kube) -> None:
        created = await kube.apply(runtime("a"))
        await kube.apply(runtime("a", multiModel=True))
        stale = runtime("a")
        stale["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"]

        with pytest.raises(ApiError) as refused:
            await kube.apply(stale)

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")
        assert "the object has been modified" in refused.value.message
        assert refused.value.details is not None
        assert "causes" not in refused.value.details

    async def test_matching_preconditions_are_no_hindrance(self, kube: Kube) -> None:
        created = await kube.apply(runtime("a"))
        fresh = runtime("a", multiModel=True)
        fresh["metadata"] |= {key: created["metadata"][key] for key in ("uid", "resourceVersion")}

        assert (await kube.apply(fresh))["metadata"]["generation"] == 2


class TestValidation:
    async def test_unknown_field_is_refused_by_name(self, kube: Kube) -> None:
        wrong = inference_service("a")
        wrong["spec"]["predictor"]["model"]["storageUrii"] = "s3://x"

        with pytest.raises(ApiError) as refused:
            await kube.apply(wrong, fieldValidation="Strict")

        assert ".spec.predictor.model.storageUrii: field not declared in schema" in refused.value.message

    async def test_unknown_field_of_a_plain_create_is_a_bad_request(self, kube: Kube) -> None:
        wrong = inference_service("a")
        wrong["spec"]["predictor"]["model"]["storageUrii"] = "s3://x"

        with pytest.raises(ApiError) as refused:
            await kube.create(INFERENCE_SERVICES, wrong, fieldValidation="Strict")

        assert (refused.value.code, refused.value.reason) == (400, "BadRequest")
        assert 'unknown field "spec.predictor.model.storageUrii"' in refused.value.message

    @pytest.mark.skipif(OwnKServe.find() is not None, reason="KServe's webhook answers before the schema is checked")
    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("minReplicas", "one", "spec.predictor.minReplicas"),
            ("model", {"storageUri": "s3://x"}, "spec.predictor.model.modelFormat: Required value"),
            ("scaleMetric", "moons", 'spec.predictor.scaleMetric: Unsupported value: "moons"'),
            ("model", REQUESTING_LOTS, "spec.predictor.model.resources.requests.cpu"),
        ],
    )
    async def test_an_object_against_the_schema_is_invalid(
        self, kube: Kube, field: str, value: object, text: str
    ) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.create(INFERENCE_SERVICES, inference_service("a", **{field: value}))

        assert (refused.value.code, refused.value.reason) == (422, "Invalid")
        assert text in refused.value.message

    async def test_bad_label_is_invalid(self, kube: Kube) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.apply(runtime("a", labels={"team": "not a label"}))

        assert refused.value.code == 422
        assert refused.value.details is not None
        assert refused.value.details["causes"][0]["field"] == "metadata.labels"

    async def test_missing_namespace_is_not_found(self, kube: Kube) -> None:
        path = path_of(INFERENCE_SERVICES, "no-such-namespace", "a")
        with pytest.raises(ApiError) as refused:
            await kube.client.call(
                "PATCH",
                path,
                inference_service("a"),
                content_type="application/apply-patch+yaml",
                fieldManager="registry",
            )

        assert (refused.value.code, refused.value.reason) == (404, "NotFound")
        assert refused.value.details is not None
        assert refused.value.details["kind"] == "namespaces"

    async def test_unknown_kind_is_a_404_without_a_status(self, kube: Kube) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.client.call("GET", f"/apis/serving.example.com/v1/namespaces/{kube.namespace}/services")

        assert (refused.value.code, refused.value.reason) == (404, "")

    async def test_immutable_secret_stays_as_it_is(self, kube: Kube) -> None:
        secret = {"metadata": {"name": "a"}, "immutable": True, "stringData": {"key": "one"}}
        created = await kube.create(SECRETS, secret)
        assert created["data"] == {"key": "b25l"}

        with pytest.raises(ApiError) as refused:
            await kube.merge(SECRETS, "a", {"stringData": {"key": "two"}})

        assert (refused.value.code, refused.value.reason) == (422, "Invalid")
        # Labels and owners of an immutable object can be changed.
        assert await kube.merge(SECRETS, "a", {"metadata": {"labels": {"team": "x"}}})

    async def test_second_create_is_already_exists(self, kube: Kube) -> None:
        await kube.create(SERVING_RUNTIMES, runtime("a"))

        with pytest.raises(ApiError) as refused:
            await kube.create(SERVING_RUNTIMES, runtime("a"))

        assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")


class TestUpdate:
    async def test_with_a_stale_version_is_a_conflict(self, kube: Kube) -> None:
        created = await kube.create(SERVING_RUNTIMES, runtime("a"))
        await kube.merge(SERVING_RUNTIMES, "a", {"spec": {"multiModel": True}})
        stale = copy.deepcopy(created)
        stale["spec"]["replicas"] = 2

        with pytest.raises(ApiError) as refused:
            await kube.client.call("PUT", path_of(SERVING_RUNTIMES, kube.namespace, "a"), stale)

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")

    async def test_of_the_status_leaves_the_spec_and_the_generation_alone(self, kube: Kube) -> None:
        created = await kube.apply(inference_service("a", nodeSelector={"no": "node"}))
        patch = {"spec": {"predictor": {"minReplicas": 5}}, "status": {"note": "seen"}}

        updated = await kube.merge(INFERENCE_SERVICES, "a", patch, subresource="status")

        assert updated["status"]["note"] == "seen"
        assert updated["spec"] == created["spec"]
        assert updated["metadata"]["generation"] == 1

    async def test_of_a_custom_object_needs_a_version(self, kube: Kube) -> None:
        await kube.create(SERVING_RUNTIMES, runtime("a"))

        with pytest.raises(ApiError) as refused:
            await kube.client.call("PUT", path_of(SERVING_RUNTIMES, kube.namespace, "a"), runtime("a", replicas=2))

        assert (refused.value.code, refused.value.reason) == (422, "Invalid")
        assert "metadata.resourceVersion" in refused.value.message
