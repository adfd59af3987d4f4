import { useId } from "preact/hooks";
import { Button } from "../../components/basics";
import { CheckField, PairsField, SelectField, TextField } from "../../components/fields";
import { DeploymentMode, ScaleMetric, ServingProtocol } from "../../gen/modelregistry/v1/deployment_pb";
import type { Draft } from "../../lib/draft";
import type { Failure } from "../../lib/errors";
import type { OptionsDraft, Resource } from "./options";

/** A choice of an enum; the first value is that which is not set. */
function choices(names: object, texts: Record<string, string>, unset: string): [string, string][] {
  return [
    ["", unset],
    ...Object.entries(names)
      .filter(([name, value]) => typeof value === "number" && value > 0 && name in texts)
      .map(([name, value]): [string, string] => [String(value), texts[name] ?? name]),
  ];
}

const PROTOCOLS = choices(
  ServingProtocol,
  { V1: "V1", V2: "V2, the open inference protocol", GRPC_V1: "V1 over gRPC", GRPC_V2: "V2 over gRPC" },
  "V1, or V2 if nothing else fits",
);
const MODES = choices(DeploymentMode, { STANDARD: "Standard", KNATIVE: "Knative" }, "Standard");
const METRICS = choices(
  ScaleMetric,
  {
    CPU: "CPU in percent",
    MEMORY: "Memory in percent",
    CONCURRENCY: "Requests under way (Knative)",
    RPS: "Requests per second (Knative)",
  },
  "CPU, or requests under way in Knative mode",
);

/** The options of a deployment, with what is rarely needed folded away. */
export function OptionsFields({ draft, failure }: { draft: Draft<OptionsDraft>; failure: Failure | undefined }) {
  const { values, set } = draft;
  const text = (name: TextName, path: string) => ({
    value: values[name],
    onInput: (value: string) => set(name, value),
    failure,
    path: `options.${path}`,
    optional: true,
  });
  return (
    <>
      <fieldset class="card stack">
        <legend class="legend-title">Replicas and resources</legend>
        <div class="columns narrow">
          <TextField {...text("minReplicas", "min_replicas")} label="At least" type="number" placeholder="1" />
          <TextField {...text("maxReplicas", "max_replicas")} label="At most" type="number" placeholder="the same" />
        </div>
        <Resources values={values.resources} onChange={(list) => set("resources", list)} failure={failure} />
        <details>
          <summary>Scaling</summary>
          <div class="columns">
            <SelectField
              label="Scale by"
              value={values.scaleMetric}
              onChange={(value) => set("scaleMetric", value)}
              options={METRICS}
              failure={failure}
              path="options.scale_metric"
            />
            <TextField {...text("scaleTarget", "scale_target")} label="Target value" type="number" />
          </div>
        </details>
      </fieldset>
      <fieldset class="card stack">
        <legend class="legend-title">Model server</legend>
        <div class="columns">
          <TextField
            {...text("runtime", "runtime")}
            label="Serving runtime"
            placeholder="chosen by KServe"
            hint="The name of a ServingRuntime, such as kserve-sklearnserver."
          />
          <SelectField
            label="Protocol"
            value={values.protocol}
            onChange={(value) => set("protocol", value)}
            options={PROTOCOLS}
            failure={failure}
            path="options.protocol_version"
          />
        </div>
        <TextField
          {...text("args", "args")}
          label="Arguments"
          rows={2}
          mono
          placeholder="--max-model-len=8192"
          hint="One on each line, after those of the runtime."
        />
        <PairsField
          label="Environment variables"
          pairs={values.env}
          onChange={(env) => set("env", env)}
          keyName="Name"
        />
        <FieldError failure={failure} path="options.env" />
      </fieldset>
      <details class="card">
        <summary>Time limits</summary>
        <div class="columns">
          <TextField
            {...text("deadline", "deadline")}
            label="Deadline in seconds"
            type="number"
            placeholder="900"
            hint="How long it may take to start before it counts as failed."
          />
          <TextField {...text("timeout", "timeout")} label="Seconds for a request" type="number" />
          <TextField
            {...text("startup", "probes.startup")}
            label="Seconds to load the model"
            type="number"
            hint="Then the model server is restarted."
          />
          <TextField {...text("probeTimeout", "probes.timeout")} label="Seconds for a probe" type="number" />
        </div>
      </details>
      <details class="card">
        <summary>Where it runs</summary>
        <div class="stack inner">
          <div class="columns">
            <SelectField
              label="Mode of KServe"
              value={values.mode}
              onChange={(value) => set("mode", value)}
              options={MODES}
              failure={failure}
              path="options.deployment_mode"
            />
            <TextField {...text("serviceAccount", "service_account")} label="Service account" />
            <TextField {...text("priorityClass", "priority_class_name")} label="Priority class" />
            <TextField {...text("sharedMemory", "shared_memory")} label="Shared memory" placeholder="16Gi" />
          </div>
          <PairsField
            label="Labels of the nodes"
            pairs={values.nodeSelector}
            onChange={(pairs) => set("nodeSelector", pairs)}
          />
          <FieldError failure={failure} path="options.node_selector" />
          <TextField
            {...text("tolerations", "tolerations")}
            label="Tolerations"
            rows={2}
            mono
            placeholder="nvidia.com/gpu=present:NoSchedule"
            hint="One taint on each line, as kubectl writes them. Without a value, all values are tolerated."
          />
          <TextField
            {...text("pullSecrets", "image_pull_secrets")}
            label="Secrets to pull images"
            rows={2}
            hint="One name on each line."
          />
        </div>
      </details>
      <details class="card">
        <summary>Storage</summary>
        <div class="stack inner">
          <PairsField
            label="More files, for example adapters"
            pairs={values.storageUris}
            onChange={(pairs) => set("storageUris", pairs)}
            keyName="Location"
            valueName="Folder below /mnt"
          />
          <FieldError failure={failure} path="options.storage_uris" />
          <div class="columns">
            <TextField {...text("endpoint", "storage.endpoint")} label="S3 endpoint" placeholder="minio.example:9000" />
            <TextField {...text("region", "storage.region")} label="Region" />
            <TextField {...text("caBundle", "storage.ca_bundle")} label="ConfigMap with certificates" />
          </div>
          <CheckField
            label="Read a public bucket without keys"
            checked={values.anonymous}
            onChange={(checked) => set("anonymous", checked)}
          />
          <CheckField
            label="Do not check the certificate of the endpoint"
            checked={values.skipTls}
            onChange={(checked) => set("skipTls", checked)}
          />
        </div>
      </details>
    </>
  );
}

