import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { Pairs } from "../../components/fields";
import {
  type DeploymentMode,
  type DeploymentOptions,
  type DeploymentOptionsSchema,
  type ScaleMetric,
  type ServingProtocol,
  TaintEffect,
  type Toleration,
  TolerationOperator,
} from "../../gen/modelregistry/v1/deployment_pb";
import { linesOf } from "../../lib/format";

/** A resource of the container: its name, what is requested, and its limit. */
export type Resource = [name: string, request: string, limit: string];

/** The options as the fields of the form have them. Everything is text, so that it can be half typed. */
export interface OptionsDraft {
  runtime: string;
  protocol: string;
  mode: string;
  minReplicas: string;
  maxReplicas: string;
  scaleMetric: string;
  scaleTarget: string;
  resources: Resource[];
  sharedMemory: string;
  env: Pairs;
  args: string;
  timeout: string;
  deadline: string;
  startup: string;
  probeTimeout: string;
  serviceAccount: string;
  nodeSelector: Pairs;
  tolerations: string;
  priorityClass: string;
  pullSecrets: string;
  storageUris: Pairs;
  endpoint: string;
  region: string;
  caBundle: string;
  anonymous: boolean;
  skipTls: boolean;
}

type OptionsInit = MessageInitShape<typeof DeploymentOptionsSchema>;

export function draftOf(options: DeploymentOptions | undefined): OptionsDraft {
  const { requests = {}, limits = {} } = options?.resources ?? {};
  const names = [...new Set(["cpu", "memory", ...Object.keys(requests), ...Object.keys(limits)])];
  return {
    runtime: options?.runtime ?? "",
    protocol: numberText(options?.protocolVersion || undefined),
    mode: numberText(options?.deploymentMode || undefined),
    minReplicas: numberText(options?.minReplicas),
    maxReplicas: numberText(options?.maxReplicas),
    scaleMetric: numberText(options?.scaleMetric || undefined),
    scaleTarget: numberText(options?.scaleTarget),
    resources: names.map((name) => [name, requests[name] ?? "", limits[name] ?? ""]),
    sharedMemory: options?.sharedMemory ?? "",
    env: Object.entries(options?.env ?? {}),
    args: options?.args.join("\n") ?? "",
    timeout: secondsOf(options?.timeout),
    deadline: secondsOf(options?.deadline),
    startup: secondsOf(options?.probes?.startup),
    probeTimeout: secondsOf(options?.probes?.timeout),
    serviceAccount: options?.serviceAccount ?? "",
    nodeSelector: Object.entries(options?.nodeSelector ?? {}),
    tolerations: options?.tolerations.map(tolerationText).join("\n") ?? "",
    priorityClass: options?.priorityClassName ?? "",
    pullSecrets: options?.imagePullSecrets.join("\n") ?? "",
    storageUris: options?.storageUris.map(({ uri, mountPath }): [string, string] => [uri, mountPath]) ?? [],
    endpoint: options?.storage?.endpoint ?? "",
    region: options?.storage?.region ?? "",
    caBundle: options?.storage?.caBundle ?? "",
    anonymous: options?.storage?.anonymous ?? false,
    skipTls: options?.storage?.verifySsl === false,
  };
}

export function optionsOf(draft: OptionsDraft): OptionsInit {
  const named = draft.resources.filter(([name]) => name.trim());
  const quantities = (at: 1 | 2) =>
    Object.fromEntries(named.filter((one) => one[at].trim()).map((one) => [one[0].trim(), one[at].trim()]));
  return {
    runtime: draft.runtime.trim(),
    protocolVersion: Number(draft.protocol) as ServingProtocol,
    deploymentMode: Number(draft.mode) as DeploymentMode,
    minReplicas: numberOf(draft.minReplicas),
    maxReplicas: numberOf(draft.maxReplicas),
    scaleMetric: Number(draft.scaleMetric) as ScaleMetric,
    scaleTarget: numberOf(draft.scaleTarget),
    resources: { requests: quantities(1), limits: quantities(2) },
    sharedMemory: draft.sharedMemory.trim(),
    env: mapOf(draft.env),
    args: linesOf(draft.args),
    timeout: durationOf(draft.timeout),
    deadline: durationOf(draft.deadline),
    probes: { startup: durationOf(draft.startup), timeout: durationOf(draft.probeTimeout) },
    serviceAccount: draft.serviceAccount.trim(),
    nodeSelector: mapOf(draft.nodeSelector),
    tolerations: linesOf(draft.tolerations).map(tolerationOf),
    priorityClassName: draft.priorityClass.trim(),
    imagePullSecrets: linesOf(draft.pullSecrets),
    storageUris: draft.storageUris
      .filter(([uri]) => uri.trim())
      .map(([uri, mountPath]) => ({ uri: uri.trim(), mountPath: mountPath.trim() })),
    storage: {
      endpoint: draft.endpoint.trim(),
      region: draft.region.trim(),
      caBundle: draft.caBundle.trim(),
      anonymous: draft.anonymous || undefined,
      verifySsl: draft.skipTls ? false : undefined,
    },
  };
}

