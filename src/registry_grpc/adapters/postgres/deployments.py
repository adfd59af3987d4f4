"""Stores deployments and their revisions in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from registry_grpc.adapters.postgres.columns import TOUCHED
from registry_grpc.adapters.postgres.deployment_reads import GET, DeploymentReads, deployment_not_found
from registry_grpc.adapters.postgres.deployment_rows import deployment_from, spec_to_json
from registry_grpc.adapters.postgres.inference_services import insert_service, new_service, update_service
from registry_grpc.adapters.postgres.taken import OF_SERVICES, naming_holder
from registry_grpc.domain.canary import CanaryStep
from registry_grpc.domain.deployment import Cause, Deployment, DeploymentSpec, Phase, Want, check_version_kept
from registry_grpc.domain.errors import ConcurrentChange, NotFound, Reason, Stale
from registry_grpc.domain.etag import Etags
from registry_grpc.domain.inference_service import InferenceService, InferenceServicePatch
from registry_grpc.domain.patch import UNSET
from registry_grpc.domain.serve_model import ServeModel
from registry_grpc.ports.deployments import NewIntent

_log = structlog.get_logger("deployments")

CHANNEL = "deployment"
"""Wakes controllers, which otherwise look for due deployments every POLL_SECONDS."""
POLL_SECONDS = 5.0
EVENT_CHANNEL = "deployment_event"

# The request that stores an intent makes the first pass itself. If it does not, a controller does after 2 seconds.
_INSERT = """
INSERT INTO deployment (
    id, project_id, serving_environment_id, registered_model_id, namespace, name, want, spec, next_at
)
VALUES ($1, $2, $3, $4, $5, $6, 'PRESENT', $7, now() + interval '2 seconds')
"""
_INSERT_REVISION = """
INSERT INTO deployment_revision (deployment_id, generation, created_by, cause, spec)
SELECT id, generation, $2, $3, spec FROM deployment WHERE id = $1
"""
# Only the revision before this one can be pending, because it has superseded those before it.
_SUPERSEDE = """
UPDATE deployment_revision SET outcome = 'SUPERSEDED'
WHERE deployment_id = $1 AND outcome = 'PENDING' AND generation = (
    SELECT max(generation) FROM deployment_revision
    WHERE deployment_id = $1 AND generation < (SELECT generation FROM deployment WHERE id = $1)
)
"""
_INSERT_EVENT = """
INSERT INTO deployment_event (deployment_id, generation, serving_generation, phase, reason, message, next_step)
SELECT id, generation, serving_generation, phase, reason, message, next_step FROM deployment WHERE id = $1
"""
_TOLD = """
SELECT id, name, namespace, project_id, generation AS revision, phase, reason, message FROM deployment WHERE id = $1
"""
_TROUBLE = frozenset((Phase.FAILED, Phase.DRIFTED, Phase.DEGRADED))
# Every transaction that writes a deployment and its service locks the deployment first.
_LOCK_WANTED = """
SELECT want, generation, (coalesce((
    SELECT r.spec FROM deployment_revision r
    WHERE r.deployment_id = d.id AND r.generation = d.stable_generation AND d.canary_step <> 'PROMOTE'
), spec)->>'model_version_id')::uuid AS model_version_id
FROM deployment d WHERE id = $1 AND project_id = $2 FOR UPDATE
"""
# A new revision begins without the reason and message of the one before. An undeployment also clears the url and the
# applied generation; a redeployment then knows that the object was not deleted by somebody else. A revision without a
# share ends the canary, and repeats the stable one if it has no spec of its own; one with a share does not replace a
# canary that is being promoted or aborted. No number is given twice, also after a canary was aborted. Returns the
# number of the revision that is no longer tried, or 0.
_REVISE = f"""
UPDATE deployment SET
    generation = greatest(
        generation, (SELECT max(generation) FROM deployment_revision WHERE deployment_id = $1)
    ) + 1,
    revised_at = now(), want = $3, attempts = 0,
    spec = coalesce($4, (
        SELECT r.spec FROM deployment_revision r
        WHERE r.deployment_id = $1 AND r.generation = deployment.stable_generation
    ), spec),
    stable_generation = CASE WHEN $6::int IS NOT NULL THEN coalesce(stable_generation, generation) END,
    canary_step = CASE WHEN $6::int IS NOT NULL THEN 'TRY' END, canary_percent = $6, split = NULL,
    applied_generation = CASE WHEN $3 = 'ABSENT' THEN 0 ELSE applied_generation END,
    phase = CASE
        WHEN $3 = 'ABSENT' THEN 'DELETING'
        WHEN want = 'ABSENT' OR serving_generation IS NULL THEN 'PENDING'
        ELSE 'UPDATING'
    END,
    phase_since = now(),
    reason = '', message = '', next_step = '', url = CASE WHEN $3 = 'ABSENT' THEN '' ELSE url END,
    next_at = now() + interval '2 seconds', dirty_at = now(), {TOUCHED}
