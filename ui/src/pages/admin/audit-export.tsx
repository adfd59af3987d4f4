import { toJson } from "@bufbuild/protobuf";
import { useEffect, useRef, useState } from "preact/hooks";
import { Button } from "../../components/basics";
import { toast } from "../../components/toast";
import { type AuditEntry, AuditEntrySchema } from "../../gen/modelregistry/v1/audit_pb";
import { api } from "../../lib/api";
import { failureOf, isAborted } from "../../lib/errors";
import { formatNumber, plural } from "../../lib/format";

interface Asked {
  filter: string;
  allProjects: boolean;
}

/** Saves all entries that the filter finds as a file, one JSON object in a line. */
export function AuditExport({ asked }: { asked: Asked }) {
  const [count, setCount] = useState<number>();
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);

  const start = async () => {
    const controller = new AbortController();
    running.current = controller;
    setCount(0);
    try {
      const lines = await readAll(asked, controller.signal, setCount);
      if (lines.length) save(lines);
      toast(
        lines.length ? `${plural(lines.length, "entry", "entries")} are in the file.` : "There is nothing to save.",
      );
    } catch (error) {
      if (!isAborted(error)) toast(failureOf(error).message, "error");
    }
    setCount(undefined);
  };
  if (count === undefined)
    return (
      <Button icon="down" onClick={start}>
        Export
      </Button>
    );
  return (
    <Button icon="close" onClick={() => running.current?.abort()}>
      Stop at {formatNumber(count)}
    </Button>
  );
}

async function readAll(asked: Asked, signal: AbortSignal, progress: (count: number) => void): Promise<string[]> {
  const lines: string[] = [];
  let pageToken = "";
  do {
    const answer = await api.audit.listAuditEntries({ ...asked, pageSize: 100, pageToken }, { signal });
    lines.push(...answer.auditEntries.map(lineOf));
    progress(lines.length);
    pageToken = answer.nextPageToken;
  } while (pageToken);
  return lines;
}

/** With the names of the API, and `before` and `after` as objects. */
function lineOf(entry: AuditEntry): string {
  const json = toJson(AuditEntrySchema, entry, { useProtoFieldName: true }) as Record<string, unknown>;
  for (const field of ["before", "after"])
    if (typeof json[field] === "string") json[field] = JSON.parse(json[field]) as unknown;
  return JSON.stringify(json);
}

function save(lines: string[]): void {
  const address = URL.createObjectURL(new Blob([`${lines.join("\n")}\n`], { type: "application/x-ndjson" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = `audit-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.ndjson`;
  link.click();
  URL.revokeObjectURL(address);
}