type TextName = { [K in keyof OptionsDraft]: OptionsDraft[K] extends string ? K : never }[keyof OptionsDraft];

/** What is wrong with a field that shows no errors itself. Paths of its parts count. */
function FieldError({ failure, path }: { failure: Failure | undefined; path: string }) {
  const found = Object.entries(failure?.fields ?? {}).filter(
    ([name]) => name === path || name.startsWith(`${path}.`) || name.startsWith(`${path}[`),
  );
  if (!found.length) return null;
  return <p class="field-error">{found.map(([, text]) => text).join(" ")}</p>;
}

const KNOWN = ["cpu", "memory", "nvidia.com/gpu", "amd.com/gpu", "ephemeral-storage"];
const EXAMPLES: Record<string, [string, string]> = {
  cpu: ["500m", "2"],
  memory: ["1Gi", "4Gi"],
  "nvidia.com/gpu": ["1", "1"],
};

function Resources({
  values,
  onChange,
  failure,
}: {
  values: Resource[];
  onChange: (list: Resource[]) => void;
  failure: Failure | undefined;
}) {
  const list = useId();
  const set = (index: number, at: 0 | 1 | 2, text: string) =>
    onChange(
      values.map((old, number) =>
        number === index ? (old.map((one, part) => (part === at ? text : one)) as Resource) : old,
      ),
    );
  return (
    <fieldset class="resources" aria-label="Resources">
      <div class="resource head" aria-hidden="true">
        <span>Resource</span>
        <span>Request</span>
        <span>Limit</span>
      </div>
      {values.map(([name, request, limit], index) => {
        const fixed = index < 2;
        const what = name || `resource ${index + 1}`;
        return (
          <div key={index} class="resource">
            {fixed ? (
              <span class="resource-name">{name === "cpu" ? "CPU" : "Memory"}</span>
            ) : (
              <input
                aria-label="Resource"
                placeholder="nvidia.com/gpu"
                list={list}
                value={name}
                spellcheck={false}
                onInput={({ currentTarget }) => set(index, 0, currentTarget.value)}
              />
            )}
            <input
              aria-label={`Request of ${what}`}
              placeholder={EXAMPLES[name]?.[0]}
              value={request}
              spellcheck={false}
              onInput={({ currentTarget }) => set(index, 1, currentTarget.value)}
            />
            <input
              aria-label={`Limit of ${what}`}
              placeholder={EXAMPLES[name]?.[1]}
              value={limit}
              spellcheck={false}
              onInput={({ currentTarget }) => set(index, 2, currentTarget.value)}
            />
            {!fixed && (
              <Button
                kind="quiet"
                icon="close"
                aria-label={`Remove ${what}`}
                onClick={() => onChange(values.filter((_, at) => at !== index))}
              />
            )}
          </div>
        );
      })}
      <datalist id={list}>
        {KNOWN.slice(2).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <FieldError failure={failure} path="options.resources" />
      <Button kind="quiet" icon="plus" onClick={() => onChange([...values, ["", "", ""]])}>
        Add a resource
      </Button>
    </fieldset>
  );
}
