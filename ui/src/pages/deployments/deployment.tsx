import { Code } from "@connectrpc/connect";
import type { ComponentProps } from "preact";
import { useState } from "preact/hooks";
import { Button, Fact, Facts, Section, Skeleton } from "../../components/basics";
import { Differences } from "../../components/differences";
import { EventList } from "../../components/event-list";
import { PageFailure } from "../../components/failure";
import { Icon } from "../../components/icon";
import { PageHead, Tabs } from "../../components/page";
import { toast } from "../../components/toast";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { CanaryStep, type Deployment } from "../../gen/modelregistry/v1/deployment_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { failureOf } from "../../lib/errors";
import { words } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { countOf, usePages, useQuery } from "../../lib/query";
import { Link, setQuery, useLocation } from "../../lib/router";
import { useThrottled, useWatch } from "../../lib/watch";
import type { PageProps } from "../../routes";
import { Phase } from "../models/serving";
import { DeploymentFacts } from "./deployment-facts";
import { Live } from "./deployments";
import {
  CanaryDialog,
  type Change,
  canChange,
  DeleteRecordDialog,
  isUndeployed,
  RedeployDialog,
  RollbackDialog,
  stateOf,
  UndeployDialog,
} from "./dialogs";
import { fieldDifferences, optionsSaid } from "./diff";
import { environmentText, useEnvironments, useNames, versionText } from "./names";
import { NeverDeployed } from "./never-deployed";
import { Revisions } from "./revisions";
import { Chain, StatusCard } from "./status";
import { Timeline } from "./timeline";

export function DeploymentPage({ params }: PageProps) {
  const project = useProject();
  const id = params.id ?? "";
  const { query } = useLocation();
  const tab = query.get("tab") ?? "state";
  const [open, setOpen] = useState<{ change: Change; deployment: Deployment; chosen: bigint | undefined }>();
  const mayDeploy = useMay(Role.DEPLOYER);

  const read = useQuery(`deployment ${project} ${id}`, async (signal) => {
    const { deployment } = await api.deployments.getDeployment({ id }, { signal });
    return deployment;
  });
  const explanation = useQuery(`explanation ${project} ${id}`, (signal) =>
    api.deployments.explainDeployment({ id }, { signal }),
  );
  const unwanted = read.data ? isUndeployed(read.data) : read.failure?.code === Code.NotFound;
  const record = useQuery(`record ${project} ${id} ${unwanted}`, async (signal) => {
    if (!unwanted) return undefined;
    return (await api.services.getInferenceService({ id }, { signal })).inferenceService;
  });
  const deleted = record.failure?.code === Code.NotFound; // what it did is still there for a while
  const revisions = usePages(`revisions ${project} ${id}`, async (pageToken, signal) => {
    const answer = await api.deployments.listDeploymentRevisions({ id, pageSize: 50, pageToken }, { signal });
    return { rows: answer.revisions, nextPageToken: answer.nextPageToken };
  });
  const events = usePages(`events of ${project} ${id}`, async (pageToken, signal) => {
    const answer = await api.events.listEvents({ resourceId: id, pageSize: 100, pageToken }, { signal });
    return { rows: answer.events, nextPageToken: answer.nextPageToken };
  });
  const reload = useThrottled(() => {
    for (const one of [read, record, explanation, revisions, events]) one.reload();
  });
  const watched = { types: ["deployment", "service"], resourceId: id };
  const { live } = useWatch(watched, { onEvent: reload, onStart: reload });

  const deployment = read.data;
  const environments = useEnvironments();
  const names = useNames(
    deployment ? [deployment.registeredModelId] : [],
    deployment ? [deployment.modelVersionId, ...(deployment.snapshot?.modelVersionIds ?? [])] : [],
  );
  if (!deployment && record.data) return <NeverDeployed service={record.data} onUndeployed={record.reload} />;
  if (!deployment)
    return (
      <>
        <PageHead title="Deployment" crumbs={[["Deployments", href("/deployments")]]} />
        {read.failure && !record.loading ? (
          <PageFailure failure={read.failure} what="deployment" back={href("/deployments")} reload={read.reload} />
        ) : (
          <Skeleton lines={8} />
        )}
      </>
    );
  const model = names.models[deployment.registeredModelId];
  const place = environmentText(environments.data, deployment.namespace);
  const ask = (change: Change, chosen?: bigint) =>
    setOpen(canChange(change, deployment) ? { change, deployment, chosen } : undefined);
  const rollback = (revision?: bigint) => (deployment.canary ? ask("abort") : ask("rollback", revision));
  return (
    <>
      <PageHead
        title={deployment.name}
        crumbs={[["Deployments", href("/deployments")]]}
        text={model && `Version ${versionText(names, deployment.modelVersionId)} of ${model} in ${place}`}
        badges={
          <>
            <Phase deployment={deployment} />
            <Live live={live} />
          </>
        }
        actions={
          mayDeploy &&
          !deleted && (
            <Actions
              deployment={deployment}
              canRollBack={revisions.rows.length > 1}
              onOpen={ask}
              onRollback={rollback}
              onSynced={reload}
            />
          )
        }
      />
      <div class="with-aside">
        <div>
          {deleted && (
            <div class="notice amber banner">
              <Icon name="trash" />
              <p>Its record was deleted, so that it cannot be deployed again. Its history is kept for a while.</p>
            </div>
          )}
          <StatusCard deployment={deployment} explanation={explanation.data}>
            <CanaryNotice deployment={deployment} onOpen={mayDeploy ? ask : undefined} />
          </StatusCard>
          <Drift deployment={deployment} />
          <Tabs
            tabs={[
              ["state", "State"],
              ["revisions", "Revisions", countOf(revisions)],
              ["options", "Options"],
              ["events", "Events"],
            ]}
            current={tab}
            onPick={(key) => setQuery({ tab: key === "state" ? "" : key })}
          />
          {tab === "revisions" ? (
            <Revisions
              deployment={deployment}
              pages={revisions}
              onRollback={mayDeploy && !deleted ? rollback : undefined}
            />
          ) : tab === "options" ? (
            <Options deployment={deployment} />
          ) : tab === "events" ? (
            <EventList pages={events} />
          ) : (
            <>
              <Section title="What served when">
                <Timeline events={events} />
              </Section>
              <Section
                title="From the intent to the URL"
                actions={
                  <Button icon="refresh" kind="quiet" busy={explanation.loading} onClick={explanation.reload}>
                    Read the cluster again
                  </Button>
                }
              >
                <Chain query={explanation} />
              </Section>
            </>
          )}
        </div>
        <DeploymentFacts deployment={deployment} names={names} place={place} />
      </div>
      {open && !deleted && (
        <ChangeOf
          key={stateOf(open.deployment)}
          {...open}
          newest={deployment}
          onNewest={() => ask(open.change, open.chosen)}
          onClose={() => setOpen(undefined)}
          onDone={reload}
          revisions={revisions}
        />
      )}
    </>
  );
}

