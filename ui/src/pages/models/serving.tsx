import { Badge, Empty, Skeleton, StatusBadge, Time } from "../../components/basics";
import { FailureNotice } from "../../components/failure";
import { DataTable } from "../../components/table";
import { type Deployment, DeploymentPhase } from "../../gen/modelregistry/v1/deployment_pb";
import { api } from "../../lib/api";
import { href, useProject } from "../../lib/project";
import { usePages, useQuery } from "../../lib/query";
import { Link } from "../../lib/router";

interface ServingProps {
  registeredModelId: string;
  /** Only what serves this version. */
  modelVersionId?: string;
  what: "model" | "version";
}

/** Where a model or a version is deployed. */
export function Serving({ registeredModelId, modelVersionId, what }: ServingProps) {
  const project = useProject();
  const filter = modelVersionId ? `model_version_id = ${modelVersionId}` : "";
  const pages = usePages(`serving ${project} ${registeredModelId} ${modelVersionId}`, async (pageToken, signal) => {
    const asked = { registeredModelId, filter, pageSize: 50, pageToken };
    const answer = await api.deployments.listDeployments(asked, { signal });
    return { rows: answer.deployments, nextPageToken: answer.nextPageToken };
  });
  return (
    <DataTable
      label={`Deployments of the ${what}`}
      unit="deployment"
      pages={pages}
      rowKey={({ id }) => id}
      rowLink={({ id }) => href(`/deployments/${id}`)}
      columns={[
        { title: "Deployment", cell: ({ name }) => name },
        { title: "Namespace", hideOn: "phone", cell: ({ namespace }) => namespace },
        { title: "Phase", width: "state", cell: (deployment) => <Phase deployment={deployment} /> },
        { title: "Since", hideOn: "phone", width: "medium", cell: ({ phaseSince }) => <Time at={phaseSince} /> },
      ]}
      empty={
        <Empty title={`This ${what} serves nowhere`}>
          <p>
            {what === "model"
              ? "Open a version whose status is READY, and deploy it to an environment."
              : "A version whose status is READY can be deployed to an environment."}
          </p>
        </Empty>
      }
    />
  );
}

export function Phase({ deployment: { phase, unknownPhase, message } }: { deployment: Deployment }) {
  return <StatusBadge status={unknownPhase || (DeploymentPhase[phase] ?? "")} title={message || undefined} />;
}

interface Asked {
  registeredModelId?: string;
  modelVersionId?: string;
  servingEnvironmentId?: string;
}

/** The inference services that name something, with their deployments: an inference service alone does not tell a failed one from an undeployed one. */
export function useServices(asked: Asked) {
  const project = useProject();
  return useQuery(`services ${project} ${JSON.stringify(asked)}`, async (signal) => {
    const answer = await api.services.listInferenceServices({ ...asked, limit: 10n }, { signal });
    const services = answer.inferenceServices;
    const filter = services.map(({ id }) => `id = ${id}`).join(" OR ");
    const { deployments } = filter
      ? await api.deployments.listDeployments({ filter, pageSize: 10 }, { signal })
      : { deployments: [] };
    return { services, deployments, total: Number(answer.totalSize ?? services.length) };
  });
}

export function ServiceList({ services, deployments, total }: NonNullable<ReturnType<typeof useServices>["data"]>) {
  return (
    <ul class="list">
      {services.map(({ id, name, servingEnvironmentName }) => {
        const deployment = deployments.find((one) => one.id === id);
        return (
          <li key={id}>
            <Link to={href(`/deployments/${id}`)}>{name}</Link> in {servingEnvironmentName}{" "}
            {deployment ? <Phase deployment={deployment} /> : <Badge tone="grey">never deployed</Badge>}
          </li>
        );
      })}
      {total > services.length && <li>and {total - services.length} more</li>}
    </ul>
  );
}

/** Everything that serves it or did, because records of that are in the way of a deletion too. */
export function ServicesOf(asked: Asked) {
  const { data, failure, reload } = useServices(asked);
  if (failure) return <FailureNotice failure={failure} retry={reload} />;
  if (!data) return <Skeleton lines={2} />;
  if (!data.total) return <p class="muted">No inference service names it.</p>;
  return <ServiceList {...data} />;
}
