import type { Event } from "../../gen/modelregistry/v1/event_pb";
import { dateOf } from "../../lib/format";

/** A time during which the same phase and the same serving revision were recorded. */
export interface Period {
  from: number;
  /** Not set for the present one. */
  until: number | undefined;
  phase: string;
  /** The revision that served; 0 if none did. */
  serving: number;
}

/** The periods, oldest first, from the events of a deployment in any order. */
export function periodsOf(events: Event[]): Period[] {
  const changes = events
    .filter(({ type, occurredAt }) => type === "deployment.status_changed" && occurredAt)
    .map(({ occurredAt, details }) => ({
      from: occurredAt ? dateOf(occurredAt).getTime() : 0,
      phase: details.phase ?? "",
      serving: Number(details.serving_revision ?? 0),
    }))
    .sort((a, b) => a.from - b.from);
  const periods: Period[] = [];
  for (const change of changes) {
    const last = periods.at(-1);
    if (last && last.phase === change.phase && last.serving === change.serving) continue;
    if (last) last.until = change.from;
    periods.push({ ...change, until: undefined });
  }
  return periods;
}

/** The times during which each revision served, the newest revision first. */
export function servedBy(
  periods: Period[],
): { revision: number; times: { from: number; until: number | undefined }[] }[] {
  const lanes = new Map<number, { from: number; until: number | undefined }[]>();
  for (const { serving, from, until } of periods) {
    if (!serving) continue;
    const times = lanes.get(serving) ?? [];
    lanes.set(serving, times);
    const last = times.at(-1);
    if (last && last.until === from) last.until = until;
    else times.push({ from, until });
  }
  return [...lanes].map(([revision, times]) => ({ revision, times })).sort((a, b) => b.revision - a.revision);
}

const STEPS = [1, 5, 10, 15, 30, 60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400].map((s) => s * 1000);

/** Round times for an axis, about five of them. */
export function ticks(from: number, until: number, wanted = 5): number[] {
  const span = (until - from) / wanted;
  const day = 86_400_000;
  const step = STEPS.find((one) => one >= span) ?? Math.ceil(span / day) * day;
  // Steps of hours and days begin at the midnight of the reader.
  const offset = new Date(from).getTimezoneOffset() * 60_000;
  const first = Math.ceil((from - offset) / step) * step + offset;
  return Array.from({ length: Math.max(0, Math.floor((until - first) / step) + 1) }, (_, at) => first + at * step);
}
