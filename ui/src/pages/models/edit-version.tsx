import { useState } from "preact/hooks";
import { Button } from "../../components/basics";
import { Conflicts } from "../../components/conflicts";
import { FormDialog } from "../../components/dialog";
import { problemOf, propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { useAction } from "../../lib/query";
import { labelsOf } from "./model-fields";
import { draftOfVersion, VERSION_FIELDS, VersionFields } from "./version-fields";

export function EditVersionDialog({
  version,
  onClose,
  onSaved,
}: {
  version: ModelVersion;
  onClose: () => void;
  onSaved: () => void;
}) {
  const draft = useDraft(draftOfVersion(version));
  const [etag, setEtag] = useState(version.etag);
  const { values, changed } = draft;
  const problem = problemOf(values.properties);
  const save = useAction(async () => {
    const { labels, properties, ...texts } = changed; // only what was changed, so that nothing else is overwritten
    await api.versions.updateModelVersion({
      id: version.id,
      etag,
      requestId: newRequestId(),
      modelVersion: {
        ...texts,
        labels: labels && labelsOf(labels),
        properties: properties && { values: propertiesOf(properties) },
      },
    });
    toast("The version was saved.");
    onSaved();
  });
  const readAgain = async () => {
    const { modelVersion } = await api.versions.getModelVersion({ id: version.id });
    if (!modelVersion) return;
    draft.rebase(draftOfVersion(modelVersion));
    setEtag(modelVersion.etag);
    save.clear();
  };
  return (
    <FormDialog
      title={`Edit ${version.name}`}
      submit="Save"
      action={save}
      onClose={onClose}
      ready={Object.keys(changed).length > 0 && values.name.trim() !== "" && !problem}
      shownFields={VERSION_FIELDS}
      failureActions={
        save.failure?.reason === "ETAG_MISMATCH" && (
          <Button onClick={readAgain}>Read it again, and keep my changes</Button>
        )
      }
    >
      <Conflicts fields={draft.conflicts} />
      <VersionFields draft={draft} failure={save.failure} />
      {problem && <p class="field-error">{problem}</p>}
    </FormDialog>
  );
}
