import { useRef, useState } from "preact/hooks";
import type { Deployment } from "../../gen/modelregistry/v1/deployment_pb";
import { api } from "../../lib/api";
import { dateOf } from "../../lib/format";
import type { Pages } from "../../lib/query";
import { useThrottled, useWatch } from "../../lib/watch";

const MOST_AT_ONCE = 100;

/**
 * The rows of a list of deployments, which follow what happens. A deployment that has changed is read alone, so that a long list is
 * not read again for each change; the list is read if a deployment came or went, or may no longer match what was asked for.
 */
export function useLiveDeployments(pages: Pages<Deployment>, byPhase: boolean): { rows: Deployment[]; live: boolean } {
  const [newest, setNewest] = useState<ReadonlyMap<string, Deployment>>(new Map());
  const changed = useRef(new Set<string>());
  const current = useRef(pages);
  current.current = pages;

  const read = useThrottled(async () => {
    const ids = [...changed.current];
    changed.current.clear();
    const known = new Set(current.current.rows.map(({ id }) => id));
    if (byPhase || ids.length > MOST_AT_ONCE || ids.some((id) => !known.has(id))) return current.current.reload();
    try {
      const { deployments } = await api.deployments.batchGetDeployments({ ids });
      setNewest((old) => new Map([...old, ...deployments.map((one) => [one.id, one] as const)]));
    } catch {
      current.current.reload(); // one of them was deleted
    }
  });
  const { live } = useWatch(
    { types: ["deployment", "service.created", "service.deleted"] },
    {
      onEvent: ({ resourceId }) => {
        changed.current.add(resourceId);
        read();
      },
      onStart: () => pages.reload(),
    },
  );
  return { rows: pages.rows.map((row) => later(row, newest.get(row.id))), live };
}

function later(row: Deployment, other: Deployment | undefined): Deployment {
  if (!other?.updatedAt || !row.updatedAt) return row;
  return dateOf(other.updatedAt) > dateOf(row.updatedAt) ? other : row;
}
