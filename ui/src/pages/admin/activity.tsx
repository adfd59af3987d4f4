import { useState } from "preact/hooks";
import { Badge, Button } from "../../components/basics";
import { EventList } from "../../components/event-list";
import { FailureNotice } from "../../components/failure";
import { AddFilter, FilterChips, type FilterKind, useFilters } from "../../components/filters";
import { PageHead } from "../../components/page";
import { api } from "../../lib/api";
import { plural, quoted } from "../../lib/format";
import { useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";
import { useWatch } from "./watch";

const KINDS: [value: string, text: string][] = [
  ["", "All kinds"],
  ["model", "Models"],
  ["version", "Versions"],
  ["alias", "Aliases"],
  ["artifact", "Artifacts"],
  ["deployment", "Deployments"],
  ["environment", "Environments"],
  ["service", "Inference services"],
  ["serve_model", "Serve models"],
];

const FILTERS: FilterKind[] = [
  { label: "Who", hint: "The whole name.", condition: (value) => `actor = ${quoted(value)}` },
  {
    label: "Name",
    hint: "A star stands for any text.",
    condition: (value) => `name = ${quoted(value).replaceAll("\\*", "*")}`,
  },
  { label: "Phase", hint: "Of deployments, such as FAILED.", condition: (value) => `details.phase = ${quoted(value)}` },
];

/** What happens in the project, while it happens. */
export function ActivityPage() {
  const project = useProject();
  const { query } = useLocation();
  const { filter } = useFilters();
  const [paused, setPaused] = useState(false);
  const [seen, setSeen] = useState(0);
  const kind = query.get("kind") ?? "";
  const types = kind ? [kind] : [];
  const key = JSON.stringify([project, kind, filter]);

  const earlier = usePages(`events ${key}`, async (pageToken, signal) => {
    const answer = await api.events.listEvents({ types, filter, pageSize: 50, pageToken }, { signal });
    return { rows: answer.events, nextPageToken: answer.nextPageToken };
  });
  const watch = useWatch(key, { types, filter }, earlier.reload);
  // New ones stand first. Those that the list has as well were changed while it was read.
  const shown = paused ? watch.events.slice(Math.max(watch.events.length - seen, 0)) : watch.events;
  const listed = new Set(shown.map(({ id }) => id));
  const held = watch.events.length - shown.length;
  const rows = [...shown, ...earlier.rows.filter(({ id }) => !listed.has(id))];
  return (
    <>
      <PageHead
        title="Activity"
        badges={<State paused={paused} live={watch.live} failed={watch.failure !== undefined} />}
        text="Changes of models, versions, deployments and all that belongs to them."
        actions={
          <Button
            aria-pressed={paused}
            onClick={() => {
              setSeen(watch.events.length);
              setPaused(!paused);
            }}
          >
            {paused ? "Go on" : "Pause"}
          </Button>
        }
      />
      <div class="toolbar">
        <select aria-label="Kind" value={kind} onChange={(event) => setQuery({ kind: event.currentTarget.value })}>
          {KINDS.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
        <AddFilter kinds={FILTERS} />
      </div>
      <FilterChips />
      {watch.failure && <FailureNotice failure={watch.failure} />}
      <div role="status" class="held">
        {held > 0 && (
          <Button icon="up" onClick={() => setSeen(watch.events.length)}>
            Show {plural(held, "new one")}
          </Button>
        )}
      </div>
      {!(watch.failure && rows.length === 0) && <EventList pages={{ ...earlier, rows }} />}
    </>
  );
}

function State({ paused, live, failed }: { paused: boolean; live: boolean; failed: boolean }) {
  if (failed) return <Badge tone="red">stopped</Badge>;
  if (!live) return <Badge tone="amber">connecting</Badge>;
  return paused ? <Badge tone="grey">paused</Badge> : <Badge tone="green">live</Badge>;
}