WHERE id = $1 AND project_id = $2 AND generation = coalesce($5, generation)
    AND ($6::int IS NULL OR coalesce(canary_step, 'TRY') = 'TRY')
RETURNING coalesce((SELECT generation FROM deployment before WHERE id = $1 AND stable_generation IS NOT NULL), 0)
"""
# Does nothing if the canary got no requests.
END_SHARE = """
UPDATE deployment_revision SET served_until = greatest(now(), served_from)
WHERE deployment_id = $1 AND generation = $2 AND served_from IS NOT NULL AND served_until IS NULL
"""
ABORT_REVISION = "UPDATE deployment_revision SET outcome = 'ABORTED' WHERE deployment_id = $1 AND generation = $2"
# `message` says who asked for it. Requests at the same time read the same step, and an abort must win.
_MOVE_CANARY = f"""
UPDATE deployment SET
    canary_step = $4, canary_percent = coalesce($5, canary_percent), attempts = 0, phase = 'UPDATING',
    phase_since = now(), reason = '', message = $6, next_step = '', next_at = now() + interval '2 seconds',
    dirty_at = now(), {TOUCHED}
WHERE id = $1 AND project_id = $2 AND generation = $3
    AND (canary_step = 'TRY' OR canary_step IS NOT NULL AND $4 = 'ABORT')
RETURNING (CASE WHEN $4 = 'PROMOTE' THEN spec ELSE (
    SELECT r.spec FROM deployment_revision r
    WHERE r.deployment_id = $1 AND r.generation = deployment.stable_generation
) END->>'model_version_id')::uuid
"""
_FOLLOW_REVISION = f"""
UPDATE inference_service SET
    desired_state = CASE WHEN $2 = 'ABSENT' THEN 'UNDEPLOYED' ELSE 'DEPLOYED' END,
    model_version_id = coalesce($3, model_version_id), {TOUCHED}
WHERE id = $1
"""
_ADD_SERVED = """
INSERT INTO serve_model (id, project_id, inference_service_id, model_version_id)
SELECT gen_random_uuid(), $2, $1, version FROM unnest($3::uuid[]) AS version
ON CONFLICT (inference_service_id, model_version_id) DO NOTHING
"""
_UNDEPLOY_SERVICE = f"""
UPDATE inference_service SET
    desired_state = 'UNDEPLOYED', current_state = 'UNDEPLOYED', url = '', external_id = '', {TOUCHED}
