import { Field } from "../../components/fields";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api } from "../../lib/api";
import type { Failure } from "../../lib/errors";
import { useProject } from "../../lib/project";
import { useQuery } from "../../lib/query";

const MOST = 100;

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
  const { data } = useQuery(`versions to deploy ${project} ${modelId}`, async (signal) => {
    if (!modelId) return { ready: [], aliases: [] };
    const { modelVersions } = await api.versions.listModelVersions(
      {
        registeredModelId: modelId,
        filter: 'status = "READY" AND state != "ARCHIVED"',
        orderBy: "created_at desc",
        pageSize: MOST,
      },
      { signal },
    );
    const aliases = modelVersions.flatMap((version) => version.aliases.map((alias) => [alias, version] as const));
    return { ready: modelVersions, aliases };
  });
  const ready = data?.ready ?? [];
  const aliases = data?.aliases ?? [];
  const isKnown =
    !value || ready.some(({ number }) => String(number) === value) || aliases.some(([alias]) => alias === value);
  return (
    <Field
      label="Version"
      failure={failure}
      path="model_version_id"
      hint={modelId && data && !ready.length ? "No version of the model is READY." : undefined}
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
              {aliases.map(([alias, version]) => (
                <option key={alias} value={alias}>
                  {alias}: {versionLine(version)}
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
