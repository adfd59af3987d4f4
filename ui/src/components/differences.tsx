export interface Difference {
  name: string;
  before: string;
  after: string;
  /** What to say where the values are not known. */
  note?: string;
}

/** What changes, one line each: the name, the value before, and the value after. */
export function Differences({
  list,
  label,
  before = "Before",
  after = "After",
}: {
  list: Difference[];
  label: string;
  before?: string;
  after?: string;
}) {
  return (
    <table class="diff" aria-label={label}>
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">{before}</th>
          <th scope="col">{after}</th>
        </tr>
      </thead>
      <tbody>
        {list.map((one) => (
          <tr key={one.name}>
            <th scope="row">
              <code>{breakable(one.name)}</code>
            </th>
            {one.note ? (
              <td colSpan={2} class="faint">
                {one.note}
              </td>
            ) : (
              <>
                <td data-title={before}>{one.before ? <del>{one.before}</del> : <span class="faint">not set</span>}</td>
                <td data-title={after}>{one.after ? <ins>{one.after}</ins> : <span class="faint">not set</span>}</td>
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A long path breaks after its dots. */
function breakable(path: string) {
  return path.split(/(?<=\.)/).map((part, index) => (
    <span key={index}>
      {part}
      <wbr />
    </span>
  ));
}
