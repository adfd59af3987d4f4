import { CopyId, Fact, Facts, Time } from "../../components/basics";
import { Dialog } from "../../components/dialog";
import { type Difference, Differences } from "../../components/differences";
import type { AuditEntry } from "../../gen/modelregistry/v1/audit_pb";
import { dateOf, formatTime } from "../../lib/format";

const NONE = "00000000-0000-0000-0000-000000000000";

/** Everything that the log has about one write, or one refused call. */
export function AuditEntryDialog({ entry, onClose }: { entry: AuditEntry; onClose: () => void }) {
  const { type, name, actor, authentication, rpc, requestId, address, occurredAt, position, hash } = entry;
  const details = Object.entries(entry.details);
  const changes = changesOf(entry);
  return (
    <Dialog title={titleOf(entry)} wide onClose={onClose}>
      <div class="stack">
        <Facts>
          <Fact name="When">
            {occurredAt && (
              <>
                {formatTime(dateOf(occurredAt))} (<Time at={occurredAt} />)
              </>
            )}
          </Fact>
          <Fact name="Who">{actor}</Fact>
          <Fact name="Recognized by">{authentication}</Fact>
          <Fact name="Address">{address}</Fact>
          <Fact name="What">
            <code>{type}</code>
          </Fact>
          <Fact name="Resource">
            {name} {entry.resourceId !== NONE && <CopyId id={entry.resourceId} />}
          </Fact>
          <Fact name="Call">{rpc && <code>{shortRpc(rpc)}</code>}</Fact>
          <Fact name="Request id">{requestId && <CopyId id={requestId} label="Copy the request id" />}</Fact>
        </Facts>
        {details.length > 0 && (
          <dl class="properties">
            {details.map(([key, value]) => (
              <div key={key}>
                <dt>{key.replaceAll("_", " ")}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        )}
        {changes.length > 0 && <Differences list={changes} label="What has changed" />}
        <p class="faint hash">
          Entry {position.toString()} has the hash <code>{hash}</code>, which depends on all entries before it.{" "}
          <code>registry-grpc audit verify</code> checks that none was changed, inserted or removed.
        </p>
      </div>
    </Dialog>
  );
}

export function titleOf({ type, name }: AuditEntry): string {
  const [kind = "", verb = ""] = type.split(".");
  const words = (text: string) => text.replaceAll("_", " ");
  if (type === "call.refused") return "A call was refused";
  const noun = words(kind).replace(/^api /, "API ");
  return `${noun.charAt(0).toUpperCase()}${noun.slice(1)} ${words(verb)}${name && `: ${name}`}`;
}

export function shortRpc(rpc: string): string {
  return rpc.replace(/^modelregistry\.v1\./, "");
}

/** The fields that were changed, with their values before and after. */
function changesOf(entry: AuditEntry): Difference[] {
  const before = fieldsOf(entry.before);
  const after = fieldsOf(entry.after);
  const known = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const secret = entry.changedFields.filter((field) => !known.includes(field));
  return [
    ...known
      .filter((field) => before[field] !== after[field])
      .sort()
      .map((field) => ({ name: field, before: before[field] ?? "", after: after[field] ?? "" })),
    ...secret.map((field) => ({
      name: field,
      before: "",
      after: "",
      note: "It was changed. The log does not have its value.",
    })),
  ];
}

/** The fields of a JSON object as texts; those that are empty count as not there. */
function fieldsOf(json: string): Record<string, string> {
  if (!json) return {};
  const fields: Record<string, string> = {};
  for (const [field, value] of Object.entries(JSON.parse(json) as Record<string, unknown>)) {
    const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
    if (!["", "null", "[]", "{}"].includes(text)) fields[field] = text;
  }
  return fields;
}
