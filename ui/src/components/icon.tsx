/** The paths of all icons, in a box of 16 by 16. */
const PATHS = {
  models: "M8 1.8 14 5 8 8.2 2 5zM2.3 8.2 8 11.2l5.7-3M2.3 11.2 8 14.2l5.7-3",
  deployments:
    "M8 1.8c2.6 1.6 3.6 4.2 3.3 7.2H4.7C4.4 6 5.4 3.4 8 1.8zM4.7 8 2.8 10.2v2.3L5.6 11M11.3 8l1.9 2.2v2.3L10.4 11M6.6 11.5 8 14.2l1.4-2.7",
  environments: "M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01",
  activity: "M1.5 8h3l2-5 3 10 2-5h3",
  members:
    "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c.3-2.6 2-4 4.5-4s4.2 1.4 4.5 4M10.5 2.8a2.5 2.5 0 0 1 0 4.4M12 9.8c1.5.5 2.3 1.8 2.5 3.7",
  token: "M9.5 9.5a4 4 0 1 0-3-3L1.8 11.2V14h2.7v-2h2v-2zM11 5h.01",
  audit: "M8 1.5 13.5 3.5V8c0 3-2.2 5.2-5.5 6.5C4.7 13.2 2.5 11 2.5 8V3.5zM5.7 8l1.7 1.7 3-3.4",
  webhook:
    "M6.3 6.6A3 3 0 1 1 10.8 5M6.2 6.7 3.9 10.7M9.5 5.3l2.2 4M12 9.2a2.7 2.7 0 1 1-2 4.5M10.2 11.9H6.1a3 3 0 1 1-2.4-3",
  projects:
    "M1.8 4.2c0-.8.5-1.2 1.2-1.2h3l1.5 1.8H13c.7 0 1.2.5 1.2 1.2v5.8c0 .7-.5 1.2-1.2 1.2H3c-.7 0-1.2-.5-1.2-1.2z",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6 14 14",
  plus: "M8 3v10M3 8h10",
  close: "M4 4l8 8M12 4l-8 8",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  check: "M3 8.5 6.5 12 13 4.5",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M12.6 3.4l-.7.7M4.1 11.9l-.7.7",
  moon: "M13.5 9.5A6 6 0 0 1 6.5 2.5a6 6 0 1 0 7 7z",
  system: "M2 3h12v8H2zM5.5 14h5M8 11v3",
  chevron: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  up: "M8 13V3M4 7l4-4 4 4",
  down: "M8 3v10M4 9l4 4 4-4",
  user: "M8 8a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14c.4-2.8 2.4-4.5 5.5-4.5s5.1 1.7 5.5 4.5",
  keyboard: "M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 9.5h6",
  alert: "M8 2 14.5 13.5h-13zM8 6.5v3M8 11.5h.01",
  lock: "M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2",
  edit: "M10.5 3 13 5.5 5.5 13 2.5 13.5 3 10.5z",
  trash: "M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9M6.7 7.2v3.8M9.3 7.2v3.8",
  archive: "M2 3h12v3H2zM3 6v7h10V6M6.5 9h3",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.2l2.2 1.3",
  filter: "M2 4h12M4.5 8h7M6.5 12h3",
  external: "M9 2.5h4.5V7M13.5 2.5 7.5 8.5M11.5 9.5v4h-9v-9h4",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  board: "M2.5 2.5H7v11H2.5zM9 2.5h4.5v7H9z",
  table: "M2 3h12v10H2zM2 6.5h12M2 10h12",
  refresh: "M13.5 8A5.5 5.5 0 1 1 11.7 4M13.5 1.8V5h-3.2",
  back: "M6 3 2.5 6.5 6 10M2.5 6.5H9a4 4 0 0 1 0 8H6",
  stop: "M3.5 3.5h9v9h-9z",
} as const;

export type IconName = keyof typeof PATHS;

/** A drawing beside a text. It says nothing by itself to those who cannot see it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
