import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icon";

/** Says which fields of a form somebody else has changed too. */
export function Conflicts({
  fields,
  words = {},
}: {
  fields: PropertyKey[];
  words?: Partial<Record<PropertyKey, string>>;
}) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => element.current?.scrollIntoView({ block: "nearest" }), [fields]); // the button that led here is below a long form
  if (!fields.length) return null;
  const names = fields.map(
    (field) => words[field] ?? String(field).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
  );
  return (
    <div class="notice amber" role="status" ref={element}>
      <Icon name="alert" />
      <p>
        Somebody else has changed {names.join(", ")} too. If you save now, your change replaces theirs. All other fields
        show their newest values.
      </p>
    </div>
  );
}
