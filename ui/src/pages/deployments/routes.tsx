import type { Route } from "../../routes";
import { DeploymentPage } from "./deployment";
import { DeploymentsPage } from "./deployments";
import { EnvironmentPage, EnvironmentsPage } from "./environments";
import { NewDeploymentPage } from "./new-deployment";
import { UpdateDeploymentPage } from "./update-deployment";
import "./deployments.css";

export const deploymentRoutes: Route[] = [
  {
    path: "/deployments",
    title: "Deployments",
    page: DeploymentsPage,
    nav: { label: "Deployments", icon: "deployments", group: "Serving", key: "d" },
  },
  { path: "/deployments/new", title: "New deployment", page: NewDeploymentPage },
  { path: "/deployments/:id", title: "Deployment", page: DeploymentPage },
  { path: "/deployments/:id/update", title: "Update", page: UpdateDeploymentPage },
  {
    path: "/environments",
    title: "Environments",
    page: EnvironmentsPage,
    nav: { label: "Environments", icon: "environments", group: "Serving", key: "e" },
  },
  { path: "/environments/:id", title: "Environment", page: EnvironmentPage },
];