const PATHS: Record<keyof OptionsDraft, string> = {
  runtime: "runtime",
  protocol: "protocol_version",
  mode: "deployment_mode",
  minReplicas: "min_replicas",
  maxReplicas: "max_replicas",
  scaleMetric: "scale_metric",
  scaleTarget: "scale_target",
  resources: "resources",
  sharedMemory: "shared_memory",
  env: "env",
  args: "args",
  timeout: "timeout",
  deadline: "deadline",
  startup: "probes",
  probeTimeout: "probes",
  serviceAccount: "service_account",
  nodeSelector: "node_selector",
  tolerations: "tolerations",
  priorityClass: "priority_class_name",
  pullSecrets: "image_pull_secrets",
  storageUris: "storage_uris",
  endpoint: "storage",
  region: "storage",
  caBundle: "storage",
  anonymous: "storage",
  skipTls: "storage",
};

/** The mask of an update that changes these fields, and nothing else. */
export function maskOf(changed: Partial<OptionsDraft>): string[] {
  return [...new Set(Object.keys(changed).map((name) => `options.${PATHS[name as keyof OptionsDraft]}`))];
}

/** What cannot be sent as it is; empty if everything can. */
export function problemOf(draft: OptionsDraft): string {
  const odd = NUMBERS.map((name) => draft[name].trim()).find((text) => !isWhole(text));
  if (odd) return wholeText(odd);
  const wrong = linesOf(draft.tolerations).find((line) => !TOLERATION.test(line));
  return wrong ? `“${wrong}” is not a toleration. Write them like this: nvidia.com/gpu=present:NoSchedule.` : "";
}

const NUMBERS = [
  "minReplicas",
  "maxReplicas",
  "scaleTarget",
  "timeout",
  "deadline",
  "startup",
  "probeTimeout",
] as const satisfies (keyof OptionsDraft)[];

/** Whether a text is empty, or a number that the API can have. */
export function isWhole(text: string): boolean {
  return /^(-?\d{1,9})?$/.test(text.trim());
}

export function wholeText(text: string): string {
  return `“${text}” is not a whole number of at most nine digits.`;
}

const EFFECTS: Record<string, TaintEffect> = {
  NoSchedule: TaintEffect.NO_SCHEDULE,
  PreferNoSchedule: TaintEffect.PREFER_NO_SCHEDULE,
  NoExecute: TaintEffect.NO_EXECUTE,
};

/** As `kubectl taint` writes taints: `key=value:effect`. Without a value, it tolerates all values; `*` all keys. */
const TOLERATION = /^([^\s=:]+)(?:=([^\s:]*))?(?::(NoSchedule|PreferNoSchedule|NoExecute))?(?: for (\d+)s)?$/;

function tolerationOf(line: string) {
  const [, key = "", value, effect, seconds] = TOLERATION.exec(line) ?? [];
  return {
    key: key === "*" ? "" : key,
    operator: value === undefined ? TolerationOperator.EXISTS : TolerationOperator.EQUAL,
    value: value ?? "",
    effect: (effect && EFFECTS[effect]) || TaintEffect.UNSPECIFIED,
    tolerationPeriod: durationOf(seconds ?? ""),
  };
}

function tolerationText({ key, operator, value, effect, tolerationPeriod }: Toleration): string {
  const name = Object.keys(EFFECTS).find((one) => EFFECTS[one] === effect);
  const period = secondsOf(tolerationPeriod);
  return [
    key || "*",
    operator === TolerationOperator.EXISTS ? "" : `=${value}`,
    name ? `:${name}` : "",
    period && ` for ${period}s`,
  ].join("");
}

function mapOf(pairs: Pairs): Record<string, string> {
  return Object.fromEntries(pairs.filter(([key]) => key.trim()).map(([key, value]) => [key.trim(), value]));
}

function numberOf(text: string): number | undefined {
  return text.trim() === "" || !isWhole(text) ? undefined : Number(text);
}

function numberText(value: number | undefined): string {
  return value === undefined ? "" : String(value);
}

function durationOf(text: string) {
  const seconds = numberOf(text);
  return seconds === undefined ? undefined : create(DurationSchema, { seconds: BigInt(seconds) });
}

function secondsOf(duration: { seconds: bigint } | undefined): string {
  return duration ? String(duration.seconds) : "";
}
