import { useState } from "preact/hooks";
import { Button, CopyId, Empty, Fact, Facts, Labels, Snippet, Time } from "../../components/basics";
import { Dialog } from "../../components/dialog";
import { Properties } from "../../components/properties";
import { DataTable } from "../../components/table";
import { Role } from "../../gen/modelregistry/v1/access_pb";
import { type Artifact, ArtifactKind } from "../../gen/modelregistry/v1/artifact_pb";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api } from "../../lib/api";
import { useMay } from "../../lib/caller";
import { formatBytes, formatProperty } from "../../lib/format";
import { useProject } from "../../lib/project";
import { usePages } from "../../lib/query";
import { CreateArtifactDialog, DeleteArtifactDialog, EditArtifactDialog } from "./artifact-dialogs";
import { hasValue, KINDS } from "./artifact-fields";

type Open = { what: "new" } | { what: "show" | "edit" | "delete"; artifact: Artifact } | undefined;

/** The files of a version, and its documents, data sets, metrics and parameters. */
export function Artifacts({ version }: { version: ModelVersion }) {
  const project = useProject();
  const mayEdit = useMay(Role.EDITOR);
  const [open, setOpen] = useState<Open>();
  const close = () => setOpen(undefined);
  const pages = usePages(`artifacts ${project} ${version.id}`, async (pageToken, signal) => {
    const answer = await api.artifacts.listArtifacts(
      { modelVersionId: version.id, pageSize: 100, pageToken },
      { signal },
    );
    return { rows: answer.artifacts, nextPageToken: answer.nextPageToken };
  });
  const saved = { onClose: close, onSaved: pages.reload };
  const create = mayEdit && (
    <Button icon="plus" onClick={() => setOpen({ what: "new" })}>
      New artifact
    </Button>
  );
  return (
    <>
      {pages.rows.length > 0 && create && <div class="toolbar end">{create}</div>}
      <DataTable
        label="Artifacts"
        unit="artifact"
        pages={pages}
        rowKey={({ id }) => id}
        columns={[
          {
            title: "Name",
            cell: (artifact) => (
              <button
                type="button"
                class="link text"
                aria-haspopup="dialog"
                onClick={() => setOpen({ what: "show", artifact })}
              >
                {artifact.name}
              </button>
            ),
          },
          { title: "Kind", width: "kind", cell: ({ kind }) => KINDS[kind] },
          { title: "Value or location", width: "wide", cell: (artifact) => <Content artifact={artifact} /> },
          {
            title: "Size",
            hideOn: "phone",
            width: "narrow",
            align: "right",
            cell: ({ sizeBytes }) => (sizeBytes > 0n ? formatBytes(sizeBytes) : ""),
          },
          { title: "Created", hideOn: "phone", width: "medium", cell: ({ createdAt }) => <Time at={createdAt} /> },
        ]}
        empty={
          <Empty title="This version has no artifacts" actions={create}>
            <p>Metrics, parameters, documents and data sets of a version are its artifacts.</p>
            <Snippet label="With Python" text={`version.artifacts.create("accuracy", kind="metric", value=0.97)`} />
          </Empty>
        }
      />
      {open?.what === "new" && <CreateArtifactDialog version={version} {...saved} />}
      {open?.what === "show" && (
        <ArtifactDialog artifact={open.artifact} onClose={close} onOpen={mayEdit ? setOpen : undefined} />
      )}
      {open?.what === "edit" && <EditArtifactDialog artifact={open.artifact} {...saved} />}
      {open?.what === "delete" && <DeleteArtifactDialog artifact={open.artifact} {...saved} />}
    </>
  );
}

/** Everything about an artifact. */
function ArtifactDialog({
  artifact,
  onClose,
  onOpen,
}: {
  artifact: Artifact;
  onClose: () => void;
  onOpen: ((open: Open) => void) | undefined;
}) {
  const { kind, name, description, value, uri, digest, sizeBytes, externalId, labels, properties } = artifact;
  const isModel = kind === ArtifactKind.MODEL;
  return (
    <Dialog
      title={name}
      onClose={onClose}
      footer={
        onOpen &&
        !isModel && (
          <>
            <Button kind="quiet" icon="trash" onClick={() => onOpen({ what: "delete", artifact })}>
              Delete
            </Button>
            <Button icon="edit" onClick={() => onOpen({ what: "edit", artifact })}>
              Edit
            </Button>
          </>
        )
      }
    >
      <div class="stack">
        {description && <p>{description}</p>}
        {isModel && <p class="muted">These are the files of the version. “Edit” on its page changes where they are.</p>}
        <Facts>
          <Fact name="Kind">{KINDS[kind]}</Fact>
          {hasValue(kind) && <Fact name="Value">{value && formatProperty(value)}</Fact>}
          {(uri || !hasValue(kind)) && (
            <Fact name="Location">
              <code>{uri}</code>
            </Fact>
          )}
          {sizeBytes > 0n && <Fact name="Size">{formatBytes(sizeBytes)}</Fact>}
          {digest && (
            <Fact name="Digest">
              <CopyId id={digest} shown={23} label="Copy the digest" />
            </Fact>
          )}
          <Fact name="Created">
            <Time at={artifact.createdAt} />
          </Fact>
          <Fact name="Changed">
            <Time at={artifact.updatedAt} />
          </Fact>
          <Fact name="Id">
            <CopyId id={artifact.id} />
          </Fact>
          {externalId && <Fact name="External id">{externalId}</Fact>}
          {Object.keys(labels).length > 0 && (
            <Fact name="Labels">
              <Labels labels={labels} />
            </Fact>
          )}
          {Object.keys(properties).length > 0 && (
            <Fact name="Properties">
              <Properties properties={properties} />
            </Fact>
          )}
        </Facts>
      </div>
    </Dialog>
  );
}

function Content({ artifact: { value, uri } }: { artifact: Artifact }) {
  if (value) return <>{formatProperty(value)}</>;
  return <code title={uri}>{uri}</code>;
}
