import { useState } from "preact/hooks";
import { Button } from "../../components/basics";
import { Conflicts } from "../../components/conflicts";
import { FormDialog } from "../../components/dialog";
import { TextField } from "../../components/fields";
import { toast } from "../../components/toast";
import type { Project } from "../../gen/modelregistry/v1/project_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import {
  bytesOf,
  draftOfProject,
  linesOf,
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
  const problem = problemOf(values);
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
      ready={values.name.trim() !== "" && !problem}
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
      {problem && <p class="field-error">{problem}</p>}
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
  const draft = useDraft(draftOfProject(project));
  const [etag, setEtag] = useState(project.etag);
  const { values, changed } = draft;
  const problem = problemOf(values);
  const save = useAction(async () => {
    await api.projects.updateProject({ id: project.id, etag, requestId: newRequestId(), ...patchOf(changed) });
    toast("The project was saved.");
    onSaved();
  });
  const readAgain = async () => {
    const answer = await api.projects.getProject({ id: project.id });
    if (!answer.project) return;
    draft.rebase(draftOfProject(answer.project));
    setEtag(answer.project.etag);
    save.clear();
  };
  return (
    <FormDialog
      title={`Edit ${project.name}`}
      submit="Save"
      wide
      action={save}
      onClose={onClose}
      ready={Object.keys(changed).length > 0 && values.name.trim() !== "" && !problem}
      shownFields={PROJECT_FIELDS}
      failureActions={
        save.failure?.reason === "ETAG_MISMATCH" && (
          <Button onClick={readAgain}>Read it again, and keep my changes</Button>
        )
      }
    >
      <Conflicts fields={draft.conflicts} />
      <ProjectFields draft={draft} failure={save.failure} />
      {problem && <p class="field-error">{problem}</p>}
    </FormDialog>
  );
}

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
