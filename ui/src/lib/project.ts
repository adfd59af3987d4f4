import { currentPath, matchPath, useLocation } from "./router";
import { config } from "./session";

/** The project of the README, which everybody can use while tenancy is open. */
const FIRST_PROJECT = "11111111-1111-1111-1111-111111111111";

const KEY = "registry.project";
const RECENT_KEY = "registry.projects";
const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;

export function isProjectId(text: string): boolean {
  return UUID.test(text);
}

/** The project in the address, or else the last one that was used in this browser. */
export function currentProject(): string {
  return projectOf(currentPath()) ?? storedProject();
}

/** Whether the address names the project. */
export function isInProject(): boolean {
  return projectOf(currentPath()) !== undefined;
}

export function useProject(): string {
  return projectOf(useLocation().path) ?? storedProject();
}

/** The address of a page of the present project: `href("/models/1")`. It names the project, so that it can be shared. */
export function href(path: string, project = currentProject()): string {
  return `/p/${project}${path}`;
}

function projectOf(path: string): string | undefined {
  const id = path.split(/[/?]/)[2];
  return path.startsWith("/p/") && id && matchPath("/p/:project", `/p/${id}`) ? id : undefined;
}

function storedProject(): string {
  const stored = localStorage.getItem(KEY);
  return stored && isProjectId(stored) ? stored : (config.get().project ?? FIRST_PROJECT);
}

/** The projects that were used in this browser, the last one first. */
export function recentProjects(): string[] {
  try {
    const list: unknown = JSON.parse(localStorage.getItem(RECENT_KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((id): id is string => typeof id === "string" && isProjectId(id)) : [];
  } catch {
    return [];
  }
}

export function rememberProject(id: string): void {
  if (!isProjectId(id)) return;
  localStorage.setItem(KEY, id);
  localStorage.setItem(
    RECENT_KEY,
    JSON.stringify([id, ...recentProjects().filter((other) => other !== id)].slice(0, 8)),
  );
}
