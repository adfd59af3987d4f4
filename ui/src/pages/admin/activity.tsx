import { useState } from "preact/hooks";
import { Badge, Button } from "../../components/basics";
import { EventList } from "../../components/event-list";
import { FailureNotice } from "../../components/failure";
import { AddFilter, FilterChips, type FilterKind, useFilters } from "../../components/filters";
import { PageHead } from "../../components/page";
import type { Event } from "../../gen/modelregistry/v1/event_pb";
import { api } from "../../lib/api";
import { plural, quoted } from "../../lib/format";
import { useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { setQuery, useLocation } from "../../lib/router";
import { useWatch } from "../../lib/watch";

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

/** A page does not need more, and a busy project has many. */
const KEPT = 1_000;

interface Since {
  key: string;
  events: Event[];
  seen: number;
}

/** What happens in the project, while it happens. */
export function ActivityPage() {
  const project = useProject();
  const { query } = useLocation();
  const { filter } = useFilters();
  const [paused, setPaused] = useState(false);
  const kind = query.get("kind") ?? "";
  const types = kind ? [kind] : [];
  const key = JSON.stringify([project, kind, filter]);

  const earlier = usePages(`events ${key}`, async (pageToken, signal) => {
    const answer = await api.events.listEvents({ types, filter, pageSize: 50, pageToken }, { signal });
    return { rows: answer.events, nextPageToken: answer.nextPageToken };
  });
  // What has happened since the page was opened, newest first, and how many of it were there when the page was paused.
  const none: Since = { key, events: [], seen: 0 };
  const [since, setSince] = useState(none);
  const { events, seen } = since.key === key ? since : none;
  const change = (to: (own: Since) => Partial<Since>) =>
    setSince((old) => {
      const own = old.key === key ? old : none;
      return { ...own, ...to(own) };
    });
  const watch = useWatch(
    { types, filter },
    {
      onEvent: (event) => change((own) => ({ events: [event, ...own.events].slice(0, KEPT) })),
      onStart: () => {
        setSince(none);
        earlier.reload();
      },
    },
  );
  const show = () => change((own) => ({ seen: own.events.length }));
  const shown = paused ? events.slice(Math.max(events.length - seen, 0)) : events;
  const held = events.length - shown.length;
  // New ones stand first. The list has them as well if it was read after they happened.
  const listed = new Set(shown.map(({ id }) => id));
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
              show();
              setPaused(!paused);
            }}
          >
            {paused ? "Resume" : "Pause"}
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
          <Button icon="up" onClick={show}>
            Show {plural(held, "new event")}
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
