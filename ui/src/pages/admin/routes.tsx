import { Role } from "../../gen/modelregistry/v1/access_pb";
import type { Route } from "../../routes";
import { ActivityPage } from "./activity";
import "./admin.css";
import { AuditPage } from "./audit";
import { MembersPage } from "./members";
import { ProjectPage } from "./project";
import { ProjectsPage } from "./projects";
import { TokensPage } from "./tokens";
import { WebhookPage } from "./webhook";
import { WebhooksPage } from "./webhooks";

export const adminRoutes: Route[] = [
  {
    path: "/activity",
    title: "Activity",
    page: ActivityPage,
    nav: { label: "Activity", icon: "activity", group: "Project", key: "a", role: Role.VIEWER },
  },
  {
    path: "/members",
    title: "Members",
    page: MembersPage,
    nav: { label: "Members", icon: "members", group: "Project", role: Role.ADMIN },
  },
  {
    path: "/tokens",
    title: "API tokens",
    page: TokensPage,
    nav: { label: "API tokens", icon: "token", group: "Project", role: Role.ADMIN },
  },
  {
    path: "/webhooks",
    title: "Webhooks",
    page: WebhooksPage,
    nav: { label: "Webhooks", icon: "webhook", group: "Project", role: Role.ADMIN },
  },
  { path: "/webhooks/:id", title: "Webhook", page: WebhookPage },
  {
    path: "/audit",
    title: "Audit log",
    page: AuditPage,
    nav: { label: "Audit log", icon: "audit", group: "Project", role: Role.ADMIN },
  },
  {
    path: "/projects",
    title: "Projects",
    page: ProjectsPage,
    outsideProject: true,
    nav: { label: "Projects", icon: "projects", group: "Administration", role: Role.OPERATOR },
  },
  { path: "/projects/:id", title: "Project", page: ProjectPage, outsideProject: true },
];
