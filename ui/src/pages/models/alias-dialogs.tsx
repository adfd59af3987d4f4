import { useState } from "preact/hooks";
import { FormDialog } from "../../components/dialog";
import { CheckField, TextField } from "../../components/fields";
import { toast } from "../../components/toast";
import type { ModelAlias } from "../../gen/modelregistry/v1/model_alias_pb";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api, newRequestId } from "../../lib/api";
import { untilGone } from "../../lib/errors";
import { useProject } from "../../lib/project";
import { useAction, useQuery } from "../../lib/query";

interface Props {
  model: RegisteredModel;
  onClose: () => void;
  onSaved: () => void;
}

/** Makes an alias, or moves one from the version that it names now. */
export function SetAliasDialog({ model, alias, onClose, onSaved }: Props & { alias: ModelAlias | undefined }) {
  const [name, setName] = useState(alias?.name ?? "");
  const [version, setVersion] = useState("");
  const [force, setForce] = useState(false);
  const set = useAction(async () => {
    const { modelAlias } = await api.aliases.setModelAlias({
      registeredModelId: model.id,
      name: name.trim(),
      version: version.trim(),
      force,
      // Somebody else may move it while the dialog is open.
      expectedVersionId: alias?.modelVersionId ?? "",
      requestId: newRequestId(),
    });
    toast(`${name.trim()} is version ${modelAlias?.versionNumber} now.`);
    onSaved();
  });
  const moved = set.failure?.reason === "MODEL_ALIAS_MOVED";
  return (
    <FormDialog
      title={alias ? `Move ${alias.name}` : "New alias"}
      submit={alias ? "Move the alias" : "Set the alias"}
      action={set}
      onClose={() => {
        if (moved) onSaved(); // shows where it is now
        onClose();
      }}
      ready={name.trim() !== "" && version.trim() !== "" && (!alias?.isProtected || force)}
      shownFields={["name", "version"]}
    >
      {alias ? (
        <p>
          <b>{alias.name}</b> is version {alias.versionNumber.toString()} now. Deployments do not follow an alias: they
          keep their version.
        </p>
      ) : (
        <TextField
          label="Name"
          placeholder="champion"
          hint="Lower-case letters, digits, dots, dashes and underscores."
          value={name}
          onInput={setName}
          failure={set.failure}
          path="name"
          autofocus
        />
      )}
      <VersionText model={model} value={version} onInput={setVersion} failure={set.failure} />
      {alias?.isProtected && (
        <CheckField
          label="Move it although it is protected"
          checked={force}
          onChange={setForce}
          hint="Somebody has protected it so that it is not moved by mistake."
        />
      )}
    </FormDialog>
  );
}

function VersionText({
  model,
  ...field
}: { model: RegisteredModel } & Pick<Parameters<typeof TextField>[0], "value" | "onInput" | "failure">) {
  const project = useProject();
  const { data } = useQuery(`newest versions ${project} ${model.id}`, async (signal) => {
    const { modelVersions } = await api.versions.listModelVersions(
      { registeredModelId: model.id, pageSize: 50 },
      { signal },
    );
    return modelVersions;
  });
  return (
    <>
      <TextField
        {...field}
        label="Version"
        hint="Its number, its name, or another alias of it."
        path="version"
        list="newest-versions"
      />
      <datalist id="newest-versions">
        {data?.map(({ id, name, number }) => (
          <option key={id} value={number.toString()}>
            {name}
          </option>
        ))}
      </datalist>
    </>
  );
}

export function ProtectAliasDialog({ model, alias, onClose, onSaved }: Props & { alias: ModelAlias }) {
  const isProtected = !alias.isProtected;
  const protect = useAction(async () => {
    await api.aliases.setModelAlias({
      registeredModelId: model.id,
      name: alias.name,
      version: alias.versionNumber.toString(),
      expectedVersionId: alias.modelVersionId,
      isProtected,
      force: true,
      requestId: newRequestId(),
    });
    toast(isProtected ? `${alias.name} is protected now.` : `${alias.name} is no longer protected.`);
    onSaved();
  });
  return (
    <FormDialog
      title={isProtected ? `Protect ${alias.name}?` : `Take the protection of ${alias.name} away?`}
      submit={isProtected ? "Protect" : "Take it away"}
      action={protect}
      onClose={onClose}
    >
      <p>
        {isProtected
          ? "A protected alias is only moved or deleted by those who say that they mean it."
          : "Everybody who may edit the model can then move and delete the alias."}
      </p>
    </FormDialog>
  );
}

export function DeleteAliasDialog({ model, alias, onClose, onSaved }: Props & { alias: ModelAlias }) {
  const [force, setForce] = useState(false);
  const remove = useAction(async () => {
    await untilGone(
      api.aliases.deleteModelAlias({
        registeredModelId: model.id,
        name: alias.name,
        expectedVersionId: alias.modelVersionId,
        force,
        requestId: newRequestId(),
      }),
    );
    toast(`The alias ${alias.name} was deleted.`);
    onSaved();
  });
  return (
    <FormDialog
      title={`Delete the alias ${alias.name}?`}
      submit="Delete the alias"
      danger
      action={remove}
      onClose={onClose}
      ready={!alias.isProtected || force}
    >
      <p>
        {alias.name === "default"
          ? "The model has no default version then."
          : "Programs that ask for it get an error until it is set again. The version itself stays."}
      </p>
      {alias.isProtected && (
        <CheckField label="Delete it although it is protected" checked={force} onChange={setForce} />
      )}
    </FormDialog>
  );
}
