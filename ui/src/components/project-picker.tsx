import { useState } from "preact/hooks";
import { Role } from "../gen/modelregistry/v1/access_pb";
import { api } from "../lib/api";
import { caller } from "../lib/caller";
import { href, isProjectId, recentProjects, useProject } from "../lib/project";
import { readAll, useQuery } from "../lib/query";
import { roleName } from "../lib/roles";
import { navigate } from "../lib/router";
import { createStore, useStore } from "../lib/store";
import { Button } from "./basics";
import { Dialog } from "./dialog";
import { TextField } from "./fields";
import { Icon } from "./icon";

/** The names of projects that were read. Only operators may read them. */
const names = createStore<Record<string, string>>({});

/** Shows the project, and changes it. */
export function ProjectPicker({ open, setOpen }: { open: boolean; setOpen: (open: boolean) => void }) {
  const project = useProject();
  const known = useStore(names);
  useProjects();
  return (
    <>
      <button type="button" class="project" aria-haspopup="dialog" onClick={() => setOpen(true)} title={project}>
        <Icon name="projects" />
        <span>
          <small>Project</small>
          {known[project] ?? <code>{project.slice(0, 8)}…</code>}
        </span>
        <Icon name="chevron" />
      </button>
      {open && <PickDialog current={project} onClose={() => setOpen(false)} />}
    </>
  );
}

function useProjects() {
  const who = useStore(caller);
  const isOperator = who !== undefined && who.role >= Role.OPERATOR; // for others, it would be a refused call in the audit log
  return useQuery(`projects ${isOperator}`, async (signal) => {
    if (!isOperator) return;
    const read = async (pageToken: string) => {
      const answer = await api.projects.listProjects({ pageSize: 100, pageToken }, { signal });
      return { rows: answer.projects, nextPageToken: answer.nextPageToken };
    };
    const projects = await readAll(read, signal, 500);
    names.set(Object.fromEntries(projects.map(({ id, name }) => [id, name])));
  });
}

/** The roles that the caller has in these projects. Those of the others are not known, and it costs a call for each. */
function useRoles(ids: string[]): Record<string, Role> {
  const { data } = useQuery(`roles ${ids}`, async (signal) => {
    const answers = await Promise.all(
      ids.map((id) => api.access.getCaller({}, { signal, headers: { "project-id": id } })),
    );
    return Object.fromEntries(ids.map((id, at) => [id, answers[at]?.role ?? Role.UNSPECIFIED]));
  });
  return data ?? {};
}

function PickDialog({ current, onClose }: { current: string; onClose: () => void }) {
  const known = useStore(names);
  const [text, setText] = useState("");
  const recent = [...new Set([current, ...recentProjects()])];
  const roles = useRoles(recent);
  const ids = [...new Set([...recent, ...Object.keys(known)])];
  const wanted = text.trim().toLowerCase();
  const found = ids.filter((id) => `${known[id] ?? ""} ${id}`.toLowerCase().includes(wanted));
  const pick = (id: string) => {
    onClose();
    navigate(href("/models", id));
  };
  return (
    <Dialog title="Choose a project" onClose={onClose}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          const id = isProjectId(wanted) ? wanted : found[0];
          if (id) pick(id);
        }}
      >
        <TextField
          label="Name or id"
          hint="Every project has an id, which is a UUID. Callers send it in the header Project-ID."
          value={text}
          onInput={setText}
          autofocus
        />
        <ul class="choices">
          {found.map((id) => (
            <li key={id}>
              <button type="button" aria-current={id === current ? "true" : undefined} onClick={() => pick(id)}>
                <span>
                  {known[id] ?? "Project"}
                  {roles[id] !== undefined && <span class="faint"> {roleName(roles[id])}</span>}
                </span>
                <code>{id}</code>
              </button>
            </li>
          ))}
        </ul>
        {isProjectId(wanted) && !found.includes(wanted) && (
          <Button kind="primary" submit>
            Open project {wanted.slice(0, 8)}
          </Button>
        )}
      </form>
    </Dialog>
  );
}
