import { FormDialog } from "../../components/dialog";
import { toast } from "../../components/toast";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api, newRequestId } from "../../lib/api";
import { untilGone } from "../../lib/errors";
import { plural } from "../../lib/format";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { ServicesOf } from "./serving";

interface Props {
  model: RegisteredModel;
  onClose: () => void;
}

export function ArchiveModelDialog({ model, onClose, onSaved }: Props & { onSaved: () => void }) {
  const archived = model.state === "ARCHIVED";
  const archive = useAction(async () => {
    const state = archived ? "LIVE" : "ARCHIVED";
    await api.models.updateRegisteredModel({
      id: model.id,
      etag: model.etag,
      requestId: newRequestId(),
      registeredModel: { state },
    });
    toast(archived ? "The model is live again." : "The model was archived.");
    onSaved();
  });
  return (
    <FormDialog
      title={archived ? `Make ${model.name} live again?` : `Archive ${model.name}?`}
      submit={archived ? "Make it live" : "Archive"}
      action={archive}
      onClose={onClose}
    >
      {archived ? (
        <p>Its versions can be deployed again.</p>
      ) : (
        <>
          <p>No version of an archived model can be deployed. What serves already goes on serving:</p>
          <ServicesOf registeredModelId={model.id} />
          <p class="muted">You can make the model live again at any time.</p>
        </>
      )}
    </FormDialog>
  );
}

export function DeleteModelDialog({ model, onClose }: Props) {
  const remove = useAction(async () => {
    await untilGone(api.models.deleteRegisteredModel({ id: model.id, etag: model.etag, requestId: newRequestId() }));
    toast(`The model ${model.name} was deleted.`);
    navigate(href("/models"));
  });
  return (
    <FormDialog title={`Delete ${model.name}?`} submit="Delete for ever" danger action={remove} onClose={onClose}>
      <p>
        The model is removed for ever, with its {plural(model.versionCount, "version")} and all aliases. The files stay
        where they are. The registry refuses it while an inference service names the model:
      </p>
      <ServicesOf registeredModelId={model.id} />
    </FormDialog>
  );
}
