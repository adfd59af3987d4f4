import type { Route } from "../../routes";

export const deploymentRoutes: Route[] = [];
