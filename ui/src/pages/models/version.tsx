import { useState } from "preact/hooks";
import { Button, CopyId, Fact, Facts, Labels, Skeleton, StatusBadge, Time } from "../../components/basics";
import { EventList } from "../../components/event-list";
import { PageFailure } from "../../components/failure";
import { Icon } from "../../components/icon";
import { Markdown } from "../../components/markdown";
import { PageHead, Tabs } from "../../components/page";
import { Properties } from "../../components/properties";
import { toast } from "../../components/toast";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api, newRequestId } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { failureOf } from "../../lib/errors";
import { formatBytes } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { usePages, useQuery } from "../../lib/query";
import { Link, setQuery, useLocation } from "../../lib/router";
import { type PageProps, routes } from "../../routes";
import { Artifacts } from "./artifacts";
import { EditVersionDialog } from "./edit-version";
import { ArchiveVersionDialog, DeleteVersionDialog } from "./remove-version";
import { Serving } from "./serving";
import { Metadata } from "./signature";
import { AliasChips } from "./versions";

type Open = "" | "edit" | "archive" | "delete";

export function VersionPage({ params }: PageProps) {
  const project = useProject();
  const id = params.id ?? "";
  const number = params.version ?? "";
  const { query } = useLocation();
  const [open, setOpen] = useState<Open>("");
  const mayEdit = useMay(Role.EDITOR);
  const mayDeploy = useMay(Role.DEPLOYER);
  const { data, failure, reload } = useQuery(`version ${project} ${id} ${number}`, async (signal) => {
    const [version, model] = await Promise.all([
      api.versions.getModelVersion({ registeredModelId: id, version: number }, { signal }),
      api.models.getRegisteredModel({ id }, { signal }),
    ]);
    return { version: version.modelVersion, model: model.registeredModel };
  });
  const crumbs: [string, string][] = [
    ["Models", href("/models")],
    [data?.model?.name ?? "Model", href(`/models/${id}`)],
  ];
  const version = data?.version;
  if (!version)
    return (
      <>
        <PageHead title={`Version ${number}`} crumbs={crumbs} />
        {failure ? (
          <PageFailure failure={failure} what="version" back={href(`/models/${id}`)} reload={reload} />
        ) : (
          <Skeleton lines={8} />
        )}
      </>
    );
  const tab = query.get("tab") ?? "overview";
  const close = () => setOpen("");
  const archived = version.state === "ARCHIVED";
  const deployable = version.status === "READY" && !archived && routes.some(({ path }) => path === "/deployments/new");
  return (
    <>
      <PageHead
        title={version.name}
        windowTitle={`${data?.model?.name} ${version.name}`}
        crumbs={crumbs}
        badges={
          <>
            <span class="count">#{version.number.toString()}</span>
            <StatusBadge status={version.status} />
            {archived && <StatusBadge status={version.state} />}
            <AliasChips aliases={version.aliases} />
          </>
        }
        text={version.description}
        actions={
          <>
            {mayEdit && (
              <>
                <Button kind="quiet" icon="trash" onClick={() => setOpen("delete")}>
                  Delete
                </Button>
                <Button icon="archive" onClick={() => setOpen("archive")}>
                  {archived ? "Make it live" : "Archive"}
                </Button>
                <Button icon="edit" onClick={() => setOpen("edit")}>
                  Edit
                </Button>
              </>
            )}
            {mayDeploy && deployable && (
              <Link class="button primary" to={href(`/deployments/new?model=${id}&version=${version.number}`)}>
                <Icon name="deployments" />
                Deploy
              </Link>
            )}
          </>
        }
      />
      <Readiness version={version} onSaved={mayEdit ? reload : undefined} />
      <div class="with-aside">
        <div>
          <Tabs
            tabs={[
              ["overview", "Overview"],
              ["artifacts", "Artifacts"],
              ["metadata", "Signature and metadata"],
              ["serving", "Serving"],
              ["history", "History"],
            ]}
            current={tab}
            onPick={(key) => setQuery({ tab: key === "overview" ? "" : key })}
          />
          {tab === "artifacts" ? (
            <Artifacts version={version} />
          ) : tab === "metadata" ? (
            <Metadata version={version} />
          ) : tab === "serving" ? (
            <Serving registeredModelId={id} modelVersionId={version.id} what="version" />
          ) : tab === "history" ? (
            <History version={version} />
          ) : (
            <Overview version={version} />
          )}
        </div>
        <VersionFacts version={version} />
      </div>
      {open === "edit" && <EditVersionDialog version={version} onClose={close} onSaved={reload} />}
      {open === "archive" && <ArchiveVersionDialog version={version} onClose={close} onSaved={reload} />}
      {open === "delete" && <DeleteVersionDialog version={version} onClose={close} />}
    </>
  );
}

