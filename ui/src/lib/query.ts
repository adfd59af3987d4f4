import { Code } from "@connectrpc/connect";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { loadCaller } from "./caller";
import { type Failure, failureOf, isAborted } from "./errors";
import { epoch } from "./session";
import { useStore } from "./store";

export interface Query<T> {
  data: T | undefined;
  /** Why the last read failed. `data` stays what it was before, unless it was deleted. */
  failure: Failure | undefined;
  loading: boolean;
  reload(): void;
}

/**
 * Reads something when `key` changes, after a login, when the registry is back, and on `reload`. Data of another key is not shown
 * while the new one is read.
 */
export function useQuery<T>(key: string, read: (signal: AbortSignal) => Promise<T>): Query<T> {
  const [state, setState] = useState<{ key: string; data?: T; failure?: Failure; loading: boolean }>({
    key,
    loading: true,
  });
  const [count, setCount] = useState(0);
  const time = useStore(epoch);
  const latest = useRef(read);
  latest.current = read;

  // Before the page is painted, so that the answer is there sooner.
  useLayoutEffect(() => {
    const controller = new AbortController();
    setState((old) => (old.key !== key ? { key, loading: true } : old.loading ? old : { ...old, loading: true }));
    latest.current(controller.signal).then(
      (data) => controller.signal.aborted || setState({ key, data, loading: false }),
      (error) => {
        if (controller.signal.aborted || isAborted(error)) return;
        const failure = failureOf(error);
        setState((old) => ({ ...(failure.code !== Code.NotFound && old), key, failure, loading: false }));
      },
    );
    return () => controller.abort();
  }, [key, time, count]);

  const own = state.key === key;
  return {
    data: own ? state.data : undefined,
    failure: own ? state.failure : undefined,
    loading: !own || state.loading,
    reload: useCallback(() => setCount((old) => old + 1), []),
  };
}

export interface Page<T> {
  rows: T[];
  nextPageToken: string;
}

export interface Pages<T> {
  rows: T[];
  failure: Failure | undefined;
  loading: boolean;
  /** Whether more rows follow: `more` reads them. */
  hasMore: boolean;
  more(): void;
  reload(): void;
}

/** How many rows there are, such as `50+` if more follow. Undefined if none are known. */
export function countOf({ rows, hasMore }: Pages<unknown>): string | undefined {
  return rows.length ? `${rows.length}${hasMore ? "+" : ""}` : undefined;
}

interface PagesState<T> {
  key: string;
  rows: T[];
  token: string;
  failure?: Failure;
  loading: boolean;
}

/** Lists that were read lately, so that going back shows them at once, scrolled to where they were. */
const kept = new Map<string, { rows: unknown[]; token: string }>();
const KEPT = 5;

/** Reads a list page by page. The rows of the last key stay until those of the new one are there, so that nothing flickers. */
export function usePages<T>(key: string, read: (pageToken: string, signal: AbortSignal) => Promise<Page<T>>): Pages<T> {
  const time = useStore(epoch);
  const [count, setCount] = useState(0);
  const [state, setState] = useState<PagesState<T>>(() => {
    const before = kept.get(key) as { rows: T[]; token: string } | undefined;
    return { key, rows: before?.rows ?? [], token: before?.token ?? "", loading: true };
  });
  const latest = useRef(read);
  latest.current = read;
  const running = useRef<AbortController>(undefined);
  const counted = useRef(count);
  const current = useRef(state);
  current.current = state;

  const load = useCallback((forKey: string, token: string, atLeast: number) => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setState((old) => (old.loading ? old : { ...old, loading: true }));
    fill(latest.current, token, atLeast, controller.signal).then(
      (page) => {
        if (controller.signal.aborted) return;
        setState((old) => {
          const rows = token ? [...old.rows, ...page.rows] : page.rows;
          keep(forKey, rows, page.nextPageToken);
          return { key: forKey, rows, token: page.nextPageToken, loading: false };
        });
      },
      (error) => {
        if (controller.signal.aborted || isAborted(error)) return;
        setState((old) => ({
          ...(old.key === forKey ? old : { rows: [], token: "" }),
          key: forKey,
          failure: failureOf(error),
          loading: false,
        }));
      },
    );
  }, []);

  useLayoutEffect(() => {
    // What is shown already is read anew, but at most so much that it takes no time.
    const shown = current.current.key === key ? current.current.rows.length : 0;
    const asked = count !== counted.current;
    counted.current = count;
    if (shown <= REREAD || asked) load(key, "", Math.min(shown, REREAD));
    else setState((old) => ({ ...old, loading: false, failure: undefined }));
    return () => running.current?.abort();
  }, [key, time, count, load]);

  return {
    rows: state.rows,
    failure: state.failure,
    loading: state.loading || state.key !== key,
    hasMore: state.token !== "" && state.key === key,
    more: useCallback(() => {
      const { key: of, token, loading, failure } = current.current;
      if (token && !loading && !failure) load(of, token, 0);
    }, [load]),
    reload: useCallback(() => setCount((old) => old + 1), []),
  };
}

const REREAD = 300;

/** Reads one page, and further ones until there are so many rows. A page may be empty although more follow. */
async function fill<T>(
  read: (pageToken: string, signal: AbortSignal) => Promise<Page<T>>,
  token: string,
  atLeast: number,
  signal: AbortSignal,
): Promise<Page<T>> {
  let page = await read(token, signal);
  const rows = page.rows;
  while (page.nextPageToken && rows.length < Math.max(atLeast, 1)) {
    page = await read(page.nextPageToken, signal);
    rows.push(...page.rows);
  }
  return { rows, nextPageToken: page.nextPageToken };
}

/** All rows of a list that is seldom long, or those of its first pages with `most` rows. */
export async function readAll<T>(
  read: (pageToken: string, signal: AbortSignal) => Promise<Page<T>>,
  signal: AbortSignal,
  most = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  return (await fill(read, "", most, signal)).rows;
}

function keep(key: string, rows: unknown[], token: string): void {
  kept.delete(key);
  kept.set(key, { rows, token });
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT) break;
    kept.delete(oldest);
  }
}

export interface Action<A extends unknown[]> {
  busy: boolean;
  failure: Failure | undefined;
  run(...args: A): Promise<boolean>;
  clear(): void;
}

/** A change that the user asks for, one at a time. `run` answers whether it succeeded. */
export function useAction<A extends unknown[]>(change: (...args: A) => Promise<void>): Action<A> {
  const [state, setState] = useState<{ busy: boolean; failure?: Failure }>({ busy: false });
  const busy = useRef(false);
  const latest = useRef(change);
  latest.current = change;
  const run = useCallback(async (...args: A) => {
    if (busy.current) return false;
    busy.current = true;
    setState({ busy: true });
    try {
      await latest.current(...args);
      setState({ busy: false });
      return true;
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === Code.PermissionDenied) void loadCaller(); // what the page offers may be no longer allowed
      setState({ busy: false, failure });
      return false;
    } finally {
      busy.current = false;
    }
  }, []);
  return { busy: state.busy, failure: state.failure, run, clear: useCallback(() => setState({ busy: false }), []) };
}

/** The value once it has not changed for a while. */
export function useDebounced<T>(value: T, milliseconds = 150): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(() => value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
