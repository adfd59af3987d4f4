import { useEffect, useRef, useState } from "preact/hooks";
import { Button, Skeleton } from "../../components/basics";
import { FailureNotice } from "../../components/failure";
import type { Event } from "../../gen/modelregistry/v1/event_pb";
import { formatTime, words } from "../../lib/format";
import type { Pages } from "../../lib/query";
import { rem } from "../../lib/rem";
import { type Period, periodsOf, servedBy, ticks } from "./history";
import { moodOf } from "./words";

const RANGES: [text: string, milliseconds: number][] = [
  ["All", 0],
  ["Month", 30 * 86_400_000],
  ["Week", 7 * 86_400_000],
  ["Day", 86_400_000],
  ["Hour", 3_600_000],
];
const LABELS = 92;
const LANE = 26;
const MOST_LANES = 8;
const COLOURS = { good: "green", busy: "blue", warning: "amber", bad: "red", off: "grey" };

/** What served when, and in which phase the deployment was: as a drawing, and as a table for those who want or need one. */
export function Timeline({ events }: { events: Pages<Event> }) {
  const [range, setRange] = useState(0);
  const periods = periodsOf(events.rows);
  const now = useNow();
  const first = periods[0];
  if (!first && events.failure) return <FailureNotice failure={events.failure} retry={events.reload} />;
  if (!first) return events.loading ? <Skeleton lines={3} /> : <p class="faint">Nothing has happened yet.</p>;
  const age = now - first.from;
  const offered = RANGES.filter(([, length]) => length < age);
  const from = range && range < age ? now - range : first.from;
  return (
    <div class="stack">
      {offered.length > 1 && (
        <fieldset class="switch texts" aria-label="Time">
          {offered.map(([text, length]) => (
            <button key={text} type="button" aria-pressed={range === length} onClick={() => setRange(length)}>
              {text}
            </button>
          ))}
        </fieldset>
      )}
      <Plot periods={periods} from={from} until={Math.max(now, from + 1_000)} />
      <ul class="legend" aria-hidden="true">
        {[...new Set(periods.map(({ phase }) => COLOURS[moodOf(phase)]))].map((colour) => (
          <li key={colour} class={`fill-${colour}`}>
            {[...new Set(periods.map(({ phase }) => phase))]
              .filter((phase) => COLOURS[moodOf(phase)] === colour)
              .map(words)
              .join(", ")}
          </li>
        ))}
      </ul>
      {events.hasMore && (
        <p class="row">
          <span class="muted">This begins with {formatTime(new Date(first.from))}.</span>
          <Button onClick={events.more} busy={events.loading}>
            Show what was before
          </Button>
        </p>
      )}
      <details>
        <summary>As a table</summary>
        <PeriodTable periods={periods} />
      </details>
    </div>
  );
}

function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 5_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

function Plot({ periods, from, until }: { periods: Period[]; from: number; until: number }) {
  const [frame, width] = useWidth();
  const lanes = servedBy(periods)
    .filter(({ times }) => times.some((time) => (time.until ?? until) >= from))
    .slice(0, MOST_LANES);
  const right = Math.max(width - 12, LABELS + 40);
  const x = (time: number) =>
    LABELS + ((Math.min(Math.max(time, from), until) - from) / (until - from)) * (right - LABELS);
  const shown = periods.filter((period) => (period.until ?? until) >= from);
  const bottom = (lanes.length + 1) * LANE + 8;
  const axis = ticks(from, until, Math.max(2, Math.floor((right - LABELS) / 110)));
  return (
    <div ref={frame} class="plot">
      <svg viewBox={`0 0 ${width} ${bottom + 24}`} role="img" aria-label={summary(lanes.length, shown)}>
        {axis.map((time) => (
          <g key={time}>
            <line class="grid" x1={x(time)} x2={x(time)} y1={0} y2={bottom} />
            <text class="tick" x={x(time)} y={bottom + 16} text-anchor={x(time) > right - 30 ? "end" : "middle"}>
              {tickText(time, until - from)}
            </text>
          </g>
        ))}
        <text class="lane" x={0} y={18}>
          Phase
        </text>
        {shown.map((period) => (
          <Bar
            key={period.from}
            class={COLOURS[moodOf(period.phase)]}
            y={5}
            from={x(period.from)}
            to={x(period.until ?? until)}
          >
            {`${words(period.phase)} ${spanText(period)}`}
          </Bar>
        ))}
        {lanes.map(({ revision, times }, lane) => (
          <g key={revision}>
            <text class="lane" x={0} y={(lane + 1) * LANE + 18}>
              Revision {revision}
            </text>
            {times.map((time) => (
              <Bar
                key={time.from}
                class="accent"
                y={(lane + 1) * LANE + 5}
                from={x(time.from)}
                to={x(time.until ?? until)}
              >
                {`Revision ${revision} served ${spanText(time)}`}
              </Bar>
            ))}
          </g>
        ))}
      </svg>
    </div>
  );
}

function Bar(bar: { class: string; y: number; from: number; to: number; children: string }) {
  return (
    <rect
      class={`bar fill-${bar.class}`}
      x={bar.from}
      y={bar.y}
      width={Math.max(bar.to - bar.from, 2)}
      height={16}
      rx={3}
    >
      <title>{bar.children}</title>
    </rect>
  );
}

function summary(lanes: number, shown: Period[]): string {
  const last = shown.at(-1);
  const now = last?.serving ? `revision ${last.serving} serves` : "nothing serves";
  return `Timeline. ${lanes} of the revisions served in this time. Now ${now}. The table below has the details.`;
}

function spanText({ from, until }: { from: number; until: number | undefined }): string {
  return `from ${formatTime(new Date(from))} ${until === undefined ? "until now" : `to ${formatTime(new Date(until))}`}`;
}

function tickText(time: number, span: number): string {
  const format: Intl.DateTimeFormatOptions =
    span > 3 * 86_400_000
      ? { month: "short", day: "numeric" }
      : span > 600_000
        ? { hour: "2-digit", minute: "2-digit" }
        : { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  return new Date(time).toLocaleString("en-GB", format);
}

/** The width of an element, which a drawing follows, in units of which 16 are 1 rem. */
function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const measure = () => setWidth((element.clientWidth * 16) / rem());
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    measure();
    return () => observer.disconnect();
  }, []);
  return [ref, width] as const;
}

function PeriodTable({ periods }: { periods: Period[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse must be able to scroll it
    <section class="scroll" tabIndex={0} aria-label="What served when, as a table">
      <table class="plain">
        <thead>
          <tr>
            <th scope="col">From</th>
            <th scope="col">Until</th>
            <th scope="col">Phase</th>
            <th scope="col">Serving</th>
          </tr>
        </thead>
        <tbody>
          {[...periods].reverse().map(({ from, until, phase, serving }) => (
            <tr key={from}>
              <td>{formatTime(new Date(from))}</td>
              <td>{until === undefined ? "now" : formatTime(new Date(until))}</td>
              <td>{words(phase)}</td>
              <td>{serving ? `revision ${serving}` : "nothing"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
