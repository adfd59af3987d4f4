import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { Role } from "../gen/modelregistry/v1/access_pb";
import { caller } from "../lib/caller";
import { roleName } from "../lib/roles";
import { useStore } from "../lib/store";
import { Empty, Skeleton } from "./basics";
import { PageHead } from "./page";

/** Shows a page to callers with a role, and tells others why not: every refused call would be an entry of the audit log. */
export function Needs({ role, title, children }: { role: Role; title: string; children: ComponentChildren }) {
  const now = useStore(caller);
  const last = useRef(now);
  last.current = now ?? last.current; // a session that ends takes away nothing that was typed
  const who = last.current;
  if (!who)
    return (
      <>
        <PageHead title={title} />
        <Skeleton />
      </>
    );
  if (who.role >= role) return <>{children}</>;
  const needed = roleName(role).toLowerCase();
  return (
    <>
      <PageHead title={title} />
      <Empty title={`This page is for ${needed}s`}>
        <p>
          You are {who.name || "anonymous"}.{" "}
          {who.role ? `Your role in this project is ${roleName(who.role)}.` : "You have no role in this project."}{" "}
          {needed === "operator"
            ? "The settings of the registry name the operators."
            : "Ask an admin of the project for a higher role, or switch to another project."}
        </p>
      </Empty>
    </>
  );
}
