import type { ComponentChildren } from "preact";
import type { Event } from "../gen/modelregistry/v1/event_pb";
import { words } from "../lib/format";
import { href } from "../lib/project";
import type { Pages } from "../lib/query";
import { Link } from "../lib/router";
import { Button, Empty, Skeleton, Time } from "./basics";
import { FailureNotice } from "./failure";

/** What has happened, newest first. */
export function EventList({ pages }: { pages: Pages<Event> }) {
  const { rows, failure, loading, hasMore, more, reload } = pages;
  if (!rows.length && failure) return <FailureNotice failure={failure} retry={reload} />;
  if (!rows.length && loading) return <Skeleton lines={5} />;
  if (!rows.length) return <Empty title="Nothing has happened yet" />;
  return (
    <>
      <ol class="events">
        {rows.map((event) => (
          <li key={event.id}>
            <span>
              <Sentence event={event} />
            </span>
            <Time at={event.occurredAt} />
          </li>
        ))}
      </ol>
      {failure && <FailureNotice failure={failure} retry={reload} />}
      {hasMore && (
        <Button busy={loading} onClick={more}>
          Show earlier ones
        </Button>
      )}
    </>
  );
}

function actor({ actor }: Event): string {
  const known: Record<string, string> = {
    registry: "Somebody",
    controller: "The controller",
    external: "Another program",
  };
  return known[actor] ?? actor;
}

const NOUNS: Record<string, string> = {
  model: "the model",
  version: "the version",
  artifact: "the artifact",
  environment: "the environment",
  service: "the inference service",
  deployment: "the deployment",
  serve_model: "the serve model",
  alias: "the alias",
};

const VERBS: Record<string, string> = {
  created: "created",
  updated: "changed",
  deleted: "deleted",
  restored: "restored",
  set: "set",
};

function Sentence({ event }: { event: Event }) {
  const [kind = ""] = event.type.split(".");
  const { details } = event;
  const name = <Name event={event} kind={kind} />;
  if (event.type === "deployment.status_changed")
    return (
      <>
        The deployment {name} is now {words(details.phase ?? "")}
        {details.reason && `: ${words(details.reason)}`}
      </>
    );
  return (
    <>
      <b>{actor(event)}</b> <Deed event={event} name={name} />
    </>
  );
}

/** What somebody did. */
function Deed({ event, name }: { event: Event; name: ComponentChildren }) {
  const [kind = "", verb = ""] = event.type.split(".");
  const { details } = event;
  if (event.type === "alias.set")
    return (
      <>
        set the alias {name} to version {details.version_number}
      </>
    );
  if (event.type === "deployment.revision_made")
    return (
      <>
        made revision {details.revision} of the deployment {name}
        {details.cause && ` (${words(details.cause)})`}
      </>
    );
  return (
    <>
      {VERBS[verb] ?? verb} {NOUNS[kind] ?? kind} {name}
      {event.changedFields.length > 0 && <span class="muted">: {event.changedFields.map(words).join(", ")}</span>}
    </>
  );
}

function Name({ event, kind }: { event: Event; kind: string }) {
  const { name, registeredModelId, resourceId, type, details } = event;
  const isGone = type.endsWith(".deleted");
  const to =
    kind === "model" || kind === "alias"
      ? `/models/${registeredModelId || resourceId}`
      : kind === "version"
        ? `/models/${registeredModelId}/versions/${details.version_number}`
        : kind === "deployment" || kind === "service"
          ? `/deployments/${resourceId}`
          : "";
  if (!to || (isGone && kind !== "alias")) return <b>{name || resourceId.slice(0, 8)}</b>;
  return <Link to={href(to)}>{name || resourceId.slice(0, 8)}</Link>;
}
