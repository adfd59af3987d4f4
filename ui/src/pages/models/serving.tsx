import { Empty, Skeleton, StatusBadge, Time } from "../../components/basics";
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
  /** As a short list, for dialogs. */
  brief?: boolean;
}

/** Where a model or a version is deployed. */
export function Serving({ brief, ...of }: ServingProps) {
  return brief ? <ServingList {...of} /> : <ServingTable {...of} />;
}

function request({ registeredModelId, modelVersionId }: ServingProps) {
  return { registeredModelId, filter: modelVersionId ? `model_version_id = ${modelVersionId}` : "" };
}

function ServingTable(of: ServingProps) {
  const project = useProject();
  const pages = usePages(
    `serving ${project} ${of.registeredModelId} ${of.modelVersionId}`,
    async (pageToken, signal) => {
      const answer = await api.deployments.listDeployments({ ...request(of), pageSize: 50, pageToken }, { signal });
      return { rows: answer.deployments, nextPageToken: answer.nextPageToken };
    },
  );
  return (
    <DataTable
      label={`Deployments of the ${of.what}`}
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
        <Empty title={`This ${of.what} serves nowhere`}>
          <p>
            {of.what === "model"
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

/** Everything that serves it or did, because records of that are in the way of a deletion too. */
function ServingList(of: ServingProps) {
  const project = useProject();
  const { data, failure, reload } = useQuery(
    `services ${project} ${of.registeredModelId} ${of.modelVersionId}`,
    async (signal) => {
      const asked = {
        filter: [`registered_model_id = ${of.registeredModelId}`, request(of).filter].filter(Boolean).join(" AND "),
      };
      return (await api.services.listInferenceServices({ ...asked, pageSize: 10 }, { signal })).inferenceServices;
    },
  );
  if (failure) return <FailureNotice failure={failure} retry={reload} />;
  if (!data) return <Skeleton lines={2} />;
  if (!data.length) return <p class="muted">No inference service names it.</p>;
  return (
    <ul class="list">
      {data.map((service) => (
        <li key={service.id}>
          <Link to={href(`/deployments/${service.id}`)}>{service.name}</Link> in {service.servingEnvironmentName}{" "}
          <StatusBadge status={service.currentState} />
        </li>
      ))}
      {data.length === 10 && <li>and perhaps more</li>}
    </ul>
  );
}
