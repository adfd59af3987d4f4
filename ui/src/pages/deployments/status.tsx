import type { ComponentChildren } from "preact";
import { Skeleton, Time } from "../../components/basics";
import { Icon } from "../../components/icon";
import {
  type ChainLink,
  ChainLinkKind,
  ChainLinkState,
  type Deployment,
  type ExplainDeploymentResponse,
} from "../../gen/modelregistry/v1/deployment_pb";
import { words } from "../../lib/format";
import type { Query } from "../../lib/query";
import { Marked } from "./marked";
import { QuietFailure } from "./quiet-failure";
import { meaningOf, moodOf, phaseWord, reasonWord } from "./words";

const TONES = { good: "green", busy: "blue", warning: "amber", bad: "red", off: "grey" } as const;

/** The phase in a sentence, why it is so, and what to do. */
export function StatusCard({
  deployment,
  explanation,
  children,
}: {
  deployment: Deployment;
  explanation: ExplainDeploymentResponse | undefined;
  children?: ComponentChildren;
}) {
  const phase = phaseWord(deployment);
  const mood = moodOf(phase);
  const reason = reasonWord(deployment);
  const settled = (mood === "good" || mood === "off") && !reason;
  // The recorded message comes first: the explanation is of this moment, and may be about something later.
  const cause = deployment.message || (settled ? "" : explanation?.cause);
  const nextStep = settled ? "" : deployment.nextStep || explanation?.nextStep;
  const found = settled ? "" : (explanation?.cause ?? "");
  // Most often both tell the same with other words before it.
  const detail = cause && !found.includes(cause.slice(-40)) ? found : "";
  return (
    <section class={`status-card ${mood}`} aria-label="Status">
      <p class="status-line">
        <span class={`mood ${mood}`}>{words(phase)}</span>
        <span class="muted">
          since <Time at={deployment.phaseSince} />
        </span>
        {reason && <code>{reason}</code>}
      </p>
      <p>{meaningOf(deployment)}</p>
      {cause && (
        <dl class="why">
          <dt>Why</dt>
          <dd>
            <Marked text={ended(cause)} />
            {detail && (
              <p class="muted">
                <Marked text={ended(detail)} />
              </p>
            )}
          </dd>
        </dl>
      )}
      {nextStep && (
        <dl class="why">
          <dt>Next step</dt>
          <dd>
            <Marked text={nextStep} />
          </dd>
        </dl>
      )}
      {children}
    </section>
  );
}

/** As a sentence. The text is the cluster's, so that its first word may be a name, such as `kserve-container:`, which stays as it is. */
function ended(text: string): string {
  const ended = /[.!?…]$/.test(text) ? text : `${text}.`;
  return /^[a-z]+ /.test(ended) ? ended.charAt(0).toUpperCase() + ended.slice(1) : ended;
}

const KINDS: Record<number, string> = {
  [ChainLinkKind.INFERENCE_SERVICE]: "InferenceService",
  [ChainLinkKind.DEPLOYMENT]: "Deployment",
  [ChainLinkKind.KNATIVE_SERVICE]: "Knative Service",
  [ChainLinkKind.REPLICA_SET]: "ReplicaSet",
  [ChainLinkKind.POD]: "Pod",
  [ChainLinkKind.CONTAINER]: "Container",
  [ChainLinkKind.URL]: "URL",
  [ChainLinkKind.NEXT]: "What comes next",
};

const STATES: Record<number, [word: string, mood: keyof typeof TONES]> = {
  [ChainLinkState.OK]: ["as it should be", "good"],
  [ChainLinkState.WAITING]: ["waits", "busy"],
  [ChainLinkState.FAILED]: ["has failed", "bad"],
  [ChainLinkState.UNKNOWN]: ["cannot be read", "off"],
};

/** The chain from the intent to the URL, read from the cluster now, with conditions, warnings and logs as evidence. */
export function Chain({ query }: { query: Query<ExplainDeploymentResponse> }) {
  const { data, failure, loading, reload } = query;
  return (
    <>
      {failure && (
        <QuietFailure lead="The cluster could not be read now." failure={failure} retry={reload} busy={loading} />
      )}
      {!data && !failure && <Skeleton lines={6} />}
      {data && (
        <ol class="chain">
          {data.chain.map((link, index) => (
            <Link key={index} link={link} />
          ))}
        </ol>
      )}
    </>
  );
}

function Link({ link: { kind, name, state, summary, since, signs, isCanary } }: { link: ChainLink }) {
  const [word, mood] = STATES[state] ?? ["is in a state that only a newer release knows", "off"];
  return (
    <li class={`link-${mood}`}>
      <span class="dot" title={word}>
        {mood === "good" ? <Icon name="check" /> : mood === "bad" ? <Icon name="close" /> : <Icon name="clock" />}
        <span class="hidden">{word}: </span>
      </span>
      <div class="stack">
        <p>
          {kind === ChainLinkKind.INTENT ? (
            <>
              <b>R{name.slice(1)}</b>, {summary}
            </>
          ) : (
            <>
              <b>{KINDS[kind] ?? "Another link"}</b> {name && <code>{name}</code>} {summary}
            </>
          )}
          {isCanary && <span class="muted"> (canary)</span>}
        </p>
        {signs.length > 0 && (
          <details open={mood === "bad"}>
            <summary class="muted">
              {signs.some(({ source }) => source.startsWith("event")) ? "Warnings and conditions" : "Evidence"}
            </summary>
            <ul class="signs">
              {signs.map((sign, index) => (
                <li key={index}>
                  <span class="sign-head">
                    <span>{sign.source === "log" ? "End of the log" : sign.source}</span>
                    {sign.at && <Time at={sign.at} />}
                  </span>
                  {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse must be able to scroll it */}
                  <pre tabIndex={0}>{sign.text}</pre>
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
      <Time at={since} />
    </li>
  );
}
