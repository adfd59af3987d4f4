import { useEffect } from "preact/hooks";
import { Badge, Button, Empty, Skeleton, Snippet, Time } from "../../components/basics";
import { FailureNotice } from "../../components/failure";
import { Icon } from "../../components/icon";
import { PageHead } from "../../components/page";
import { SearchBox } from "../../components/search";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { Deployment } from "../../gen/modelregistry/v1/deployment_pb";
import type { ServingEnvironment } from "../../gen/modelregistry/v1/serving_environment_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { quoted, words } from "../../lib/format";
import { away } from "../../lib/health";
import { href, useProject } from "../../lib/project";
import { type Pages, usePages } from "../../lib/query";
import { Link, setQuery, useLocation } from "../../lib/router";
import { useStore } from "../../lib/store";
import { Phase } from "../models/serving";
import { Board } from "./board";
import { useLiveDeployments } from "./live";
import { ModelPicker, useModelName } from "./model-field";
import { environmentText, namesOfRows, namespaceOf, useEnvironments, useNames, versionText } from "./names";
import { reasonWord, replicasText } from "./words";

/** What the choice of phases means as a condition of docs/filters.md. */
const PHASES: [key: string, text: string, condition: string][] = [
  ["", "All but undeployed", "phase != UNDEPLOYED"],
  ["attention", "Needs attention", "(phase = FAILED OR phase = DEGRADED OR phase = DRIFTED OR phase = STOPPED)"],
  ...["DEPLOYED", "PENDING", "DEPLOYING", "UPDATING", "DEGRADED", "DRIFTED", "FAILED", "STOPPED", "DELETING"].map(
    (phase): [string, string, string] => [phase, phase.charAt(0) + phase.slice(1).toLowerCase(), `phase = ${phase}`],
  ),
  ["UNDEPLOYED", "Undeployed", "phase = UNDEPLOYED"],
  ["all", "All phases", ""],
];

/** More cards than these help nobody to see what is wrong, and the table has no limit. */
const MOST_CARDS = 400;

export function DeploymentsPage() {
  const project = useProject();
  const { query } = useLocation();
  const mayDeploy = useMay(Role.DEPLOYER);
  const search = query.get("q") ?? "";
  const phase = query.get("phase") ?? "";
  const namespace = query.get("namespace") ?? "";
  const model = query.get("model") ?? "";
  const asTable = query.get("view") === "table";
  const orderBy = (asTable && query.get("order")) || "created_at desc";
  const environments = useEnvironments();
  const filter = [
    PHASES.find(([key]) => key === phase)?.[2],
    search && `name = "*${search.replace(/[\\"*]/g, "\\$&")}*"`,
    namespace && `namespace = ${quoted(namespace)}`,
  ]
    .filter(Boolean)
    .join(" AND ");

  const pages = usePages(`deployments ${project} ${model} ${filter} ${orderBy}`, async (pageToken, signal) => {
    const answer = await api.deployments.listDeployments(
      { registeredModelId: model, filter, orderBy, pageSize: 100, pageToken },
      { signal },
    );
    return { rows: answer.deployments, nextPageToken: answer.nextPageToken };
  });
  const { rows, live } = useLiveDeployments(pages, phase !== "all");
  // A list that is read again because something happened must not flicker.
  const shown = { ...pages, rows, loading: pages.loading && rows.length === 0 };
  const narrowed = search !== "" || phase !== "" || namespace !== "" || model !== "";
  const actions = mayDeploy && <NewDeployment />;
  const empty = narrowed ? <NothingFound /> : <FirstDeployment project={project} actions={actions} />;
  return (
    <>
      <PageHead title="Deployments" badges={<Live live={live} />} actions={actions} />
      <div class="toolbar board-tools">
        <SearchBox label="Search deployments by name" value={search} onChange={(q) => setQuery({ q })} />
        <select
          aria-label="Phase"
          value={phase}
          onChange={({ currentTarget }) => setQuery({ phase: currentTarget.value })}
        >
          {PHASES.map(([key, text]) => (
            <option key={key} value={key}>
              {text}
            </option>
          ))}
        </select>
        <NamespaceSelect environments={environments.data} value={namespace} />
        <div class="model-filter">
          <ModelPicker
            label="Model"
            placeholder="All models"
            value={useModelName(model)}
            onPick={(picked) => setQuery({ model: picked?.id ?? "" })}
          />
        </div>
        <ViewSwitch asTable={asTable} />
      </div>
      {asTable ? (
        <Table pages={shown} environments={environments.data} orderBy={orderBy} empty={empty} />
      ) : (
        <BoardOf pages={shown} environments={environments.data} empty={empty} reading={pages.loading} />
      )}
    </>
  );
}

/** Whether the page follows what happens. */
export function Live({ live: watching }: { live: boolean }) {
  // A watch stays open while only the database does not answer.
  const live = useStore(away) === "" && watching;
  return (
    <span role="status">
      <Badge tone={live ? "green" : "grey"} title={live ? "The page follows what happens." : undefined}>
        {live ? "live" : "connecting"}
      </Badge>
    </span>
  );
}

