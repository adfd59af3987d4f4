import { useState } from "preact/hooks";
import { Button, CopyId, Empty, Time } from "../../components/basics";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { Project } from "../../gen/modelregistry/v1/project_pb";
import { api } from "../../lib/api";
import { formatBytes, formatNumber } from "../../lib/format";
import { usePages } from "../../lib/query";
import { CreateProjectDialog } from "./project-dialogs";

export function ProjectsPage() {
  return (
    <Needs role={Role.OPERATOR} title="Projects">
      <Projects />
    </Needs>
  );
}

function Projects() {
  const [creating, setCreating] = useState(false);
  const pages = usePages("projects", async (pageToken, signal) => {
    const answer = await api.projects.listProjects({ pageSize: 100, pageToken }, { signal });
    return { rows: answer.projects, nextPageToken: answer.nextPageToken };
  });
  const create = (
    <Button kind="primary" icon="plus" data-new onClick={() => setCreating(true)}>
      New project
    </Button>
  );
  return (
    <>
      <PageHead title="Projects" text="What each project may use, and how much of it." actions={create} />
      <DataTable
        label="Projects"
        unit="project"
        pages={pages}
        rowKey={({ id }) => id}
        rowLink={({ id }) => `/projects/${id}`}
        columns={[
          { title: "Name", cell: ({ name }) => name },
          { title: "Id", hideOn: "phone", width: "medium", cell: ({ id }) => <CopyId id={id} /> },
          {
            title: "Namespaces",
            hideOn: "phone",
            width: "owner",
            cell: ({ namespaces }) => namespaces.join(", ") || <span class="faint">None</span>,
          },
          {
            title: "Quotas",
            hideOn: "tablet",
            width: "wide",
            cell: (project) => quotas(project) || <span class="faint">None</span>,
          },
          { title: "Created", hideOn: "phone", width: "medium", cell: ({ createdAt }) => <Time at={createdAt} /> },
        ]}
        empty={
          <Empty title="No project has been created yet" actions={create}>
            <p>
              While tenancy is open (<code>REGISTRY_TENANCY=open</code>), every id is a project that may do everything.
              Create those that you have before you enforce it.
            </p>
          </Empty>
        }
      />
      {creating && <CreateProjectDialog onClose={() => setCreating(false)} />}
    </>
  );
}

function quotas({ maxModels, maxVersions, maxDeployments, maxBytes }: Project): string {
  const all: [bigint | undefined, string][] = [
    [maxModels, "models"],
    [maxVersions, "versions"],
    [maxDeployments, "deployments"],
  ];
  const texts = all.filter(([most]) => most !== undefined).map(([most, what]) => `${formatNumber(most ?? 0)} ${what}`);
  if (maxBytes !== undefined) texts.push(formatBytes(maxBytes));
  return texts.join(", ");
}
