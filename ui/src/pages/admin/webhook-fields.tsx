import { TextField } from "../../components/fields";
import type { Failure } from "../../lib/errors";

/** The kinds of events, with what they are about. */
const KINDS: [kind: string, text: string][] = [
  ["model", "Models"],
  ["version", "Versions"],
  ["alias", "Aliases"],
  ["artifact", "Artifacts"],
  ["deployment", "Deployments"],
  ["environment", "Environments"],
  ["service", "Inference services"],
  ["serve_model", "Serve models"],
];

interface Props {
  types: string[];
  onChange: (types: string[]) => void;
  failure: Failure | undefined;
}

/** The events that a webhook gets: whole kinds, and single types in a text. */
export function TypesField({ types, onChange, failure }: Props) {
  const known = new Set(KINDS.map(([kind]) => kind));
  const single = types.filter((type) => !known.has(type));
  const toggle = (kind: string, on: boolean) =>
    onChange(on ? [...types, kind] : types.filter((other) => other !== kind));
  return (
    <fieldset class="stack">
      <legend>Events</legend>
      <p class="hint">Choose none to send all.</p>
      <div class="kinds">
        {KINDS.map(([kind, text]) => (
          <label key={kind}>
            <input
              type="checkbox"
              checked={types.includes(kind)}
              onChange={(event) => toggle(kind, event.currentTarget.checked)}
            />
            {text}
          </label>
        ))}
      </div>
      <TextField
        label="Single types"
        optional
        mono
        placeholder="deployment.status_changed, alias.set"
        value={single.join(", ")}
        onInput={(text) => onChange([...types.filter((type) => known.has(type)), ...listOf(text)])}
        failure={failure}
        path="webhook.types"
      />
    </fieldset>
  );
}

/** Keeps an empty end, so that a comma can be typed. */
function listOf(text: string): string[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts.filter((part, at) => part !== "" || (at > 0 && at === parts.length - 1));
}

/** As the API wants them. */
export function typesOf(types: string[]): string[] {
  return types.filter(Boolean);
}

export const WEBHOOK_FIELDS = ["webhook.url", "webhook.types", "webhook.secret"];

export function UrlField({
  url,
  onInput,
  failure,
}: {
  url: string;
  onInput: (url: string) => void;
  failure: Failure | undefined;
}) {
  return (
    <TextField
      label="URL"
      type="url"
      mono
      placeholder="https://example.com/hook"
      value={url}
      onInput={onInput}
      failure={failure}
      path="webhook.url"
      autofocus
      hint="https with a public address, unless the settings allow other networks."
    />
  );
}

export function SecretField({
  secret,
  onInput,
  failure,
  hint,
}: {
  secret: string;
  onInput: (secret: string) => void;
  failure: Failure | undefined;
  hint: string;
}) {
  return (
    <TextField
      label="Secret"
      type="password"
      optional
      mono
      value={secret}
      onInput={onInput}
      failure={failure}
      path="webhook.secret"
      hint={hint}
    />
  );
}
