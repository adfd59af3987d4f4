import { useState } from "preact/hooks";
import { Button } from "../../components/basics";
import { Conflicts } from "../../components/conflicts";
import { FormDialog } from "../../components/dialog";
import { problemOf, propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
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
  const draft = useDraft(draftOfModel(model));
  const [etag, setEtag] = useState(model.etag);
  const { values, changed } = draft;
  const problem = problemOf(values.properties);
  const save = useAction(async () => {
    await api.models.updateRegisteredModel({
      id: model.id,
      etag,
      requestId: newRequestId(),
      registeredModel: patchOf(),
    });
    toast("The model was saved.");
    onSaved();
  });

  /** Only what was changed, so that nothing else is overwritten. */
  function patchOf() {
    const { name, description, ownerEmail, modelType, frameworks, tasks, labels, properties } = changed;
    return {
      name: name?.trim(),
      description,
      ownerEmail: ownerEmail?.trim(),
      modelType,
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

  const readAgain = async () => {
    const { registeredModel } = await api.models.getRegisteredModel({ id: model.id });
    if (!registeredModel) return;
    draft.rebase(draftOfModel(registeredModel));
    setEtag(registeredModel.etag);
    save.clear();
  };
  return (
    <FormDialog
      title={`Edit ${model.name}`}
      submit="Save"
      action={save}
      onClose={onClose}
      ready={Object.keys(changed).length > 0 && values.name.trim() !== "" && !problem}
      shownFields={MODEL_FIELDS}
      failureActions={
        save.failure?.reason === "ETAG_MISMATCH" && (
          <Button onClick={readAgain}>Read it again, and keep my changes</Button>
        )
      }
    >
      <Conflicts fields={draft.conflicts} />
      <ModelFields draft={draft} failure={save.failure} />
      {problem && <p class="field-error">{problem}</p>}
    </FormDialog>
  );
}
