import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { plural } from "../lib/format";
import type { Pages } from "../lib/query";
import { rem } from "../lib/rem";
import { Link, navigate, rememberedScroll } from "../lib/router";
import { Skeleton } from "./basics";
import { FailureNotice } from "./failure";
import { Icon } from "./icon";

export interface Column<T> {
  title: string;
  cell: (row: T) => ComponentChildren;
  /** Whether it is left out on a phone (`phone`) or also on a tablet (`tablet`). */
  hideOn?: "phone" | "tablet";
  align?: "right";
  /** The field to order by, if the list can be ordered by this column. */
  orderBy?: string;
  /** A class of the stylesheet that sets the width. */
  width?: "narrow" | "kind" | "state" | "medium" | "owner" | "wide";
}

interface TableProps<T> {
  /** What the table shows, for those who cannot see it. */
  label: string;
  columns: Column<T>[];
  pages: Pages<T>;
  rowKey: (row: T) => string;
  /** The address of the page of a row. The first cell becomes the link to it, and the whole row can be clicked. */
  rowLink?: (row: T) => string;
  /** `name` or `created_at desc`. */
  orderBy?: string;
  onOrder?: (orderBy: string) => void;
  /** What to show if there are no rows. */
  empty: ComponentChildren;
  /** The word for a row, in the count below the table: `model`. */
  unit: string;
  /** The word for several rows, if it is not `unit` with an s. */
  units?: string;
}

/** All rows have this height in rem (tables.css), so that only those that can be seen have to exist. */
const ROW = 3;
const OVERSCAN = 8;

/** A table that reads on while it is scrolled. It stays fast with 100,000 rows. */
export function DataTable<T>({
  label,
  columns,
  pages,
  rowKey,
  rowLink,
  orderBy,
  onOrder,
  empty,
  unit,
  units,
}: TableProps<T>) {
  const { rows, loading, failure, hasMore } = pages;
  const body = useRef<HTMLTableSectionElement>(null);
  const [first, last] = useVisibleRows(body, rows.length);
  useRememberedScroll(rows.length);

  const { more } = pages;
  useEffect(() => {
    if (hasMore && !loading && !failure && last >= rows.length - OVERSCAN) more();
  }, [hasMore, loading, failure, last, rows.length, more]);

  if (!rows.length && failure) return <FailureNotice failure={failure} retry={pages.reload} />;
  if (!rows.length && loading) return <Skeleton lines={8} />;
  if (!rows.length) return <>{empty}</>;
  return (
    <div class={`table-frame ${loading ? "loading" : ""}`}>
      <table aria-label={label} aria-rowcount={hasMore ? -1 : rows.length + 1} aria-busy={loading}>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.title} column={column} orderBy={orderBy} onOrder={onOrder} />
            ))}
          </tr>
        </thead>
        <tbody ref={body}>
          <Space rows={first} />
          {rows.slice(first, last).map((row, index) => (
            <Row key={rowKey(row)} row={row} columns={columns} link={rowLink?.(row)} index={first + index + 2} />
          ))}
          <Space rows={rows.length - last} />
        </tbody>
      </table>
      <div class="table-foot">
        {failure ? (
          <FailureNotice failure={failure} retry={pages.reload} />
        ) : (
          <span>
            {plural(rows.length, unit, units)}
            {hasMore && (loading ? ", reading more …" : " so far, scroll for more")}
          </span>
        )}
      </div>
    </div>
  );
}

function Head<T>({
  column,
  orderBy,
  onOrder,
}: {
  column: Column<T>;
  orderBy?: string;
  onOrder?: (orderBy: string) => void;
}) {
  const className = classes(column);
  if (!column.orderBy || !onOrder)
    return (
      <th scope="col" class={className}>
        {column.title}
      </th>
    );
  const up = orderBy === column.orderBy;
  const down = orderBy === `${column.orderBy} desc`;
  return (
    <th scope="col" class={className} aria-sort={up ? "ascending" : down ? "descending" : undefined}>
      <button type="button" onClick={() => onOrder(up ? `${column.orderBy} desc` : (column.orderBy ?? ""))}>
        {column.title}
        {(up || down) && <Icon name={up ? "up" : "down"} />}
      </button>
    </th>
  );
}

function Row<T>({
  row,
  columns,
  link,
  index,
}: {
  row: T;
  columns: Column<T>[];
  link: string | undefined;
  index: number;
}) {
  const open = (event: MouseEvent) => {
    if (!link || (event.target as Element).closest("a, button, input")) return;
    if (window.getSelection()?.toString()) return; // the user selects text
    navigate(link);
  };
  return (
    <tr class={link ? "clickable" : ""} aria-rowindex={index} onClick={open}>
      {columns.map((column, at) => (
        <td key={column.title} class={classes(column)}>
          {link && at === 0 ? (
            <Link class="row-link" to={link}>
              {column.cell(row)}
            </Link>
          ) : (
            column.cell(row)
          )}
        </td>
      ))}
    </tr>
  );
}

function classes<T>({ hideOn, align, width }: Column<T>): string {
  return [hideOn && `hide-${hideOn}`, align, width && `w-${width}`].filter(Boolean).join(" ");
}

/** The height of rows that are not there. It spans no columns, because some of them are hidden on small windows. */
function Space({ rows }: { rows: number }) {
  if (rows <= 0) return null;
  return (
    <tr class="space" aria-hidden="true">
      <td style={{ height: `${rows * ROW}rem` }} />
    </tr>
  );
}

/** The first row to show, and that after the last one. */
function useVisibleRows(body: { current: HTMLElement | null }, count: number): [number, number] {
  const [range, setRange] = useState(() => rangeFrom(0));
  useLayoutEffect(() => {
    const measure = () => {
      const top = body.current?.getBoundingClientRect().top ?? 0;
      // In steps, so that most movements change nothing.
      const [first, last] = rangeFrom(Math.max(0, Math.floor(-top / (ROW * rem()) / 4) * 4));
      setRange((old) => (old[0] === first && old[1] === last ? old : [first, last]));
    };
    measure();
    window.addEventListener("scroll", measure, { passive: true });
    window.addEventListener("resize", measure);
    return () => {
      window.removeEventListener("scroll", measure);
      window.removeEventListener("resize", measure);
    };
  }, [body, count]);
  return [Math.min(range[0], count), Math.min(range[1], count)];
}

/** The rows that can be seen if this one is at the top of the window, and some around them. */
function rangeFrom(top: number): [number, number] {
  return [Math.max(0, top - OVERSCAN), top + Math.ceil(window.innerHeight / (ROW * rem())) + OVERSCAN];
}

/** Scrolls to where the list was when the user left it, once its rows are there. */
function useRememberedScroll(count: number): void {
  const done = useRef(false);
  useLayoutEffect(() => {
    if (done.current || count === 0) return;
    done.current = true;
    const top = rememberedScroll();
    if (top) window.scrollTo(0, top);
  }, [count]);
}
