import { useState } from "preact/hooks";

export interface Draft<D> {
  values: D;
  /** The fields that the user has changed. */
  changed: Partial<D>;
  set<K extends keyof D>(name: K, value: D[K]): void;
  /** Fields that both the user and somebody else have changed. */
  conflicts: (keyof D)[];
  /** Continues with a newer state of the object, and keeps what the user has changed. */
  rebase(newest: D): void;
}

/** What a form edits: the fields of an object, and the user's changes on top. */
export function useDraft<D extends object>(base: D): Draft<D> {
  const [state, setState] = useState<{ base: D; changes: Partial<D>; conflicts: (keyof D)[] }>({
    base,
    changes: {},
    conflicts: [],
  });
  const changed = Object.fromEntries(
    Object.entries(state.changes).filter(([name, value]) => !same(value, state.base[name as keyof D])),
  ) as Partial<D>;
  return {
    values: { ...state.base, ...state.changes },
    changed,
    conflicts: state.conflicts,
    set: (name, value) => setState((old) => ({ ...old, changes: { ...old.changes, [name]: value } })),
    rebase: (newest) =>
      setState((old) => ({
        base: newest,
        changes: changed,
        conflicts: (Object.keys(changed) as (keyof D)[]).filter((name) => !same(old.base[name], newest[name])),
      })),
  };
}

/** A draft of an object that others may change meanwhile. */
export interface Edit<D> {
  draft: Draft<D>;
  /** Names the state of the object on which the draft is based. */
  etag: string;
  readAgain(): Promise<void>;
}

export function useEdit<T extends { etag: string }, D extends object>(
  object: T,
  draftOf: (object: T) => D,
  read: () => Promise<T | undefined>,
): Edit<D> {
  const draft = useDraft(draftOf(object));
  const [etag, setEtag] = useState(object.etag);
  const readAgain = async () => {
    const newest = await read();
    if (!newest) return;
    draft.rebase(draftOf(newest));
    setEtag(newest.etag);
  };
  return { draft, etag, readAgain };
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
