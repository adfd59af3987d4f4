import type { GetCallerResponse, Role } from "../gen/modelregistry/v1/access_pb";
import { api } from "./api";
import { dateOf } from "./format";
import { createStore, useStore } from "./store";

/** Who calls, as the registry sees it; undefined until it has answered. */
export const caller = createStore<GetCallerResponse | undefined>(undefined);

export async function loadCaller(): Promise<void> {
  clearTimeout(timer);
  try {
    caller.set(await api.access.getCaller({}));
    askAgainAtTheEnd();
  } catch {
    caller.set(undefined); // the login or the banner says why
  }
}

let timer = 0;
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const CLOCKS_DIFFER_MS = 31_000; // the registry accepts tokens for 30 s longer

/** The registry decides when a session has ended, because the clock of this machine may be wrong. */
function askAgainAtTheEnd(): void {
  const end = caller.get()?.expiresAt;
  if (!end) return;
  const left = Math.max(dateOf(end).getTime() - Date.now(), 0) + CLOCKS_DIFFER_MS;
  if (left < LONGEST_TIMER_MS) timer = window.setTimeout(loadCaller, left);
}

/** Whether the caller has at least this role. While that is not known, nothing is hidden: the registry decides anyway. */
export function useMay(role: Role | undefined): boolean {
  const who = useStore(caller);
  return role === undefined || who === undefined || who.role >= role;
}
