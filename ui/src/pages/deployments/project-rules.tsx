import { Badge } from "../../components/basics";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { GetProjectResponse } from "../../gen/modelregistry/v1/project_pb";
import { api } from "../../lib/api";
import { caller } from "../../lib/caller";
import { formatNumber } from "../../lib/format";
import { useProject } from "../../lib/project";
import { useQuery } from "../../lib/query";
import { useStore } from "../../lib/store";

/** What the operators allow the project. Only operators may read it, so others learn of it by the plan of a deployment. */
export function useProjectRules(): GetProjectResponse | undefined {
  const id = useProject();
  const mayRead = useStore(caller)?.role === Role.OPERATOR;
  const { data } = useQuery(`rules ${id} ${mayRead}`, async (signal) =>
    mayRead ? api.projects.getProject({ id }, { signal }) : undefined,
  );
  return data;
}

function matches(text: string, patterns: string[]): boolean {
  return patterns.some((pattern) =>
    new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`).test(text),
  );
}

/** Says if the project may not deploy to a namespace. */
export function NamespaceRule({ rules, namespace }: { rules: GetProjectResponse | undefined; namespace: string }) {
  if (!rules?.project || matches(namespace, rules.project.namespaces)) return null;
  return (
    <Badge tone="red" title="An operator has to add the namespace to those of the project.">
      not allowed
    </Badge>
  );
}

/** The rules and quotas of the project that are about deployments. */
export function ProjectRules({ rules }: { rules: GetProjectResponse | undefined }) {
  const who = useStore(caller);
  const { project, usage } = rules ?? {};
  if (who && who.role < Role.OPERATOR)
    return (
      <p class="muted banner">
        Operators may limit the namespaces and runtimes that this project can use, and only they can read these rules.
        The plan of a deployment says if it breaks one.
      </p>
    );
  if (!project || !usage) return null;
  const { maxDeployments, namespaces, runtimes, serviceAccounts } = project;
  const full = maxDeployments !== undefined && usage.deployments >= maxDeployments;
  return (
    <section class={`notice ${full ? "amber" : ""} banner`} aria-label="Rules of the project">
      <ul class="rules">
        <li>
          Namespaces: <code>{namespaces.join(", ") || "none"}</code>
        </li>
        <li>
          Deployments: {formatNumber(usage.deployments)}
          {maxDeployments !== undefined && ` of ${formatNumber(maxDeployments)}`}
          {full && ". Undeploy something, or ask an operator for more, before you deploy anything else."}
        </li>
        {runtimes.length > 0 && (
          <li>
            Runtimes: <code>{runtimes.join(", ")}</code>
          </li>
        )}
        {serviceAccounts.length > 0 && (
          <li>
            Service accounts: <code>{serviceAccounts.join(", ")}</code>
          </li>
        )}
      </ul>
    </section>
  );
}
