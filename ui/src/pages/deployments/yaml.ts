const PLAIN = /^[A-Za-z/_.][\w./:@+ -]*$/;
const OTHER_TYPES = /^(true|false|yes|no|on|off|null|y|n|~|\.inf|\.nan|[.\d+-].*)$/i;

/** A value of JSON as YAML, for people to read. */
function toYaml(value: unknown, indent = ""): string {
  if (Array.isArray(value)) {
    if (!value.length) return "[]";
    return value.map((one) => `\n${indent}- ${toYaml(one, `${indent}  `).trimStart()}`).join("");
  }
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value);
    if (!entries.length) return "{}";
    return entries
      .map(([key, inner]) => {
        const text = toYaml(inner, `${indent}  `);
        return `\n${indent}${scalar(key)}:${text.startsWith("\n") ? text : ` ${text}`}`;
      })
      .join("");
  }
  return typeof value === "string" ? scalar(value) : JSON.stringify(value);
}

/** Texts that YAML would read as something else are in quotes, which are those of JSON. */
function scalar(text: string): string {
  const isPlain = PLAIN.test(text) && !OTHER_TYPES.test(text) && !/: |:$| $/.test(text);
  return isPlain ? text : JSON.stringify(text);
}

/** The manifest of a plan, which is JSON; as it is if it is not. */
export function manifestYaml(manifest: string): string {
  try {
    return toYaml(JSON.parse(manifest)).trimStart();
  } catch {
    return manifest;
  }
}
