import { Code } from "@connectrpc/connect";
import { Component, type ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Failure, Violation } from "../lib/errors";
import { words } from "../lib/format";
import { href } from "../lib/project";
import { Link } from "../lib/router";
import { loginWanted } from "../lib/session";
import { Button, Empty } from "./basics";
import { Icon } from "./icon";

interface NoticeProps {
  failure: Failure | undefined;
  /** What “Try again” does. It is not offered where the same call fails again. */
  retry?: () => void;
  actions?: ComponentChildren;
}

const FINAL = [
  Code.InvalidArgument,
  Code.NotFound,
  Code.PermissionDenied,
  Code.FailedPrecondition,
  Code.Unauthenticated,
];

/** Why a call failed: the text, the fields, what is in the way, and what to do. */
export function FailureNotice({ failure, retry, actions }: NoticeProps) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (failure) element.current?.scrollIntoView({ block: "nearest" }); // it may be below the end of a long form
  }, [failure]);
  if (!failure) return null;
  const fields = Object.entries(failure.fields);
  return (
    <div class="notice red" role="alert" ref={element}>
      <Icon name="alert" />
      <div class="stack">
        <p>
          {failure.message} {failure.hint}
        </p>
        {fields.length > 1 && ( // the message has the only one
          <ul>
            {fields.map(([field, text]) => (
              <li key={field}>
                <code>{field}</code>: {text}
              </li>
            ))}
          </ul>
        )}
        <Violations
          violations={failure.violations}
          total={Number(failure.metadata.users ?? failure.violations.length)}
        />
        {failure.code === Code.Internal && failure.requestId && (
          <p class="faint">
            The log of the registry has the cause under the request id <code>{failure.requestId}</code>.
          </p>
        )}
        {actions && <div class="row">{actions}</div>}
        {failure.code === Code.Unauthenticated && (
          <div class="row">
            <Button onClick={() => loginWanted.set("Sign in to go on.")}>Sign in</Button>
          </div>
        )}
        {retry && !FINAL.includes(failure.code) && (
          <div class="row">
            <Button onClick={retry}>Try again</Button>
          </div>
        )}
      </div>
    </div>
  );
}

const KINDS: Record<string, string> = {
  INFERENCE_SERVICE: "Inference service",
  SERVE_MODEL: "Serve model",
  TRAFFIC_VARIANT: "Traffic variant of",
  ALIAS: "Alias",
};

/** What points at an object, so that it cannot be deleted. */
function Violations({ violations, total }: { violations: Violation[]; total: number }) {
  if (!violations.length) return null;
  return (
    <ul>
      {violations.map(({ type, subject, description }) => (
        <li key={type + subject}>
          {KINDS[type] ?? words(type)}{" "}
          {type === "INFERENCE_SERVICE" ? (
            <Link to={href(`/deployments/${subject}`)}>{description || subject}</Link>
          ) : (
            <b>{description || subject}</b>
          )}
        </li>
      ))}
      {total > violations.length && <li>and {total - violations.length} more</li>}
    </ul>
  );
}

/** Instead of a page whose object could not be read. */
export function PageFailure({
  failure,
  what,
  back,
  reload,
}: {
  failure: Failure;
  what: string;
  back: string;
  reload: () => void;
}) {
  if (failure.code === Code.NotFound || failure.code === Code.InvalidArgument)
    return (
      <Empty
        title={`There is no such ${what}`}
        actions={
          <Link class="button plain" to={back}>
            Go back to the list
          </Link>
        }
      >
        <p>The {what} was deleted, or it belongs to another project than the one at the top of the page.</p>
      </Empty>
    );
  return <FailureNotice failure={failure} retry={reload} />;
}

/** Keeps the frame of the page when a part of it fails. */
export class ErrorBoundary extends Component<{ children: ComponentChildren }, { error?: Error }> {
  override state: { error?: Error } = {};

  static override getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Empty
        title="This page has failed"
        actions={
          <Button kind="primary" onClick={() => window.location.reload()}>
            Load the page again
          </Button>
        }
      >
        <p>That is a fault of the page, not of your data. If it happens again, please report it with this text:</p>
        <p>
          <code>{String(error)}</code>
        </p>
      </Empty>
    );
  }
}
