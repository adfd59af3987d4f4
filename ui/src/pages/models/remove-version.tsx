import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { CheckField } from "../../components/fields";
import { toast } from "../../components/toast";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api, newRequestId } from "../../lib/api";
import { untilGone } from "../../lib/errors";
import { href } from "../../lib/project";
import { useAction } from "../../lib/query";
import { navigate } from "../../lib/router";
import { ServicesOf } from "./serving";

interface Props {
  version: ModelVersion;
  onClose: () => void;
}

export function ArchiveVersionDialog({ version, onClose, onSaved }: Props & { onSaved: () => void }) {
  const archived = version.state === "ARCHIVED";
  const archive = useAction(async () => {
    const state = archived ? "LIVE" : "ARCHIVED";
    await api.versions.updateModelVersion({
      id: version.id,
      etag: version.etag,
      requestId: newRequestId(),
      modelVersion: { state },
    });
    toast(archived ? "The version is live again." : "The version was archived.");
    onSaved();
  });
  return (
    <FormDialog
      title={archived ? `Make ${version.name} live again?` : `Archive ${version.name}?`}
      submit={archived ? "Make it live" : "Archive"}
      action={archive}
      onClose={onClose}
    >
      {archived ? (
        <p>It can be deployed again.</p>
      ) : (
        <>
          <p>An archived version cannot be deployed. What serves it already goes on serving:</p>
          <ServicesOf registeredModelId={version.registeredModelId} modelVersionId={version.id} />
          <p class="muted">You can make it live again at any time.</p>
        </>
      )}
    </FormDialog>
  );
}

export function DeleteVersionDialog({ version, onClose }: Props) {
  const [force, setForce] = useState(false);
  const remove = useAction(async () => {
    await untilGone(
      api.versions.deleteModelVersion({ id: version.id, etag: version.etag, force, requestId: newRequestId() }),
    );
    toast(`Version ${version.name} was deleted.`);
    navigate(href(`/models/${version.registeredModelId}`));
  });
  return (
    <FormDialog title={`Delete ${version.name}?`} submit="Delete the version" danger action={remove} onClose={onClose}>
      <p>
        It can be restored for a while: you find it below the versions of its model. Its number is not given again. The
        registry refuses it while something serves the version:
      </p>
      <ServicesOf registeredModelId={version.registeredModelId} modelVersionId={version.id} />
      {version.aliases.length > 0 && (
        <CheckField
          label={`Delete its aliases too: ${version.aliases.join(", ")}`}
          checked={force}
          onChange={setForce}
          hint="Otherwise the version is kept while an alias names it."
        />
      )}
    </FormDialog>
  );
}
