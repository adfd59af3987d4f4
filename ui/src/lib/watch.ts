import { Code } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Event } from "../gen/modelregistry/v1/event_pb";
import { api } from "./api";
import { type Failure, failureOf } from "./errors";
import { useProject } from "./project";
import { epoch } from "./session";
import { useStore } from "./store";

/** As in WatchEventsRequest. Types may be whole kinds such as `deployment`. */
interface Asked {
  types: string[];
  resourceId?: string;
  filter?: string;
}

interface Handlers {
  onEvent: (event: Event) => void;
  /** Something may have changed that no event tells: the watch begins, or the log was replaced. */
  onStart: () => void;
}

interface Watch {
  /** Whether the registry sends events at the moment. */
  live: boolean;
  /** Why it was given up. */
  failure?: Failure;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
const HIDDEN_MS = 20_000;

/** The same request would be refused again, and each refused call is an entry of the audit log. A login begins anew. */
const FINAL = [Code.InvalidArgument, Code.NotFound, Code.PermissionDenied, Code.Unauthenticated, Code.Unimplemented];

/**
 * Watches the event log while the page can be seen, and goes on behind the last event after interruptions.
 *
 * Browsers have six connections to a server over HTTP/1.1, and a watch takes one of them, so a page in the background gives its own
 * back after a while. Use one watch for a page.
 */
export function useWatch(asked: Asked, handlers: Handlers): Watch {
  const project = useProject();
  const time = useStore(epoch);
  const key = JSON.stringify([project, asked]);
  const [state, setState] = useState<Watch & { key: string }>({ key, live: false });
  const latest = useRef({ asked, handlers });
  latest.current = { asked, handlers };
  const resume = useRef({ key, token: "" });

  useEffect(() => {
    if (resume.current.key !== key) resume.current = { key, token: "" };
    const position = resume.current;
    let pause = FIRST_PAUSE_MS;
    let over = false;
    let controller: AbortController | undefined;
    let timer = 0;

    async function run() {
      const own = new AbortController();
      controller = own;
      const request = { ...latest.current.asked, resumeToken: position.token };
      let failure: Failure | undefined;
      try {
        for await (const answer of api.events.watchEvents(request, { signal: own.signal, timeoutMs: 0 })) {
          setState((old) => (old.key === key && old.live ? old : { key, live: true }));
          pause = FIRST_PAUSE_MS;
          if (!position.token) latest.current.handlers.onStart();
          position.token = answer.resumeToken;
          if (answer.event) latest.current.handlers.onEvent(answer.event);
        }
      } catch (error) {
        if (own.signal.aborted) return;
        failure = failureOf(error);
        if (failure.reason === "EVENT_LOG_CHANGED") position.token = "";
      }
      controller = undefined;
      over = failure !== undefined && FINAL.includes(failure.code);
      setState({ key, live: false, ...(over && failure?.code !== Code.Unauthenticated && { failure }) });
      if (over || document.hidden) return; // a hidden one goes on when the page can be seen again
      timer = window.setTimeout(run, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }

    function stop() {
      clearTimeout(timer);
      controller?.abort();
      controller = undefined;
      setState({ key, live: false });
    }

    function onVisibility() {
      clearTimeout(timer);
      if (document.hidden) timer = window.setTimeout(stop, HIDDEN_MS);
      else if (!controller && !over) void run();
    }

    void run();
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      stop();
    };
  }, [key, time]);
  return state.key === key ? state : { live: false };
}

/** Calls `act` soon after the first of many calls, and not again before `every` milliseconds have passed. */
export function useThrottled(act: () => void, every = 1_500): () => void {
  const latest = useRef(act);
  latest.current = act;
  const state = useRef({ timer: 0, last: 0 });
  useEffect(() => () => clearTimeout(state.current.timer), []);
  return useRef(() => {
    const own = state.current;
    if (own.timer) return;
    own.timer = window.setTimeout(
      () => {
        own.timer = 0;
        own.last = Date.now();
        latest.current();
      },
      Math.max(150, own.last + every - Date.now()),
    );
  }).current;
}
