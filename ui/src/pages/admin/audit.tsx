import { useState } from "preact/hooks";
import { Badge, Button, Empty, Time, type Tone } from "../../components/basics";
import { CheckField } from "../../components/fields";
import { AddFilter, FilterChips, type FilterKind, useFilters } from "../../components/filters";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { AuditEntry } from "../../gen/modelregistry/v1/audit_pb";
import { api } from "../../lib/api";
import { caller } from "../../lib/caller";
import { quoted } from "../../lib/format";
import { useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";
import { useStore } from "../../lib/store";
import { AuditEntryDialog, shortRpc, titleOf } from "./audit-entry";
import { AuditExport } from "./audit-export";

/** What most people look for. A star in a filter stands for any text. */
const SHOWN: [key: string, text: string, filter: string][] = [
  ["", "Everything", ""],
  ["access", "Members and tokens", '(type = "member.*" OR type = "api_token.*")'],
  ["refused", "Refused calls", 'type = "call.refused"'],
  ["deployments", "Deployments", '(type = "deployment.*" OR type = "service.*" OR type = "environment.*")'],
  [
    "models",
    "Models and versions",
    '(type = "model.*" OR type = "version.*" OR type = "artifact.*" OR type = "alias.*")',
  ],
  ["webhooks", "Webhooks", 'type = "webhook.*"'],
  ["project", "The project", 'type = "project.*"'],
];

const KINDS: FilterKind[] = [
  { label: "Who", hint: "The whole name.", condition: (value) => `actor = ${quoted(value)}` },
  { label: "Name of the resource", condition: (value) => `name = ${quoted(value)}` },
  { label: "Id of the resource", condition: (value) => `resource_id = ${quoted(value)}` },
  { label: "Address", condition: (value) => `address = ${quoted(value)}` },
  { label: "Request id", condition: (value) => `request_id = ${quoted(value)}` },
  { label: "Since", hint: "Such as 2026-01-31.", condition: (value) => `occurred_at >= ${quoted(timeOf(value))}` },
  { label: "Before", hint: "Such as 2026-01-31.", condition: (value) => `occurred_at < ${quoted(timeOf(value))}` },
];

/** Filters want a time with a zone. */
function timeOf(text: string): string {
  const date = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00` : text);
  return Number.isNaN(date.getTime()) ? text : date.toISOString();
}

export function AuditPage() {
  return (
    <Needs role={Role.ADMIN} title="Audit log">
      <Audit />
    </Needs>
  );
}

function Audit() {
  const project = useProject();
  const { query } = useLocation();
  const { filter, add } = useFilters();
  const [open, setOpen] = useState<AuditEntry>();
  const isOperator = (useStore(caller)?.role ?? Role.UNSPECIFIED) >= Role.OPERATOR;
  const shown = SHOWN.find(([key]) => key === (query.get("show") ?? "")) ?? SHOWN[0];
  const allProjects = isOperator && query.get("all") === "yes";
  const asked = { filter: [shown?.[2], filter].filter(Boolean).join(" AND "), allProjects };
  const pages = usePages(`audit ${project} ${JSON.stringify(asked)}`, async (pageToken, signal) => {
    const answer = await api.audit.listAuditEntries({ ...asked, pageSize: 100, pageToken }, { signal });
    return { rows: answer.auditEntries, nextPageToken: answer.nextPageToken };
  });
  return (
    <>
      <PageHead
        title="Audit log"
        text="Every write, whoever made it, and every call that was refused because of who called. Nobody can change it here."
        actions={
          <>
            <Button onClick={pages.reload} busy={pages.loading && pages.rows.length > 0}>
              Refresh
            </Button>
            <AuditExport asked={asked} />
          </>
        }
      />
      <div class="toolbar">
        <select
          aria-label="What to show"
          value={shown?.[0]}
          onChange={(event) => setQuery({ show: event.currentTarget.value })}
        >
          {SHOWN.map(([key, text]) => (
            <option key={key} value={key}>
              {text}
            </option>
          ))}
        </select>
        <AddFilter kinds={KINDS} />
        {isOperator && (
          <CheckField
            label="All projects"
            checked={allProjects}
            onChange={(all) => setQuery({ all: all ? "yes" : "" })}
          />
        )}
      </div>
      <FilterChips />
      <DataTable
        label="Audit log"
        unit="entry"
        units="entries"
        pages={pages}
        rowKey={({ position }) => position.toString()}
        columns={[
          { title: "When", hideOn: "phone", width: "medium", cell: ({ occurredAt }) => <Time at={occurredAt} /> },
          { title: "What", cell: (entry) => <What entry={entry} onOpen={() => setOpen(entry)} /> },
          { title: "Who", hideOn: "phone", width: "owner", cell: (entry) => <Who entry={entry} add={add} /> },
          {
            title: "By which call",
            hideOn: "tablet",
            cell: ({ rpc }) => (rpc ? <code>{shortRpc(rpc)}</code> : <span class="faint">Not by a call</span>),
          },
          { title: "Address", hideOn: "tablet", width: "medium", cell: ({ address }) => address },
        ]}
        empty={
          <Empty title="No entry matches">
            <p>Entries are kept for as many days as REGISTRY_AUDIT_DAYS says.</p>
          </Empty>
        }
      />
      {open && <AuditEntryDialog entry={open} onClose={() => setOpen(undefined)} />}
    </>
  );
}

const TONES: Record<string, Tone> = { created: "green", deleted: "red", refused: "amber", restored: "green" };

function What({ entry, onOpen }: { entry: AuditEntry; onOpen: () => void }) {
  const verb = entry.type.split(".")[1] ?? "";
  const refused = entry.type === "call.refused" && (entry.details.message ?? entry.details.reason);
  return (
    <span class="with-icon">
      <span class={`verb ${TONES[verb] ?? "blue"}`} />
      <span class="text">
        <button type="button" class="link text" aria-haspopup="dialog" onClick={onOpen}>
          {titleOf(entry)}
          {refused && `: ${refused}`}
        </button>
        <small class="phone-only">
          {entry.actor || "Nobody"}, <Time at={entry.occurredAt} />
        </small>
      </span>
      {entry.details.left_out && <Badge tone="amber">and {entry.details.left_out} more</Badge>}
    </span>
  );
}

function Who({ entry, add }: { entry: AuditEntry; add: (condition: string) => void }) {
  if (!entry.actor) return <span class="faint">Nobody</span>;
  return (
    <button
      type="button"
      class="link text"
      title={`Show only what ${entry.actor} did`}
      onClick={() => add(`actor = ${quoted(entry.actor)}`)}
    >
      {entry.actor}
    </button>
  );
}
