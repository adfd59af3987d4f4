/** The login at an issuer of OpenID Connect: the code flow with PKCE. The registry checks the ID token that comes of it. */
import * as oauth from "oauth4webapi";
import { currentPath, navigate } from "./router";
import { config, loginWanted, type Oidc, signedOut, signIn } from "./session";
import { createStore } from "./store";

/** Why the last login has failed; empty if it has not. */
export const loginFailure = createStore("");

/** A login that has begun. It is kept in this tab, so that only this tab can use the answer. */
interface Pending {
  state: string;
  nonce: string;
  verifier: string;
  /** The page to return to. */
  back: string;
}

const KEY = "registry.login";
const IN_WINDOW = "window.";
const channel = new BroadcastChannel("registry.login");
channel.onmessage = ({ data }) => {
  const search = String(data);
  if (new URLSearchParams(search).get("state") === pending()?.state) void finish(search);
};

/**
 * Sends the user to the issuer: in a window of its own if the page has something to lose, or else in this one.
 * Browsers that allow no such window leave the page.
 */
export async function logIn(keepPage: boolean): Promise<void> {
  loginFailure.set("");
  const beside = keepPage ? window.open("", "registry-login", "popup,width=520,height=680") : null;
  try {
    const address = await begin(beside !== null);
    if (beside) beside.location.href = address;
    else window.location.assign(address);
  } catch (error) {
    beside?.close();
    loginFailure.set(explain(error));
  }
}

async function begin(beside: boolean): Promise<string> {
  const oidc = settings();
  const server = await discover(oidc);
  if (!server.authorization_endpoint) throw new Error("The issuer says no authorization endpoint.");
  const begun: Pending = {
    state: (beside ? IN_WINDOW : "") + oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    verifier: oauth.generateRandomCodeVerifier(),
    back: currentPath(),
  };
  sessionStorage.setItem(KEY, JSON.stringify(begun));
  const address = new URL(server.authorization_endpoint);
  const query = {
    response_type: "code",
    client_id: oidc.client_id,
    redirect_uri: redirectUri(),
    scope: oidc.scopes.join(" "),
    state: begun.state,
    nonce: begun.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(begun.verifier),
    code_challenge_method: "S256",
    // Whoever has signed out wants to be asked, although the issuer may still know who they are.
    ...(signedOut.get() && { prompt: "login" }),
  };
  for (const [name, value] of Object.entries(query)) address.searchParams.set(name, value);
  return address.href;
}

/** What the issuer has answered, if it has just sent the browser here; else null. */
export function loginAnswer(): string | null {
  const { pathname, search } = window.location;
  const query = new URLSearchParams(search);
  const isAnswer = query.has("state") && (query.has("code") || query.has("error"));
  return isAnswer && pathname === new URL(redirectUri()).pathname ? search : null;
}

/** Gives the answer to the page that has opened this window. Answers whether there is one. */
export function handOver(answer: string): boolean {
  if (!new URLSearchParams(answer).get("state")?.startsWith(IN_WINDOW)) return false;
  channel.postMessage(answer);
  window.close(); // an issuer may have forbidden it: then the page says that the user can close it
  return true;
}

/** Changes the code into a token. If that fails, the login says why. */
export async function finish(answer: string): Promise<void> {
  const begun = pending();
  sessionStorage.removeItem(KEY);
  if (window.location.search === answer) navigate(begun?.back ?? "/", { replace: true });
  try {
    if (!begun) throw new Error("This login was begun in another tab, or has been used already. Sign in again.");
    const oidc = settings();
    const client = { client_id: oidc.client_id };
    const server = await discover(oidc);
    const parameters = oauth.validateAuthResponse(server, client, new URLSearchParams(answer), begun.state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      oauth.None(),
      parameters,
      redirectUri(),
      begun.verifier,
      { ...insecure(oidc), signal: AbortSignal.timeout(ISSUER_MS) },
    );
    const { id_token } = await oauth.processAuthorizationCodeResponse(server, client, response, {
      expectedNonce: begun.nonce,
      requireIdToken: true,
    });
    if (id_token) signIn(id_token);
  } catch (error) {
    loginFailure.set(explain(error));
    loginWanted.set(loginWanted.get() || "Sign in to see this page.");
  }
}

const ISSUER_MS = 15_000;

async function discover(oidc: Oidc): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(oidc.issuer);
  const options = { ...insecure(oidc), signal: AbortSignal.timeout(ISSUER_MS) };
  return oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, options));
}

/** Only an issuer that the settings name without TLS, such as the demo's, is called without. */
function insecure(oidc: Oidc) {
  return { [oauth.allowInsecureRequests]: oidc.issuer.startsWith("http:") };
}

function settings(): Oidc {
  const { oidc } = config.get();
  if (!oidc) throw new Error("The registry has no login.");
  if (!window.isSecureContext) throw new Error("Browsers only allow this login on pages that came by https.");
  return oidc;
}

function redirectUri(): string {
  return `${window.location.origin}/ui/`;
}

function pending(): Pending | undefined {
  const text = sessionStorage.getItem(KEY);
  return text ? (JSON.parse(text) as Pending) : undefined;
}

function explain(error: unknown): string {
  const issuer = config.get().oidc?.issuer ?? "";
  if (error instanceof oauth.AuthorizationResponseError || error instanceof oauth.ResponseBodyError) {
    if (error.error === "access_denied") return "You have not allowed the login, or the issuer refuses you.";
    return `The issuer has refused the login: ${error.error_description ?? error.error}.`;
  }
  const cause = error instanceof Error ? error.cause : undefined;
  if (error instanceof TypeError || cause instanceof TypeError || (error as Error).name === "TimeoutError")
    return `The issuer ${issuer} does not answer, or does not allow this page to call it.`;
  return error instanceof Error ? error.message : String(error);
}
