import { Field } from "../../components/fields";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api } from "../../lib/api";
import type { Failure } from "../../lib/errors";
import { useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { useAliases } from "../models/aliases";

/** Chooses a version by its number or an alias, as the field `version` of the API takes it. */
export function VersionField({
  modelId,
  value,
  onChange,
  unset,
  failure,
}: {
  modelId: string;
  value: string;
  onChange: (version: string) => void;
  /** What it means if nothing is chosen. */
  unset: string;
  failure?: Failure | undefined;
}) {
  const project = useProject();
  const versions = usePages(`versions to deploy ${project} ${modelId}`, async (pageToken, signal) => {
    if (!modelId) return { rows: [], nextPageToken: "" };
    const filter = 'status = "READY" AND state != "ARCHIVED"';
    const asked = { registeredModelId: modelId, filter, orderBy: "created_at desc", pageSize: 100, pageToken };
    const answer = await api.versions.listModelVersions(asked, { signal });
    return { rows: answer.modelVersions, nextPageToken: answer.nextPageToken };
  });
  const { data: aliases = [] } = useAliases(modelId);
  const ready = versions.rows.filter(({ registeredModelId }) => registeredModelId === modelId); // not of the last model
  const isKnown =
    !value || ready.some(({ number }) => String(number) === value) || aliases.some(({ name }) => name === value);
  return (
    <Field
      label="Version"
      failure={failure}
      path="model_version_id"
      hint={
        versions.hasMore ? (
          <button type="button" class="link" onClick={versions.more}>
            Offer earlier versions
          </button>
        ) : modelId && !versions.loading && !versions.failure && !ready.length ? (
          "No version of the model is READY."
        ) : undefined
      }
      render={(attributes) => (
        <select
          {...attributes}
          value={value}
          disabled={!modelId}
          onChange={({ currentTarget }) => onChange(currentTarget.value)}
        >
          <option value="">{unset}</option>
          {!isKnown && <option value={value}>{/^\d+$/.test(value) ? `Version #${value}` : value}</option>}
          {aliases.length > 0 && (
            <optgroup label="Aliases, as they are now">
              {aliases.map(({ name, versionNumber }) => (
                <option key={name} value={name}>
                  {name}: #{String(versionNumber)}
                </option>
              ))}
            </optgroup>
          )}
          {ready.length > 0 && (
            <optgroup label="Versions that are READY">
              {ready.map((version) => (
                <option key={version.id} value={String(version.number)}>
                  {versionLine(version)}
                </option>
              ))}
            </optgroup>
          )}
        </select>
      )}
    />
  );
}

function versionLine({ name, number, modelFramework }: ModelVersion): string {
  return [`${name} #${number}`, modelFramework].filter(Boolean).join(", ");
}
