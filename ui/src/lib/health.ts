import { failureOf, isAway } from "./errors";
import { refresh } from "./session";
import { createStore } from "./store";

/** Why the registry does not answer; empty while it does. */
export const away = createStore("");

const RETRY_MS = 2_000;

/** Shows the banner, asks until there is an answer again, and then reads what is on the page anew. */
export function registryIsAway(error: unknown, probe: () => Promise<void>): void {
  const wasAway = away.get() !== "";
  away.set(describe(error));
  if (!wasAway) setTimeout(ask, RETRY_MS);

  async function ask(): Promise<void> {
    try {
      await probe();
    } catch (failed) {
      if (isAway(failed)) {
        away.set(describe(failed));
        setTimeout(ask, RETRY_MS);
        return;
      }
    }
    away.set("");
    refresh();
  }
}

function describe(error: unknown): string {
  switch (failureOf(error).reason) {
    case "DATABASE_UNAVAILABLE":
      return "The database of the registry does not answer.";
    case "ISSUER_UNAVAILABLE":
      return "The service that checks logins does not answer.";
    default:
      return "The registry does not answer.";
  }
}
