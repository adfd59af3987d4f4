import { create } from "@bufbuild/protobuf";
import { useMemo, useState } from "preact/hooks";
import { Button, Skeleton } from "../../components/basics";
import { Conflicts } from "../../components/conflicts";
import { FailureNotice, PageFailure } from "../../components/failure";
import { TextField } from "../../components/fields";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { toast } from "../../components/toast";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { type Deployment, UpdateDeploymentRequestSchema } from "../../gen/modelregistry/v1/deployment_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { plural } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { useAction, useQuery } from "../../lib/query";
import { Link, navigate } from "../../lib/router";
import type { PageProps } from "../../routes";
import { useNames, versionText } from "./names";
import { draftOf, isWhole, maskOf, optionsOf, problemOf, wholeText } from "./options";
import { OptionsFields } from "./options-fields";
import { failureAtFields, PlanPanel, usePlan } from "./plan";
import { VersionField } from "./version-field";

export function UpdateDeploymentPage({ params }: PageProps) {
  return (
    <Needs role={Role.DEPLOYER} title="Update">
      <UpdateById id={params.id ?? ""} />
    </Needs>
  );
}

function UpdateById({ id }: { id: string }) {
  const project = useProject();
  const { data, failure, reload } = useQuery(`deployment to update ${project} ${id}`, async (signal) => {
    const { deployment } = await api.deployments.getDeployment({ id }, { signal });
    return deployment;
  });
  const crumbs: [string, string][] = [
    ["Deployments", href("/deployments")],
    [data?.name ?? "Deployment", href(`/deployments/${id}`)],
  ];
  return (
    <>
      <PageHead title="Update" windowTitle={data ? `Update ${data.name}` : "Update"} crumbs={crumbs} />
      {data ? (
        <UpdateForm deployment={data} />
      ) : failure ? (
        <PageFailure failure={failure} what="deployment" back={href("/deployments")} reload={reload} />
      ) : (
        <Skeleton lines={8} />
      )}
    </>
  );
}

function UpdateForm({ deployment: first }: { deployment: Deployment }) {
  // It stays what it was when the form was opened, so that others' changes are noticed.
  const [deployment, setDeployment] = useState(first);
  const { id, registeredModelId, modelVersionId, targetRevision, canary } = deployment;
  const draft = useDraft(draftOf(deployment.options));
  const [version, setVersion] = useState("");
  const [share, setShare] = useState("");
  const names = useNames([], [modelVersionId]);

  const problem = isWhole(share) ? problemOf(draft.values) : wholeText(share);
  const mask = maskOf(draft.changed);
  const count = mask.length + (version ? 1 : 0) + (share ? 1 : 0);
  const wanted = JSON.stringify([String(targetRevision), version, share, mask, draft.values]);
  const update = useMemo(
    () =>
      create(UpdateDeploymentRequestSchema, {
        id,
        version: version || undefined,
        options: mask.length ? optionsOf(draft.values) : undefined,
        trafficPercent: share && isWhole(share) ? Number(share) : undefined,
        expectedRevision: targetRevision,
        updateMask: { paths: [...mask, ...(version ? ["version"] : []), ...(share ? ["traffic_percent"] : [])] },
      }),
    [wanted],
  );
  const requestId = useMemo(newRequestId, [wanted]);
  const planned = usePlan(count && !problem ? { update } : undefined);
  const save = useAction(async () => {
    const answer = await api.deployments.updateDeployment({ ...update, requestId });
    toast(`Revision ${answer.deployment?.targetRevision} was made. This page shows how it goes on.`);
    navigate(href(`/deployments/${id}`));
  });
  const again = useAction(async () => {
    const { deployment: newest } = await api.deployments.getDeployment({ id });
    if (!newest) return;
    draft.rebase(draftOf(newest.options));
    setDeployment(newest);
    save.clear();
  });
  const failure = failureAtFields(planned, save.failure);
  // The fields show their own. It is made once, because the notice comes into view each time that it is another one.
  const refused = useMemo(() => save.failure && { ...save.failure, fields: {} }, [save.failure]);
  return (
    <form
      class="with-plan"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        if (planned.allowed) void save.run();
      }}
    >
      <div class="stack">
        <Conflicts fields={draft.conflicts} />
        <fieldset class="card stack">
          <legend class="legend-title">Version</legend>
          <div class="columns two">
            <VersionField
              modelId={registeredModelId}
              value={version}
              onChange={setVersion}
              unset={`Keep ${versionText(names, modelVersionId)}, as it was copied`}
              failure={failure}
            />
            <TextField
              label="Try it as a canary"
              optional
              type="number"
              value={share}
              onInput={setShare}
              placeholder="percent of the requests"
              hint={
                canary
                  ? "A revision is being tried now. The new one takes its place, with its share unless you say another one."
                  : "1 to 99. Then the revision serves beside the present one, until you promote or abort it."
              }
              failure={failure}
              path="traffic_percent"
            />
          </div>
        </fieldset>
        <OptionsFields draft={draft} failure={failure} />
      </div>
      <div class="plan-column">
        <PlanPanel
          planned={planned}
          verb="updated"
          waiting={problem || (count ? "" : "Nothing is changed yet. What you do not change keeps its value.")}
        />
        {count > 0 && (
          <p class="muted">
            {plural(count, "change")}:{" "}
            {[
              ...(version ? ["version"] : []),
              ...(share ? ["traffic_percent"] : []),
              ...mask.map((path) => path.slice(8)),
            ].join(", ")}
          </p>
        )}
        {refused && (
          <FailureNotice
            failure={refused}
            actions={
              refused.reason === "REVISION_MISMATCH" && (
                <Button busy={again.busy} onClick={again.run}>
                  Read it again, and keep my changes
                </Button>
              )
            }
          />
        )}
        <FailureNotice failure={again.failure} />
        <div class="row">
          <Button kind="primary" submit busy={save.busy} disabled={!planned.allowed || again.busy}>
            Update
          </Button>
          <Link class="button plain" to={href(`/deployments/${id}`)}>
            Cancel
          </Link>
        </div>
      </div>
    </form>
  );
}
