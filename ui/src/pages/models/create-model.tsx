import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { problemOf, propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { labelsOf, listOf, MODEL_FIELDS, ModelFields, NEW_MODEL } from "./model-fields";

export function CreateModelDialog({ onClose }: { onClose: () => void }) {
  const draft = useDraft(NEW_MODEL);
  const { values } = draft;
  const [requestId] = useState(newRequestId); // the same when it is sent again, so that it takes effect once
  const create = useAction(async () => {
    const { name, description, ownerEmail, modelType, externalId } = values;
    const { registeredModel } = await api.models.createRegisteredModel({
      requestId,
      registeredModel: {
        name: name.trim(),
        description,
        ownerEmail: ownerEmail.trim(),
        modelType,
        externalId: externalId.trim(),
        tags: { frameworks: listOf(values.frameworks), tasks: listOf(values.tasks) },
        labels: labelsOf(values.labels),
        properties: propertiesOf(values.properties),
      },
    });
    toast(`The model ${name.trim()} was created.`);
    navigate(href(`/models/${registeredModel?.id}`));
  });
  return (
    <FormDialog
      title="New model"
      submit="Create the model"
      action={create}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      problem={problemOf(values.properties)}
      shownFields={MODEL_FIELDS}
    >
      <ModelFields draft={draft} failure={create.failure} />
    </FormDialog>
  );
}
