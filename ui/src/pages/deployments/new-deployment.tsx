import { create } from "@bufbuild/protobuf";
import { useMemo, useState } from "preact/hooks";
import { Button } from "../../components/basics";
import { FailureNotice } from "../../components/failure";
import { Field, type Pairs, PairsField, SelectField, TextField } from "../../components/fields";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { toast } from "../../components/toast";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { NewDeploymentSchema } from "../../gen/modelregistry/v1/deployment_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate, setQuery, useLocation } from "../../lib/router";
import { EnvironmentDialog } from "./environment-dialogs";
import { ModelPicker, useModelName } from "./model-field";
import { namespaceOf, useEnvironments } from "./names";
import { draftOf, optionsOf, problemOf } from "./options";
import { OptionsFields } from "./options-fields";
import { failureAtFields, PlanPanel, usePlan } from "./plan";
import { VersionField } from "./version-field";

export function NewDeploymentPage() {
  return (
    <Needs role={Role.DEPLOYER} title="New deployment">
      <NewDeploymentForm />
    </Needs>
  );
}

function NewDeploymentForm() {
  const { query } = useLocation();
  const modelId = query.get("model") ?? "";
  const version = query.get("version") ?? "";
  const environments = useEnvironments();
  const environmentId = query.get("environment") ?? (environments.data?.length === 1 ? environments.data[0]?.id : "");
  const modelName = useModelName(modelId);
  const [name, setName] = useState("");
  const [labels, setLabels] = useState<Pairs>([]);
  const [creating, setCreating] = useState(false);
  const draft = useDraft(draftOf(undefined));

  const problem = problemOf(draft.values);
  const ready = modelId !== "" && !!environmentId && !problem;
  const wanted = JSON.stringify([modelId, version, environmentId, name.trim(), labels, draft.values]);
  const deployment = useMemo(
    () =>
      create(NewDeploymentSchema, {
        registeredModelId: modelId,
        servingEnvironmentId: environmentId ?? "",
        version,
        name: name.trim(),
        labels: Object.fromEntries(labels.filter(([key]) => key.trim()).map(([key, value]) => [key.trim(), value])),
        options: optionsOf(draft.values),
      }),
    [wanted],
  );
  // Another deployment is another request, and the same one must not be made twice.
  const requestId = useMemo(newRequestId, [wanted]);
  const planned = usePlan(ready ? { deployment } : undefined);
  const deploy = useAction(async () => {
    const answer = await api.deployments.deployModel({ deployment, requestId });
    toast("The deployment was made. This page shows how it goes on.");
    navigate(href(`/deployments/${answer.inferenceService?.id}`));
  });
  const failure = failureAtFields(planned, deploy.failure);
  // The fields show their own. It is made once, because the notice comes into view each time that it is another one.
  const refused = useMemo(() => deploy.failure && { ...deploy.failure, fields: {} }, [deploy.failure]);
  return (
    <>
      <PageHead title="New deployment" crumbs={[["Deployments", href("/deployments")]]} />
      <form
        class="with-plan"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          if (planned.allowed) void deploy.run();
        }}
      >
        <div class="stack">
          <fieldset class="card stack">
            <legend class="legend-title">What, and where</legend>
            <div class="columns two">
              <Field
                label="Model"
                hint="Type a part of its name."
                failure={failure}
                path="registered_model_id"
                render={({ id, ...described }) => (
                  <ModelPicker
                    id={id}
                    described={described}
                    value={modelName}
                    onPick={(model) => setQuery({ model: model?.id ?? "", version: "" })}
                  />
                )}
              />
              <VersionField
                modelId={modelId}
                value={version}
                onChange={(value) => setQuery({ version: value })}
                unset="The default version, or else the newest"
                failure={failure}
              />
              <SelectField
                label="Environment"
                value={environmentId ?? ""}
                onChange={(environment) => setQuery({ environment })}
                failure={failure}
                path="serving_environment_id"
                options={[
                  ["", environments.data?.length === 0 ? "There is none yet" : "Choose one"],
                  ...(environments.data ?? []).map((one): [string, string] => [
                    one.id,
                    namespaceOf(one) === one.name ? one.name : `${one.name} (namespace ${namespaceOf(one)})`,
                  ]),
                ]}
              />
              <TextField
                label="Name"
                optional
                value={name}
                onInput={setName}
                placeholder="made of the model and the version"
                failure={failure}
                path="name"
              />
            </div>
            {environments.data?.length === 0 && (
              <p class="row">
                <span class="muted">A deployment needs an environment.</span>
                <Button icon="plus" onClick={() => setCreating(true)}>
                  New environment
                </Button>
              </p>
            )}
            {environments.failure && <FailureNotice failure={environments.failure} />}
            <details>
              <summary>Labels</summary>
              <PairsField label="Labels of the object in the cluster" pairs={labels} onChange={setLabels} />
            </details>
          </fieldset>
          <OptionsFields draft={draft} failure={failure} />
        </div>
        <div class="plan-column">
          <PlanPanel
            planned={planned}
            verb="deployed"
            waiting={problem || (ready ? "" : "Choose a model and an environment. Then you see here what will happen.")}
          />
          {refused && <FailureNotice failure={refused} />}
          <Button kind="primary" submit busy={deploy.busy} disabled={!planned.allowed}>
            Deploy
          </Button>
        </div>
      </form>
      {creating && (
        <EnvironmentDialog
          onClose={() => setCreating(false)}
          onSaved={(environment) => {
            environments.reload();
            setQuery({ environment });
          }}
        />
      )}
    </>
  );
}
