import { Code, ConnectError } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Event } from "../../gen/modelregistry/v1/event_pb";
import { api } from "../../lib/api";
import { type Failure, failureOf, isAborted } from "../../lib/errors";
import { epoch } from "../../lib/session";
import { useStore } from "../../lib/store";

interface Watch {
  /** What has happened since the page was opened, newest first. */
  events: Event[];
  /** Whether the registry sends events at the moment. */
  live: boolean;
  /** Why it was given up. */
  failure: Failure | undefined;
}

interface Asked {
  types: string[];
  filter: string;
}

/** A page does not need more, and a busy project has many. */
const KEPT = 1_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Follows the event log, and goes on behind the last event after a break. `onStart` has to read what happened before: it is
 * called once the registry sends events, and again if it cannot go on because the database was restored.
 */
export function useWatch(key: string, asked: Asked, onStart: () => void): Watch {
  const [state, setState] = useState<Watch & { key: string }>({ key, events: [], live: false, failure: undefined });
  const time = useStore(epoch);
  const resume = useRef({ key, token: "" });
  const latest = useRef({ asked, onStart });
  latest.current = { asked, onStart };

  useEffect(() => {
    const controller = new AbortController();
    if (resume.current.key !== key) resume.current = { key, token: "" };
    setState((old) => ({ key, events: old.key === key ? old.events : [], live: false, failure: undefined }));
    void follow(latest.current.asked, resume.current, controller.signal, {
      onEvent: (event) => setState((old) => ({ ...old, events: [event, ...old.events].slice(0, KEPT) })),
      onLive: (live) => setState((old) => (old.live === live ? old : { ...old, live })),
      onStart: () => latest.current.onStart(),
    }).catch((error) => {
      if (!controller.signal.aborted) setState((old) => ({ ...old, live: false, failure: failureOf(error) }));
    });
    return () => controller.abort();
  }, [key, time]);
  return state.key === key ? state : { events: [], live: false, failure: undefined };
}

interface Handlers {
  onEvent: (event: Event) => void;
  onLive: (live: boolean) => void;
  onStart: () => void;
}

async function follow(asked: Asked, resume: { token: string }, signal: AbortSignal, on: Handlers): Promise<void> {
  let pause = FIRST_PAUSE_MS;
  while (!signal.aborted) {
    try {
      const request = { ...asked, resumeToken: resume.token };
      for await (const { event, resumeToken } of api.events.watchEvents(request, { signal, timeoutMs: 0 })) {
        on.onLive(true);
        pause = FIRST_PAUSE_MS;
        if (event) on.onEvent(event);
        if (!resume.token) on.onStart();
        resume.token = resumeToken;
      }
    } catch (error) {
      if (signal.aborted || isAborted(error)) return;
      const { code } = ConnectError.from(error);
      if (code === Code.OutOfRange) resume.token = "";
      else if (code === Code.Unauthenticated)
        return on.onLive(false); // a login begins anew
      else if (GIVE_UP.includes(code)) throw error;
    }
    on.onLive(false);
    await sleep(pause, signal);
    pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
  }
}

/** The same request would be refused again. */
const GIVE_UP = [Code.InvalidArgument, Code.PermissionDenied, Code.Unimplemented, Code.NotFound];

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
}
