"""Applies one deployment to the cluster: its Secret, its InferenceService, and the owner reference between them.

The Secret is applied first, because KServe refuses pods whose Secret is missing. A crash in between leaves a Secret
whose name can be computed again. Names, uids and resource versions make it safe to run this several times at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.canaries import divided, removal_of_canary, stable_part
from registry_grpc.adapters.kserve.credentials_secret import credentials_secret, kept_secret, known_secrets, owned_by
from registry_grpc.adapters.kserve.deletion import delete_secret
from registry_grpc.adapters.kserve.drift import applied_content, drift, removal_of_additions, spec_of, without_additions
from registry_grpc.adapters.kserve.errors import StatusError, Unreachable, refusal_of
from registry_grpc.adapters.kserve.identity import field_manager
from registry_grpc.adapters.kserve.manifests import Fit, Manifest, inference_service
from registry_grpc.adapters.kserve.stamps import stamp_of, stamp_pods
from registry_grpc.domain.decision import is_overtaken
from registry_grpc.domain.deployment import Applied, Deployment, FieldDifference
from registry_grpc.domain.evidence import ApplyRefused, LiveObject
from registry_grpc.domain.model_version import Credentials
from registry_grpc.domain.policy import RESERVED_LABELS
from registry_grpc.domain.reason import DeploymentReason
from registry_grpc.domain.serving_environment import DriftPolicy

_STATUS_WRITES = 5
"""How often a write is repeated because KServe wrote its status between our read and our write."""


@dataclass(frozen=True, slots=True)
class _Base:
    """The state of the object that a write is based on."""

    uid: str
    generation: int
    drift: tuple[FieldDifference, ...]
    version: str


class Application:
    """Applies one deployment. Methods raise ApplyRefused, StatusError and Unreachable."""

    def __init__(
        self,
        api: Api,
        deployment: Deployment,
        credentials: Credentials | None,
        fit: Fit,
        *,
        registry_id: str,
        reserved_labels: tuple[str, ...] = RESERVED_LABELS,
    ) -> None:
        self._api = api
        self._deployment = deployment
        self._manager = field_manager(deployment.id)
        self._secret = credentials_secret(deployment, credentials or Credentials(), registry_id=registry_id)
        kept = "" if credentials is not None else kept_secret(deployment)
        secret_name = self._secret["metadata"]["name"] if self._secret else kept
        manifest = inference_service(
            deployment, fit, registry_id=registry_id, secret_name=secret_name, reserved=reserved_labels
        )
        self._stamps = stamp_pods(manifest, deployment)
        self.manifest = divided(manifest, deployment)

    async def carry_out(self, live: LiveObject | None, *, force: bool) -> Applied:
        self._check(live)
        if self._secret:
            await self._apply_secret(self._secret, owner=live.uid if live else "")
        if live is not None:
            return self._applied(await self._apply_over(live, force=force))
        try:
            stored = await self._apply_first()
        except StatusError as error:
            if self._secret and refusal_of(error) not in {DeploymentReason.API_UNAVAILABLE, DeploymentReason.OVERTAKEN}:
                # No object owns the Secret, and a revision of another version could not compute its name any more.
                with suppress(StatusError, Unreachable):
                    await delete_secret(self._api, self._namespace, self._secret["metadata"]["name"])
            raise
        if self._secret:
            await self._apply_secret(self._secret, owner=stored["metadata"]["uid"])
        return self._applied(stored)

    async def rehearse(self, live: LiveObject | None) -> Json:
        """The object as the API server would store it."""
        self._check(live)
        if self._secret:
            await self._apply_secret(self._secret, dry_run=True)
        if live is None:
            return await self._apply_first(dry_run=True)
        return await self._apply(self.manifest, force=self._is_adoption(live), dry_run=True)

    def _check(self, live: LiveObject | None) -> None:
        if live is None:
            return
        name = self._deployment.name
        if not live.is_of(self._deployment):
            text = f"namespace `{self._namespace}` has an InferenceService `{name}` that belongs to something else"
            raise ApplyRefused(DeploymentReason.NAME_TAKEN, text)
        if is_overtaken(self._deployment, live):
            newer = f"is newer than {self._deployment.generation}"
            text = f"revision {live.revision}, which {newer}, has already been applied"
            raise ApplyRefused(DeploymentReason.OVERTAKEN, text)

    async def _apply_first(self, *, dry_run: bool = False) -> Json:
        """Without force, so that an object that another client has created meanwhile is not taken over."""
        try:
            return await self._apply(self.manifest, force=False, dry_run=dry_run)
        except StatusError as error:
            if refusal_of(error) is DeploymentReason.FIELD_CONFLICT:
                raise ApplyRefused(DeploymentReason.OVERTAKEN, error.message) from error
            raise

    async def _apply_over(self, live: LiveObject, *, force: bool) -> Json:
        base = _Base(live.uid, live.k8s_generation, live.drift, live.resource_version)
        if force and live.drift and self._deployment.drift_policy is DriftPolicy.ENFORCE:
            base = await self._without_additions(base)

        async def write(preconditions: Json) -> Json:
            manifest = {**self.manifest, "metadata": {**self.manifest["metadata"], **preconditions}}
            return await self._apply(manifest, force=force or self._is_adoption(live) or self._is_as_applied(live))

        return await self._without_ended_canary(await self._on(base, write))

    async def _without_ended_canary(self, stored: Json) -> Json:
        """Remove what is left of a canary because others own its fields as well: they wrote the same values."""
        applied = self._deployment.applied
        patch = removal_of_canary(applied.ours, self.manifest["spec"], stored["spec"]) if applied else {}
        return await self._merge(self._base_of(stored), patch) if patch else stored

    async def _without_additions(self, base: _Base) -> _Base:
        """Remove the fields that others have added to the spec."""
        raw, applied = (await self._api.get(self._path)).body, self._deployment.applied
        patch = removal_of_additions(without_additions(applied, raw), spec_of(raw)) if applied else {}
        return self._base_of(await self._merge(base, patch)) if patch else base

    async def _merge(self, base: _Base, patch: Json) -> Json:
        """Merge a patch into the spec."""

        async def write(preconditions: Json) -> Json:
            return await self._api.merge(self._path, {"metadata": preconditions, "spec": patch}, manager=self._manager)

        return await self._on(base, write)

    async def _on(self, base: _Base, write: Callable[[Json], Awaitable[Json]]) -> Json:
        """Write if the spec and our labels and annotations are still those that were seen. Only a changed spec changes
        the generation; KServe changes the resource version all the time by writing the status while a service starts,
        so then the write is repeated."""
        version = base.version
        for _ in range(_STATUS_WRITES):
            try:
                return await write({"uid": base.uid, "resourceVersion": version})
            except StatusError as error:
                if refusal_of(error) is not DeploymentReason.OVERTAKEN:
                    raise
                raw = await self._api.find(kinds.INFERENCE_SERVICES, self._deployment.name, namespace=self._namespace)
                if raw is None or self._base_of(raw) != replace(base, version=raw["metadata"]["resourceVersion"]):
                    raise
                version = raw["metadata"]["resourceVersion"]
        return await write({"uid": base.uid, "resourceVersion": version})

    def _base_of(self, raw: Json) -> _Base:
        metadata, applied = raw["metadata"], self._deployment.applied
        found = drift(applied, raw) if applied else ()
        return _Base(metadata["uid"], metadata["generation"], found, metadata["resourceVersion"])

    async def _apply(self, manifest: Manifest, *, force: bool, dry_run: bool = False) -> Json:
        return await self._api.apply(self._path, manifest, manager=self._manager, force=force, dry_run=dry_run)

    async def _apply_secret(self, secret: Manifest, *, owner: str = "", dry_run: bool = False) -> None:
        await apply_secret(self._api, self._deployment, secret, owner=owner, dry_run=dry_run)

    def _is_as_applied(self, live: LiveObject) -> bool:
        """Whether the object is as it was applied. A manager that changed fields and reverted them still owns them, but
        loses no change if they are taken over."""
        return self._deployment.applied is not None and not live.drift

    def _is_adoption(self, live: LiveObject) -> bool:
        """Whether the Go service made the object: it has our label, but other managers own its fields."""
        return not live.registry_id and not live.is_applied(self._deployment)

    @property
    def _path(self) -> str:
        return kinds.INFERENCE_SERVICES.at(self._namespace, self._deployment.name)

    @property
    def _namespace(self) -> str:
        return self._deployment.namespace

    def _applied(self, stored: Json) -> Applied:
        secrets = known_secrets(self._deployment)
        if self._secret:
            secrets |= {self._secret["metadata"]["name"]}
        metadata = stored["metadata"]
        return Applied(
            uid=metadata["uid"],
            k8s_generation=metadata["generation"],
            resource_version=metadata["resourceVersion"],
            content={
                **applied_content(stored, self.manifest, self._deployment.applied),
                "secrets": sorted(secrets),
                "stamps": dict(self._stamps),
                **self._stable(),
            },
            **self._split(),
        )

    def _stable(self) -> Json:
        """The stable part, which is kept as long as there is a canary."""
        before, canary = self._deployment.applied, self._deployment.canary
        return {"stable": stable_part(before, canary)} if before and canary else {}

    def _split(self) -> Json:
        """The numbers on the pods of the target, and on those of the predictor if it is the stable revision's."""
        stamp, split = stamp_of(self.manifest), self._deployment.wanted_split
        if not split:
            return {"stamp": stamp}
        return {"stamp": self._deployment.generation, "predictor_stamp": stamp, "split": split}


async def apply_secret(
    api: Api, deployment: Deployment, secret: Manifest, *, owner: str = "", dry_run: bool = False
) -> None:
    """`owner`: the uid of the deployment's InferenceService, if it is known."""
    secret = owned_by(secret, deployment.name, owner) if owner else secret
    path = kinds.SECRETS.at(deployment.namespace, secret["metadata"]["name"])
    await api.apply(path, secret, manager=field_manager(deployment.id), force=True, dry_run=dry_run)
