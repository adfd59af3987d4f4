import type { MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { useEffect, useRef, useState } from "preact/hooks";
import { Badge, Snippet } from "../../components/basics";
import { Differences } from "../../components/differences";
import type {
  Finding,
  PlanDeploymentRequestSchema,
  PlanDeploymentResponse,
} from "../../gen/modelregistry/v1/deployment_pb";
import { DeploymentReason } from "../../gen/modelregistry/v1/deployment_reason_pb";
import { api } from "../../lib/api";
import { type Failure, failureOf, isAborted, sentence } from "../../lib/errors";
import { plural, words } from "../../lib/format";
import { epoch } from "../../lib/session";
import { useStore } from "../../lib/store";
import { fieldDifferences } from "./diff";
import { Marked } from "./marked";
import { QuietFailure } from "./quiet-failure";
import { manifestYaml } from "./yaml";

type PlanRequest = MessageInitShape<typeof PlanDeploymentRequestSchema>;

export interface Planned {
  plan: PlanDeploymentResponse | undefined;
  failure: Failure | undefined;
  /** Whether the plan is not yet that of what the form says now. */
  stale: boolean;
  /** Whether the plan of what the form says has nothing that blocks it. */
  allowed: boolean;
  again: () => void;
}

const PAUSE_MS = 350;

/** Plans what the form says, a moment after the last key. An older plan is cancelled, and shown until the new one is there. */
export function usePlan(request: PlanRequest | undefined): Planned {
  const key = request ? JSON.stringify(request, (_, value) => (typeof value === "bigint" ? String(value) : value)) : "";
  const [state, setState] = useState<{ key: string; plan?: PlanDeploymentResponse; failure?: Failure }>({ key: "" });
  const [count, setCount] = useState(0);
  const time = useStore(epoch);
  const latest = useRef(request);
  latest.current = request;
  useEffect(() => {
    const wanted = latest.current;
    if (!wanted) return;
    const controller = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const plan = await api.deployments.planDeployment(wanted, { signal: controller.signal });
        if (!controller.signal.aborted) setState({ key, plan });
      } catch (error) {
        if (controller.signal.aborted || isAborted(error)) return;
        setState({ key, failure: failureOf(error) });
      }
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [key, count, time]);
  const stale = state.key !== key;
  return {
    plan: key ? state.plan : undefined,
    failure: key ? state.failure : undefined,
    stale,
    allowed: !stale && !!state.plan && !state.plan.findings.some(({ blocking }) => blocking),
    again: () => {
      setState((old) => ({ ...old, key: "" }));
      setCount((old) => old + 1);
    },
  };
}

/** What the fields of the form show: invalid fields, and findings that are about a field. */
export function failureAtFields({ plan, failure }: Planned, action: Failure | undefined): Failure | undefined {
  const fields: Record<string, string> = {};
  for (const { field, message, blocking } of plan?.findings ?? [])
    if (field && blocking) fields[field] ??= sentence(message);
  for (const failed of [failure, action])
    for (const [path, text] of Object.entries(failed?.fields ?? {})) fields[path.replace(REQUEST, "")] ??= text;
  const base = action ?? failure;
  return Object.keys(fields).length || base
    ? {
        ...(base ?? {
          code: Code.InvalidArgument,
          reason: "",
          message: "",
          hint: "",
          metadata: {},
          violations: [],
          requestId: "",
        }),
        fields,
      }
    : undefined;
}

/** The plan beside the form: whether it can be done, what was found, what changes, and the object. */
export function PlanPanel({ planned, waiting, verb }: { planned: Planned; waiting: string; verb: string }) {
  const { plan, failure, stale, again } = planned;
  return (
    <aside class="card stack plan" aria-label="Plan" aria-busy={stale}>
      <div class="row spread">
        <h2>Plan</h2>
        <span role="status">
          <Verdict planned={planned} verb={verb} waiting={waiting !== ""} />
        </span>
      </div>
      {waiting && <p class="muted">{waiting}</p>}
      {!waiting && failure && <QuietFailure failure={readable(failure)} retry={again} />}
      {!waiting && plan && (
        <div class={`stack ${stale ? "stale" : ""}`}>
          <Findings findings={plan.findings} />
          <Changes plan={plan} />
          {plan.manifest && (
            <details>
              <summary>The object that is applied</summary>
              <Snippet label="As YAML" text={manifestYaml(plan.manifest)} />
            </details>
          )}
        </div>
      )}
    </aside>
  );
}

/** The form calls fields without the part that the request puts before. */
function readable(failure: Failure): Failure {
  const fields = Object.entries(failure.fields).map(([path, text]) => [path.replace(REQUEST, ""), text]);
  return { ...failure, fields: Object.fromEntries(fields) };
}

const REQUEST = /^(deployment|update)\./;

function Verdict({
  planned: { plan, failure, stale, allowed },
  verb,
  waiting,
}: {
  planned: Planned;
  verb: string;
  waiting: boolean;
}) {
  if (waiting) return null;
  if (stale) return <Badge tone="grey">is being made …</Badge>;
  if (failure) return <Badge tone="red">no plan</Badge>;
  const blocking = plan?.findings.filter((one) => one.blocking).length ?? 0;
  if (!allowed) return <Badge tone="red">{plural(blocking, "problem")}</Badge>;
  const warnings = plan?.findings.length ?? 0;
  if (warnings) return <Badge tone="amber">{`it can be ${verb}, ${plural(warnings, "warning")}`}</Badge>;
  return <Badge tone="green">{`it can be ${verb}`}</Badge>;
}

function Findings({ findings }: { findings: Finding[] }) {
  if (!findings.length) return <p class="muted">Nothing speaks against it.</p>;
  return (
    <ul class="findings">
      {findings.map(({ code, message, hint, blocking, field }) => (
        <li key={`${code} ${field} ${message}`} class={blocking ? "blocking" : "warning"}>
          <p class="finding-head">
            <b>{blocking ? "Problem" : "Warning"}</b>
            <code>{words(DeploymentReason[code] ?? "")}</code>
          </p>
          <p>
            <Marked text={sentence(message)} />
          </p>
          {hint && (
            <p class="muted">
              <Marked text={hint} />
            </p>
          )}
          {field && (
            <p class="faint">
              Field: <code>{field}</code>
            </p>
          )}
        </li>
      ))}
    </ul>
  );
}

/** What becomes another value in the cluster. For a new deployment, the object shows it all. */
function Changes({ plan }: { plan: PlanDeploymentResponse }) {
  const list = fieldDifferences(plan.differences, true);
  if (!list.length || list.every(({ before }) => !before && list.length > 12)) return null;
  return (
    <details open={list.length <= 12}>
      <summary>What changes in the cluster</summary>
      <Differences list={list} label="What changes in the cluster" before="Now" after="Then" />
    </details>
  );
}
