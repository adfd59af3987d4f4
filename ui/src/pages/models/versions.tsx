import { Button, Chip, Empty, Snippet, StatusBadge, Time } from "../../components/basics";
import { AddFilter, FilterChips, type FilterKind, labelIs, useFilters } from "../../components/filters";
import { SearchBox } from "../../components/search";
import { DataTable } from "../../components/table";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api } from "../../lib/api";
import { quoted } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";
import { DeletedVersions } from "./deleted-versions";

const KINDS: FilterKind[] = [
  { label: "Status", values: ["READY", "PENDING", "FAILED"], condition: (value) => `status = ${quoted(value)}` },
  { label: "State", values: ["LIVE", "ARCHIVED"], condition: (value) => `state = ${quoted(value)}` },
  { label: "Alias", condition: (value) => `aliases:${quoted(value)}` },
  { label: "Framework", condition: (value) => `model_framework = ${quoted(value)}` },
  { label: "Label", key: "Key", condition: (value, key) => labelIs(key, value) },
];

/** The versions of a model. */
export function Versions({
  model,
  onCreate,
  onRestored,
}: {
  model: RegisteredModel;
  onCreate?: () => void;
  onRestored?: () => void;
}) {
  const project = useProject();
  const { query } = useLocation();
  const { filter } = useFilters();
  const search = query.get("q") ?? "";
  const orderBy = query.get("order") ?? "created_at desc";
  // A star stands for any text. Names of versions are found with regard to letter case.
  const named = search && `name = "*${search.replace(/[\\"*]/g, "\\$&")}*"`;
  const asked = [named, filter].filter(Boolean).join(" AND ");
  const pages = usePages(
    `versions ${project} ${model.id} ${asked} ${orderBy} ${model.versionCount} ${model.etag}`,
    async (pageToken, signal) => {
      const answer = await api.versions.listModelVersions(
        { registeredModelId: model.id, filter: asked, orderBy, pageSize: 100, pageToken },
        { signal },
      );
      return { rows: answer.modelVersions, nextPageToken: answer.nextPageToken };
    },
  );
  return (
    <>
      {(model.versionCount > 5n || asked !== "") && (
        <div class="toolbar">
          <SearchBox label="Search versions by name" value={search} onChange={(q) => setQuery({ q })} />
          <AddFilter kinds={KINDS} />
        </div>
      )}
      <FilterChips />
      <DataTable
        label="Versions"
        unit="version"
        pages={pages}
        rowKey={({ id }) => id}
        rowLink={({ number }) => href(`/models/${model.id}/versions/${number}`)}
        orderBy={orderBy}
        onOrder={(order) => setQuery({ order })}
        columns={[
          { title: "Version", orderBy: "name", cell: (version) => <VersionName version={version} /> },
          { title: "Status", width: "state", cell: (version) => <VersionStatus version={version} /> },
          { title: "Aliases", cell: ({ aliases }) => <AliasChips aliases={aliases} most={2} /> },
          { title: "Framework", hideOn: "phone", width: "kind", cell: ({ modelFramework }) => modelFramework },
          {
            title: "Created",
            hideOn: "phone",
            width: "medium",
            orderBy: "created_at",
            cell: ({ createdAt }) => <Time at={createdAt} />,
          },
        ]}
        empty={asked ? <Empty title="No version matches" /> : <FirstVersion model={model} onCreate={onCreate} />}
      />
      <DeletedVersions model={model} onRestored={onRestored} />
    </>
  );
}

function VersionName({ version: { name, number } }: { version: ModelVersion }) {
  return (
    <>
      {name} <span class="faint">#{number.toString()}</span>
    </>
  );
}

/** An archived version cannot be deployed, whatever its status is. */
function VersionStatus({ version: { status, state } }: { version: ModelVersion }) {
  return <StatusBadge status={state === "ARCHIVED" ? state : status} />;
}

export function AliasChips({ aliases, most = aliases.length }: { aliases: string[]; most?: number }) {
  if (!aliases.length) return null;
  return (
    <span class="chips">
      {aliases.slice(0, most).map((alias) => (
        <Chip key={alias} value={alias} />
      ))}
      {aliases.length > most && <span class="faint">+{aliases.length - most}</span>}
    </span>
  );
}

function FirstVersion({ model, onCreate }: { model: RegisteredModel; onCreate: (() => void) | undefined }) {
  const { origin } = window.location;
  const project = useProject();
  return (
    <Empty
      title="This model has no versions yet"
      actions={
        onCreate && (
          <Button kind="primary" icon="plus" onClick={onCreate}>
            New version
          </Button>
        )
      }
    >
      <p>A version says where the files of a training are, and which framework can run them.</p>
      <Snippet
        label="With curl"
        text={`curl ${origin}/api/v1/model-registry/models/${model.id}/versions \\
  -H "Project-ID: ${project}" \\
  -d '{"name": "v1", "model_framework": "sklearn", "model_framework_version": "1", "uri": "s3://models/${model.name}/1", "artifact_type": "model-artifact"}'`}
      />
    </Empty>
  );
}
