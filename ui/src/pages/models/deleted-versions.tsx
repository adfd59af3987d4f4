import { Button, Section, Time } from "../../components/basics";
import { toast } from "../../components/toast";
import type { RegisteredModel } from "../../gen/modelregistry/v1/registered_model_pb";
import { api, newRequestId } from "../../lib/api";
import { failureOf } from "../../lib/errors";
import { dateOf, formatTime } from "../../lib/format";
import { useProject } from "../../lib/project";
import { countOf, usePages } from "../../lib/query";

/** Versions that were deleted lately, and can be restored. */
export function DeletedVersions({
  model,
  onRestored,
}: {
  model: RegisteredModel;
  onRestored: (() => void) | undefined;
}) {
  const project = useProject();
  const pages = usePages(`deleted ${project} ${model.id} ${model.versionCount}`, async (pageToken, signal) => {
    const asked = { registeredModelId: model.id, pageSize: 50, pageToken };
    const answer = await api.versions.listDeletedModelVersions(asked, { signal });
    return { rows: answer.deletedModelVersions, nextPageToken: answer.nextPageToken };
  });
  const { rows, hasMore, loading, more, reload } = pages;
  if (!rows.length) return null;
  const restore = async (id: string, name: string) => {
    try {
      await api.versions.undeleteModelVersion({ id, requestId: newRequestId() });
      toast(`Version ${name} was restored, without its aliases.`);
      reload();
      onRestored?.();
    } catch (error) {
      toast(failureOf(error).message, "error");
    }
  };
  return (
    <Section title="Deleted versions" count={countOf(pages)}>
      <ul class="rows">
        {rows.map(({ modelVersion, deletedAt, deletedBy, expiresAt }) => {
          if (!modelVersion) return null;
          const { id, name, number } = modelVersion;
          return (
            <li key={id}>
              <div class="row-main">
                <span>
                  {name} <span class="faint">#{number.toString()}</span>
                </span>
                <small class="faint">
                  deleted by {deletedBy || "somebody"} <Time at={deletedAt} />, can be restored until{" "}
                  {expiresAt && formatTime(dateOf(expiresAt))}
                </small>
              </div>
              {onRestored && <Button onClick={() => restore(id, name)}>Restore</Button>}
            </li>
          );
        })}
      </ul>
      {hasMore && (
        <Button busy={loading} onClick={more}>
          Show earlier ones
        </Button>
      )}
    </Section>
  );
}
