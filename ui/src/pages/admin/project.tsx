import { useState } from "preact/hooks";
import { Button, CopyId, Fact, Facts, Section, Skeleton, Time } from "../../components/basics";
import { FailureNotice } from "../../components/failure";
import { Needs } from "../../components/needs";
import { PageHead } from "../../components/page";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { Project, ProjectUsage } from "../../gen/modelregistry/v1/project_pb";
import { api } from "../../lib/api";
import { formatBytes, formatNumber } from "../../lib/format";
import { href, isProjectId } from "../../lib/project";
import { useQuery } from "../../lib/query";
import { Link } from "../../lib/router";
import type { PageProps } from "../../routes";
import { CreateProjectDialog, EditProjectDialog } from "./project-dialogs";

const CRUMBS: [string, string][] = [["Projects", "/projects"]];

export function ProjectPage({ params }: PageProps) {
  return (
    <Needs role={Role.OPERATOR} title="Project">
      <ProjectById id={params.id ?? ""} />
    </Needs>
  );
}

function ProjectById({ id }: { id: string }) {
  const [editing, setEditing] = useState(false);
  const { data, failure, reload } = useQuery(`project ${id}`, (signal) => api.projects.getProject({ id }, { signal }));
  if (!data?.project)
    return (
      <>
        <PageHead title="Project" crumbs={CRUMBS} />
        {failure ? <Missing id={id} failure={failure} reload={reload} /> : <Skeleton />}
      </>
    );
  const { project, usage } = data;
  return (
    <>
      <PageHead
        title={project.name}
        crumbs={CRUMBS}
        text={project.description}
        actions={
          <>
            <Link class="button plain" to={href("/members", id)}>
              Members
            </Link>
            <Link class="button plain" to={href("/models", id)}>
              Open it
            </Link>
            <Button kind="primary" icon="edit" onClick={() => setEditing(true)}>
              Edit
            </Button>
          </>
        }
      />
      {failure && <FailureNotice failure={failure} />}
      <div class="card">
        <Facts>
          <Fact name="Id">
            <CopyId id={id} />
          </Fact>
          <Fact name="Created">
            <Time at={project.createdAt} />
          </Fact>
          <Fact name="Changed">
            <Time at={project.updatedAt} />
          </Fact>
        </Facts>
      </div>
      <Section title="Usage">
        <Usages project={project} usage={usage} />
      </Section>
      <Section title="What it may use">
        <div class="card">
          <Facts>
            <Entries name="Namespaces" entries={project.namespaces} none="None: it cannot deploy" />
            <Entries name="Places of model files" entries={project.uris} none="Anywhere" />
            <Entries name="Service accounts" entries={project.serviceAccounts} none="Those of the settings" />
            <Entries name="Serving runtimes" entries={project.runtimes} none="Any" />
          </Facts>
        </div>
      </Section>
      {editing && <EditProjectDialog project={project} onClose={() => setEditing(false)} onSaved={reload} />}
    </>
  );
}

/** While tenancy is open, a project may have models although nobody has created it. */
function Missing({
  id,
  failure,
  reload,
}: {
  id: string;
  failure: NonNullable<ReturnType<typeof useQuery>["failure"]>;
  reload: () => void;
}) {
  const [creating, setCreating] = useState(false);
  const adoptable = failure.reason === "PROJECT_NOT_FOUND" && isProjectId(id);
  return (
    <>
      <FailureNotice
        failure={failure}
        actions={
          adoptable ? (
            <Button onClick={() => setCreating(true)}>Create it with this id</Button>
          ) : (
            <Button onClick={reload}>Try again</Button>
          )
        }
      />
      {creating && (
        <CreateProjectDialog
          id={id}
          onClose={() => {
            setCreating(false);
            reload();
          }}
        />
      )}
    </>
  );
}

function Usages({ project, usage }: { project: Project; usage: ProjectUsage | undefined }) {
  const { models = 0n, versions = 0n, deployments = 0n, bytes = 0n } = usage ?? {};
  return (
    <div class="usages">
      <Usage name="Models" used={models} most={project.maxModels} format={formatNumber} />
      <Usage name="Versions" used={versions} most={project.maxVersions} format={formatNumber} />
      <Usage name="Deployments" used={deployments} most={project.maxDeployments} format={formatNumber} />
      <Usage name="Model files" used={bytes} most={project.maxBytes} format={formatBytes} />
    </div>
  );
}

interface UsageProps {
  name: string;
  used: bigint;
  most: bigint | undefined;
  format: (value: bigint) => string;
}

function Usage({ name, used, most, format }: UsageProps) {
  const share = most === undefined ? 0 : most === 0n ? 1 : Number(used) / Number(most);
  const tone = share >= 1 ? "red" : share >= 0.8 ? "amber" : "";
  return (
    <div class="card usage">
      <span class="muted">{name}</span>
      <span>
        <b>{format(used)}</b> {most !== undefined && <span class="muted">of {format(most)}</span>}
      </span>
      {most === undefined ? (
        <small class="faint">No quota</small>
      ) : (
        <meter class={tone} aria-label={name} min={0} max={1} value={Math.min(share, 1)} />
      )}
    </div>
  );
}

function Entries({ name, entries, none }: { name: string; entries: string[]; none: string }) {
  return (
    <Fact name={name}>
      {entries.length ? (
        <ul>
          {entries.map((entry) => (
            <li key={entry}>
              <code>{entry}</code>
            </li>
          ))}
        </ul>
      ) : (
        <span class="muted">{none}</span>
      )}
    </Fact>
  );
}
