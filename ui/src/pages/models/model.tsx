import { useState } from "preact/hooks";
import { Button, CopyId, Fact, Facts, Labels, Skeleton, StatusBadge, Time } from "../../components/basics";
import { EventList } from "../../components/event-list";
import { FailureNotice, PageFailure } from "../../components/failure";
import { Markdown } from "../../components/markdown";
import { PageHead, Tabs } from "../../components/page";
import { Properties } from "../../components/properties";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { formatBytes } from "../../lib/format";
import { href, useProject } from "../../lib/project";
import { usePages, useQuery } from "../../lib/query";
import { Link, setQuery, useLocation } from "../../lib/router";
import type { PageProps } from "../../routes";
import { Aliases } from "./aliases";
import { CreateVersionDialog } from "./create-version";
import { EditModelDialog } from "./edit-model";
import { ArchiveModelDialog, DeleteModelDialog } from "./remove-model";
import { Serving } from "./serving";
import { Versions } from "./versions";

type Open = "" | "edit" | "archive" | "delete" | "version";

export function ModelPage({ params }: PageProps) {
  const project = useProject();
  const id = params.id ?? "";
  const { query } = useLocation();
  const [open, setOpen] = useState<Open>("");
  const mayEdit = useMay(Role.EDITOR);
  const {
    data: model,
    failure,
    reload,
  } = useQuery(`model ${project} ${id}`, async (signal) => {
    const { registeredModel } = await api.models.getRegisteredModel({ id }, { signal });
    return registeredModel;
  });
  if (!model)
    return (
      <>
        <PageHead title="Model" crumbs={[["Models", href("/models")]]} />
        {failure ? (
          <PageFailure failure={failure} what="model" back={href("/models")} reload={reload} />
        ) : (
          <Skeleton lines={8} />
        )}
      </>
    );
  const tab = query.get("tab") ?? "versions";
  const close = () => setOpen("");
  const archived = model.state === "ARCHIVED";
  return (
    <>
      <PageHead
        title={model.name}
        crumbs={[["Models", href("/models")]]}
        badges={<StatusBadge status={model.state} />}
        actions={
          mayEdit && (
            <>
              {archived && (
                <Button kind="danger" icon="trash" onClick={() => setOpen("delete")}>
                  Delete
                </Button>
              )}
              <Button icon="archive" onClick={() => setOpen("archive")}>
                {archived ? "Make it live" : "Archive"}
              </Button>
              <Button icon="edit" onClick={() => setOpen("edit")}>
                Edit
              </Button>
              <Button kind="primary" icon="plus" data-new onClick={() => setOpen("version")}>
                New version
              </Button>
            </>
          )
        }
      />
      <div class="with-aside">
        <div>
          <Tabs
            tabs={[
              ["versions", "Versions", Number(model.versionCount)],
              ["readme", "Readme"],
              ["aliases", "Aliases"],
              ["serving", "Serving"],
              ["history", "History"],
            ]}
            current={tab}
            onPick={(key) => setQuery({ tab: key === "versions" ? "" : key, q: "" })}
          />
          {tab === "readme" ? (
            <Readme model={model} />
          ) : tab === "aliases" ? (
            <Aliases model={model} onChanged={reload} />
          ) : tab === "serving" ? (
            <Serving registeredModelId={model.id} what="model" />
          ) : tab === "history" ? (
            <History model={model} />
          ) : (
            <Versions model={model} {...(mayEdit && { onCreate: () => setOpen("version"), onRestored: reload })} />
          )}
        </div>
        <ModelFacts model={model} />
      </div>
      {open === "edit" && <EditModelDialog model={model} onClose={close} onSaved={reload} />}
      {open === "archive" && <ArchiveModelDialog model={model} onClose={close} onSaved={reload} />}
      {open === "delete" && <DeleteModelDialog model={model} onClose={close} />}
      {open === "version" && <CreateVersionDialog model={model} onClose={close} />}
    </>
  );
}

function ModelFacts({ model }: { model: RegisteredModel }) {
  const tags = [model.tags?.frameworks, model.tags?.tasks, model.tags?.architectures, model.tags?.subjects].flatMap(
    (list) => list ?? [],
  );
  return (
    <aside class="card stack" aria-label="About the model">
      {model.description ? <Markdown text={model.description} /> : <p class="faint">No description.</p>}
      <hr />
      <Facts>
        <Fact name="Owner">{model.ownerEmail}</Fact>
        <Fact name="Type">{model.modelType}</Fact>
        {tags.length > 0 && <Fact name="Tags">{tags.join(", ")}</Fact>}
        {model.modelSize > 0n && <Fact name="Size">{formatBytes(model.modelSize)}</Fact>}
        {model.defaultVersion && (
          <Fact name="Default version">
            <Link to={href(`/models/${model.id}/versions/${model.defaultVersion.number}`)}>
              {model.defaultVersion.name}
            </Link>
          </Fact>
        )}
        {model.parentModelId && (
          <Fact name="Derived from">
            <Link to={href(`/models/${model.parentModelId}`)}>{model.parentModelId.slice(0, 8)}</Link>
          </Fact>
        )}
        <Fact name="Created">
          <Time at={model.createdAt} />
        </Fact>
        <Fact name="Changed">
          <Time at={model.updatedAt} />
        </Fact>
        <Fact name="Id">
          <CopyId id={model.id} />
        </Fact>
        {model.externalId && <Fact name="External id">{model.externalId}</Fact>}
        <Fact name="Labels">{Object.keys(model.labels).length > 0 && <Labels labels={model.labels} />}</Fact>
        <Fact name="Properties">
          <Properties properties={model.properties} />
        </Fact>
      </Facts>
    </aside>
  );
}

/** The readme of the default version, or else of the newest one. */
function Readme({ model }: { model: RegisteredModel }) {
  const shown = model.defaultVersion ?? model.latestVersion;
  const project = useProject();
  const { data, loading, failure, reload } = useQuery(`readme ${project} ${shown?.id}`, async (signal) => {
    if (!shown) return undefined;
    const { modelVersion } = await api.versions.getModelVersion({ id: shown.id }, { signal });
    return modelVersion;
  });
  if (failure) return <FailureNotice failure={failure} retry={reload} />;
  if (loading && !data) return <Skeleton lines={6} />;
  if (!data?.readme)
    return (
      <p class="faint">
        {shown
          ? `Version ${shown.name} has no readme. Each version can have its own, in Markdown.`
          : "Versions have readmes, and this model has no versions yet."}
      </p>
    );
  return (
    <div class="card stack">
      <p class="muted">
        From version <Link to={href(`/models/${model.id}/versions/${data.number}`)}>{data.name}</Link>
        {model.defaultVersion ? ", the default version" : ", the newest version"}
      </p>
      <Markdown text={data.readme} />
    </div>
  );
}

function History({ model }: { model: RegisteredModel }) {
  const project = useProject();
  const pages = usePages(`events ${project} ${model.id} ${model.etag}`, async (pageToken, signal) => {
    const answer = await api.events.listEvents({ registeredModelId: model.id, pageSize: 50, pageToken }, { signal });
    return { rows: answer.events, nextPageToken: answer.nextPageToken };
  });
  return <EventList pages={pages} />;
}
