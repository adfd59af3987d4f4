"""Bringing one deployment to the cluster: its Secret, its InferenceService, and that the one belongs to the other.

The Secret comes first, because KServe denies pods whose Secret is missing. A crash in between leaves a Secret whose
name can be computed again. Correctness rests on names, uids and resource versions, not on who runs this how often.
"""

from __future__ import annotations

from registry_grpc.adapters.kserve import kinds
from registry_grpc.adapters.kserve.api import Api, Json
from registry_grpc.adapters.kserve.drift import content_of, removal_of_additions
from registry_grpc.adapters.kserve.errors import StatusError, refusal_of
from registry_grpc.adapters.kserve.manifests import Manifest, inference_service
from registry_grpc.adapters.kserve.secrets import credentials_secret, known_secrets, owned_by
from registry_grpc.domain.deployment import Applied, Deployment
from registry_grpc.domain.evidence import ApplyRefused, LiveObject, Refusal
from registry_grpc.domain.model_version import Credentials


class Application:
    """One deployment about to be applied. Raises ApplyRefused, StatusError and Unreachable."""

    def __init__(self, api: Api, deployment: Deployment, credentials: Credentials, *, registry_id: str) -> None:
        self._api = api
        self._deployment = deployment
        self._secret = credentials_secret(deployment, credentials, registry_id=registry_id)
        secret_name = self._secret["metadata"]["name"] if self._secret else ""
        self.manifest = inference_service(deployment, registry_id=registry_id, secret_name=secret_name)

    async def carry_out(self, live: LiveObject | None, *, force: bool) -> Applied:
        self._check(live)
        if self._secret:
            await self._apply_secret(self._secret if live is None else self._owned(self._secret, live.uid))
        if live is None:
            stored = await self._apply_first()
            if self._secret:
                await self._apply_secret(self._owned(self._secret, stored["metadata"]["uid"]))
        else:
            version = await self._without_additions(live) if force else live.resource_version
            stored = await self._apply_over(live, version, force=force)
        return self._applied(stored)

    async def rehearse(self, live: LiveObject | None) -> Json:
        """The object as it would be stored."""
        self._check(live)
        if self._secret:
            await self._apply_secret(self._secret, dry_run=True)
        if live is None:
            return await self._apply_first(dry_run=True)
        return await self._apply_over(live, live.resource_version, force=False, dry_run=True)

    def _check(self, live: LiveObject | None) -> None:
        if live is None:
            return
        name, namespace = self._deployment.name, self._deployment.namespace
        if live.deployment_id != str(self._deployment.id):
            text = (
                f"there is another InferenceService `{name}` in namespace `{namespace}`, which is not this deployment's"
            )
            raise ApplyRefused(Refusal.NAME_TAKEN, text)
        if live.revision_stamp.isdecimal() and int(live.revision_stamp) > self._deployment.generation:
            text = (
                f"revision {live.revision_stamp} was applied already, which is newer than {self._deployment.generation}"
            )
            raise ApplyRefused(Refusal.STALE, text)

    async def _apply_first(self, *, dry_run: bool = False) -> Json:
        """Without force: what another client has created since the look is not to be taken over."""
        try:
            return await self._apply(self.manifest, force=False, dry_run=dry_run)
        except StatusError as error:
            if refusal_of(error) is Refusal.FIELD_CONFLICT:
                raise ApplyRefused(Refusal.STALE, error.message) from error
            raise

    async def _apply_over(self, live: LiveObject, version: str, *, force: bool, dry_run: bool = False) -> Json:
        preconditions = {"uid": live.uid, "resourceVersion": version}
        manifest = {**self.manifest, "metadata": {**self.manifest["metadata"], **preconditions}}
        # What the Go service made has it for its manager, and is ours by its label.
        is_adoption = not live.registry_id
        return await self._apply(manifest, force=force or is_adoption, dry_run=dry_run)

    async def _apply(self, manifest: Manifest, *, force: bool, dry_run: bool) -> Json:
        answer = await self._api.apply(self._path, manifest, force=force, dry_run=dry_run)
        return answer.body

    async def _without_additions(self, live: LiveObject) -> str:
        """Take out what others have added to the spec since the last apply; the object's version after that."""
        applied = self._deployment.applied
        if applied is None or applied.uid != live.uid:
            return live.resource_version
        raw = (await self._api.get(self._path)).body
        patch = removal_of_additions(applied.content["spec"], raw.get("spec") or {})
        if not patch:
            return live.resource_version
        preconditions = {"uid": live.uid, "resourceVersion": live.resource_version}
        answer = await self._api.merge(self._path, {"metadata": preconditions, "spec": patch})
        return str(answer.body["metadata"]["resourceVersion"])

    async def _apply_secret(self, secret: Manifest, *, dry_run: bool = False) -> None:
        path = kinds.SECRETS.at(self._deployment.namespace, secret["metadata"]["name"])
        await self._api.apply(path, secret, force=True, dry_run=dry_run)

    def _owned(self, secret: Manifest, uid: str) -> Manifest:
        return owned_by(secret, self._deployment.name, uid)

    @property
    def _path(self) -> str:
        return kinds.INFERENCE_SERVICES.at(self._deployment.namespace, self._deployment.name)

    def _applied(self, stored: Json) -> Applied:
        secrets = known_secrets(self._deployment)
        if self._secret:
            secrets |= {self._secret["metadata"]["name"]}
        metadata = stored["metadata"]
        return Applied(
            uid=metadata["uid"],
            k8s_generation=metadata["generation"],
            resource_version=metadata["resourceVersion"],
            content={**content_of(stored, self.manifest), "secrets": sorted(secrets)},
        )
