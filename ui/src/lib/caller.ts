import type { GetCallerResponse, Role } from "../gen/modelregistry/v1/access_pb";
import { api } from "./api";
import { createStore, useStore } from "./store";

/** Who calls, as the registry sees it; undefined until it has answered. */
export const caller = createStore<GetCallerResponse | undefined>(undefined);

export async function loadCaller(): Promise<void> {
  try {
    caller.set(await api.access.getCaller({}));
  } catch {
    caller.set(undefined); // the login or the banner says why
  }
}

/** Whether the caller has at least this role. While that is not known, nothing is hidden: the registry decides anyway. */
export function useMay(role: Role | undefined): boolean {
  const who = useStore(caller);
  return role === undefined || who === undefined || who.role >= role;
}
