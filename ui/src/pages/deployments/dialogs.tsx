import { useEffect, useMemo, useState } from "preact/hooks";
import { Button } from "../../components/basics";
import { FormDialog, type FormDialogProps } from "../../components/dialog";
import { Differences } from "../../components/differences";
import { SelectField, TextField } from "../../components/fields";
import { Icon } from "../../components/icon";
import { toast } from "../../components/toast";
import { CanaryStep, type Deployment, type DeploymentRevision } from "../../gen/modelregistry/v1/deployment_pb";
import { api, newRequestId } from "../../lib/api";
import { untilGone } from "../../lib/errors";
import { dateOf, formatTime, plural } from "../../lib/format";
import { href } from "../../lib/project";
import { type Pages, useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { useNames, versionText } from "./names";
import { canBeRepeated, changesBetween } from "./revisions";
import { phaseWord } from "./words";

export type CanaryChange = "promote" | "abort" | "share";
export type Change = "rollback" | "undeploy" | "redeploy" | "delete" | CanaryChange;

/** Whether the deployment, as it is, can be changed in this way. */
export function canChange(change: Change, deployment: Deployment): boolean {
  if (change === "undeploy") return !isUndeployed(deployment) && phaseWord(deployment) !== "DELETING";
  if (change === "redeploy" || change === "delete") return isUndeployed(deployment);
  if (change === "rollback") return !deployment.canary; // the registry would abort the canary
  return deployment.canary?.step === CanaryStep.TRY;
}

/** What differs after somebody has changed it. Everything else is changed by the cluster. */
export function stateOf({ targetRevision, canary }: Deployment): string {
  return `${targetRevision} ${canary?.step} ${canary?.percent}`;
}

interface Props {
  /** As it was when the dialog was opened. */
  deployment: Deployment;
  newest: Deployment;
  /** Begins again with the newest. */
  onNewest: () => void;
  onClose: () => void;
  onDone: () => void;
}

/** Somebody else may change the deployment while the dialog is open. The user has to see that before going on. */
function ChangeDialog({
  of: { deployment, newest, onNewest, onClose, onDone },
  children,
  ready = true,
  ...dialog
}: Omit<FormDialogProps, "onClose"> & { of: Props }) {
  const { busy, failure } = dialog.action;
  useEffect(() => {
    if (failure) onDone(); // the page may not know yet why
  }, [failure]);
  const isOld = !busy && stateOf(newest) !== stateOf(deployment);
  return (
    <FormDialog {...dialog} onClose={onClose} ready={ready && !isOld}>
      {isOld && (
        <div class="notice amber" role="status">
          <Icon name="alert" />
          <div class="row spread">
            <p>Somebody else has changed the deployment meanwhile.</p>
            <Button onClick={onNewest}>Show how it is now</Button>
          </div>
        </div>
      )}
      {children}
    </FormDialog>
  );
}

export function UndeployDialog(props: Props) {
  const { deployment, onDone } = props;
  const [requestId] = useState(newRequestId);
  const { id, name, namespace, url, snapshot, targetRevision, servingRevision, canary } = deployment;
  const versions = snapshot?.modelVersionIds.length ?? 1;
  const undeploy = useAction(async () => {
    await api.deployments.undeployModel({ id, expectedRevision: targetRevision, requestId });
    toast(`${name} is being undeployed.`);
    onDone();
  });
  return (
    <ChangeDialog of={props} title={`Undeploy ${name}?`} submit="Undeploy" danger action={undeploy}>
      <p>The registry deletes its object, its pods and its Secrets from the namespace {namespace}:</p>
      <ul class="list">
        {url ? (
          <li>
            Requests to <code>{url}</code> will fail from then on.
          </li>
        ) : (
          <li>It has no URL now, so no requests are lost.</li>
        )}
        {servingRevision !== undefined && (
          <li>
            Revision {String(servingRevision)} stops serving{versions > 1 && `, with ${plural(versions, "version")}`}.
          </li>
        )}
        {canary && <li>The canary ends with it.</li>}
        <li>The name {name} stays reserved in its environment until this record is deleted.</li>
      </ul>
      <p class="muted">The history stays, and you can deploy it again with the same options.</p>
    </ChangeDialog>
  );
}

/** Repeats what was undeployed. */
export function RedeployDialog(props: Props) {
  const [requestId] = useState(newRequestId);
  const { onDone } = props;
  const { id, name, namespace } = props.deployment;
  const deploy = useAction(async () => {
    await api.services.updateInferenceService({ id, inferenceService: { desiredState: "DEPLOYED" }, requestId });
    toast(`${name} is being deployed.`);
    onDone();
  });
  return (
    <ChangeDialog of={props} title={`Deploy ${name} again?`} submit="Deploy again" action={deploy}>
      <p>
        A new revision repeats the last one in the namespace {namespace}, with the same options. The version must still
        be READY. To deploy another version or with other options, update it instead.
      </p>
    </ChangeDialog>
  );
}

export function DeleteRecordDialog(props: Props) {
  const [requestId] = useState(newRequestId);
  const { id, name } = props.deployment;
  const remove = useAction(async () => {
    await untilGone(api.services.deleteInferenceService({ id, requestId }));
    toast(`The record of ${name} was deleted.`);
    navigate(href("/deployments"));
  });
  return (
    <ChangeDialog of={props} title={`Delete the record of ${name}?`} submit="Delete for ever" danger action={remove}>
      <p>
        Nothing of it is in the cluster any more. Without its record, it can never be deployed again, and its
        environment can have another deployment of this name. Its history is removed after a while.
      </p>
    </ChangeDialog>
  );
}

export function RollbackDialog(props: Props & { revisions: Pages<DeploymentRevision>; chosen: bigint | undefined }) {
  const { deployment, onDone, revisions, chosen } = props;
  const choices = revisions.rows.filter((revision) => canBeRepeated(deployment, revision));
  const lastServed = choices.find(({ servedFrom }) => servedFrom) ?? choices[0];
  const [picked, setPicked] = useState(String(chosen ?? lastServed?.revision ?? ""));
  const requestId = useMemo(newRequestId, [picked]);
  const names = useNames(
    [],
    revisions.rows.map((row) => row.modelVersionId),
  );
  const target = revisions.rows.find(({ revision }) => revision === deployment.targetRevision);
  const repeated = choices.find(({ revision }) => String(revision) === picked);
  const changes = target && repeated && changesBetween(names, target, repeated);
  const rollback = useAction(async () => {
    const answer = await api.deployments.rollbackDeployment({
      id: deployment.id,
      revision: BigInt(picked),
      expectedRevision: deployment.targetRevision,
      requestId,
    });
    toast(`Revision ${answer.deployment?.targetRevision} repeats revision ${picked}.`);
    onDone();
  });
  return (
    <ChangeDialog
      of={props}
      title={`Roll ${deployment.name} back`}
      submit="Roll back"
      action={rollback}
      ready={repeated !== undefined}
      wide
    >
      <SelectField
        label="To"
        value={picked}
        onChange={setPicked}
        options={choices.map((one): [string, string] => [
          String(one.revision),
          `Revision ${one.revision}: version ${versionText(names, one.modelVersionId)}, ${
            one.createdAt ? formatTime(dateOf(one.createdAt)) : ""
          }${one.servedFrom ? "" : ", has never served"}`,
        ])}
      />
      {revisions.hasMore && (
        <div class="row">
          <Button busy={revisions.loading} onClick={revisions.more}>
            Offer earlier ones
          </Button>
        </div>
      )}
      <p>
        A new revision repeats it.{" "}
        {isUndeployed(deployment)
          ? `It deploys ${deployment.name} again.`
          : changes && !changes.length && "It has the same version and options as the present one."}
      </p>
      {changes && changes.length > 0 && (
        <Differences list={changes} label="What the rollback changes" before="Now" after="After the rollback" />
      )}
      {deployment.servingRevision !== undefined && (
        <p class="muted">What serves now goes on serving until the new revision can take its place.</p>
      )}
    </ChangeDialog>
  );
}

/** Ends a canary, or changes its share. */
export function CanaryDialog(props: Props & { change: CanaryChange }) {
  const { deployment, change, onDone } = props;
  const { id, name, targetRevision: revision, canary } = deployment;
  const [percent, setPercent] = useState(String(canary?.percent ?? ""));
  const requestId = useMemo(newRequestId, [percent]);
  const end = useAction(async () => {
    if (change === "promote") await api.deployments.promoteDeployment({ id, revision, requestId });
    else if (change === "abort") await api.deployments.abortDeployment({ id, revision, requestId });
    else
      await api.deployments.updateDeployment({
        id,
        trafficPercent: Number(percent),
        expectedRevision: revision,
        requestId,
      });
    toast(
      {
        promote: `Revision ${revision} is being promoted.`,
        abort: `Revision ${revision} is being aborted.`,
        share: `Revision ${revision} gets ${percent} % of the requests.`,
      }[change],
    );
    onDone();
  });
  const stable = String(canary?.stableRevision ?? "");
  return (
    <ChangeDialog
      of={props}
      title={
        {
          promote: `Promote the canary of ${name}?`,
          abort: `Abort the canary of ${name}?`,
          share: `Change the share of the canary of ${name}`,
        }[change]
      }
      submit={{ promote: "Promote", abort: "Abort", share: "Change" }[change]}
      danger={change === "abort"}
      action={end}
      ready={change !== "share" || (/^[1-9]\d?$/.test(percent) && Number(percent) !== canary?.percent)}
      shownFields={["traffic_percent"]}
    >
      {change === "promote" && (
        <p>
          Revision {String(revision)} gets all requests, and takes the place of revision {stable} as soon as it can
          carry them.
        </p>
      )}
      {change === "abort" && (
        <p>
          All requests go back to revision {stable}, whose pods stay. Then the pods of revision {String(revision)} are
          removed.
        </p>
      )}
      {change === "share" && (
        <TextField
          label="Percent of the requests"
          type="number"
          value={percent}
          onInput={setPercent}
          failure={end.failure}
          path="traffic_percent"
          autofocus
          hint={`From 1 to 99. Revision ${stable} gets the others.`}
        />
      )}
    </ChangeDialog>
  );
}

export function isUndeployed(deployment: Deployment): boolean {
  return phaseWord(deployment) === "UNDEPLOYED";
}
