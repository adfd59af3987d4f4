import type { ComponentType } from "preact";
import type { IconName } from "./components/icon";
import type { Role } from "./gen/modelregistry/v1/access_pb";
import { adminRoutes } from "./pages/admin/routes";
import { deploymentRoutes } from "./pages/deployments/routes";
import { modelRoutes } from "./pages/models/routes";

export interface PageProps {
  /** The parts of the address that the path of the route names. */
  params: Record<string, string>;
}

export interface Route {
  /** The address after /ui/p/<project>, such as `/models/:id`; after /ui for a page that belongs to no project. */
  path: string;
  /** The title of the window until the page sets its own with `useTitle`. */
  title: string;
  page: ComponentType<PageProps>;
  outsideProject?: boolean;
  nav?: NavEntry;
}

/** An entry of the sidebar. */
export interface NavEntry {
  label: string;
  icon: IconName;
  group: "Registry" | "Serving" | "Project" | "Administration";
  /** The second key of the shortcut `g <key>`. */
  key?: string;
  /** The least role that can use the page. Others do not see the entry. */
  role?: Role;
}

export const routes: Route[] = [...modelRoutes, ...deploymentRoutes, ...adminRoutes];
