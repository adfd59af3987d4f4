import { EditDialog } from "../../components/edit-dialog";
import { problemOf, propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api, newRequestId } from "../../lib/api";
import { useEdit } from "../../lib/draft";
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
  const edit = useEdit(version, draftOfVersion, async () => {
    const { modelVersion } = await api.versions.getModelVersion({ id: version.id });
    return modelVersion;
  });
  const { values, changed } = edit.draft;
  const save = useAction(async () => {
    const { labels, properties, ...texts } = changed; // only what was changed, so that nothing else is overwritten
    await api.versions.updateModelVersion({
      id: version.id,
      etag: edit.etag,
      requestId: newRequestId(),
      modelVersion: {
        ...texts,
        externalId: texts.externalId?.trim(),
        labels: labels && labelsOf(labels),
        properties: properties && { values: propertiesOf(properties) },
      },
    });
    toast("The version was saved.");
    onSaved();
  });
  return (
    <EditDialog
      title={`Edit ${version.name}`}
      edit={edit}
      action={save}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      problem={problemOf(values.properties)}
      shownFields={VERSION_FIELDS}
      words={{ uri: "location of the files", containerImage: "serving runtime" }}
    >
      <VersionFields draft={edit.draft} failure={save.failure} />
    </EditDialog>
  );
}
