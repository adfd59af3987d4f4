import { useEffect, useId, useRef, useState } from "preact/hooks";
import { api } from "../../lib/api";
import { useProject } from "../../lib/project";
import { useDebounced, useQuery } from "../../lib/query";

export interface PickedModel {
  id: string;
  name: string;
}

/** A text field that finds a model by its name, and lists those that begin or end like it. */
export function ModelPicker({
  id,
  value,
  onPick,
  placeholder,
  label,
  described,
}: {
  id?: string;
  /** The name of the model that is picked; empty if none is. */
  value: string;
  onPick: (model: PickedModel | undefined) => void;
  placeholder?: string;
  label?: string;
  described?: object;
}) {
  const list = useId();
  const project = useProject();
  const [text, setText] = useState(value);
  const sent = useRef(value);
  useEffect(() => {
    if (value === sent.current) return; // it was changed elsewhere, for example by the address
    sent.current = value;
    setText(value);
  }, [value]);
  const search = useDebounced(text).trim();
  const { data: models } = useQuery(`models to pick ${project} ${search}`, async (signal) => {
    const answer = await api.models.listRegisteredModels(
      { search: search.replace(/[\\%_]/g, "\\$&"), orderBy: "name", pageSize: 50 },
      { signal },
    );
    return answer.registeredModels;
  });
  const pick = (model: PickedModel | undefined) => {
    if ((model?.name ?? "") === sent.current) return;
    sent.current = model?.name ?? "";
    onPick(model);
  };
  const found = models?.find(({ name }) => name === text.trim());
  useEffect(() => {
    if (found) pick({ id: found.id, name: found.name });
  }, [found?.id]);
  return (
    <>
      <input
        {...described}
        id={id}
        aria-label={label}
        list={list}
        value={text}
        placeholder={placeholder}
        autocomplete="off"
        spellcheck={false}
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
          const chosen = models?.find(({ name }) => name === currentTarget.value.trim());
          pick(chosen && { id: chosen.id, name: chosen.name });
        }}
      />
      <datalist id={list}>
        {models?.map(({ id: key, name }) => (
          <option key={key} value={name} />
        ))}
      </datalist>
    </>
  );
}

/** The name of a model whose id the address has. */
export function useModelName(id: string): string {
  const project = useProject();
  const { data } = useQuery(`name of ${project} ${id}`, async (signal) => {
    if (!id) return "";
    const { registeredModel } = await api.models.getRegisteredModel({ id }, { signal });
    return registeredModel?.name ?? "";
  });
  return data ?? "";
}
