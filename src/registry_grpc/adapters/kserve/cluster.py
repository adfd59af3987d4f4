"""Implements the `Cluster` port on a Kubernetes API with KServe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from uuid import UUID

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api
from registry_grpc.adapters.kserve.applying import Application
from registry_grpc.adapters.kserve.credentials_secret import (
    applied_secret,
    credentials_secret,
    kept_secret,
    known_secrets,
)
from registry_grpc.adapters.kserve.deletion import delete_object, delete_secret
from registry_grpc.adapters.kserve.drift import content_differences, content_of
from registry_grpc.adapters.kserve.errors import planning, reading, writing
from registry_grpc.adapters.kserve.evidence import live_object
from registry_grpc.adapters.kserve.facts import read_facts
from registry_grpc.adapters.kserve.identity import INFERENCE_SERVICE_ID
from registry_grpc.adapters.kserve.observation import observe
from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.kserve.throttle import patience
from registry_grpc.adapters.kserve.watch import Watch
from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference, Want
from registry_grpc.domain.evidence import Evidence, LiveObject
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.naming import namespace_findings
from registry_grpc.domain.preflight import ClusterFacts
from registry_grpc.ports.cluster import Change, NamespacesInUse

_FACTS_LAST = 30.0


class KServeCluster:
    """Implements ports.cluster.Cluster. Owns the Api.

    `registry_id` marks the objects of this installation. `name_key` is the key of the hashes in the names of Secrets.
    `namespaces` are the ones to watch; empty if the registry may watch all of them.
    """

    def __init__(
        self,
        api: Api,
        *,
        registry_id: UUID,
        name_key: bytes,
        namespaces: tuple[str, ...] = (),
        pace: Pace | None = None,
    ) -> None:
        self._api = api
        self._name_key = name_key
        self._registry_id = str(registry_id)
        self._watch = Watch(api, registry_id=self._registry_id, namespaces=namespaces, pace=pace or Pace())
        self._facts: dict[tuple[str, str], tuple[float, ClusterFacts]] = {}
        self._asking = asyncio.Lock()

    def patience(self, seconds: float) -> AbstractAsyncContextManager[None]:
        return patience(seconds)

    async def observe(self, deployment: Deployment) -> Evidence:
        with reading():
            return await observe(self._api, deployment)

    async def look(self, namespace: str, name: str) -> LiveObject | None:
        with reading():
            raw = await self._api.find(kinds.INFERENCE_SERVICES, name, namespace=namespace)
        return None if raw is None else live_object(raw)

    async def apply(
        self, deployment: Deployment, credentials: Credentials | None, *, seen: Evidence, force: bool
    ) -> Applied:
        application = self._application(deployment, credentials)
        with writing():
            return await application.carry_out(seen.live, force=force)

    def keeps_secret(self, deployment: Deployment) -> bool:
        return bool(kept_secret(deployment))

    def manifest(self, deployment: Deployment, credentials: Credentials) -> str:
        return json.dumps(self._application(deployment, credentials).manifest, indent=2, ensure_ascii=False)

    async def dry_run(self, deployment: Deployment, credentials: Credentials) -> tuple[FieldDifference, ...]:
        application = self._application(deployment, credentials)
        with planning():
            raw = await self._api.find(kinds.INFERENCE_SERVICES, deployment.name, namespace=deployment.namespace)
            result = await application.rehearse(None if raw is None else live_object(raw))
        if raw is None:
            return ()
        manifest = application.manifest
        return content_differences(content_of(result, manifest), content_of(raw, manifest))

    def _application(self, deployment: Deployment, credentials: Credentials | None) -> Application:
        return Application(self._api, deployment, credentials, registry_id=self._registry_id, name_key=self._name_key)

    async def delete(self, deployment: Deployment, *, seen: Evidence) -> None:
        live = seen.live
        if live is None or not live.is_of(deployment):
            return
        with writing():
            await delete_object(self._api, deployment.namespace, deployment.name, uid=live.uid)

    async def remove(self, namespace: str, name: str, inference_service_id: UUID) -> None:
        with reading():
            raw = await self._api.find(kinds.INFERENCE_SERVICES, name, namespace=namespace)
        if raw is None or (raw["metadata"].get("labels") or {}).get(INFERENCE_SERVICE_ID) != str(inference_service_id):
            return
        with reading():
            await delete_object(self._api, namespace, name, uid=raw["metadata"]["uid"])

    async def clean_up(self, deployment: Deployment, credentials: Credentials | None = None) -> None:
        names = known_secrets(deployment)
        if deployment.want is Want.PRESENT:
            names -= {applied_secret(deployment)}
        elif secret := credentials_secret(
            deployment, credentials or Credentials(), registry_id=self._registry_id, name_key=self._name_key
        ):
            names |= {secret["metadata"]["name"]}
        with writing():
            for name in sorted(names):
                await delete_secret(self._api, deployment.namespace, name)

    async def facts(self, namespace: str, service_account: str = "") -> ClusterFacts:
        if namespace_findings(namespace):
            return ClusterFacts(namespace_exists=False)
        key = (namespace, service_account)
        # One caller at a time: facts take some thirty requests, and callers that wait can use the same answer.
        async with self._asking:
            now = asyncio.get_running_loop().time()
            self._facts = {k: (until, facts) for k, (until, facts) in self._facts.items() if until > now}
            if key not in self._facts:
                with reading():
                    self._facts[key] = (now + _FACTS_LAST, await read_facts(self._api, namespace, service_account))
            return self._facts[key][1]

    def changes(self, used: NamespacesInUse) -> AsyncGenerator[Change, None]:
        return self._watch.changes(used)

    async def close(self) -> None:
        await self._api.close()
