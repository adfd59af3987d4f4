import { useEffect, useRef, useState } from "preact/hooks";
import type { Event } from "../gen/modelregistry/v1/event_pb";
import { api } from "./api";
import { failureOf } from "./errors";
import { useProject } from "./project";
import { epoch } from "./session";
import { useStore } from "./store";

interface Watched {
  /** As in WatchEventsRequest: types, or whole kinds such as `deployment`. */
  types: string[];
  resourceId?: string;
}

interface Handlers {
  onEvent: (event: Event) => void;
  /** Something may have changed that no event tells: the watch begins, or the log was replaced. */
  onStart: () => void;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
const HIDDEN_MS = 20_000;

/**
 * Watches the event log while the page can be seen, and continues after interruptions. It answers whether the page is live.
 *
 * Browsers have six connections to a server over HTTP/1.1, and a watch takes one of them, so a page in the background gives its own
 * back after a while. Use one watch for a page.
 */
export function useWatch({ types, resourceId = "" }: Watched, handlers: Handlers): boolean {
  const project = useProject();
  const time = useStore(epoch);
  const [live, setLive] = useState(false);
  const latest = useRef(handlers);
  latest.current = handlers;
  const key = types.join();

  useEffect(() => {
    let token = "";
    let pause = FIRST_PAUSE_MS;
    let controller: AbortController | undefined;
    let timer = 0;

    async function run() {
      const own = new AbortController();
      controller = own;
      const request = { types: key.split(","), resourceId, resumeToken: token };
      const options = { signal: own.signal, timeoutMs: 0 };
      try {
        for await (const { event, resumeToken } of api.events.watchEvents(request, options)) {
          setLive(true);
          pause = FIRST_PAUSE_MS;
          if (!token) latest.current.onStart();
          token = resumeToken;
          if (event) latest.current.onEvent(event);
        }
      } catch (error) {
        if (own.signal.aborted) return;
        if (failureOf(error).reason === "EVENT_LOG_CHANGED") token = "";
      }
      controller = undefined;
      setLive(false);
      if (document.hidden) return; // it goes on when the page can be seen again
      timer = window.setTimeout(run, pause);
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }

    function stop() {
      clearTimeout(timer);
      controller?.abort();
      controller = undefined;
    }

    function onVisibility() {
      clearTimeout(timer);
      if (document.hidden) timer = window.setTimeout(stop, HIDDEN_MS);
      else if (!controller) void run();
    }

    void run();
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      document.removeEventListener("visibilitychange", onVisibility);
      stop();
      setLive(false);
    };
  }, [project, time, key, resourceId]);
  return live;
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