/** Why the version cannot be deployed, and what to do. */
function Readiness({ version, onSaved }: { version: ModelVersion; onSaved: (() => void) | undefined }) {
  if (version.status === "READY" || version.state === "ARCHIVED") return null;
  const markReady = async () => {
    try {
      await api.versions.updateModelVersion({
        id: version.id,
        etag: version.etag,
        requestId: newRequestId(),
        modelVersion: { status: "READY" },
      });
      toast("The version is ready to be deployed.");
      onSaved?.();
    } catch (error) {
      toast(failureOf(error).message, "error");
    }
  };
  return (
    <div class="notice blue banner">
      <Icon name="clock" />
      <div class="row spread">
        <p>
          {version.uri
            ? "Only versions whose status is READY can be deployed."
            : "This version has no files yet. It can be deployed once they are attached."}
        </p>
        {version.uri && onSaved && <Button onClick={markReady}>Mark it as ready</Button>}
      </div>
    </div>
  );
}

function Overview({ version }: { version: ModelVersion }) {
  return (
    <div class="stack">
      <section class="card" aria-label="Files">
        <Facts>
          <Fact name="Location">{version.uri && <code>{version.uri}</code>}</Fact>
          <Fact name="Framework">
            {[version.modelFramework, version.modelFrameworkVersion].filter(Boolean).join(" ")}
          </Fact>
          <Fact name="Serving runtime">{version.containerImage || <span class="muted">chosen by KServe</span>}</Fact>
          <Fact name="Size">{version.sizeBytes > 0n && formatBytes(version.sizeBytes)}</Fact>
          <Fact name="Digest">
            {version.digest && <CopyId id={version.digest} shown={23} label="Copy the digest" />}
          </Fact>
        </Facts>
      </section>
      {version.readme ? (
        <section class="card" aria-label="Readme">
          <Markdown text={version.readme} />
        </section>
      ) : (
        <p class="faint">This version has no readme. “Edit” adds one, in Markdown.</p>
      )}
    </div>
  );
}

function VersionFacts({ version }: { version: ModelVersion }) {
  return (
    <aside class="card stack" aria-label="About the version">
      <Facts>
        <Fact name="Created">
          <Time at={version.createdAt} />
        </Fact>
        <Fact name="Created by">{version.createdByEmail}</Fact>
        <Fact name="Changed">
          <Time at={version.updatedAt} />
        </Fact>
        <Fact name="Type">{version.artifactType}</Fact>
        <Fact name="Id">
          <CopyId id={version.id} />
        </Fact>
        {version.externalId && <Fact name="External id">{version.externalId}</Fact>}
        {version.modelCatalogName && <Fact name="Catalog">{version.modelCatalogName}</Fact>}
        <Fact name="Labels">{Object.keys(version.labels).length > 0 && <Labels labels={version.labels} />}</Fact>
        <Fact name="Properties">
          <Properties properties={version.properties} />
        </Fact>
      </Facts>
    </aside>
  );
}

function History({ version }: { version: ModelVersion }) {
  const project = useProject();
  const pages = usePages(`events ${project} ${version.id} ${version.etag}`, async (pageToken, signal) => {
    const answer = await api.events.listEvents({ resourceId: version.id, pageSize: 50, pageToken }, { signal });
    return { rows: answer.events, nextPageToken: answer.nextPageToken };
  });
  return <EventList pages={pages} />;
}
