"""Lists, watches and deletions of a Kubernetes API, on the simulated cluster and on a real kube-apiserver."""

from __future__ import annotations

import contextlib

import pytest
from tests.cluster.client import path_of
from tests.cluster.kube import Kube, Object, runtime

from registry_grpc.devtools.simulated_cluster.api.errors import ApiError
from registry_grpc.devtools.simulated_cluster.api.resources import SECRETS, SERVING_RUNTIMES


class TestSelectors:
    @pytest.mark.parametrize(
        ("selector", "expected"),
        [
            ("tier=gold", ["a"]),
            ("tier!=gold", ["b", "c"]),
            ("tier", ["a", "b"]),
            ("!tier", ["c"]),
            ("tier,team=x", ["a"]),
        ],
    )
    async def test_by_label(self, kube: Kube, selector: str, expected: list[str]) -> None:
        await kube.apply(runtime("a", labels={"tier": "gold", "team": "x"}))
        await kube.apply(runtime("b", labels={"tier": "silver"}))
        await kube.apply(runtime("c"))

        found = await kube.items(SERVING_RUNTIMES, labelSelector=selector)

        assert [item["metadata"]["name"] for item in found] == expected

    async def test_by_name(self, kube: Kube) -> None:
        for name in ("a", "b"):
            await kube.apply(runtime(name))

        (found,) = await kube.items(SERVING_RUNTIMES, fieldSelector="metadata.name=b")

        assert found["metadata"]["name"] == "b"

    async def test_unreadable_selector_is_a_bad_request(self, kube: Kube) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.items(SERVING_RUNTIMES, labelSelector="a b c")

        assert refused.value.code == 400

    async def test_list_in_pages(self, kube: Kube) -> None:
        names = [f"r{index}" for index in range(5)]
        for name in names:
            await kube.apply(runtime(name))
        found, token = [], ""
        for size in (2, 2, 1):
            page = await kube.listed(SERVING_RUNTIMES, limit="2", **({"continue": token} if token else {}))
            assert len(page["items"]) == size
            found += [item["metadata"]["name"] for item in page["items"]]
            token = page["metadata"].get("continue", "")

        assert found == names
        assert not token


class TestWatch:
    async def watch(self, kube: Kube, version: str, *, expected: int, **params: str) -> list[Object]:
        """The first events of a watch, or fewer if it ends earlier."""
        events: list[Object] = []
        query = {"resourceVersion": version, "timeoutSeconds": "5", **params}
        async with contextlib.aclosing(kube.client.watch(path_of(SERVING_RUNTIMES, kube.namespace), **query)) as watch:
            async for event in watch:
                events.append(event)
                if len(events) == expected:
                    break
        return events

    async def test_tells_every_change_since_the_list(self, kube: Kube) -> None:
        version = (await kube.listed(SERVING_RUNTIMES))["metadata"]["resourceVersion"]
        await kube.apply(runtime("a"))
        await kube.apply(runtime("a", multiModel=True))
        await kube.delete(SERVING_RUNTIMES, "a")

        events = await self.watch(kube, version, expected=3)

        assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
        versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in events]
        assert versions == sorted(set(versions))
        assert events[2]["object"]["spec"]["multiModel"] is True

    async def test_takes_leaving_the_selection_for_a_deletion(self, kube: Kube) -> None:
        version = (await kube.listed(SERVING_RUNTIMES))["metadata"]["resourceVersion"]
        await kube.apply(runtime("a", labels={"team": "x"}))
        await kube.apply(runtime("a", labels={"team": "y"}))
        await kube.apply(runtime("a", labels={"team": "x"}))

        events = await self.watch(kube, version, expected=3, labelSelector="team=x")

        assert [event["type"] for event in events] == ["ADDED", "DELETED", "ADDED"]

    async def test_without_a_version_begins_with_the_present_objects(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))

        events = await self.watch(kube, "", expected=1)

        assert [event["type"] for event in events] == ["ADDED"]

    @pytest.mark.slow
    async def test_sends_a_bookmark_before_its_timeout(self, kube: Kube) -> None:
        version = (await kube.listed(SERVING_RUNTIMES))["metadata"]["resourceVersion"]
        created = await kube.apply(runtime("a"))

        events = await self.watch(kube, version, expected=2, allowWatchBookmarks="true", timeoutSeconds="5")

        assert [event["type"] for event in events] == ["ADDED", "BOOKMARK"]
        bookmark = int(events[-1]["object"]["metadata"]["resourceVersion"])
        assert bookmark >= int(created["metadata"]["resourceVersion"])
        # A watch can continue from it as from the version of an event.
        assert await self.watch(kube, str(bookmark), expected=1, timeoutSeconds="1") == []

    async def test_from_a_forgotten_version_is_410(self, kube: Kube) -> None:
        events = await self.watch(kube, "1", expected=1)

        assert [event["type"] for event in events] == ["ERROR"]
        assert (events[0]["object"]["code"], events[0]["object"]["reason"]) == (410, "Expired")


class TestDelete:
    async def test_with_another_uid_is_a_conflict(self, kube: Kube) -> None:
        await kube.apply(runtime("a"))

        with pytest.raises(ApiError) as refused:
            await kube.delete(SERVING_RUNTIMES, "a", preconditions={"uid": "00000000-0000-0000-0000-000000000000"})

        assert (refused.value.code, refused.value.reason) == (409, "Conflict")

    async def test_deleting_a_missing_object_is_not_found(self, kube: Kube) -> None:
        with pytest.raises(ApiError) as refused:
            await kube.delete(SERVING_RUNTIMES, "a")

        assert (refused.value.code, refused.value.reason) == (404, "NotFound")

    async def test_waits_for_finalizers(self, kube: Kube) -> None:
        held = runtime("a")
        held["metadata"]["finalizers"] = ["example.com/hold"]
        await kube.apply(held)
        await kube.delete(SERVING_RUNTIMES, "a")

        dying = await kube.get(SERVING_RUNTIMES, "a")
        assert dying["metadata"]["deletionTimestamp"]
        assert dying["metadata"]["generation"] == 2

        await kube.merge(SERVING_RUNTIMES, "a", {"metadata": {"finalizers": []}})
        with pytest.raises(ApiError) as gone:
            await kube.get(SERVING_RUNTIMES, "a")
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
        await kube.delete(SERVING_RUNTIMES, "a")

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
        await kube.delete(SERVING_RUNTIMES, "a", propagationPolicy="Foreground")

        await kube.until(SECRETS, "a", lambda secret: "deletionTimestamp" in secret["metadata"])
        assert "foregroundDeletion" in (await kube.get(SERVING_RUNTIMES, "a"))["metadata"]["finalizers"]

        await kube.merge(SECRETS, "a", {"metadata": {"finalizers": []}})
        await kube.until_gone(SERVING_RUNTIMES, "a")
