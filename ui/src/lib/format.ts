import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { PropertyValue } from "../gen/modelregistry/v1/property_pb";

const numbers = new Intl.NumberFormat("en");
const integers = new Intl.NumberFormat("en", { useGrouping: "min2" }); // it may be a year
const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const absolute = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "medium" });

export function formatNumber(value: number | bigint): string {
  return numbers.format(value);
}

/** `1 model`, `2 models`. */
export function plural(count: number | bigint, one: string, many = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 || count === 1n ? one : many}`;
}

export function formatBytes(bytes: number | bigint): string {
  let value = Number(bytes);
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (value < 1024) return `${unit === "B" || value >= 100 ? Math.round(value) : value.toFixed(1)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} TiB`;
}

export function dateOf(time: Timestamp): Date {
  return new Date(Number(time.seconds) * 1000 + time.nanos / 1e6);
}

export function formatTime(date: Date): string {
  return absolute.format(date);
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_557_600],
  ["month", 2_629_800],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export function formatRelative(date: Date, now = Date.now()): string {
  const seconds = (date.getTime() - now) / 1000;
  for (const [unit, length] of UNITS)
    if (Math.abs(seconds) >= length) return ago.format(Math.trunc(seconds / length), unit);
  return Math.abs(seconds) < 10 ? "just now" : ago.format(Math.trunc(seconds), "second");
}

export function formatProperty(value: PropertyValue): string {
  switch (value.kind.case) {
    case "timestampValue":
      return formatTime(dateOf(value.kind.value));
    case "intValue":
      return integers.format(value.kind.value);
    case undefined:
      return "";
    default:
      return String(value.kind.value);
  }
}

/** A value in quotes, as filters want it: docs/filters.md. */
export function quoted(value: string): string {
  return `"${value.replace(/[\\"*]/g, "\\$&")}"`;
}

/** Words of the API as people write them: `MODEL_LOAD` is `model load`. */
export function words(text: string): string {
  return text.toLowerCase().replaceAll("_", " ");
}

/** The lines of a text that are not blank. */
export function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);
}
