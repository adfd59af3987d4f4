import { create } from "@bufbuild/protobuf";
import { useState } from "preact/hooks";
import { Skeleton } from "../../components/basics";
import { FormDialog } from "../../components/dialog";
import { EditDialog } from "../../components/edit-dialog";
import { FailureNotice } from "../../components/failure";
import { SelectField, TextField } from "../../components/fields";
import { toast } from "../../components/toast";
import { type ServingEnvironment, ServingEnvironmentSchema } from "../../gen/modelregistry/v1/serving_environment_pb";
import { api, newRequestId } from "../../lib/api";
import { useEdit } from "../../lib/draft";
import { untilGone } from "../../lib/errors";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { ServiceList, useServices } from "../models/serving";
import { namespaceOf } from "./names";

const POLICIES: [string, string][] = [
  ["report", "Report it, and leave the change"],
  ["enforce", "Undo it at once"],
];

function draftOf({ name, externalId, driftPolicy, description }: ServingEnvironment) {
  return { name, namespace: externalId, driftPolicy: driftPolicy || "report", description };
}

const NEW = create(ServingEnvironmentSchema);

/** Creates an environment, or edits one. */
export function EnvironmentDialog({
  environment,
  onClose,
  onSaved,
}: {
  environment?: ServingEnvironment;
  onClose: () => void;
  onSaved: (id: string) => void;
}) {
  const edit = useEdit(environment ?? NEW, draftOf, async () => {
    const answer = await api.environments.getServingEnvironment({ id: environment?.id ?? "" });
    return answer.servingEnvironment;
  });
  const [requestId] = useState(newRequestId);
  const { values, changed, set } = edit.draft;
  const save = useAction(async () => {
    const { name, namespace, driftPolicy, description } = changed;
    const fields = { name: name?.trim(), externalId: namespace?.trim(), driftPolicy, description };
    if (environment) {
      await api.environments.updateServingEnvironment({
        id: environment.id,
        etag: edit.etag,
        requestId,
        servingEnvironment: fields,
      });
      toast("The environment was saved.");
      return onSaved(environment.id);
    }
    const answer = await api.environments.createServingEnvironment({ requestId, servingEnvironment: fields });
    toast("The environment was created.");
    onSaved(answer.servingEnvironment?.id ?? "");
  });
  const field = { failure: save.failure };
  return (
    <EditDialog
      title={environment ? `Edit ${environment.name}` : "New environment"}
      submit={environment ? "Save" : "Create"}
      edit={edit}
      action={save}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      shownFields={["name", "external_id", "drift_policy", "description"].map((name) => `serving_environment.${name}`)}
      words={{ driftPolicy: "what happens if somebody else changes a deployed object" }}
    >
      <TextField
        {...field}
        label="Name"
        value={values.name}
        onInput={(name) => set("name", name)}
        path="serving_environment.name"
        placeholder="production"
        autofocus
      />
      <TextField
        {...field}
        label="Kubernetes namespace"
        optional
        value={values.namespace}
        onInput={(namespace) => set("namespace", namespace)}
        path="serving_environment.external_id"
        placeholder={values.name.trim() || "the same as the name"}
        hint={
          environment
            ? "Deployments that exist stay in the namespace in which they are."
            : "If it is another one than the name. It must exist in the cluster."
        }
      />
      <SelectField
        {...field}
        label="If somebody else changes a deployed object"
        value={values.driftPolicy}
        onChange={(policy) => set("driftPolicy", policy)}
        options={POLICIES}
        path="serving_environment.drift_policy"
      />
      <TextField
        {...field}
        label="Description"
        optional
        rows={2}
        value={values.description}
        onInput={(description) => set("description", description)}
        path="serving_environment.description"
      />
    </EditDialog>
  );
}

/** Deletes an environment, and shows before what is in the way. */
export function DeleteEnvironmentDialog({
  environment,
  onClose,
}: {
  environment: ServingEnvironment;
  onClose: () => void;
}) {
  const { id, name, etag } = environment;
  const [requestId] = useState(newRequestId);
  const { data, failure, reload } = useServices({ servingEnvironmentId: id });
  const remove = useAction(async () => {
    await untilGone(api.environments.deleteServingEnvironment({ id, etag, requestId }));
    toast(`The environment ${name} was deleted.`);
    navigate(href("/environments"));
  });
  return (
    <FormDialog
      title={`Delete ${name}?`}
      submit="Delete"
      danger
      action={remove}
      onClose={onClose}
      ready={data !== undefined && data.total === 0}
    >
      {failure && <FailureNotice failure={failure} retry={reload} />}
      {!data && !failure && <Skeleton lines={2} />}
      {data?.total === 0 && (
        <p>
          Nothing is deployed in it. Only the record is deleted: the namespace {namespaceOf(environment)} stays in the
          cluster.
        </p>
      )}
      {data && data.total > 0 && (
        <>
          <p>These inference services are in the way. Undeploy them and delete their records first:</p>
          <ServiceList {...data} />
        </>
      )}
    </FormDialog>
  );
}
