import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { CheckField, TextField } from "../../components/fields";
import { problemOf, propertiesOf } from "../../components/properties";
import { toast } from "../../components/toast";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api, newRequestId } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { labelsOf } from "./model-fields";
import { NEW_VERSION, VERSION_FIELDS, VersionFields } from "./version-fields";

export function CreateVersionDialog({ model, onClose }: { model: RegisteredModel; onClose: () => void }) {
  const draft = useDraft({ ...NEW_VERSION, name: `v${Number(model.latestVersion?.number ?? 0) + 1}` });
  const { values } = draft;
  const [ready, setReady] = useState(true);
  const [isDefault, setDefault] = useState(false);
  const [accessKey, setAccessKey] = useState("");
  const [secretKey, setSecretKey] = useState("");
  const [requestId] = useState(newRequestId); // the same when it is sent again, so that it takes effect once
  const create = useAction(async () => {
    const { modelVersion } = await api.versions.createModelVersion({
      registeredModelId: model.id,
      requestId,
      modelVersion: {
        ...values,
        name: values.name.trim(),
        uri: values.uri.trim(),
        externalId: values.externalId.trim(),
        isDefault,
        accessKey,
        secretKey,
        labels: labelsOf(values.labels),
        properties: propertiesOf(values.properties),
      },
    });
    if (!modelVersion) return;
    if (ready && values.uri.trim())
      await api.versions.updateModelVersion({
        id: modelVersion.id,
        requestId: `${requestId} ready`,
        modelVersion: { status: "READY" },
      });
    toast(`Version ${modelVersion.name} was created.`);
    navigate(href(`/models/${model.id}/versions/${modelVersion.number}`));
  });
  return (
    <FormDialog
      title={`New version of ${model.name}`}
      submit="Create the version"
      action={create}
      onClose={onClose}
      ready={values.name.trim() !== ""}
      problem={problemOf(values.properties)}
      shownFields={VERSION_FIELDS}
    >
      <VersionFields draft={draft} failure={create.failure} />
      {values.uri.trim() !== "" && (
        <details>
          <summary>Keys for the files</summary>
          <div class="columns">
            <TextField label="Access key" optional value={accessKey} onInput={setAccessKey} />
            <TextField label="Secret key" optional type="password" value={secretKey} onInput={setSecretKey} />
          </div>
          <p class="hint">They are stored encrypted, and never shown again.</p>
        </details>
      )}
      <CheckField
        label="It is ready to be deployed"
        checked={ready}
        onChange={setReady}
        hint="Only versions whose status is READY can be deployed."
      />
      <CheckField label="Make it the default version" checked={isDefault} onChange={setDefault} />
    </FormDialog>
  );
}
