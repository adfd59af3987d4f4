import { Badge, Button, Skeleton, Time, type Tone } from "../../components/basics";
import { type Difference, Differences } from "../../components/differences";
import { FailureNotice } from "../../components/failure";
import {
  CanaryStep,
  type Deployment,
  type DeploymentRevision,
  RevisionCause,
  RevisionOutcome,
} from "../../gen/modelregistry/v1/deployment_pb";
import { dateOf, formatTime, words } from "../../lib/format";
import type { Pages } from "../../lib/query";
import { Link } from "../../lib/router";
import { differences, said } from "./diff";
import { type Names, useNames, versionLink, versionText } from "./names";
import { reasonWord } from "./words";

const OUTCOMES: Record<number, [text: string, tone: Tone]> = {
  [RevisionOutcome.PENDING]: ["has not served yet", "blue"],
  [RevisionOutcome.SERVED]: ["has served", "green"],
  [RevisionOutcome.FAILED]: ["failed", "red"],
  [RevisionOutcome.SUPERSEDED]: ["never served", "grey"],
  [RevisionOutcome.ABORTED]: ["aborted canary", "grey"],
};

const CAUSES: Record<number, string> = {
  [RevisionCause.DEPLOY]: "deployed it",
  [RevisionCause.UPDATE]: "updated it",
  [RevisionCause.ROLLBACK]: "rolled it back",
  [RevisionCause.REDEPLOY]: "deployed it again",
  [RevisionCause.UNDEPLOY]: "undeployed it",
  [RevisionCause.RESTORE]: "restored the database",
};

/** What changed between two revisions. */
export function changesBetween(names: Names, before: DeploymentRevision, after: DeploymentRevision): Difference[] {
  return differences(
    said(before, versionText(names, before.modelVersionId)),
    said(after, versionText(names, after.modelVersionId)),
  );
}

/** A rollback repeats an earlier revision, and an undeployment is nothing to repeat. It ends a canary with the stable revision. */
export function canBeRepeated(deployment: Deployment, { revision, cause }: DeploymentRevision): boolean {
  const { canary } = deployment;
  if (canary) return canary.step === CanaryStep.TRY && revision === canary.stableRevision;
  return revision !== deployment.targetRevision && cause !== RevisionCause.UNDEPLOY;
}

export function Revisions({
  deployment,
  pages,
  onRollback,
}: {
  deployment: Deployment;
  pages: Pages<DeploymentRevision>;
  onRollback: ((revision: bigint) => void) | undefined;
}) {
  const { rows, failure, loading, hasMore, more, reload } = pages;
  const names = useNames(
    [],
    rows.map((row) => row.modelVersionId),
  );
  if (!rows.length && failure) return <FailureNotice failure={failure} retry={reload} />;
  if (!rows.length) return <Skeleton lines={6} />;
  return (
    <>
      <ol class="revisions">
        {rows.map((revision, index) => (
          <Revision
            key={String(revision.revision)}
            deployment={deployment}
            revision={revision}
            before={rows[index + 1]}
            names={names}
            onRollback={canBeRepeated(deployment, revision) ? onRollback : undefined}
          />
        ))}
      </ol>
      {hasMore && (
        <Button busy={loading} onClick={more}>
          Show earlier ones
        </Button>
      )}
    </>
  );
}

function servedText({ servedFrom, servedUntil }: DeploymentRevision, serves: boolean): string {
  if (!servedFrom) return "";
  const from = formatTime(dateOf(servedFrom));
  if (serves || !servedUntil) return `It has served since ${from}.`;
  return `It served from ${from} until ${formatTime(dateOf(servedUntil))}.`;
}

function Revision({
  deployment,
  revision,
  before,
  names,
  onRollback,
}: {
  deployment: Deployment;
  revision: DeploymentRevision;
  before: DeploymentRevision | undefined;
  names: Names;
  onRollback: ((revision: bigint) => void) | undefined;
}) {
  const { cause, unknownCause, createdBy, createdAt, modelVersionId, snapshot } = revision;
  const number = revision.revision;
  const link = versionLink(names, deployment.registeredModelId, modelVersionId);
  const serves = deployment.servingRevision === number;
  const [outcome, tone] = OUTCOMES[revision.outcome] ?? [words(revision.unknownOutcome), "grey"];
  const reason = reasonWord(revision);
  const serving = cause !== RevisionCause.UNDEPLOY; // the others are meant to serve
  const changes = before && changesBetween(names, before, revision);
  return (
    <li class="card stack">
      <div class="row spread">
        <div class="row">
          <h2>Revision {String(number)}</h2>
          {serves && <Badge tone="green">serves now</Badge>}
          {serving && !serves && <Badge tone={tone}>{outcome}</Badge>}
          {number === deployment.targetRevision && !serves && <Badge tone="blue">wanted</Badge>}
          {reason && <code>{reason}</code>}
        </div>
        {onRollback && (
          <Button icon="back" onClick={() => onRollback(number)}>
            Roll back to this
          </Button>
        )}
      </div>
      <p class="muted">
        {createdBy || "Somebody"} {CAUSES[cause] ?? words(unknownCause)} <Time at={createdAt} />
        {serving && (
          <>
            {" with version "}
            {link ? <Link to={link}>{versionText(names, modelVersionId)}</Link> : versionText(names, modelVersionId)}
            {snapshot?.requestedVersion && ` (${snapshot.requestedVersion})`}
          </>
        )}
        . {servedText(revision, serves)}
      </p>
      {!serving ? null : changes?.length ? (
        <Differences list={changes} label={`What revision ${number} changed`} />
      ) : changes ? (
        <p class="faint">It repeats the revision before.</p>
      ) : (
        number === 1n && <p class="faint">It is the first one.</p>
      )}
    </li>
  );
}
