import { useState } from "preact/hooks";
import { Button, CopyId, Empty, Fact, Facts, Section, Skeleton, Time } from "../../components/basics";
import { PageFailure } from "../../components/failure";
import { Icon } from "../../components/icon";
import { PageHead } from "../../components/page";
import { Properties } from "../../components/properties";
import { SearchBox } from "../../components/search";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { quoted } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { usePages, useQuery } from "../../lib/query";
import { Link, navigate, setQuery, useLocation } from "../../lib/router";
import type { PageProps } from "../../routes";
import { Phase } from "../models/serving";
import { DeleteEnvironmentDialog, EnvironmentDialog } from "./environment-dialogs";
import { useLiveDeployments } from "./live";
import { namesOfRows, namespaceOf, useNames, versionText } from "./names";
import { NamespaceRule, ProjectRules, useProjectRules } from "./project-rules";

function policyText(policy: string): string {
  return policy === "enforce" ? "undone at once" : "reported";
}

export function EnvironmentsPage() {
  const project = useProject();
  const { query } = useLocation();
  const [creating, setCreating] = useState(false);
  const mayDeploy = useMay(Role.DEPLOYER);
  const rules = useProjectRules();
  const search = query.get("q") ?? "";
  const orderBy = query.get("order") ?? "name";
  const pages = usePages(`environments ${project} ${search} ${orderBy}`, async (pageToken, signal) => {
    const answer = await api.environments.listServingEnvironments(
      { search: search.replace(/[\\%_]/g, "\\$&"), orderBy, pageSize: 100, pageToken },
      { signal },
    );
    return { rows: answer.servingEnvironments, nextPageToken: answer.nextPageToken };
  });
  const create = mayDeploy && (
    <Button kind="primary" icon="plus" data-new onClick={() => setCreating(true)}>
      New environment
    </Button>
  );
  return (
    <>
      <PageHead
        title="Environments"
        text="An environment is a Kubernetes namespace to which models are deployed."
        actions={create}
      />
      <ProjectRules rules={rules} />
      <div class="toolbar">
        <SearchBox label="Search environments by name" value={search} onChange={(q) => setQuery({ q })} />
      </div>
      <DataTable
        label="Environments"
        unit="environment"
        pages={pages}
        rowKey={({ id }) => id}
        rowLink={({ id }) => href(`/environments/${id}`)}
        orderBy={orderBy}
        onOrder={(order) => setQuery({ order })}
        columns={[
          { title: "Name", orderBy: "name", width: "wide", cell: ({ name }) => name },
          {
            title: "Namespace",
            cell: (environment) => (
              <span class="row">
                <code>{namespaceOf(environment)}</code>
                <NamespaceRule rules={rules} namespace={namespaceOf(environment)} />
              </span>
            ),
          },
          {
            title: "Changes by others are",
            hideOn: "phone",
            width: "owner",
            cell: ({ driftPolicy }) => policyText(driftPolicy),
          },
          {
            title: "Changed",
            hideOn: "phone",
            width: "medium",
            orderBy: "updated_at",
            cell: ({ updatedAt }) => <Time at={updatedAt} />,
          },
        ]}
        empty={
          search ? (
            <Empty
              title="No environment matches"
              actions={<Button onClick={() => setQuery({ q: "" })}>Show all</Button>}
            />
          ) : (
            <Empty title="This project has no environments yet" actions={create}>
              <p>
                An environment has a name, such as “production”, and names the Kubernetes namespace in which deployments
                run.
              </p>
            </Empty>
          )
        }
      />
      {creating && (
        <EnvironmentDialog onClose={() => setCreating(false)} onSaved={(id) => navigate(href(`/environments/${id}`))} />
      )}
    </>
  );
}

