import { CopyId, Empty, Snippet, Time } from "../../components/basics";
import { DataTable } from "../../components/table";
import { type Artifact, ArtifactKind } from "../../gen/modelregistry/v1/artifact_pb";
import type { ModelVersion } from "../../gen/modelregistry/v1/model_version_pb";
import { api } from "../../lib/api";
import { formatBytes, formatProperty } from "../../lib/format";
import { useProject } from "../../lib/project";
import { usePages } from "../../lib/query";

const KINDS: Record<ArtifactKind, string> = {
  [ArtifactKind.UNSPECIFIED]: "Artifact",
  [ArtifactKind.MODEL]: "Model",
  [ArtifactKind.DOCUMENT]: "Document",
  [ArtifactKind.DATASET]: "Data set",
  [ArtifactKind.METRIC]: "Metric",
  [ArtifactKind.PARAMETER]: "Parameter",
};

/** The files of a version, and its documents, data sets, metrics and parameters. */
export function Artifacts({ version }: { version: ModelVersion }) {
  const project = useProject();
  const pages = usePages(`artifacts ${project} ${version.id}`, async (pageToken, signal) => {
    const answer = await api.artifacts.listArtifacts(
      { modelVersionId: version.id, pageSize: 100, pageToken },
      { signal },
    );
    return { rows: answer.artifacts, nextPageToken: answer.nextPageToken };
  });
  return (
    <DataTable
      label="Artifacts"
      unit="artifact"
      pages={pages}
      rowKey={({ id }) => id}
      columns={[
        { title: "Name", cell: ({ name }) => <b>{name}</b> },
        { title: "Kind", width: "kind", cell: ({ kind }) => KINDS[kind] },
        { title: "Value or location", width: "wide", cell: (artifact) => <Content artifact={artifact} /> },
        {
          title: "Size",
          hideOn: "phone",
          width: "narrow",
          align: "right",
          cell: ({ sizeBytes }) => (sizeBytes > 0n ? formatBytes(sizeBytes) : ""),
        },
        {
          title: "Digest",
          hideOn: "tablet",
          width: "medium",
          cell: ({ digest }) => digest && <CopyId id={digest.replace(/^sha256:/, "")} label="Copy the digest" />,
        },
        { title: "Created", hideOn: "tablet", width: "medium", cell: ({ createdAt }) => <Time at={createdAt} /> },
      ]}
      empty={
        <Empty title="This version has no artifacts">
          <p>Metrics, parameters, documents and data sets of a version are its artifacts.</p>
          <Snippet label="With Python" text={`version.artifacts.create("accuracy", kind="metric", value=0.97)`} />
        </Empty>
      }
    />
  );
}

function Content({ artifact: { value, uri } }: { artifact: Artifact }) {
  if (value) return <>{formatProperty(value)}</>;
  return <code title={uri}>{uri}</code>;
}
