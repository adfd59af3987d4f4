import { CopyId, Fact, Facts, Labels, Time } from "../../components/basics";
import type { Deployment } from "../../gen/modelregistry/v1/deployment_pb";
import { href } from "../../lib/project";
import { Link } from "../../lib/router";
import { type Names, versionLink, versionText } from "./names";
import { replicasText } from "./words";

/** What there is to know of a deployment beside its state. */
export function DeploymentFacts({ deployment, names, place }: { deployment: Deployment; names: Names; place: string }) {
  const { registeredModelId, modelVersionId, snapshot, url, namespace, servingRevision } = deployment;
  const others = snapshot?.modelVersionIds.slice(1) ?? [];
  const version = (id: string) => {
    const link = versionLink(names, registeredModelId, id);
    return link ? (
      <Link key={id} to={link}>
        {versionText(names, id)}
      </Link>
    ) : (
      versionText(names, id)
    );
  };
  return (
    <aside class="card stack" aria-label="About the deployment">
      <Facts>
        <Fact name="URL">
          {url && (
            <a href={url} target="_blank" rel="noreferrer">
              {url}
            </a>
          )}
        </Fact>
        <Fact name="Model">
          <Link to={href(`/models/${registeredModelId}`)}>{names.models[registeredModelId] ?? "…"}</Link>
        </Fact>
        <Fact name="Version">{version(modelVersionId)}</Fact>
        {others.length > 0 && <Fact name="Also recorded">{others.map(version)}</Fact>}
        <Fact name="Environment">
          <Link to={href("/environments")}>{place}</Link>
        </Fact>
        <Fact name="Namespace">
          <code>{namespace}</code>
        </Fact>
        <Fact name="Target revision">{String(deployment.targetRevision)}</Fact>
        <Fact name="Serving revision">{servingRevision === undefined ? "none" : String(servingRevision)}</Fact>
        <Fact name="Replicas">{replicasText(deployment)}</Fact>
        <Fact name="Runtime">{snapshot?.runtime || <span class="muted">chosen by KServe</span>}</Fact>
        <Fact name="Framework">
          {[snapshot?.modelFramework, snapshot?.modelFrameworkVersion].filter(Boolean).join(" ")}
        </Fact>
        <Fact name="Files">{snapshot?.uri && <code>{snapshot.uri}</code>}</Fact>
        {deployment.editedVersionFields.length > 0 && (
          <Fact name="Changed in the version since">
            {deployment.editedVersionFields.join(", ")}. The deployment keeps its copy. An update that names the version
            copies it again.
          </Fact>
        )}
        <Fact name="Last seen in the cluster">
          <Time at={deployment.observedAt} />
        </Fact>
        <Fact name="Made">
          <Time at={deployment.createdAt} />
        </Fact>
        <Fact name="Id">
          <CopyId id={deployment.id} />
        </Fact>
        {snapshot && Object.keys(snapshot.labels).length > 0 && (
          <Fact name="Labels">
            <Labels labels={snapshot.labels} />
          </Fact>
        )}
      </Facts>
    </aside>
  );
}