export function EnvironmentPage({ params }: PageProps) {
  const project = useProject();
  const id = params.id ?? "";
  const [open, setOpen] = useState<"" | "edit" | "delete">("");
  const mayDeploy = useMay(Role.DEPLOYER);
  const rules = useProjectRules();
  const { data, failure, reload } = useQuery(`environment ${project} ${id}`, async (signal) => {
    const { servingEnvironment } = await api.environments.getServingEnvironment({ id }, { signal });
    return servingEnvironment;
  });
  if (!data)
    return (
      <>
        <PageHead title="Environment" crumbs={[["Environments", href("/environments")]]} />
        {failure ? (
          <PageFailure failure={failure} what="environment" back={href("/environments")} reload={reload} />
        ) : (
          <Skeleton lines={6} />
        )}
      </>
    );
  const namespace = namespaceOf(data);
  return (
    <>
      <PageHead
        title={data.name}
        crumbs={[["Environments", href("/environments")]]}
        badges={<NamespaceRule rules={rules} namespace={namespace} />}
        text={data.description}
        actions={
          mayDeploy && (
            <>
              <Button icon="trash" onClick={() => setOpen("delete")}>
                Delete
              </Button>
              <Button icon="edit" onClick={() => setOpen("edit")}>
                Edit
              </Button>
              <Link class="button primary" data-new to={href(`/deployments/new?environment=${id}`)}>
                <Icon name="plus" />
                <span>Deploy here</span>
              </Link>
            </>
          )
        }
      />
      <section class="card" aria-label="About the environment">
        <Facts>
          <Fact name="Namespace">
            <code>{namespace}</code>
          </Fact>
          <Fact name="Changes by others are">{policyText(data.driftPolicy)}</Fact>
          <Fact name="Created">
            <Time at={data.createdAt} />
          </Fact>
          <Fact name="Changed">
            <Time at={data.updatedAt} />
          </Fact>
          <Fact name="Id">
            <CopyId id={data.id} />
          </Fact>
          {Object.keys(data.properties).length > 0 && (
            <Fact name="Properties">
              <Properties properties={data.properties} />
            </Fact>
          )}
        </Facts>
      </section>
      <Section title={`Deployments in the namespace ${namespace}`}>
        <DeploymentsIn namespace={namespace} />
      </Section>
      {open === "edit" && <EnvironmentDialog environment={data} onClose={() => setOpen("")} onSaved={reload} />}
      {open === "delete" && <DeleteEnvironmentDialog environment={data} onClose={() => setOpen("")} />}
    </>
  );
}

function DeploymentsIn({ namespace }: { namespace: string }) {
  const project = useProject();
  const filter = `namespace = ${quoted(namespace)}`;
  const pages = usePages(`deployments in ${project} ${namespace}`, async (pageToken, signal) => {
    const answer = await api.deployments.listDeployments({ filter, pageSize: 100, pageToken }, { signal });
    return { rows: answer.deployments, nextPageToken: answer.nextPageToken };
  });
  const { rows } = useLiveDeployments(pages, false);
  const names = useNames(...namesOfRows(rows));
  return (
    <DataTable
      label="Deployments in the namespace"
      unit="deployment"
      pages={{ ...pages, rows, loading: pages.loading && rows.length === 0 }}
      rowKey={({ id }) => id}
      rowLink={({ id }) => href(`/deployments/${id}`)}
      columns={[
        { title: "Deployment", cell: ({ name }) => name },
        { title: "Phase", width: "state", cell: (deployment) => <Phase deployment={deployment} /> },
        {
          title: "Model and version",
          hideOn: "phone",
          cell: ({ registeredModelId, modelVersionId }) => (
            <>
              {names.models[registeredModelId] ?? "…"}{" "}
              <span class="faint">{names.models[registeredModelId] && versionText(names, modelVersionId)}</span>
            </>
          ),
        },
        { title: "Since", hideOn: "phone", width: "medium", cell: ({ phaseSince }) => <Time at={phaseSince} /> },
      ]}
      empty={<p class="muted">Nothing is deployed in it.</p>}
    />
  );
}