function NewDeployment() {
  return (
    <Link class="button primary" data-new to={href("/deployments/new")}>
      <Icon name="plus" />
      <span>New deployment</span>
    </Link>
  );
}

function NamespaceSelect({ environments, value }: { environments: ServingEnvironment[] | undefined; value: string }) {
  const namespaces = [...new Set(environments?.map(namespaceOf))];
  if (value && !namespaces.includes(value)) namespaces.push(value);
  return (
    <select
      aria-label="Environment"
      value={value}
      onChange={({ currentTarget }) => setQuery({ namespace: currentTarget.value })}
    >
      <option value="">All environments</option>
      {namespaces.map((namespace) => (
        <option key={namespace} value={namespace}>
          {environmentText(environments, namespace)}
        </option>
      ))}
    </select>
  );
}

function ViewSwitch({ asTable }: { asTable: boolean }) {
  return (
    <fieldset class="switch view-switch" aria-label="View">
      <button type="button" aria-pressed={!asTable} aria-label="Board" onClick={() => setQuery({ view: "" })}>
        <Icon name="board" />
      </button>
      <button type="button" aria-pressed={asTable} aria-label="Table" onClick={() => setQuery({ view: "table" })}>
        <Icon name="table" />
      </button>
    </fieldset>
  );
}

interface ListProps {
  pages: Pages<Deployment>;
  environments: ServingEnvironment[] | undefined;
  empty: preact.ComponentChildren;
}

function BoardOf({ pages, environments, empty, reading }: ListProps & { reading: boolean }) {
  const { rows, failure, loading, hasMore, more } = pages;
  const full = rows.length >= MOST_CARDS;
  useEffect(() => {
    if (hasMore && !reading && !failure && !full) more();
  }, [hasMore, reading, failure, full, more]);
  if (!rows.length && failure) return <FailureNotice failure={failure} retry={pages.reload} />;
  if (!rows.length && loading) return <Skeleton lines={8} />;
  if (!rows.length) return <>{empty}</>;
  return (
    <>
      {failure && <FailureNotice failure={failure} retry={pages.reload} />}
      {hasMore && full && (
        <p class="notice blue banner">
          These are the newest {rows.length} deployments. Narrow them down, or use the table, which shows all of them.
        </p>
      )}
      <Board rows={rows} environments={environments} />
    </>
  );
}

function Table({ pages, environments, orderBy, empty }: ListProps & { orderBy: string }) {
  const names = useNames(...namesOfRows(pages.rows));
  return (
    <DataTable
      label="Deployments"
      unit="deployment"
      pages={pages}
      rowKey={({ id }) => id}
      rowLink={({ id }) => href(`/deployments/${id}`)}
      orderBy={orderBy}
      onOrder={(order) => setQuery({ order })}
      columns={[
        { title: "Deployment", orderBy: "name", cell: ({ name }) => name },
        { title: "Phase", width: "state", cell: (deployment) => <Phase deployment={deployment} /> },
        {
          title: "Model and version",
          hideOn: "phone",
          cell: ({ registeredModelId, modelVersionId }) => (
            <>
              {names.models[registeredModelId] ?? "…"}{" "}
              <span class="faint">{names.models[registeredModelId] && versionText(names, modelVersionId)}</span>
            </>
          ),
        },
        {
          title: "Environment",
          hideOn: "tablet",
          orderBy: "namespace",
          cell: ({ namespace }) => environmentText(environments, namespace),
        },
        {
          title: "Reason",
          hideOn: "tablet",
          cell: (row) => <span title={row.nextStep}>{words(reasonWord(row))}</span>,
        },
        { title: "Replicas", hideOn: "tablet", width: "medium", cell: replicasText },
        { title: "Since", hideOn: "phone", width: "medium", cell: ({ phaseSince }) => <Time at={phaseSince} /> },
      ]}
      empty={empty}
    />
  );
}

function NothingFound() {
  const clear = () => setQuery({ q: "", phase: "", namespace: "", model: "" });
  return (
    <Empty title="No deployment matches" actions={<Button onClick={clear}>Show all deployments</Button>}>
      <p>Search finds a part of the name, with regard to letter case. All conditions must hold at once.</p>
    </Empty>
  );
}

function FirstDeployment({ project, actions }: { project: string; actions: preact.ComponentChildren }) {
  return (
    <Empty title="Nothing is deployed in this project" actions={actions}>
      <p>A deployment serves a version of a model in an environment, which is a Kubernetes namespace.</p>
      <Snippet
        label="With curl"
        text={`curl ${window.location.origin}/api/v1/model-registry/deploy \\
  -H "Project-ID: ${project}" \\
  -d '{"registered_model_id": "…", "serving_environment_id": "…"}'`}
      />
    </Empty>
  );
}
