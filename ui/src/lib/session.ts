import { createStore } from "./store";

/** How users log in at an issuer of OpenID Connect. */
export interface Oidc {
  issuer: string;
  client_id: string;
  scopes: string[];
}

/** What the gateway says about itself in /ui/config.json. */
export interface Config {
  oidc: Oidc | null;
  auth: "off" | "required";
  version: string;
  /** The project to begin with. */
  project: string | null;
}

export const config = createStore<Config>({ oidc: null, auth: "off", version: "", project: null });

export async function loadConfig(): Promise<void> {
  try {
    const answer = await fetch("/ui/config.json", { signal: AbortSignal.timeout(3_000) });
    if (answer.ok) config.set({ ...config.get(), ...((await answer.json()) as Partial<Config>) });
  } catch {
    // Without it, the pages work as they do without authentication, and ask for a token when the registry wants one.
  }
}

const KEY = "registry.token";

/** The bearer token. It is kept for this tab only, and leaves with it. */
export const token = createStore(sessionStorage.getItem(KEY) ?? "");

/** Why the login is shown over the page; empty while it is not. The page stays as it is below. */
export const loginWanted = createStore("");

/** How often the user has closed the login. A call that was made before must not show it again when it is refused. */
export const loginsClosed = createStore(0);

export function closeLogin(): void {
  loginsClosed.set(loginsClosed.get() + 1);
  loginWanted.set("");
}

/** Whether the registry has accepted the token since it was entered or the page was loaded. */
export const accepted = createStore(false);

/** Whether the user has signed out, so that the issuer has to ask again who it is. */
export const signedOut = createStore(false);

export function signIn(text: string): void {
  token.set(text);
  sessionStorage.setItem(KEY, text);
  signedOut.set(false);
  accepted.set(false);
  loginWanted.set("");
  refresh();
}

export function signOut(): void {
  sessionStorage.removeItem(KEY);
  token.set("");
  signedOut.set(true);
  if (config.get().auth === "required") loginWanted.set("You have signed out.");
  refresh();
}

/** It counts up whenever everything on the page has to be read again: after a login, or when the registry is back. */
export const epoch = createStore(0);

export function refresh(): void {
  epoch.set(epoch.get() + 1);
}
