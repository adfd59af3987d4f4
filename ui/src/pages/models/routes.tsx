import type { Route } from "../../routes";
import { ModelsPage } from "./models";

export const modelRoutes: Route[] = [
  {
    path: "/models",
    title: "Models",
    page: ModelsPage,
    nav: { label: "Models", icon: "models", group: "Registry", key: "m" },
  },
];
