"""Implements the `Cluster` port on a Kubernetes API with KServe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from uuid import UUID

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.applying import Application, apply_secret
from registry_grpc.adapters.kserve.credentials_secret import (
    applied_secrets,
    credentials_secret,
    kept_secret,
    known_secrets,
    secret_name,
)
from registry_grpc.adapters.kserve.deletion import delete_object, delete_secret
from registry_grpc.adapters.kserve.drift import content_differences, content_of
from registry_grpc.adapters.kserve.errors import StatusError, planning, reading, writing
from registry_grpc.adapters.kserve.evidence import live_object
from registry_grpc.adapters.kserve.facts import PERMISSIONS, READING, read_facts, read_runtimes
from registry_grpc.adapters.kserve.identity import INFERENCE_SERVICE_ID
from registry_grpc.adapters.kserve.manifests import Fit
from registry_grpc.adapters.kserve.memory import Memory
from registry_grpc.adapters.kserve.observation import observe
from registry_grpc.adapters.kserve.stream import Pace
from registry_grpc.adapters.kserve.throttle import patience
from registry_grpc.adapters.kserve.tracing import trace
from registry_grpc.adapters.kserve.watch import Watch
from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference, Want
from registry_grpc.domain.deployment_options import NO_OPTIONS, DeploymentOptions
from registry_grpc.domain.evidence import Evidence, LiveObject
from registry_grpc.domain.explanation import Link
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.naming import namespace_findings
from registry_grpc.domain.policy import RESERVED_LABELS
from registry_grpc.domain.preflight import ClusterFacts
from registry_grpc.domain.runtimes import FORMAT_NAMES, Runtimes
from registry_grpc.ports.cluster import Change, NamespacesInUse


class KServeCluster:
    """Implements ports.cluster.Cluster. Owns the Api.

    `registry_id` marks the objects of this installation. `namespaces` are the ones to watch; empty if the registry may
    watch all of them. `format_names` has KServe's names of model formats by other names. Labels of users that begin
    with one of `reserved_labels` are not applied. Without `may_write`, plans are made without a dry run.
    """

    def __init__(
        self,
        api: Api,
        *,
        registry_id: UUID,
        namespaces: tuple[str, ...] = (),
        format_names: Mapping[str, str] = FORMAT_NAMES,
        pace: Pace | None = None,
        reserved_labels: tuple[str, ...] = RESERVED_LABELS,
        may_write: bool = True,
    ) -> None:
        self._api = api
        self._registry_id = str(registry_id)
        self._watch = Watch(api, registry_id=self._registry_id, namespaces=namespaces, pace=pace or Pace())
        self._format_names = format_names
        self._reserved_labels = reserved_labels
        self._may_write = may_write
        self._facts = Memory[ClusterFacts]()
        self._runtimes = Memory[Runtimes]()

    def patience(self, seconds: float) -> AbstractAsyncContextManager[None]:
        return patience(seconds)

    async def observe(self, deployment: Deployment) -> Evidence:
        with reading():
            return await observe(self._api, deployment, registry_id=self._registry_id)

    async def trace(self, deployment: Deployment) -> tuple[Link, ...]:
        with reading():
            return await trace(self._api, deployment)

    async def look(self, namespace: str, name: str, inference_service_id: UUID | None) -> LiveObject | None:
        raw = await self._marked(namespace, name, inference_service_id)
        return None if raw is None else live_object(raw)

    async def apply(
        self, deployment: Deployment, credentials: Credentials | None, *, seen: Evidence, force: bool
    ) -> Applied:
        with writing():
            application = await self._application(deployment, credentials)
            return await application.carry_out(seen.live, force=force)

    def keeps_secret(self, deployment: Deployment) -> bool:
        return bool(kept_secret(deployment))

    async def manifest(self, deployment: Deployment, credentials: Credentials) -> str:
        with reading():
            application = await self._application(deployment, credentials, is_plan=True)
        return json.dumps(application.manifest, indent=2, ensure_ascii=False)

    async def dry_run(self, deployment: Deployment, credentials: Credentials) -> tuple[FieldDifference, ...]:
        if not self._may_write:
            return ()
        with planning():
            application = await self._application(deployment, credentials, is_plan=True)
            raw = await self._api.find(kinds.INFERENCE_SERVICES, deployment.name, namespace=deployment.namespace)
            live = None if raw is None else live_object(raw, registry_id=self._registry_id)
            result = await application.rehearse(live)
        if raw is None:
            return ()
        manifest = application.manifest
        return content_differences(content_of(result, manifest), content_of(raw, manifest))

    async def _application(
        self, deployment: Deployment, credentials: Credentials | None, *, is_plan: bool = False
    ) -> Application:
        """A plan may be made without knowing the runtimes; its findings tell what is wrong."""
        fit = Fit.as_applied(deployment) or await self._fit(deployment, is_plan=is_plan)
        return Application(
            self._api,
            deployment,
            credentials,
            fit,
            registry_id=self._registry_id,
            reserved_labels=self._reserved_labels,
        )

    async def _fit(self, deployment: Deployment, *, is_plan: bool) -> Fit:
        began = asyncio.get_running_loop().time()
        try:
            runtimes = await self._runtimes_of(deployment.namespace)
            may_lack = runtimes.formats is not None and runtimes.chosen(deployment.spec) is None
            if may_lack and not is_plan:  # one may have been installed since they were read
                runtimes = await self._runtimes_of(deployment.namespace, since=began)
        except StatusError:
            if not is_plan:
                raise
            runtimes = Runtimes(names=self._format_names)
        return Fit.of(deployment.spec, runtimes)

    async def _runtimes_of(self, namespace: str, *, since: float = 0.0) -> Runtimes:
        async def ask() -> Runtimes:
            return Runtimes(formats=await read_runtimes(self._api, namespace), names=self._format_names)

        return await self._runtimes.recall(namespace, ask, since=since)

    async def delete(self, deployment: Deployment, *, seen: Evidence) -> None:
        live = seen.live
        if live is None or not live.is_of(deployment):
            return
        with writing():
            await delete_object(self._api, deployment.namespace, deployment.name, uid=live.uid)

    async def remove(self, namespace: str, name: str, inference_service_id: UUID) -> None:
        raw = await self._marked(namespace, name, inference_service_id)
        if raw is None:
            return
        with reading():
            await delete_object(self._api, namespace, name, uid=raw["metadata"]["uid"])

    async def _marked(self, namespace: str, name: str, inference_service_id: UUID | None) -> Json | None:
        """The object, if it has the label with this id, or if none is given."""
        with reading():
            raw = await self._api.find(kinds.INFERENCE_SERVICES, name, namespace=namespace)
        labels = (raw["metadata"].get("labels") or {}) if raw else {}
        is_meant = inference_service_id is None or labels.get(INFERENCE_SERVICE_ID) == str(inference_service_id)
        return raw if is_meant else None

    async def restore_secret(self, deployment: Deployment, credentials: Credentials | None) -> None:
        secret = credentials_secret(deployment, credentials or Credentials(), registry_id=self._registry_id)
        if secret and deployment.applied and secret["metadata"]["name"] in applied_secrets(deployment):
            with writing():
                await apply_secret(self._api, deployment, secret, owner=deployment.applied.uid)

    async def clean_up(self, deployment: Deployment) -> Applied | None:
        names, applied = known_secrets(deployment), deployment.applied
        stays = names & applied_secrets(deployment) if deployment.want is Want.PRESENT else set[str]()
        if deployment.want is Want.ABSENT:
            names |= {secret_name(deployment)}  # of an apply that got no further
        with writing():
            for name in sorted(names - stays):
                await delete_secret(self._api, deployment.namespace, name)
        return applied and replace(applied, content={**applied.content, "secrets": sorted(stays)})

    async def facts(
        self, namespace: str, options: DeploymentOptions = NO_OPTIONS, *, canary_of: str = ""
    ) -> ClusterFacts:
        if namespace_findings(namespace):
            return ClusterFacts(namespace_exists=False)

        async def ask() -> ClusterFacts:
            try:
                runtimes = await self._runtimes_of(namespace)
            except StatusError:
                runtimes = Runtimes(names=self._format_names)
            wanted = PERMISSIONS if self._may_write else READING
            return await read_facts(self._api, namespace, options, runtimes, wanted=wanted, canary_of=canary_of)

        names = namespace, options.service_account, options.priority_class_name, canary_of
        with reading():
            return await self._facts.recall((*names, options.deployment_mode, bool(options.storage_uris)), ask)

    def changes(self, used: NamespacesInUse) -> AsyncGenerator[Change, None]:
        return self._watch.changes(used)

    async def close(self) -> None:
        await self._api.close()