function ChangeOf({ change, ...dialog }: { change: Change } & ComponentProps<typeof RollbackDialog>) {
  if (change === "undeploy") return <UndeployDialog {...dialog} />;
  if (change === "redeploy") return <RedeployDialog {...dialog} />;
  if (change === "delete") return <DeleteRecordDialog {...dialog} />;
  if (change === "rollback") return <RollbackDialog {...dialog} />;
  return <CanaryDialog {...dialog} change={change} />;
}

function Actions({
  deployment,
  canRollBack,
  onOpen,
  onRollback,
  onSynced,
}: {
  deployment: Deployment;
  canRollBack: boolean;
  onOpen: (change: Change) => void;
  onRollback: () => void;
  onSynced: () => void;
}) {
  const [syncing, setSyncing] = useState(false);
  const sync = async () => {
    setSyncing(true);
    try {
      await api.deployments.syncInferenceService({ id: deployment.id });
      toast("The registry has looked at the cluster.");
      onSynced();
    } catch (error) {
      toast(failureOf(error).message, "error");
    }
    setSyncing(false);
  };
  return (
    <>
      <Button icon="refresh" busy={syncing} onClick={sync} title="The registry looks at the cluster now">
        Sync
      </Button>
      {canChange("delete", deployment) && (
        <>
          <Button icon="trash" onClick={() => onOpen("delete")}>
            Delete
          </Button>
          <Button icon="up" onClick={() => onOpen("redeploy")}>
            Deploy again
          </Button>
        </>
      )}
      {canChange("undeploy", deployment) && (
        <Button icon="stop" onClick={() => onOpen("undeploy")}>
          Undeploy
        </Button>
      )}
      {canRollBack && (canChange("rollback", deployment) || canChange("abort", deployment)) && (
        <Button icon="back" onClick={() => onRollback()}>
          Roll back
        </Button>
      )}
      <Link class="button primary" to={href(`/deployments/${deployment.id}/update`)}>
        <Icon name="edit" />
        <span>Update</span>
      </Link>
    </>
  );
}

function CanaryNotice({
  deployment,
  onOpen,
}: {
  deployment: Deployment;
  onOpen: ((change: Change) => void) | undefined;
}) {
  const { canary, targetRevision } = deployment;
  if (!canary) return null;
  const { stableRevision, share, actualShare, targetReplicas, stableReplicas, step } = canary;
  const state: Record<number, string> = {
    [CanaryStep.PROMOTE]: "It is being promoted.",
    [CanaryStep.ABORT]: "It is being aborted.",
  };
  return (
    <div class="canary">
      <p>
        <b>Canary:</b> revision {String(targetRevision)} shall get {share} % of the requests, and revision{" "}
        {String(stableRevision)} the others.{" "}
        {actualShare !== undefined && `The cluster sends it ${actualShare} % now. `}
        {state[step]}
      </p>
      <meter class="share" min={0} max={100} value={actualShare ?? share} aria-label="Share of the canary in percent" />
      {targetReplicas && stableReplicas && (
        <p class="muted">
          {targetReplicas.available} of {targetReplicas.wanted} replicas of the canary can serve, and{" "}
          {stableReplicas.available} of {stableReplicas.wanted} of the stable revision.
        </p>
      )}
      {onOpen && step === CanaryStep.TRY && (
        <div class="row">
          <Button kind="primary" onClick={() => onOpen("promote")}>
            Promote
          </Button>
          <Button onClick={() => onOpen("share")}>Change the share</Button>
          <Button onClick={() => onOpen("abort")}>Abort</Button>
        </div>
      )}
    </div>
  );
}

function Drift({ deployment }: { deployment: Deployment }) {
  if (!deployment.drift.length) return null;
  return (
    <Section title="What others have changed" count={deployment.drift.length}>
      <div class="card drift">
        <Differences
          list={fieldDifferences(deployment.drift, false)}
          label="What others have changed"
          before="Applied by the registry"
          after="In the cluster"
        />
      </div>
    </Section>
  );
}

function Options({ deployment }: { deployment: Deployment }) {
  const options = Object.entries(optionsSaid(deployment.options));
  return (
    <section class="card" aria-label="Options">
      {options.length ? (
        <Facts>
          {options.map(([name, value]) => (
            <Fact key={name} name={words(name)}>
              {value}
            </Fact>
          ))}
        </Facts>
      ) : (
        <p class="muted">All options have their defaults.</p>
      )}
    </section>
  );
}
