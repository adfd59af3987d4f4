import { Code, ConnectError } from "@connectrpc/connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  HelpSchema,
  PreconditionFailureSchema,
} from "../gen/google/rpc/error_details_pb";

/** Something that is in the way, as google.rpc.PreconditionFailure names it. */
export interface Violation {
  type: string;
  subject: string;
  description: string;
}

/** An error of a call, as people can read it. */
export interface Failure {
  code: Code;
  /** The stable reason, such as ETAG_MISMATCH; empty if the registry did not make the error. */
  reason: string;
  message: string;
  hint: string;
  metadata: Record<string, string>;
  /** The invalid fields by their paths, such as `registered_model.name`. */
  fields: Record<string, string>;
  violations: Violation[];
  requestId: string;
}

export function failureOf(error: unknown): Failure {
  const connect = ConnectError.from(error);
  const info = connect.findDetails(ErrorInfoSchema)[0];
  const fields: Record<string, string> = {};
  for (const detail of connect.findDetails(BadRequestSchema))
    for (const violation of detail.fieldViolations)
      fields[violation.field] ??= sentence(violation.description.replace(/^(is|must|may|can|has)\b/, "it $1"));
  const reason = info?.reason ?? "";
  return {
    code: connect.code,
    reason,
    message: message(connect, reason),
    hint: HINTS[reason] ?? connect.findDetails(HelpSchema)[0]?.links[0]?.description ?? "",
    metadata: info?.metadata ?? {},
    fields,
    violations: connect
      .findDetails(PreconditionFailureSchema)
      .flatMap(({ violations }) =>
        violations.map(({ type, subject, description }) => ({ type, subject, description })),
      ),
    requestId: connect.metadata.get("x-request-id") ?? "",
  };
}

function message(error: ConnectError, reason: string): string {
  if (!reason && isAway(error)) return "The registry does not answer.";
  if (error.code === Code.Unauthenticated) return "You are not signed in.";
  if (!reason && error.code === Code.ResourceExhausted) return "There are too many requests at once.";
  return sentence(error.rawMessage || "The registry refused the request.");
}

/** Texts of the API begin in lower case, as they follow a colon in most clients. */
export function sentence(text: string): string {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/** Whether the registry or its database does not answer, so that all calls fail until it is back. */
export function isAway(error: unknown): boolean {
  const { code } = ConnectError.from(error);
  const reason = ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
  if (reason === "CLUSTER_UNAVAILABLE" || reason === "DATABASE_READ_ONLY") return false; // most calls succeed
  // Browsers report a connection that is refused as a TypeError, which connect-web calls Unknown.
  const noNetwork = error instanceof ConnectError ? error.cause instanceof TypeError : error instanceof TypeError;
  return code === Code.Unavailable || noNetwork;
}

export function isAborted(error: unknown): boolean {
  const { code, cause } = ConnectError.from(error);
  return code === Code.Canceled || (cause instanceof DOMException && cause.name === "AbortError");
}

/** Waits for a deletion. If somebody else has made it already, what the user wants is so too. */
export async function untilGone(deletion: Promise<unknown>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (ConnectError.from(error).code !== Code.NotFound) throw error;
  }
}

/** What to do about it, where the text of the registry does not say so itself. */
const HINTS: Record<string, string> = {
  ETAG_MISMATCH: "Read it again, and make your change anew.",
  REVISION_MISMATCH: "Somebody else has changed the deployment. Read it again.",
  CONCURRENT_CHANGE: "Try again.",
  DATABASE_READ_ONLY: "You can read everything. Repeat the change later.",
  FILTER_TOO_EXPENSIVE: "Add a condition with an index, such as a label, the state, or a narrower range of created_at.",
  PERMISSION_DENIED: "Ask an admin of the project for a higher role.",
  MODEL_NOT_ARCHIVED: "Archive the model first.",
  MODEL_ALIAS_PROTECTED: "Take its protection away first, or confirm that you want to move it.",
  MODEL_ALIAS_MOVED: "Somebody else has moved the alias meanwhile.",
};
