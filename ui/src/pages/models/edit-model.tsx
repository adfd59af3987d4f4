import { EditDialog } from "../../components/edit-dialog";
import { problemOf, propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api, newRequestId } from "../../lib/api";
import { useEdit } from "../../lib/draft";
import { useAction } from "../../lib/query";
import { draftOfModel, labelsOf, listOf, MODEL_FIELDS, ModelFields } from "./model-fields";

export function EditModelDialog({
  model,
  onClose,
  onSaved,
}: {
  model: RegisteredModel;
  onClose: () => void;
  onSaved: () => void;
}) {
  const edit = useEdit(model, draftOfModel, async () => {
    const { registeredModel } = await api.models.getRegisteredModel({ id: model.id });
    return registeredModel;
  });
  const { values, changed } = edit.draft;
  const save = useAction(async () => {
    await api.models.updateRegisteredModel({
      id: model.id,
      etag: edit.etag,
      requestId: newRequestId(),
      registeredModel: patchOf(),
    });
    toast("The model was saved.");
    onSaved();
  });

  /** Only what was changed, so that nothing else is overwritten. */
  function patchOf() {
    const { name, description, ownerEmail, modelType, frameworks, tasks, externalId, labels, properties } = changed;
    return {
      name: name?.trim(),
      description,
      ownerEmail: ownerEmail?.trim(),
      modelType,
      externalId: externalId?.trim(),
      labels: labels && labelsOf(labels),
      properties: properties && { values: propertiesOf(properties) },
      // Tags are set as a whole.
      tags:
        frameworks === undefined && tasks === undefined
          ? undefined
          : {
              frameworks: listOf(values.frameworks),
              tasks: listOf(values.tasks),
              architectures: model.tags?.architectures ?? [],
              subjects: model.tags?.subjects ?? [],
            },
    };
  }

  return (
    <EditDialog
      title={`Edit ${model.name}`}
      edit={edit}
      action={save}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      problem={problemOf(values.properties)}
      shownFields={MODEL_FIELDS}
      words={{ ownerEmail: "owner", modelType: "type" }}
    >
      <ModelFields draft={edit.draft} failure={save.failure} />
    </EditDialog>
  );
}
