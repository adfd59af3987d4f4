import type { Route } from "../../routes";
import { ModelPage } from "./model";
import { ModelsPage } from "./models";
import { VersionPage } from "./version";
import "./models.css";

export const modelRoutes: Route[] = [
  {
    path: "/models",
    title: "Models",
    page: ModelsPage,
    nav: { label: "Models", icon: "models", group: "Registry", key: "m" },
  },
  { path: "/models/:id", title: "Model", page: ModelPage },
  { path: "/models/:id/versions/:version", title: "Version", page: VersionPage },
];
