import { Icon } from "./icon";

/** Says which fields of a form somebody else has changed too. */
export function Conflicts({ fields }: { fields: PropertyKey[] }) {
  if (!fields.length) return null;
  const names = fields.map((field) => String(field).replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));
  return (
    <div class="notice amber" role="status">
      <Icon name="alert" />
      <p>
        Somebody else has changed {names.join(", ")} too. If you save now, your text replaces theirs. All other fields
        show what they are now.
      </p>
    </div>
  );
}
