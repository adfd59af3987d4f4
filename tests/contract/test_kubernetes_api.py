"""What the registry relies on in a Kubernetes API, on the simulated cluster and on a real kube-apiserver."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from tests.cluster.kube import Kube, Object, inference_service

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import (
    INFERENCE_SERVICES,
    SECRETS,
    SERVING_RUNTIMES,
)
from registry_grpc.devtools.simulated_cluster.kserve.client import path_of

pytest_plugins = ["tests.cluster.clusters"]

RUNTIMES = SERVING_RUNTIMES
"""Objects no controller touches, so that a test is the only writer."""


def runtime(name: str, *, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ServingRuntime",
        "metadata": {"name": name, **({"labels": labels} if labels else {})},
        "spec": {"containers": [{"name": "kserve-container", "image": "x"}], **spec},
    }


def owners(obj: Object) -> dict[tuple[str, str], str]:
    """The fields of every manager, as one text each."""
    entries = obj["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"]): json.dumps(entry["fieldsV1"]) for entry in entries}


class TestApply:
    async def test_creates_what_is_not_there(self, kube: Kube) -> None:
        created = await kube.apply(runtime("a"))

        assert created["metadata"]["generation"] == 1
        assert created["metadata"]["uid"]
        assert created["metadata"]["namespace"] == kube.namespace
        assert "f:containers" in owners(created)["registry", "Apply"]
        assert await kube.get(RUNTIMES, "a") == created

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

    async def test_removes_what_it_applied_before_and_now_leaves_out(self, kube: Kube) -> None:
        await kube.apply(runtime("a", labels={"team": "x", "tier": "y"}, multiModel=True))
        changed = await kube.apply(runtime("a", labels={"tier": "y"}))

        assert changed["metadata"]["labels"] == {"tier": "y"}
        assert "multiModel" not in changed["spec"]

    async def test_leaves_alone_what_others_wrote(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))
        await kube.merge(RUNTIMES, "a", {"metadata": {"labels": {"theirs": "1"}}, "spec": {"replicas": 3}})
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
        await kube.merge(RUNTIMES, "a", {"spec": {"multiModel": True}}, manager="kubectl-edit")

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
        await kube.merge(RUNTIMES, "a", {"spec": {"multiModel": True}}, manager="kubectl-edit")
        forced = await kube.apply(runtime("a", multiModel=False), force="true")

        assert forced["spec"]["multiModel"] is False
        assert ("kubectl-edit", "Update") not in owners(forced)

    async def test_on_a_dry_run_stores_nothing(self, kube: Kube) -> None:
        tried = await kube.apply(runtime("a"), dryRun="All")

        assert tried["spec"] == runtime("a")["spec"]
        with pytest.raises(ApiError) as missing:
            await kube.get(RUNTIMES, "a")
        assert missing.value.code == 404

        created = await kube.apply(runtime("a"))
        tried = await kube.apply(runtime("a", multiModel=True), dryRun="All")
        assert tried["spec"]["multiModel"] is True
        assert await kube.get(RUNTIMES, "a") == created

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

    @pytest.mark.parametrize(
        ("field", "value", "text"),
        [
            ("minReplicas", "one", "spec.predictor.minReplicas"),
            ("model", {"storageUri": "s3://x"}, "spec.predictor.model.modelFormat: Required value"),
            ("scaleMetric", "moons", 'spec.predictor.scaleMetric: Unsupported value: "moons"'),
        ],
    )
    async def test_what_the_schema_forbids_is_invalid(self, kube: Kube, field: str, value: object, text: str) -> None:
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
        # Labels and owners are not part of what is frozen.
        assert await kube.merge(SECRETS, "a", {"metadata": {"labels": {"team": "x"}}})

    async def test_second_create_says_that_it_exists(self, kube: Kube) -> None:
        await kube.create(RUNTIMES, runtime("a"))

        with pytest.raises(ApiError) as refused:
            await kube.create(RUNTIMES, runtime("a"))

        assert (refused.value.code, refused.value.reason) == (409, "AlreadyExists")


class TestSelectors:
    @pytest.mark.parametrize(
        ("selector", "expected"),
        [
            ("tier=gold", ["a"]),
            ("tier!=gold", ["b", "c"]),
            ("tier in (gold, silver)", ["a", "b"]),
            ("tier notin (gold)", ["b", "c"]),
            ("tier", ["a", "b"]),
            ("!tier", ["c"]),
            ("tier,team=x", ["a"]),
        ],
    )
    async def test_by_label(self, kube: Kube, selector: str, expected: list[str]) -> None:
        await kube.apply(runtime("a", labels={"tier": "gold", "team": "x"}))
        await kube.apply(runtime("b", labels={"tier": "silver"}))
        await kube.apply(runtime("c"))

        found = await kube.items(RUNTIMES, labelSelector=selector)

        assert [item["metadata"]["name"] for item in found] == expected

    async def test_by_name(self, kube: Kube) -> None:
        for name in ("a", "b"):
            await kube.apply(runtime(name))

        (found,) = await kube.items(RUNTIMES, fieldSelector="metadata.name=b")

        assert found["metadata"]["name"] == "b"

    async def test_unreadable_selector_is_a_bad_request(self, kube: Kube) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.items(RUNTIMES, labelSelector="a b c")

        assert refused.value.code == 400

    async def test_list_in_pages(self, kube: Kube) -> None:
        names = [f"r{index}" for index in range(5)]
        for name in names:
            await kube.apply(runtime(name))
        found, token = [], ""
        for size in (2, 2, 1):
            page = await kube.listed(RUNTIMES, limit="2", **({"continue": token} if token else {}))
            assert len(page["items"]) == size
            found += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")

        assert found == names
        assert not token


class TestWatch:
    async def watch(self, kube: Kube, version: str, *, expected: int, **params: str) -> list[Object]:
        """The first events of a watch, fewer when it ends before."""
        events: list[Object] = []
        query = {"resourceVersion": version, "timeoutSeconds": "5", **params}
        async with contextlib.aclosing(kube.client.watch(path_of(RUNTIMES, kube.namespace), **query)) as watch:
            async for event in watch:
                events.append(event)
                if len(events) == expected:
                    break
        return events

    async def test_tells_every_change_since_the_list(self, kube: Kube) -> None:
        version = (await kube.listed(RUNTIMES))["metadata"]["resourceVersion"]
        await kube.apply(runtime("a"))
        await kube.apply(runtime("a", multiModel=True))
        await kube.delete(RUNTIMES, "a")

        events = await self.watch(kube, version, expected=3)

        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))
        assert events[2]["object"]["spec"]["multiModel"] is True

    async def test_takes_leaving_the_selection_for_a_deletion(self, kube: Kube) -> None:
        version = (await kube.listed(RUNTIMES))["metadata"]["resourceVersion"]
        await kube.apply(runtime("a", labels={"team": "x"}))
        await kube.apply(runtime("a", labels={"team": "y"}))
        await kube.apply(runtime("a", labels={"team": "x"}))

        events = await self.watch(kube, version, expected=3, labelSelector="team=x")

        assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]

    async def test_without_a_version_begins_with_what_is_there(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))

        events = await self.watch(kube, "", expected=1)

        assert [event["type"] for event in events] == ["ADDED"]

    async def test_sends_a_bookmark_before_its_timeout(self, kube: Kube) -> None:
        version = (await kube.listed(RUNTIMES))["metadata"]["resourceVersion"]
        created = await kube.apply(runtime("a"))

        events = await self.watch(kube, version, expected=2, allowWatchBookmarks="true", timeoutSeconds="3")

        assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
        bookmark = int(events[-1]["object"]["metadata"]["resourceVersion"])
        assert bookmark >= int(created["metadata"]["resourceVersion"])
        # It is as good a place to go on from as an event's.
        assert await self.watch(kube, str(bookmark), expected=1, timeoutSeconds="1") == []

    async def test_from_a_forgotten_version_is_410(self, kube: Kube) -> None:
        events = await self.watch(kube, "1", expected=1)

        assert [event["type"] for event in events] == ["ERROR"]
        assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


class TestDelete:
    async def test_with_another_uid_is_a_conflict(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))

        with pytest.raises(ApiError) as refused:
            await kube.delete(RUNTIMES, "a", preconditions={"uid": "00000000-0000-0000-0000-000000000000"})

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")

    async def test_of_what_is_not_there_is_not_found(self, kube: Kube) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.delete(RUNTIMES, "a")

        assert (refused.value.code, refused.value.reason) == (404, "NotFound")

    async def test_waits_for_finalizers(self, kube: Kube) -> None:
        held = runtime("a")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await kube.apply(held)
        await kube.delete(RUNTIMES, "a")

        dying = await kube.get(RUNTIMES, "a")
        assert dying["metadata"]["deletionTimestamp"]
        assert dying["metadata"]["generation"] == 2

        await kube.merge(RUNTIMES, "a", {"metadata": {"finalizers": []}})
        with pytest.raises(ApiError) as gone:
            await kube.get(RUNTIMES, "a")
        assert gone.value.code == 404

    async def test_takes_owned_objects_along(self, kube: Kube) -> None:
        owner = await kube.apply(runtime("a"))
        reference = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": "a",
            "uid": owner["metadata"]["uid"],
        }
        await kube.create(SECRETS, {"metadata": {"name": "a", "ownerReferences": [reference]}})
        await kube.delete(RUNTIMES, "a")

        await kube.until_gone(SECRETS, "a")

    async def test_in_the_foreground_ends_after_its_dependents(self, kube: Kube) -> None:
        owner = await kube.apply(runtime("a"))
        reference = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": "a",
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        held = {"name": "a", "ownerReferences": [reference], "finalizers": ["example.com/hold"]}
        await kube.create(SECRETS, {"metadata": held})
        await kube.delete(RUNTIMES, "a", propagationPolicy="Foreground")

        await kube.until(SECRETS, "a", lambda secret: "deletionTimestamp" in secret["metadata"])
        assert "foregroundDeletion" in (await kube.get(RUNTIMES, "a"))["metadata"]["finalizers"]

        await kube.merge(SECRETS, "a", {"metadata": {"finalizers": []}})
        await kube.until_gone(RUNTIMES, "a")


class TestUpdate:
    async def test_with_a_stale_version_is_a_conflict(self, kube: Kube) -> None:
        created = await kube.create(RUNTIMES, runtime("a"))
        await kube.merge(RUNTIMES, "a", {"spec": {"multiModel": True}})
        stale = copy.deepcopy(created)
        stale["spec"]["replicas"] = 2

        with pytest.raises(ApiError) as refused:
            await kube.client.call("PUT", path_of(RUNTIMES, kube.namespace, "a"), stale)

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")

    async def test_of_the_status_leaves_the_spec_and_the_generation_alone(self, kube: Kube) -> None:
        created = await kube.apply(inference_service("a", nodeSelector={"no": "node"}))
        patch = {"spec": {"predictor": {"minReplicas": 5}}, "status": {"note": "seen"}}

        updated = await kube.merge(INFERENCE_SERVICES, "a", patch, subresource="status")

        assert updated["status"]["note"] == "seen"
        assert updated["spec"] == created["spec"]
        assert updated["metadata"]["generation"] == 1

    async def test_of_a_custom_object_needs_a_version(self, kube: Kube) -> None:
        await kube.create(RUNTIMES, runtime("a"))

        with pytest.raises(ApiError) as refused:
            await kube.client.call("PUT", path_of(RUNTIMES, kube.namespace, "a"), runtime("a", replicas=2))

        assert (refused.value.code, refused.value.reason) == (422, "Invalid")
        assert "metadata.resourceVersion" in refused.value.message
