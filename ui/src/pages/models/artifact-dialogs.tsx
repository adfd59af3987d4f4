import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { EditDialog } from "../../components/edit-dialog";
import { SelectField } from "../../components/fields";
import { propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import { type Artifact, ArtifactKind } from "../../gen/modelregistry/v1/artifact_pb";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft, useEdit } from "../../lib/draft";
import { untilGone } from "../../lib/errors";
import { useAction } from "../../lib/query";
import {
  ARTIFACT_FIELDS,
  ArtifactFields,
  draftOfArtifact,
  fieldsOf,
  isComplete,
  KINDS,
  NEW_ARTIFACT,
  problemOf,
} from "./artifact-fields";
import { labelsOf } from "./model-fields";

/** The files of the model are those of the version, which has its own form. */
const CHOICES = [ArtifactKind.METRIC, ArtifactKind.PARAMETER, ArtifactKind.DATASET, ArtifactKind.DOCUMENT];

interface Props {
  onClose: () => void;
  onSaved: () => void;
}

export function CreateArtifactDialog({ version, onClose, onSaved }: Props & { version: ModelVersion }) {
  const draft = useDraft(NEW_ARTIFACT);
  const [kind, setKind] = useState(ArtifactKind.METRIC);
  const [requestId] = useState(newRequestId); // the same when it is sent again, so that it takes effect once
  const { values } = draft;
  const create = useAction(async () => {
    const artifact = {
      modelVersionId: version.id,
      kind,
      ...fieldsOf(kind, values),
      labels: labelsOf(values.labels),
      properties: propertiesOf(values.properties),
    };
    await api.artifacts.createArtifact({ artifact, requestId });
    toast(`The artifact ${artifact.name} was created.`);
    onSaved();
  });
  return (
    <FormDialog
      title={`New artifact of ${version.name}`}
      submit="Create the artifact"
      action={create}
      onClose={onClose}
      ready={isComplete(kind, values)}
      problem={problemOf(kind, values)}
      shownFields={ARTIFACT_FIELDS}
    >
      <SelectField
        label="Kind"
        value={String(kind)}
        onChange={(value) => setKind(Number(value))}
        options={CHOICES.map((one): [string, string] => [String(one), KINDS[one]])}
      />
      <ArtifactFields kind={kind} draft={draft} failure={create.failure} />
    </FormDialog>
  );
}

export function EditArtifactDialog({ artifact, onClose, onSaved }: Props & { artifact: Artifact }) {
  const { id, kind } = artifact;
  const edit = useEdit(artifact, draftOfArtifact, async () => (await api.artifacts.getArtifact({ id })).artifact);
  const { values, changed } = edit.draft;
  const save = useAction(async () => {
    const fields = fieldsOf(kind, values);
    await api.artifacts.updateArtifact({
      id,
      etag: edit.etag,
      requestId: newRequestId(),
      // Only what was changed, so that nothing else is overwritten.
      artifact: {
        name: changed.name && fields.name,
        description: changed.description,
        uri: changed.uri === undefined ? undefined : fields.uri,
        digest: changed.digest === undefined ? undefined : fields.digest,
        sizeBytes: changed.size === undefined ? undefined : fields.sizeBytes,
        externalId: changed.externalId === undefined ? undefined : fields.externalId,
        value: changed.value && fields.value,
        labels: changed.labels && labelsOf(changed.labels),
        properties: changed.properties && { values: propertiesOf(changed.properties) },
      },
    });
    toast("The artifact was saved.");
    onSaved();
  });
  return (
    <EditDialog
      title={`Edit ${artifact.name}`}
      edit={edit}
      action={save}
      onClose={onClose}
      ready={isComplete(kind, values)}
      problem={problemOf(kind, values)}
      shownFields={ARTIFACT_FIELDS}
      words={{ uri: "location of the files" }}
    >
      <ArtifactFields kind={kind} draft={edit.draft} failure={save.failure} />
    </EditDialog>
  );
}

export function DeleteArtifactDialog({ artifact, onClose, onSaved }: Props & { artifact: Artifact }) {
  const { id, etag, name } = artifact;
  const remove = useAction(async () => {
    await untilGone(api.artifacts.deleteArtifact({ id, etag, requestId: newRequestId() }));
    toast(`The artifact ${name} was deleted.`);
    onSaved();
  });
  return (
    <FormDialog title={`Delete ${name}?`} submit="Delete the artifact" danger action={remove} onClose={onClose}>
      <p>The artifact is removed from the version for ever. Its files stay where they are.</p>
    </FormDialog>
  );
}
