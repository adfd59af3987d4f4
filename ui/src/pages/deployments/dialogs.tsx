import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { Differences } from "../../components/differences";
import { SelectField, TextField } from "../../components/fields";
import { toast } from "../../components/toast";
import type { Deployment, DeploymentRevision } from "../../gen/modelregistry/v1/deployment_pb";
import { api, newRequestId } from "../../lib/api";
import { dateOf, formatTime, plural } from "../../lib/format";
import { href } from "../../lib/project";
import { type Pages, useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { useNames, versionText } from "./names";
import { canBeRepeated, changesBetween } from "./revisions";
import { phaseWord } from "./words";

interface Props {
  deployment: Deployment;
  onClose: () => void;
  onDone: () => void;
}

export function UndeployDialog({ deployment, onClose, onDone }: Props) {
  const [requestId] = useState(newRequestId);
  const { id, name, namespace, url, snapshot, targetRevision, servingRevision, canary } = deployment;
  const versions = snapshot?.modelVersionIds.length ?? 1;
  const undeploy = useAction(async () => {
    await api.deployments.undeployModel({ id, expectedRevision: targetRevision, requestId });
    toast(`${name} is being undeployed.`);
    onDone();
  });
  return (
    <FormDialog title={`Undeploy ${name}?`} submit="Undeploy" danger action={undeploy} onClose={onClose}>
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
    </FormDialog>
  );
}

/** Repeats what was undeployed. */
export function RedeployDialog({ deployment, onClose, onDone }: Props) {
  const [requestId] = useState(newRequestId);
  const { id, name, namespace } = deployment;
  const deploy = useAction(async () => {
    await api.services.updateInferenceService({ id, inferenceService: { desiredState: "DEPLOYED" }, requestId });
    toast(`${name} is being deployed.`);
    onDone();
  });
  return (
    <FormDialog title={`Deploy ${name} again?`} submit="Deploy again" action={deploy} onClose={onClose}>
      <p>
        A new revision repeats the last one in the namespace {namespace}, with the same options. The version must still
        be READY. To deploy another version or with other options, update it instead.
      </p>
    </FormDialog>
  );
}

export function DeleteRecordDialog({ deployment: { id, name }, onClose }: Omit<Props, "onDone">) {
  const [requestId] = useState(newRequestId);
  const remove = useAction(async () => {
    await api.services.deleteInferenceService({ id, requestId });
    toast(`The record of ${name} was deleted.`);
    navigate(href("/deployments"));
  });
  return (
    <FormDialog
      title={`Delete the record of ${name}?`}
      submit="Delete for ever"
      danger
      action={remove}
      onClose={onClose}
    >
      <p>
        Nothing of it is in the cluster any more. Its revisions and its history are removed for ever, and its
        environment can have another deployment of this name.
      </p>
    </FormDialog>
  );
}

export function RollbackDialog({
  deployment,
  revisions,
  chosen,
  onClose,
  onDone,
}: Props & { revisions: Pages<DeploymentRevision>; chosen: bigint | undefined }) {
  const [requestId] = useState(newRequestId);
  const choices = revisions.rows.filter((revision) => canBeRepeated(deployment, revision));
  const lastServed = choices.find(({ servedFrom }) => servedFrom) ?? choices[0];
  const [picked, setPicked] = useState(String(chosen ?? lastServed?.revision ?? ""));
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
    <FormDialog
      title={`Roll ${deployment.name} back`}
      submit="Roll back"
      action={rollback}
      onClose={onClose}
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
      <p>
        A new revision repeats it.{" "}
        {changes && !changes.length && "It has the same version and options as the present one."}
      </p>
      {changes && changes.length > 0 && (
        <Differences list={changes} label="What the rollback changes" before="Now" after="After the rollback" />
      )}
      <p class="muted">What serves now goes on serving until the new revision can take its place.</p>
    </FormDialog>
  );
}

export type CanaryChange = "promote" | "abort" | "share";

/** Ends a canary, or changes its share. */
export function CanaryDialog({ deployment, change, onClose, onDone }: Props & { change: CanaryChange }) {
  const [requestId] = useState(newRequestId);
  const [percent, setPercent] = useState(String(deployment.canary?.percent ?? 10));
  const { id, targetRevision: revision, canary } = deployment;
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
    toast(change === "share" ? `The canary gets ${percent} % of the requests.` : "The canary is ending.");
    onDone();
  });
  const stable = String(canary?.stableRevision ?? "");
  return (
    <FormDialog
      title={{ promote: "Promote the canary?", abort: "Abort the canary?", share: "Change the share" }[change]}
      submit={{ promote: "Promote", abort: "Abort", share: "Change" }[change]}
      danger={change === "abort"}
      action={end}
      onClose={onClose}
      ready={change !== "share" || /^[1-9]\d?$/.test(percent)}
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
          hint={`From 1 to 99. Revision ${stable} gets the others.`}
        />
      )}
    </FormDialog>
  );
}

export function isUndeployed(deployment: Deployment): boolean {
  return phaseWord(deployment) === "UNDEPLOYED";
}