WHERE id = $1 AND project_id = $2
RETURNING id
"""
_RESET_SERVED = f"""
UPDATE serve_model SET last_known_state = 'PENDING', {TOUCHED}
WHERE inference_service_id = $1 AND last_known_state <> 'PENDING'
"""
# The transaction may have begun before the last pass, which could not see the new keys yet.
_GIVE_NEW_KEYS = """
UPDATE deployment SET dirty_at = clock_timestamp(), next_at = least(coalesce(next_at, now()), now())
WHERE id = ANY(ARRAY(
    SELECT d.id FROM deployment_revision r JOIN deployment d ON d.id = r.deployment_id AND d.generation = r.generation
    WHERE r.spec->>'model_version_id' = $1 AND d.project_id = $2 AND d.want = 'PRESENT' ORDER BY d.id FOR UPDATE OF d
))
"""


class PostgresDeploymentRepository(DeploymentReads):
    """Implements ports.deployments.DeploymentRepository."""

    async def deploy(
        self, service: InferenceService, served: Sequence[ServeModel], intent: NewIntent
    ) -> tuple[InferenceService, Deployment]:
        project_id, id_ = service.project_id, service.id
        async with new_service(self._database, service) as connection:
            stored = await insert_service(connection, service, served)
            await connection.execute(
                _INSERT,
                id_,
                project_id,
                service.serving_environment_id,
                service.registered_model_id,
                intent.namespace,
                service.name,
                spec_to_json(intent.spec),
            )
            await connection.execute(_INSERT_REVISION, id_, intent.created_by, Cause.DEPLOY)
            await _tell(connection, id_)
            return stored, deployment_from(await connection.fetchrow(GET, id_, project_id))

    async def revise(
        self,
        project_id: UUID,
        id: UUID,
        *,
        want: Want,
        spec: DeploymentSpec | None,
        cause: Cause,
        created_by: str,
        after: int | None = None,
        canary_percent: int | None = None,
    ) -> None:
        async with self._database.transaction() as connection:
            await add_revision(connection, project_id, id, want, spec, cause, created_by, after, canary_percent)

    async def move_canary(
        self, project_id: UUID, id: UUID, step: CanaryStep, percent: int | None, *, message: str, after: int
    ) -> None:
        async with self._database.transaction() as connection:
            version_id = await connection.fetchval(_MOVE_CANARY, id, project_id, after, step, percent, message)
            if version_id is None:
                raise ConcurrentChange
            await connection.execute(_FOLLOW_REVISION, id, Want.PRESENT, version_id)
            await _tell(connection, id)

    async def change_service(
        self,
        project_id: UUID,
        id: UUID,
        patch: InferenceServicePatch,
        created_by: str,
        *,
        etags: Etags = None,
        spec: DeploymentSpec | None = None,
        after: int | None = None,
        keeps_version: bool = False,
    ) -> bool:
        async with (
            naming_holder(self._database, OF_SERVICES, project_id, patch, id=id),
            self._database.transaction() as connection,
        ):
            deployed = await connection.fetchrow(_LOCK_WANTED, id, project_id)
            if keeps_version and deployed and deployed["want"] == Want.PRESENT:
                check_version_kept(id, deployed["model_version_id"], patch)
            await update_service(connection, project_id, id, patch, etags)
            if (
                not deployed
                or patch.desired_state is UNSET
                or (want := Want.of(patch.desired_state)) == deployed["want"]
            ):
                return False
            if want is Want.ABSENT:
                await _undeploy_service(connection, project_id, id)
                await add_revision(connection, project_id, id, want, None, Cause.UNDEPLOY, created_by)
            else:
                await add_revision(connection, project_id, id, want, spec, Cause.REDEPLOY, created_by, after)
            return True

    async def undeploy(self, project_id: UUID, id: UUID, created_by: str, expected: int | None = None) -> bool:
        async with self._database.transaction() as connection:
            present = await connection.fetchrow(_LOCK_WANTED, id, project_id)
            await _undeploy_service(connection, project_id, id)
            if expected is not None and (present is None or present["generation"] != expected):
                raise Stale.revision(id, present and present["generation"])
            if present and present["want"] == Want.PRESENT:
                await add_revision(connection, project_id, id, Want.ABSENT, None, Cause.UNDEPLOY, created_by)
            return present is not None

    async def give_new_keys(self, project_id: UUID, model_version_id: UUID) -> None:
        if await self._database.execute(_GIVE_NEW_KEYS, str(model_version_id), project_id):
            await self._database.fetch("SELECT pg_notify($1, '')", CHANNEL)


async def add_revision(  # noqa: PLR0917 - the parameters of `revise`
    connection: Any,
    project_id: UUID,
    id: UUID,
    want: Want,
    spec: DeploymentSpec | None,
    cause: Cause,
    created_by: str,
    after: int | None = None,
    canary_percent: int | None = None,
) -> None:
    """Implements DeploymentRepository.revise inside a transaction."""
    stored = spec_to_json(spec) if spec else None
    tried = await connection.fetchval(_REVISE, id, project_id, want, stored, after, canary_percent)
    if tried is None:
        if await connection.fetchval(_LOCK_WANTED, id, project_id) is not None:
            raise ConcurrentChange
        raise deployment_not_found(id)
    if tried:
        await connection.execute(END_SHARE, id, tried)
        await connection.execute(ABORT_REVISION, id, tried)
    await connection.execute(_INSERT_REVISION, id, created_by, cause)
    await connection.execute(_SUPERSEDE, id)
    # The version of the service is the stable one's until the canary is promoted.
    version_id = spec.model_version_id if spec and canary_percent is None else None
    await connection.execute(_FOLLOW_REVISION, id, want, version_id)
    if spec:
        await connection.execute(_ADD_SERVED, id, project_id, list(spec.served_version_ids))
    await _tell(connection, id)


async def _undeploy_service(connection: Any, project_id: UUID, id: UUID) -> None:
    if await connection.fetchval(_UNDEPLOY_SERVICE, id, project_id) is None:
        raise NotFound.of(Reason.INFERENCE_SERVICE_NOT_FOUND, id)
    await connection.execute(_RESET_SERVED, id)


async def _tell(connection: Any, id: UUID) -> None:
    """Add the event and wake controllers and watchers when the transaction commits."""
    await connection.execute(_INSERT_EVENT, id)
    await connection.execute("SELECT pg_notify($1, $3), pg_notify($2, $3)", CHANNEL, EVENT_CHANNEL, str(id))
    note_phase(connection, **await connection.fetchrow(_TOLD, id))


def note_phase(connection: Any, *, phase: str, **fields: object) -> None:
    """Log the phase of a deployment when the transaction is committed."""
    write = _log.warning if phase in _TROUBLE else _log.info
    connection.news.append(partial(write, "deployment.phase_changed", phase=phase, **fields))
