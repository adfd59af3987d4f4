import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { EditDialog } from "../../components/edit-dialog";
import { toast } from "../../components/toast";
import { type Webhook, WebhookState } from "../../gen/modelregistry/v1/webhook_pb";
import { api, newRequestId } from "../../lib/api";
import { useEdit } from "../../lib/draft";
import { untilGone } from "../../lib/errors";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { SecretField, TypesField, typesOf, UrlField, WEBHOOK_FIELDS } from "./webhook-fields";

export function CreateWebhookDialog({ onClose, onMade }: { onClose: () => void; onMade: (webhook: Webhook) => void }) {
  const [url, setUrl] = useState("");
  const [types, setTypes] = useState<string[]>([]);
  const [secret, setSecret] = useState("");
  const create = useAction(async () => {
    const { webhook } = await api.webhooks.createWebhook({
      webhook: { url: url.trim(), types: typesOf(types), secret: secret.trim() },
      // The registry refuses it without a secret, because the answer of a repeated request would have no secret.
      requestId: secret.trim() ? newRequestId() : "",
    });
    if (webhook) onMade(webhook);
  });
  return (
    <FormDialog
      title="New webhook"
      submit="Create"
      action={create}
      onClose={onClose}
      ready={url.trim() !== ""}
      shownFields={WEBHOOK_FIELDS}
    >
      <UrlField url={url} onInput={setUrl} failure={create.failure} />
      <TypesField types={types} onChange={setTypes} failure={create.failure} />
      <SecretField
        secret={secret}
        onInput={setSecret}
        failure={create.failure}
        hint="It signs the requests: whsec_ and the base64 of 24 to 64 bytes. Empty: the registry makes one and shows it once."
      />
    </FormDialog>
  );
}

interface Props {
  webhook: Webhook;
  onClose: () => void;
  onSaved: () => void;
}

function draftOf(webhook: Webhook) {
  return { url: webhook.url, types: webhook.types, secret: "" };
}

export function EditWebhookDialog({ webhook, onClose, onSaved }: Props) {
  const edit = useEdit(webhook, draftOf, async () => {
    const answer = await api.webhooks.getWebhook({ id: webhook.id });
    return answer.webhook;
  });
  const { draft } = edit;
  const { values, changed } = draft;
  const save = useAction(async () => {
    await api.webhooks.updateWebhook({
      id: webhook.id,
      etag: edit.etag,
      requestId: newRequestId(),
      webhook: {
        url: changed.url?.trim(),
        types: changed.types && { types: typesOf(changed.types) },
        secret: changed.secret?.trim(),
      },
    });
    toast("The webhook was saved.");
    onSaved();
  });
  return (
    <EditDialog
      title="Edit the webhook"
      edit={edit}
      action={save}
      onClose={onClose}
      ready={values.url.trim() !== ""}
      shownFields={WEBHOOK_FIELDS}
      words={{ url: "the URL", types: "the events" }}
    >
      <UrlField url={values.url} onInput={(url) => draft.set("url", url)} failure={save.failure} />
      <TypesField types={values.types} onChange={(types) => draft.set("types", types)} failure={save.failure} />
      <SecretField
        secret={values.secret}
        onInput={(secret) => draft.set("secret", secret)}
        failure={save.failure}
        hint="Only to replace it. The new one signs at once: whsec_ and the base64 of 24 to 64 bytes."
      />
    </EditDialog>
  );
}

export function SwitchWebhookDialog({ webhook, onClose, onSaved }: Props) {
  const active = webhook.state === WebhookState.ACTIVE;
  const change = useAction(async () => {
    const state = active ? WebhookState.DISABLED : WebhookState.ACTIVE;
    await api.webhooks.updateWebhook({
      id: webhook.id,
      etag: webhook.etag,
      requestId: newRequestId(),
      webhook: { state },
    });
    toast(active ? "The webhook gets no more events." : "The webhook gets events again.");
    onSaved();
  });
  return (
    <FormDialog
      title={active ? "Disable the webhook?" : "Enable the webhook?"}
      submit={active ? "Disable" : "Enable"}
      action={change}
      onClose={onClose}
    >
      <p>
        {active
          ? "Nothing is delivered then. Events wait until it is enabled again, as long as the event log keeps them."
          : "Delivery goes on where it stopped, and what waits is tried at once."}
      </p>
    </FormDialog>
  );
}

export function DeleteWebhookDialog({ webhook, onClose }: Omit<Props, "onSaved">) {
  const remove = useAction(async () => {
    await untilGone(api.webhooks.deleteWebhook({ id: webhook.id, etag: webhook.etag, requestId: newRequestId() }));
    toast("The webhook was deleted.");
    navigate(href("/webhooks"));
  });
  return (
    <FormDialog title="Delete the webhook?" submit="Delete" danger action={remove} onClose={onClose}>
      <p>
        <code>{webhook.url}</code> gets nothing any more, also not what waits. The log of its deliveries is deleted,
        too.
      </p>
    </FormDialog>
  );
}
