import { Code } from "@connectrpc/connect";
import { Button } from "../../components/basics";
import { Icon } from "../../components/icon";
import type { Failure } from "../../lib/errors";

/**
 * Why something beside the work of the user failed. Unlike FailureNotice, it neither moves the page nor interrupts who listens to it,
 * because it comes and goes while the user types or reads.
 */
export function QuietFailure({
  failure: { code, message, hint, fields },
  lead = "",
  retry,
  busy,
}: {
  failure: Failure;
  lead?: string;
  retry: () => void;
  busy?: boolean;
}) {
  const invalid = Object.entries(fields);
  return (
    <div class="notice red">
      <Icon name="alert" />
      <div class="stack">
        <p>{invalid.length ? "This is not valid:" : [lead, message, hint].filter(Boolean).join(" ")}</p>
        {invalid.length > 0 && (
          <ul>
            {invalid.map(([path, text]) => (
              <li key={path}>
                <code>{path}</code>: {text}
              </li>
            ))}
          </ul>
        )}
        {code !== Code.InvalidArgument && (
          <div class="row">
            <Button onClick={retry} busy={busy}>
              Try again
            </Button>
          </div>
        )}
      </div>
    </div>
  );
}
