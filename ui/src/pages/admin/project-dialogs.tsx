import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { EditDialog } from "../../components/edit-dialog";
import { TextField } from "../../components/fields";
import { toast } from "../../components/toast";
import type { Project } from "../../gen/modelregistry/v1/project_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft, useEdit } from "../../lib/draft";
import { linesOf } from "../../lib/format";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import {
  bytesOf,
  draftOfProject,
  NEW_PROJECT,
  PROJECT_FIELDS,
  type ProjectDraft,
  ProjectFields,
  problemOf,
  quotaOf,
} from "./project-fields";

export function CreateProjectDialog({ onClose, id: givenId = "" }: { onClose: () => void; id?: string }) {
  const draft = useDraft(NEW_PROJECT);
  const [id, setId] = useState(givenId);
  const { values } = draft;
  const create = useAction(async () => {
    const { project } = await api.projects.createProject({
      id: id.trim(),
      requestId: newRequestId(),
      project: {
        name: values.name.trim(),
        description: values.description,
        namespaces: linesOf(values.namespaces),
        uris: linesOf(values.uris),
        serviceAccounts: linesOf(values.serviceAccounts),
        runtimes: linesOf(values.runtimes),
        maxModels: quotaOf(values.maxModels),
        maxVersions: quotaOf(values.maxVersions),
        maxDeployments: quotaOf(values.maxDeployments),
        maxBytes: bytesOf(values.maxGigabytes),
      },
    });
    toast(`The project ${values.name.trim()} was created.`);
    if (project) navigate(`/projects/${project.id}`);
  });
  return (
    <FormDialog
      title="New project"
      submit="Create"
      wide
      action={create}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      problem={problemOf(values)}
      shownFields={[...PROJECT_FIELDS, "id"]}
    >
      <ProjectFields draft={draft} failure={create.failure} />
      <TextField
        label="Id"
        optional
        mono
        value={id}
        onInput={setId}
        failure={create.failure}
        path="id"
        hint="Only to adopt a project that has models already. Otherwise the registry makes one."
      />
    </FormDialog>
  );
}

export function EditProjectDialog({
  project,
  onClose,
  onSaved,
}: {
  project: Project;
  onClose: () => void;
  onSaved: () => void;
}) {
  const edit = useEdit(project, draftOfProject, async () => {
    const answer = await api.projects.getProject({ id: project.id });
    return answer.project;
  });
  const { values, changed } = edit.draft;
  const save = useAction(async () => {
    const { etag } = edit;
    await api.projects.updateProject({ id: project.id, etag, requestId: newRequestId(), ...patchOf(changed) });
    toast("The project was saved.");
    onSaved();
  });
  return (
    <EditDialog
      title={`Edit ${project.name}`}
      wide
      edit={edit}
      action={save}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      problem={problemOf(values)}
      shownFields={PROJECT_FIELDS}
      words={WORDS}
    >
      <ProjectFields draft={edit.draft} failure={save.failure} />
    </EditDialog>
  );
}

const WORDS = {
  uris: "places of model files",
  runtimes: "serving runtimes",
  maxModels: "the quota of models",
  maxVersions: "the quota of versions",
  maxDeployments: "the quota of deployments",
  maxGigabytes: "the quota of model files",
};

const PATHS: Record<keyof ProjectDraft, string> = {
  name: "name",
  description: "description",
  namespaces: "namespaces",
  uris: "uris",
  serviceAccounts: "service_accounts",
  runtimes: "runtimes",
  maxModels: "max_models",
  maxVersions: "max_versions",
  maxDeployments: "max_deployments",
  maxGigabytes: "max_bytes",
};

/** Only what was changed. The mask names it, because a quota that is taken away is absent. */
function patchOf(changed: Partial<ProjectDraft>) {
  const entries = (text: string | undefined) => (text === undefined ? undefined : { values: linesOf(text) });
  return {
    updateMask: { paths: Object.keys(changed).map((name) => PATHS[name as keyof ProjectDraft]) },
    project: {
      name: changed.name?.trim(),
      description: changed.description,
      namespaces: entries(changed.namespaces),
      uris: entries(changed.uris),
      serviceAccounts: entries(changed.serviceAccounts),
      runtimes: entries(changed.runtimes),
      maxModels: quotaOf(changed.maxModels ?? ""),
      maxVersions: quotaOf(changed.maxVersions ?? ""),
      maxDeployments: quotaOf(changed.maxDeployments ?? ""),
      maxBytes: bytesOf(changed.maxGigabytes ?? ""),
    },
  };
}
