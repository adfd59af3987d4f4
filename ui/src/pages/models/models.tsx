import { useEffect, useState } from "preact/hooks";
import { Button, Empty, Labels, Snippet, StatusBadge, Time } from "../../components/basics";
import { AddFilter, FilterChips, type FilterKind, labelIs, useFilters } from "../../components/filters";
import { PageHead } from "../../components/page";
import { SearchBox } from "../../components/search";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { formatNumber, quoted } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { type Pages, usePages, useQuery } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";
import { CreateModelDialog } from "./create-model";

const KINDS: FilterKind[] = [
  { label: "Label", key: "Key", condition: (value, key) => labelIs(key, value) },
  {
    label: "Framework",
    hint: "One of the tags, such as sklearn.",
    condition: (value) => `tags.frameworks:${quoted(value)}`,
  },
  {
    label: "Task",
    hint: "One of the tags, such as classification.",
    condition: (value) => `tags.tasks:${quoted(value)}`,
  },
  { label: "Owner", hint: "The whole mail address.", condition: (value) => `owner_email = ${quoted(value)}` },
  { label: "Type", hint: "Such as CUSTOMTRAIN or PRETRAIN.", condition: (value) => `model_type = ${quoted(value)}` },
];

const STATES: [value: string, text: string][] = [
  ["", "All states"],
  ["LIVE", "Live"],
  ["ARCHIVED", "Archived"],
];

export function ModelsPage() {
  const project = useProject();
  const { query } = useLocation();
  const { filter, add } = useFilters();
  const [creating, setCreating] = useState(false);
  const mayEdit = useMay(Role.EDITOR);
  const search = query.get("q") ?? "";
  const state = query.get("state") ?? "";
  const orderBy = query.get("order") ?? "created_at desc";
  // `%` and `_` are wildcards of the search, and not what somebody means who types them.
  const asked = { search: search.replace(/[\\%_]/g, "\\$&"), state, filter };
  const key = JSON.stringify([project, asked]);

  const pages = usePages(`models ${key} ${orderBy}`, async (pageToken, signal) => {
    const pageSize = pageToken ? 100 : 50; // the first page is small, so that it is there soon
    const answer = await api.models.listRegisteredModels({ ...asked, orderBy, pageSize, pageToken }, { signal });
    return { rows: answer.registeredModels, nextPageToken: answer.nextPageToken };
  });
  const count = useCount(key, asked, pages);
  const narrowed = search !== "" || state !== "" || filter !== "";
  const actions = mayEdit && (
    <Button kind="primary" icon="plus" data-new onClick={() => setCreating(true)}>
      New model
    </Button>
  );
  return (
    <>
      <PageHead
        title="Models"
        badges={count !== undefined && <span class="count">{formatNumber(count)}</span>}
        actions={actions}
      />
      <div class="toolbar">
        <SearchBox label="Search models by name" value={search} onChange={(q) => setQuery({ q })} />
        <select aria-label="State" value={state} onChange={(event) => setQuery({ state: event.currentTarget.value })}>
          {STATES.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        <AddFilter kinds={KINDS} />
      </div>
      <FilterChips />
      <DataTable
        label="Models"
        unit="model"
        pages={pages}
        rowKey={(model) => model.id}
        rowLink={(model) => href(`/models/${model.id}`)}
        orderBy={orderBy}
        onOrder={(order) => setQuery({ order })}
        columns={[
          { title: "Name", orderBy: "name", cell: (model) => model.name },
          { title: "State", width: "state", cell: (model) => <StatusBadge status={model.state} /> },
          {
            title: "Labels",
            hideOn: "phone",
            cell: ({ labels }) => (
              <Labels labels={labels} most={2} onPick={(name, value) => add(labelIs(name, value))} />
            ),
          },
          {
            title: "Owner",
            hideOn: "tablet",
            width: "owner", // no order: the database has no index for it, and would sort all models
            cell: (model) => <Owner model={model} add={add} />,
          },
          {
            title: "Versions",
            hideOn: "phone",
            width: "narrow",
            align: "right",
            cell: (model) => formatNumber(model.versionCount),
          },
          {
            title: "Changed",
            hideOn: "phone",
            width: "medium",
            orderBy: "updated_at",
            cell: (model) => <Time at={model.updatedAt} />,
          },
        ]}
        empty={narrowed ? <NothingFound /> : <FirstModel project={project} actions={actions} />}
      />
      {creating && <CreateModelDialog onClose={() => setCreating(false)} />}
    </>
  );
}

function Owner({ model, add }: { model: RegisteredModel; add: (condition: string) => void }) {
  if (!model.ownerEmail) return <span class="faint">–</span>;
  return (
    <button
      type="button"
      class="link text"
      title={`Show only the models of ${model.ownerEmail}`}
      onClick={() => add(`owner_email = ${quoted(model.ownerEmail)}`)}
    >
      {model.ownerEmail}
    </button>
  );
}

/** A count reads all that match, so it waits until the user has typed the whole word. */
const COUNT_AFTER_MS = 400;

/** How many models match. It is asked once, after the first page, and only if there are more than that. */
function useCount(
  key: string,
  asked: object,
  { rows, hasMore, loading, failure }: Pages<RegisteredModel>,
): bigint | undefined {
  const [wanted, setWanted] = useState("");
  useEffect(() => {
    if (hasMore && !loading) setWanted(key);
  }, [hasMore, loading, key]);
  const { data } = useQuery(`count ${wanted}`, async (signal) => {
    if (!wanted) return undefined;
    await new Promise((done) => setTimeout(done, COUNT_AFTER_MS));
    if (signal.aborted) return undefined;
    const { totalSize } = await api.models.listRegisteredModels({ ...asked, limit: 1n }, { signal });
    return totalSize;
  });
  if (wanted === key) return data;
  return loading || hasMore || failure ? undefined : BigInt(rows.length);
}

function NothingFound() {
  const clear = () => setQuery({ q: "", state: "", f: "" });
  return (
    <Empty title="No model matches" actions={<Button onClick={clear}>Show all models</Button>}>
      <p>Search finds a part of the name in any letter case. All filters must hold at once.</p>
    </Empty>
  );
}

function FirstModel({ project, actions }: { project: string; actions: preact.ComponentChildren }) {
  const { origin } = window.location;
  return (
    <Empty title="This project has no models yet" actions={actions}>
      <p>A model is a name, such as “iris”. Its versions say where the files of each training are.</p>
      <Snippet
        label="With curl"
        text={`curl ${origin}/api/v1/model-registry/models \\
  -H "Project-ID: ${project}" \\
  -d '{"name": "iris"}'`}
      />
      <Snippet
        label="With Python"
        text={`from registry_client import Client

registry = Client("${origin}", project="${project}")
registry.models.create("iris")`}
      />
    </Empty>
  );
}
